"""The whole engine on exact numbers: a network, autodiff and the optimizers, run through each of the three doors.

Two layers with relu between them and the squared error, trained by `minigrad.optim`. The runs are compared with
``==``. Numbers grow: where both layers are trained a step is a polynomial of degree 3 in the weights, so that their
length triples with each step. Where the second layer is fixed, steps are linear between the kinks of relu, and lengths
grow evenly: then many steps are possible. A wrong rule may make lengths grow in either: there is a limit to them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from minigrad import nn, ops
from minigrad.optim import SGD, Lion, Optimizer
from minigrad.proof.claims import UndecidedError
from minigrad.proof.exact.entries import array, check, convert, fmpq
from minigrad.regularization.checks import integer
from minigrad.regularization.penalties import L2

__all__ = ["OPTIMIZERS", "Run", "first_difference", "learning_rate", "momentum", "rate", "train"]

DOORS = (1, 2, 3)

# Bits of a numerator or denominator beyond which no further step is taken: some seconds away, for each kind.
LONGEST: dict[Any, int] = {fmpq: 2**24, Fraction: 2**19}

# The optimizers whose steps are rational, with their own numbers.
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (SGD, {}),
    "heavy_ball": (SGD, {"momentum": Fraction(1, 2)}),
    "heavy_ball_inside": (SGD, {"momentum": Fraction(1, 2), "momentum_form": "inside"}),
    "nesterov": (SGD, {"momentum": Fraction(1, 2), "nesterov": True}),
    "lion": (Lion, {"betas": (Fraction(1, 2), Fraction(3, 4))}),
}


def learning_rate(step: int) -> Fraction:
    """Return α_t: it goes round three values."""
    return (Fraction(1, 16), Fraction(1, 8), Fraction(3, 32))[step % 3]


def rate(step: int) -> Fraction:
    """Return η_t: two values in turn, so that λ_t = η_t/α_t takes six."""
    return (Fraction(1, 8), Fraction(1, 16))[step % 2]


def momentum(optimizer: str) -> Fraction:
    """Return β of an optimizer with momentum."""
    return Fraction(OPTIMIZERS[optimizer][1]["momentum"])


@dataclass(frozen=True)
class Run:
    """What a run went through.

    Attributes:
        weights: for each step from 0 on, all parameters as one flat list.
        entries: how many entries had their type read: of losses, gradients, weights and state.
        kinks: how many times a unit was off, and how many times it was on.
    """

    weights: list[list[Any]]
    entries: int
    kinks: tuple[int, int]


def train(
    kind: Any,
    door: int,
    steps: int,
    *,
    optimizer: str = "sgd",
    fixed_readout: bool = False,
    wrong: Fraction = Fraction(1),
    data: Callable[[Any, Any], Any] = array,
) -> Run:
    """Train on entries of `kind` with α_t = `learning_rate`, regularised through `door`; read every entry's type.

    Door 1 adds L2(λ_t) to the loss, door 2 is ``l2=`` and door 3 ``decay=`` of the optimizer, with λ_t = η_t/α_t.

    Args:
        kind: a type of `minigrad.proof.exact.KINDS`.
        door: 1, 2 or 3.
        steps: how many.
        optimizer: a name in `OPTIMIZERS`.
        fixed_readout: do not train the second layer.
        wrong: a factor on λ, to see that any but 1 is noticed.
        data: makes the arrays; to see that a float among them is noticed.

    Raises:
        LeakError: an entry of a loss, gradient, weight or state is no `kind`. (flint itself raises TypeError when a
            rational meets a float.)
        UndecidedError: a loss, gradient, weight or state has more bits than `LONGEST` allows; names the step.
        ValueError: an unknown optimizer or door, a number of steps that is none.
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {', '.join(OPTIMIZERS)}, got {optimizer!r}")
    if door not in DOORS:
        raise ValueError(f"door must be 1 (loss), 2 (gradient) or 3 (update), got {door!r}")
    integer("steps", steps)
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        numbers = [Fraction(int(n), 4) for n in rng.integers(-5, 6, int(np.prod(shape)))]
        return data(np.array(numbers, dtype=object).reshape(shape), kind)

    x, y = drawn(4, 2), drawn(4, 1)
    params = [nn.Parameter(drawn(*shape), role) for shape, role in (((2, 3), "weight"), ((3,), "bias"),
                                                                    ((3, 1), "weight"), ((1,), "bias"))]  # fmt: skip
    trained = params[:2] if fixed_readout else params
    opt = _optimizer(optimizer, trained, kind, door, wrong)
    penalty = L2(_coefficient(kind, wrong), on="all") if door == 1 else None

    history = [_flat(trained)]
    entries, off, on = check(kind, **_named("weight", [p.data for p in trained])), 0, 0
    for t in range(steps):
        opt.zero_grad()
        hidden = ops.relu(ops.linear(x, params[0], params[1]))
        loss = ops.mse(ops.linear(hidden, params[2], params[3]), y)
        if penalty is not None:
            loss = loss + penalty(trained, step=t)
        loss.backward()
        entries += _read(kind, t, loss=loss.data, **_named("gradient", [p.grad for p in trained]))
        opt.step()
        entries += _read(kind, t, **_named("weight", [p.data for p in trained]), **_named("state", _state(opt)))
        history.append(_flat(trained))
        awake = int(np.sum(hidden.data > 0))
        off, on = off + hidden.size - awake, on + awake
    return Run(history, entries, (off, on))


