"""One training step, written once, for any kind of exact number: from a loss through autodiff to the update.

On Fractions it is a step of training; on SymPy's symbols it is a formula for all steps. In both, ∇Ω of door 1 is found
by the engine, from the penalty's value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from minigrad.extras import need
from minigrad.proof.atlas.pairs import Side
from minigrad.proof.atlas.situations import Situation
from minigrad.regularization import doors
from minigrad.regularization.penalties import L2
from minigrad.rules import hyper_names
from minigrad.rules.functions import maximum, sqrt
from minigrad.tensor import Tensor

sympy: Any = need("sympy", "proof")

__all__ = ["Batch", "Forever", "Place", "advance", "linear", "scale_invariant"]

Rule = Callable[..., tuple[Any, ...]]
Batch = Callable[[Sequence[Tensor]], Any]


@dataclass(frozen=True)
class Place:
    """Where a run is: its weights, the state of each, and how many steps each took part in."""

    weights: tuple[Any, ...]
    states: tuple[tuple[Any, ...], ...]
    counts: tuple[Any, ...]


class Forever:
    """A number of steps without end: β to this power is 0, so that the corrections for bias are over.

    It grows more slowly than any β to its power falls: t βᵗ is 0.
    """

    def __rpow__(self, base: Any) -> Fraction:
        return Fraction(0)

    def __add__(self, other: Any) -> "Forever":
        return self

    def __mul__(self, other: Any) -> Any:
        return 0 if other == 0 else self

    __radd__ = __add__
    __rmul__ = __mul__


def advance(
    side: Side, rule: Rule, situation: Situation, place: Place, batches: Sequence[Batch], numbers: dict[str, Any]
) -> Place:
    """Return the place after one step.

    Args:
        side: the door, and where its penalty is.
        rule: a base rule.
        situation: what the training loop does.
        place: where the run is.
        batches: the loss of each micro-batch, a function of the uses of parameters; one that returns None does not
            contain them.
        numbers: the rule's hyperparameters but t; l2 and decay; S (``scale``) and c (``limit``) where needed.
    """
    params = [Tensor(_array(w), requires_grad=True) for w in place.weights]
    chosen = [side.on == "all" or role == "weight" for role in situation.roles]
    for batch in batches:
        loss = batch([params[i] for i in situation.uses])
        if side.in_loss:
            omega = sum(L2.value(p, l2=numbers["l2"]) for p, yes in zip(params, chosen, strict=True) if yes)
            loss = omega if loss is None else loss + omega
        if isinstance(loss, Tensor):
            loss = loss / len(batches) if len(batches) > 1 else loss
            (loss * numbers["scale"] if situation.scaled else loss).backward()
    gradients = [None if p.grad is None else p.grad[()] for p in params]
    if situation.scaled:
        gradients = [None if g is None else _neat(g / numbers["scale"]) for g in gradients]
    if situation.clip:
        gradients = _clip(situation.clip, gradients, numbers["limit"])
    own = {name: numbers[name] for name in hyper_names(rule) if name != "t"}
    takes_t = "t" in hyper_names(rule)
    found = []
    for w, state, t, g, yes in zip(place.weights, place.states, place.counts, gradients, chosen, strict=True):
        if g is None:
            found.append((w, state, t))
            continue
        regularised = yes and side.takes is not None
        step = side.update(rule) if yes else doors.plain(rule)
        coefficient = {side.takes: numbers[side.takes]} if regularised and side.takes is not None else {}
        number = {"t": t} if takes_t else {}
        new, *after = step(w, g, *state, **own, **coefficient, **number)
        found.append((new, tuple(after), t + 1))
    return Place(*map(tuple, zip(*found, strict=True)))


def linear(slopes: Sequence[Any], curvatures: Sequence[Any] | None = None) -> Batch:
    """Return the loss Σ a u + h u²/2 over the uses u of parameters: the gradient by each is a + h u."""

    def loss(uses: Sequence[Tensor]) -> Any:
        found: Any = 0
        for i, u in enumerate(uses):
            found = found + u * slopes[i]
            if curvatures is not None and curvatures[i] != 0:
                found = found + u * u * curvatures[i] / 2
        return found

    return loss


def scale_invariant(a: Any) -> Batch:
    """Return a loss on four examples behind batch norm with ε = 0: a/2 times the squared output of the first.

    The examples are (1, 1), (1, −1), (−1, 1), (−1, −1). The square undoes batch norm's root, and rationals stay so.
    """

    def loss(uses: Sequence[Tensor]) -> Any:
        u, v = uses
        z = [u + v, u - v, v - u, -u - v]
        mean = (z[0] + z[1] + z[2] + z[3]) / 4
        d = [x - mean for x in z]
        variance = (d[0] * d[0] + d[1] * d[1] + d[2] * d[2] + d[3] * d[3]) / 4
        return d[0] * d[0] / variance * a / 2

    return loss


def _array(x: Any) -> Any:
    found = np.empty((), dtype=object)
    found[()] = x
    return found


def _neat(x: Any) -> Any:
    """Cancel common factors on symbols; numbers have none."""
    return sympy.cancel(x) if isinstance(x, sympy.Expr) else x


def _clip(how: str, gradients: list[Any], limit: Any) -> list[Any]:
    """Clip as `minigrad.training.clip` does; on symbols clip is a function of which nothing is known."""
    present = [g for g in gradients if g is not None]
    if any(isinstance(g, sympy.Expr) for g in present):
        if how == "value":
            return [g if g is None else sympy.Function("clip", real=True)(g) for g in gradients]
        return [sympy.Function(f"clip_{i + 1}", real=True)(*present) for i in range(len(gradients))]
    if how == "value":
        return [g if g is None else max(-limit, min(g, limit)) for g in gradients]
    scale = limit / maximum(sqrt(sum(g * g for g in present)), limit)
    return [g if g is None else g * scale for g in gradients]
