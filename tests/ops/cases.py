"""A table with a row for every operation: how to call it, on what, and what PyTorch calls the same.

A row makes a call from a `Source` of choices, which is either Hypothesis (shapes shrink) or a seed (the same again).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st

import minigrad as mg
from minigrad.ops import linalg, shaping


class Source:
    """Choices from a seed; `Drawn` takes them from Hypothesis instead. Entries of arrays are always random."""

    def __init__(self, seed: int):
        self.rng = np.random.default_rng(seed)

    def integer(self, low: int, high: int) -> int:
        return int(self.rng.integers(low, high + 1))

    def one_of(self, *choices: Any) -> Any:
        return choices[self.integer(0, len(choices) - 1)]

    def shape(self, least: int = 0, most: int = 3) -> tuple[int, ...]:
        return tuple(self.integer(1, 3) for _ in range(self.integer(least, most)))

    def stretched(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """A shape that broadcasts to `shape`."""
        kept = shape[self.integer(0, len(shape)) :]
        return tuple(self.one_of(n, 1) for n in kept)

    def normal(self, *shape: int) -> Any:
        return np.asarray(self.rng.standard_normal(shape))

    def positive(self, *shape: int) -> Any:
        return np.asarray(self.rng.uniform(0.5, 2, shape))

    def placed(self, index: Any) -> Any:
        """The index where the operands are."""
        return index

    def integers(self, low: int, high: int, *shape: int) -> Any:
        return np.asarray(self.rng.integers(low, high, shape))


class Drawn(Source):
    def __init__(self, draw: Any):
        self.draw = draw
        super().__init__(draw(st.integers(0, 2**32)))

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))


class Call(NamedTuple):
    """A function of operands; `torch` is the same with PyTorch, given the module and its tensors."""

    f: Callable[..., Any]
    operands: tuple[Any, ...]
    torch: Callable[..., Any] | None = None


@dataclass(frozen=True)
class Case:
    """`single`: the function makes one node, of `operation`; `order`: how often it can be differentiated."""

    name: str
    make: Callable[[Source], Call]
    operation: Any
    order: int = 2
    single: bool = True
    flat: bool = field(default=False)  # the gradient is 0 everywhere: nothing to perturb

    def __str__(self) -> str:
        return self.name


CASES: list[Case] = []


def case(function: Any, name: str = "", **options: Any) -> Callable[[Callable[[Source], Call]], Any]:
    def add(make: Callable[[Source], Call]) -> Any:
        operation = options.pop("operation", None) or function.operation
        CASES.append(Case(name or function.__name__, make, operation, **options))
        return make

    return add


# --- entry by entry ---------------------------------------------------------------------------------------------------


def unary(function: Any, torch: Any, values: str = "normal", **options: Any) -> None:
    def make(s: Source) -> Call:
        return Call(function, (getattr(s, values)(*s.shape()),), torch)

    case(function, **options)(make)


def binary(function: Any, torch: Any, a: str = "normal", b: str = "normal") -> None:
    @case(function)
    def make(s: Source) -> Call:
        whole = s.shape()
        shapes = [whole, s.stretched(whole)]
        if s.one_of(True, False):
            shapes.reverse()
        return Call(function, (getattr(s, a)(*shapes[0]), getattr(s, b)(*shapes[1])), torch)


binary(mg.add, lambda t, a, b: a + b)
binary(mg.subtract, lambda t, a, b: a - b)
binary(mg.multiply, lambda t, a, b: a * b)
binary(mg.divide, lambda t, a, b: a / b, b="positive")
binary(mg.power, lambda t, a, b: a**b, a="positive")
binary(mg.maximum, lambda t, a, b: t.maximum(a, b))
binary(mg.minimum, lambda t, a, b: t.minimum(a, b))

unary(mg.negative, lambda t, x: -x)
unary(mg.exp, lambda t, x: t.exp(x))
unary(mg.expm1, lambda t, x: t.expm1(x))
unary(mg.log, lambda t, x: t.log(x), "positive")
unary(mg.log1p, lambda t, x: t.log1p(x), "positive")
unary(mg.sqrt, lambda t, x: t.sqrt(x), "positive")
unary(mg.sin, lambda t, x: t.sin(x))
unary(mg.cos, lambda t, x: t.cos(x))
unary(mg.tanh, lambda t, x: t.tanh(x))
unary(mg.sigmoid, lambda t, x: t.sigmoid(x))
unary(mg.softplus, lambda t, x: t.nn.functional.softplus(x, threshold=1000))
unary(mg.gelu, lambda t, x: t.nn.functional.gelu(x, approximate="tanh"))
unary(mg.abs, lambda t, x: t.abs(x))
unary(mg.sign, lambda t, x: t.sign(x), flat=True)
unary(mg.relu, lambda t, x: t.relu(x))


@case(mg.power, "power of a number")
def _(s: Source) -> Call:
    n = s.one_of(0, 1, 2, 3, -1, 0.5, 1.5)
    return Call(lambda x: mg.power(x, n), (s.positive(*s.shape()),), lambda t, x: x**n)


@case(mg.leaky_relu)
def _(s: Source) -> Call:
    slope = s.one_of(0, 0.25)
    return Call(
        lambda x: mg.leaky_relu(x, slope),
        (s.normal(*s.shape()),),
        lambda t, x: t.nn.functional.leaky_relu(x, slope),
    )


@case(mg.clip)
def _(s: Source) -> Call:
    low, high = s.one_of((-0.5, 0.5), (None, 0.25), (0.125, None))
    return Call(lambda x: mg.clip(x, low, high), (s.normal(*s.shape()),), lambda t, x: t.clip(x, low, high))


@case(mg.where)
def _(s: Source) -> Call:
    whole = s.shape()
    condition = s.normal(*whole) > 0
    return Call(
        mg.where,
        (condition, s.normal(*s.stretched(whole)), s.normal(*s.stretched(whole))),
        lambda t, c, a, b: t.where(c, a, b),
    )


@case(mg.astype)
def _(s: Source) -> Call:
    return Call(lambda x: mg.astype(x, x.dtype), (s.normal(*s.shape()),), lambda t, x: x.to(x.dtype))


# --- reductions -------------------------------------------------------------------------------------------------------


def reduction(function: Any, torch: Any) -> None:
    @case(function)
    def make(s: Source) -> Call:
        shape = s.shape(1, 3)
        axis = s.one_of(None, 0, -1, (0, len(shape) - 1) if len(shape) > 1 else (0,))
        keepdims = s.one_of(True, False)
        axes = tuple(range(len(shape))) if axis is None else axis
        return Call(
            lambda x: function(x, axis=axis, keepdims=keepdims),
            (s.normal(*shape),),
            lambda t, x: torch(t, x, axes, keepdims),
        )


reduction(mg.sum, lambda t, x, axis, k: t.sum(x, axis, k))
reduction(mg.mean, lambda t, x, axis, k: t.mean(x, axis, k))
reduction(mg.var, lambda t, x, axis, k: t.var(x, axis, correction=0, keepdim=k))
reduction(mg.max, lambda t, x, axis, k: t.amax(x, axis, k))
reduction(mg.min, lambda t, x, axis, k: t.amin(x, axis, k))
reduction(mg.logsumexp, lambda t, x, axis, k: t.logsumexp(x, axis, k))

# --- shapes -----------------------------------------------------------------------------------------------------------


@case(mg.reshape)
def _(s: Source) -> Call:
    shape = s.shape()
    new = s.one_of((-1,), (1, *shape[::-1]), -1)
    return Call(
        lambda x: mg.reshape(x, new), (s.normal(*shape),), lambda t, x: t.reshape(x, np.atleast_1d(new).tolist())
    )


@case(mg.transpose)
def _(s: Source) -> Call:
    shape = s.shape()
    order = tuple(s.rng.permutation(len(shape)).tolist())
    axes = s.one_of(None, order, tuple(i - len(shape) for i in order))
    return Call(
        lambda x: mg.transpose(x, axes),
        (s.normal(*shape),),
        lambda t, x: x.permute(tuple(range(len(shape)))[::-1] if axes is None else axes),
    )


@case(mg.swapaxes)
def _(s: Source) -> Call:
    shape = s.shape(1, 3)
    a, b = (s.integer(-len(shape), len(shape) - 1) for _ in range(2))
    return Call(lambda x: mg.swapaxes(x, a, b), (s.normal(*shape),), lambda t, x: t.swapaxes(x, a, b))


@case(mg.expand_dims)
def _(s: Source) -> Call:
    axis = s.one_of(0, -1, (0, -1))
    return Call(lambda x: mg.expand_dims(x, axis), (s.normal(*s.shape()),))


@case(mg.squeeze)
def _(s: Source) -> Call:
    axis = s.one_of(None, 1, -1, (1, 3))
    return Call(lambda x: mg.squeeze(x, axis), (s.normal(s.integer(1, 3), 1, s.integer(1, 3), 1),) if axis != 1
                else (s.normal(2, 1, 3),))  # fmt: skip


@case(mg.broadcast_to)
def _(s: Source) -> Call:
    whole = s.shape()
    return Call(
        lambda x: mg.broadcast_to(x, whole), (s.normal(*s.stretched(whole)),), lambda t, x: t.broadcast_to(x, whole)
    )


@case(mg.concatenate, operation=shaping._concatenate.operation)
def _(s: Source) -> Call:
    shape = list(s.shape(1, 3))
    axis = s.integer(-len(shape), len(shape) - 1)
    operands = []
    for _ in range(s.integer(1, 3)):
        shape[axis] = s.integer(1, 3)
        operands.append(s.normal(*shape))
    return Call(lambda *x: mg.concatenate(x, axis), tuple(operands), lambda t, *x: t.cat(x, axis))


@case(mg.stack, operation=shaping._concatenate.operation, single=False)
def _(s: Source) -> Call:
    shape = s.shape()
    axis = s.one_of(0, -1, len(shape))
    operands = tuple(s.normal(*shape) for _ in range(s.integer(1, 3)))
    return Call(lambda *x: mg.stack(x, axis), operands, lambda t, *x: t.stack(x, axis))


@case(mg.pad)
def _(s: Source) -> Call:
    shape = s.shape(1, 3)
    width = s.one_of(1, (1, 2), tuple((s.integer(0, 2), s.integer(0, 2)) for _ in shape))
    return Call(lambda x: mg.pad(x, width), (s.normal(*shape),))


INDICES: tuple[Any, ...] = (
    0,
    -1,
    np.int64(1),
    slice(None, None, -2),
    (slice(1, None), None, 0),
    (..., 1),
    (),
    None,
    [0, 0, 2],
    np.array([[0, 2], [2, 2]]),
    (np.array([0, 0, 1]), np.array([1, 1, 0])),
    (np.array([[0], [2]]), slice(None), np.array([1, 1, 0])),
    (slice(None), np.array([1, 1])),
    np.array([True, False, True]),
    (np.array([True, False, True]), 1),
    (0, np.array([True, True, False])),
)


@case(mg.getitem, operation=shaping._getitem.operation)
def _(s: Source) -> Call:
    index = s.placed(s.one_of(*INDICES))
    return Call(lambda x: x[index], (s.normal(3, 3, 2),))


@case(shaping.scatter)
def _(s: Source) -> Call:
    index = s.one_of(*INDICES)
    part, index = np.zeros((3, 3, 2))[index].shape, s.placed(index)
    return Call(lambda x: shaping.scatter(x, index, (3, 3, 2)), (s.normal(*part),))


# --- products ---------------------------------------------------------------------------------------------------------


@case(mg.matmul)
def _(s: Source) -> Call:
    n, k, m = (s.integer(1, 3) for _ in range(3))
    batch = s.shape(0, 2)
    a = s.one_of((k,), (n, k), (*s.stretched(batch), n, k), (*batch, n, k))
    b = s.one_of((k,), (k, m), (*s.stretched(batch), k, m), (*batch, k, m))
    return Call(mg.matmul, (s.normal(*a), s.normal(*b)), lambda t, a, b: t.matmul(a, b))


@case(mg.linear)
def _(s: Source) -> Call:
    inputs, outputs = s.integer(1, 3), s.integer(1, 3)
    x, weight, bias = s.normal(*s.shape(0, 2), inputs), s.normal(inputs, outputs), s.normal(outputs)
    return Call(
        mg.linear,
        (x, weight, bias) if s.one_of(True, False) else (x, weight),
        lambda t, x, w, b=None: t.nn.functional.linear(x, w.T, b),
    )


EINSUMS = (
    "ij,jk->ik", "ij,jk", "ba", "ii->i", "ii", "ij->i", "ij->", "iij,jk->k", "...ij,jk->...ik", "...i,...i->...",
    "i...,...i->...", "ij,k->i", "i,i->", "ij,jk,kl->li", "iii->i", "iijj->ij", "...", "... -> ...", "->", "i,j,ij->",
    "i,,j->ji", "bij,bjk->bik", "ij,kl->",
)  # fmt: skip


@case(mg.einsum, operation=linalg._einsum.operation)
def _(s: Source) -> Call:
    subscripts = s.one_of(*EINSUMS)
    lengths = {letter: s.integer(1, 3) for letter in "abijkl"}
    hidden = s.shape(0, 2)
    operands = []
    for term in subscripts.partition("->")[0].replace(" ", "").split(","):
        before, dots, after = term.partition("...")
        shape = [lengths[c] for c in before] + [*(s.stretched(hidden) if dots else ())] + [lengths[c] for c in after]
        operands.append(s.normal(*shape))
    return Call(
        lambda *x: mg.einsum(subscripts, *x), tuple(operands), lambda t, *x: t.einsum(subscripts.replace(" ", ""), *x)
    )


# --- losses -----------------------------------------------------------------------------------------------------------


def along_axis(function: Any) -> None:
    @case(function)
    def make(s: Source) -> Call:
        shape = s.shape(1, 3)
        axis = s.integer(-len(shape), len(shape) - 1)
        return Call(
            lambda x: function(x, axis),
            (s.normal(*shape),),
            lambda t, x: getattr(t, function.__name__)(x, axis),
        )


along_axis(mg.softmax)
along_axis(mg.log_softmax)


@case(mg.cross_entropy, "cross_entropy with integer labels")
def _(s: Source) -> Call:
    rows, classes = s.shape(0, 2), s.integer(1, 4)
    labels = s.integers(0, classes, *rows)
    return Call(
        mg.cross_entropy,
        (s.normal(*rows, classes), labels),
        lambda t, x, n: t.nn.functional.cross_entropy(x.reshape(-1, classes), n.reshape(-1)),
    )


@case(mg.cross_entropy, "cross_entropy with soft labels")
def _(s: Source) -> Call:
    shape = (*s.shape(0, 2), s.integer(1, 4))
    return Call(
        mg.cross_entropy,
        (s.normal(*shape), s.positive(*shape)),
        lambda t, x, p: t.nn.functional.cross_entropy(x.reshape(-1, shape[-1]), p.reshape(-1, shape[-1])),
    )


@case(mg.mse)
def _(s: Source) -> Call:
    shape = s.shape()
    return Call(
        mg.mse, (s.normal(*shape), s.normal(*shape)), lambda t, a, b: t.nn.functional.mse_loss(a, b)
    )  # fmt: skip


@case(mg.binary_cross_entropy_with_logits)
def _(s: Source) -> Call:
    shape = s.shape()
    return Call(
        mg.binary_cross_entropy_with_logits,
        (s.normal(*shape), s.positive(*shape) / 2),
        lambda t, x, p: t.nn.functional.binary_cross_entropy_with_logits(x, p),
    )


# --- images -----------------------------------------------------------------------------------------------------------


def first(t: Any, x: Any) -> Any:
    return t.movedim(x, -1, 1)


def last(t: Any, x: Any) -> Any:
    return t.movedim(x, 1, -1)


@case(mg.conv2d, order=1)
def _(s: Source) -> Call:
    stride = s.one_of(1, 2, (1, 2), (3, 1))
    padding = s.one_of(0, 1, (0, 2))
    size = (s.integer(1, 3), s.integer(1, 3))
    x = s.normal(s.integer(1, 2), s.integer(3, 5), s.integer(3, 5), s.integer(1, 2))
    weight = s.normal(*size, x.shape[-1], s.integer(1, 2))
    operands = (x, weight, s.normal(weight.shape[-1])) if s.one_of(True, False) else (x, weight)
    return Call(
        lambda x, w, b=None: mg.conv2d(x, w, b, stride=stride, padding=padding),
        operands,
        lambda t, x, w, b=None: last(
            t,
            t.nn.functional.conv2d(first(t, x), w.permute(3, 2, 0, 1).contiguous(), b, stride=stride, padding=padding),
        ),
    )


def pooling(function: Any) -> None:
    @case(function, order=1)
    def make(s: Source) -> Call:
        size, stride = s.one_of((2, None), ((1, 2), None), (3, 1), (2, (1, 2)), ((3, 2), 2), (1, 2))
        x = s.normal(s.integer(1, 2), s.integer(3, 5), s.integer(3, 5), s.integer(1, 2))
        return Call(
            lambda x: function(x, size, stride),
            (x,),
            lambda t, x: last(t, getattr(t.nn.functional, function.__name__)(first(t, x), size, stride)),
        )


pooling(mg.max_pool2d)
pooling(mg.avg_pool2d)

# --- normalisation and dropout ----------------------------------------------------------------------------------------


@case(mg.batch_norm, order=1)
def _(s: Source) -> Call:
    x = s.normal(s.integer(2, 4), *s.shape(0, 2), s.integer(1, 3))
    return Call(
        lambda x, a, b: mg.batch_norm(x, a, b, eps=0.25),
        (x, s.normal(x.shape[-1]), s.normal(x.shape[-1])),
        lambda t, x, a, b: last(
            t, t.nn.functional.batch_norm(first(t, x), None, None, a, b, training=True, eps=0.25)
        ),
    )  # fmt: skip


@case(mg.layer_norm)
def _(s: Source) -> Call:
    x = s.normal(*s.shape(0, 2), s.integer(2, 4))
    return Call(
        lambda x, a, b: mg.layer_norm(x, a, b, eps=0.25),
        (x, s.normal(x.shape[-1]), s.normal(x.shape[-1])),
        lambda t, x, a, b: t.nn.functional.layer_norm(x, x.shape[-1:], a, b, eps=0.25),
    )


@case(mg.dropout)
def _(s: Source) -> Call:
    rate, key, step = s.one_of(0, 0.5, 0.25), (s.integer(0, 9), 1), s.integer(0, 9)
    return Call(lambda x: mg.dropout(x, rate, key, step), (s.normal(2, *s.shape(1, 2)),))