def first_difference(a: Run, b: Run) -> tuple[int, list[Any]] | None:
    """Return the first step after which two runs differ, with b − a for each weight; None if they never do."""
    for step, (x, y) in enumerate(zip(a.weights, b.weights, strict=True)):
        if x != y:
            return step, [q - p for p, q in zip(x, y, strict=True)]
    return None


def _read(kind: Any, t: int, **named: Any) -> int:
    """Return how many entries there are, as `check`; UndecidedError if one of them is too long."""
    count = check(kind, **named)
    for name, values in named.items():
        bits = max((n.bit_length() for x in np.ravel(values) for n in (x.numerator, x.denominator)), default=0)
        if bits > LONGEST[kind]:
            raise UndecidedError(
                f"in step {t + 1} {name} has an entry of {bits} bits, more than {LONGEST[kind]}: the run was stopped"
            )
    return count


def _optimizer(name: str, params: list[Any], kind: Any, door: int, wrong: Fraction) -> Optimizer:
    make, own = OPTIMIZERS[name]
    own = {key: _converted(value, kind) for key, value in own.items()}
    how: dict[str, Any] = {}
    if door == 2:
        how = {"l2": _coefficient(kind, wrong), "on": "all"}
    elif door == 3:
        how = {"decay": lambda t: convert(rate(t), kind), "times": None, "on": "all"}
    opt: Optimizer = make(params, lr=lambda t: convert(learning_rate(t), kind), **own, **how)
    return opt


def _coefficient(kind: Any, wrong: Fraction) -> Callable[[int], Any]:
    """Return λ_t = η_t/α_t, times what may be wrong with it."""
    return lambda t: convert(rate(t), kind) / convert(learning_rate(t), kind) * convert(wrong, kind)


def _converted(value: Any, kind: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(convert(v, kind) for v in value)
    return convert(value, kind) if isinstance(value, Fraction) else value


def _state(opt: Optimizer) -> list[Any]:
    return [flat for group in opt.groups for flat in group.state]


def _named(name: str, arrays: list[Any]) -> dict[str, Any]:
    return {f"{name} {i}": a for i, a in enumerate(arrays)}


def _flat(params: list[Any]) -> list[Any]:
    return [entry for p in params for entry in p.data.ravel().tolist()]
