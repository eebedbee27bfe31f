"""Two trajectories of one program: in floats as it trains, and in balls that hold its exact weights.

`train` builds a small smooth network, and trains it with `minigrad.optim`. On balls the same lines run: hyperparameters
are then the exact values of the floats, so that the balls enclose what the algorithm means, and the float run differs
from it by its own rounding alone. A distance from a ball counts its radius, so every bound here is certain.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from minigrad import nn, ops
from minigrad.optim import SGD, Adagrad, Adam, AdamW, AMSGrad, Lion, RMSprop
from minigrad.proof.balls.ball import Ball, precision
from minigrad.regularization.checks import integer, nonnegative

__all__ = ["LOSSES", "OPTIMIZERS", "Gap", "gap", "rounding", "train"]

BITS = 512

# name: the optimizer of l2=, the optimizer of decay=, α, and its own numbers
OPTIMIZERS: dict[str, tuple[Any, Any, float, dict[str, Any]]] = {
    "sgd": (SGD, SGD, 0.1, {}),
    "adam": (Adam, AdamW, 0.01, {"betas": (0.9, 0.999), "eps": 1e-8}),
    "amsgrad": (AMSGrad, AMSGrad, 0.01, {"betas": (0.9, 0.999), "eps": 1e-8}),
    "rmsprop": (RMSprop, RMSprop, 0.01, {"rho": 0.99, "eps": 1e-8}),
    "adagrad": (Adagrad, Adagrad, 0.05, {"eps": 1e-10}),
    "lion": (Lion, Lion, 0.001, {"betas": (0.9, 0.99)}),
}

DOORS = ("l2", "decay")

Weights = list[Any]


def _squared_error(prediction: Any, target: Any) -> Any:
    return ops.mse(ops.tanh(prediction), target)


def _logistic(prediction: Any, target: Any) -> Any:
    return ops.mean(ops.softplus(-target * prediction))


LOSSES = {"squared_error": _squared_error, "logistic": _logistic}


def train(
    kind: type,
    optimizer: str,
    door: str,
    steps: int,
    *,
    decay: float = 0.01,
    loss: str = "squared_error",
    bits: int = BITS,
) -> list[Weights]:
    """Return the weights at the start and after each step, a flat list of floats or of balls.

    A layer of tanh units, and a loss on the second: the squared error of a tanh, or the logistic loss.

    Args:
        kind: `float` (arrays of float64) or `Ball`.
        optimizer: a name in `OPTIMIZERS`.
        door: "decay", or "l2" at λ = η/α.
        steps: how many.
        decay: η.
        loss: a name in `LOSSES`.
        bits: the precision of balls.

    Raises:
        UndecidedError: a comparison, as in AMSGrad's maximum, of balls that overlap: more bits may decide it.
        ValueError: an unknown name, a number of steps that is none.
    """
    for name, value, known in (("optimizer", optimizer, OPTIMIZERS), ("loss", loss, LOSSES), ("door", door, DOORS)):
        if value not in known:
            raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")
    if kind not in (float, Ball):
        raise ValueError(f"kind must be float or Ball, got {kind!r}")
    with precision(bits):
        return _train(kind, optimizer, door, integer("steps", steps), nonnegative("decay", decay), LOSSES[loss])


def _train(kind: type, optimizer: str, door: str, steps: int, decay: float, loss: Any) -> list[Weights]:
    rng = np.random.default_rng(0)

    def drawn(*shape: int) -> Any:
        x = rng.uniform(-1, 1, shape)
        return x if kind is float else np.frompyfunc(Ball, 1, 1)(x)

    def number(x: Any) -> Any:
        if isinstance(x, tuple):
            return tuple(map(number, x))
        return x if kind is float else Fraction(x)

    x, y = drawn(4, 2), drawn(4, 1)
    w1, b1 = nn.Parameter(drawn(2, 3)), nn.Parameter(drawn(3), "bias")
    w2, b2 = nn.Parameter(drawn(3, 1)), nn.Parameter(drawn(1), "bias")
    params = [w1, b1, w2, b2]
    l2_form, decay_form, lr, own = OPTIMIZERS[optimizer]
    own = {name: number(value) for name, value in own.items()}
    if door == "l2":
        opt = l2_form(params, lr=number(lr), l2=number(decay) / number(lr), on="all", **own)
    else:
        opt = decay_form(params, lr=number(lr), decay=number(decay), on="all", **own)
    history = [_flat(params)]
    for _ in range(steps):
        opt.zero_grad()
        loss(ops.linear(ops.tanh(ops.linear(x, w1, b1)), w2, b2), y).backward()
        opt.step()
        history.append(_flat(params))
    return history


def rounding(floats: list[Weights], balls: list[Weights]) -> Fraction:
    """Return a radius around the float trajectory within which the exact one lies: max |float − middle| + radius."""
    found = (b.distance(x) for xs, bs in zip(floats, balls, strict=True) for x, b in zip(xs, bs, strict=True))
    return max(found, default=Fraction(0))


@dataclass(frozen=True)
class Gap:
    """How far two exact trajectories are apart at the end.

    Attributes:
        apart: whether every weight of one is certainly another number than that of the other.
        least: the least distance of two weights that is certain, 0 if some balls overlap.
        most: the greatest.
        radii: the greatest sum of the two radii.
    """

    apart: bool
    least: Fraction
    most: Fraction
    radii: Fraction


def gap(a: list[Weights], b: list[Weights]) -> Gap:
    """Return the `Gap` of two trajectories of balls after their last step."""
    pairs = list(zip(a[-1], b[-1], strict=True))
    certain = [max(abs(x.middle - y.middle) - x.radius - y.radius, Fraction(0)) for x, y in pairs]
    return Gap(min(certain) > 0, min(certain), max(certain), max(x.radius + y.radius for x, y in pairs))


def _flat(params: list[Any]) -> Weights:
    return [entry for p in params for entry in p.data.ravel().tolist()]
