"""Functions of functions: grad, value_and_grad, jacobian, hvp.

Each maps arrays to arrays and tensors to tensors. A tensor that requires gradients stays connected through the
transform, so transforms nest: ``mg.grad(lambda x: mg.grad(f)(x).sum())``. Where an outer transform's variable enters
an inner one by the back door, as in ``mg.grad(lambda a: mg.grad(lambda x: x * x * a)(3.0))``, the inner gradient is a
tensor whatever the argument was, since only so can it be differentiated.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import backend, ops
from minigrad.autodiff import backpropagate, foreign_leaves
from minigrad.tensor import Tensor, enable_grad, recording, result

__all__ = ["grad", "hvp", "jacobian", "pullback", "value_and_grad"]


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return the function that computes the gradient of the scalar function `f` by its argument(s) `argnums`.

    The gradient has the shape and dtype of the argument: an array if that was one, a tensor if it was a tensor; a
    tuple if `argnums` is one. Raises ValueError if f's value is not a single number.
    """
    both = value_and_grad(f, argnums)
    return lambda *args: both(*args)[1]


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return the function that computes ``(f(*args), grad(f, argnums)(*args))`` in one pass."""

    def transformed(*args: Any) -> tuple[Any, Any]:
        y, pull = pullback(f, argnums, args)
        if y.data.size != 1:
            raise ValueError(f"grad needs a function whose value is a single number, got shape {y.shape}; see jacobian")
        gradients = pull(backend.ones_like(y.data))
        tensors = y.requires_grad or any(isinstance(x, Tensor) for x in args)
        return (y if tensors else y.data), gradients

    return transformed


def jacobian(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return the function that computes all derivatives of `f`: an array of shape ``f(x).shape + x.shape``.

    One pass back per entry of f(x).
    """

    def transformed(*args: Any) -> Any:
        y, pull = pullback(f, argnums, args)
        xp = backend.namespace(y)
        n = y.data.size
        basis = (xp.eye(n, dtype=y.dtype) * backend.ones_like(y.data).ravel()).reshape(n, *y.shape)
        rows = [pull(e) for e in basis] or [pull(backend.ones_like(y.data))]  # of no value a row that is left out
        if isinstance(argnums, tuple):
            return tuple(_stacked(list(column), y.shape) for column in zip(*rows, strict=True))
        return _stacked(rows, y.shape)

    return transformed


def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function ``(x, v) -> H v``, with H the Hessian of the scalar function `f` at x, never formed.

    Raises ValueError where v has not the shape of x, and NotImplementedError, naming the operation, where `f` uses one
    without a second derivative.
    """

    def transformed(x: Any, v: Any) -> Any:
        shapes = [a.shape if hasattr(a, "shape") else np.shape(a) for a in (x, v)]
        if shapes[0] != shapes[1]:
            raise ValueError(f"v must have the shape of x, {shapes[0]}, got {shapes[1]}")
        return grad(lambda x: ops.sum(grad(f)(x) * v))(x)

    return transformed


def pullback(f: Callable[..., Any], argnums: int | tuple[int, ...], args: tuple[Any, ...]) -> tuple[Tensor, Any]:
    """Return f's value, a tensor, and the function that takes a gradient by it to gradients by the arguments.

    Both are recorded only where an outer transform, or `backward`, differentiates them in turn.
    """
    wanted = _positions(argnums, len(args))
    given = [args[i] for i in wanted]
    differentiated = recording()  # whether anybody may differentiate what comes out
    with enable_grad():
        leaves = [x * 1 if differentiated and _requires_grad(x) else Variable(x) for x in given]
        called = list(args)
        for i, leaf in zip(wanted, leaves, strict=True):
            called[i] = leaf
        y = f(*called)
    for leaf in leaves:
        if isinstance(leaf, Variable):
            leaf.active = False
    if not isinstance(y, Tensor):
        raise TypeError(
            f"the function must return a tensor, got {type(y).__name__}: what .item(), .data or .numpy() give is cut "
            "off from the graph"
        )
    connected = differentiated and _connected(y, leaves, any(isinstance(x, Tensor) for x in args))

    def pull(g: Any) -> Any:
        if not y.requires_grad:
            found: dict[Any, Any] = {}
        elif connected:
            with enable_grad():
                found = backpropagate(y, result(g), leaves, ops)
        else:
            found = backpropagate(y, g, leaves)
        gradients = tuple(_like(x, found.get(leaf), leaf, connected) for x, leaf in zip(given, leaves, strict=True))
        return gradients if isinstance(argnums, tuple) else gradients[0]

    return y if connected else y.detach(), pull


class Variable(Tensor):
    """The leaf by which a transform differentiates; active while the transform runs its function."""

    __slots__ = ("active",)

    def __init__(self, x: Any):
        super().__init__(x, requires_grad=True)
        self.active = True


def _connected(y: Tensor, leaves: list[Tensor], on_tensors: bool) -> bool:
    """Tell whether the gradients must be differentiable: an outer transform's variable is in y, or a tensor's leaf."""
    foreign = foreign_leaves(y, leaves)
    variables = {leaf for leaf in foreign if isinstance(leaf, Variable)}
    return any(v.active for v in variables) or (on_tensors and bool(foreign - variables))


def _requires_grad(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _positions(argnums: int | tuple[int, ...], count: int) -> list[int]:
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)
    for i in wanted:
        if isinstance(i, bool) or not isinstance(i, int):
            raise TypeError(f"argnums must be an integer or a tuple of integers, got {argnums!r}")
        if not -count <= i < count:
            raise ValueError(f"argnums names argument {i}, but the function was called with {count}")
    positions = [i % count for i in wanted]
    if len(set(positions)) < len(positions):
        raise ValueError(f"argnums names an argument twice: {argnums!r}")
    return positions


def _like(x: Any, g: Any, leaf: Tensor, connected: bool) -> Any:
    """Return gradient `g` (None for zero) as what the argument `x` was, an array or a tensor, in memory of its own."""
    if connected and g is not None:
        return g
    xp = backend.namespace(leaf)
    array = backend.zeros(leaf.shape, leaf.data) if g is None else xp.array(g.data if isinstance(g, Tensor) else g)
    return result(array) if connected or isinstance(x, Tensor) else array


def _stacked(rows: list[Any], shape: tuple[int, ...]) -> Any:
    if isinstance(rows[0], Tensor):
        return ops.reshape(ops.stack(rows)[: math.prod(shape)], (*shape, *rows[0].shape))
    return backend.namespace(rows[0]).stack(rows)[: math.prod(shape)].reshape(*shape, *rows[0].shape)
