"""Momentum in closed form: how far decay and L2 drift apart from a zero buffer, step by step.

Both doors start from the same weight w₀ and a zero buffer, step t uses α_t and η_t, and door 2's coefficient is
λ_t = η_t/α_t. Where one schedule multiplies both, α_t = s_t α and η_t = s_t η, that is η/α at every step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.extras import need
from minigrad.proof.symbolic.decide import neat
from minigrad.proof.symbolic.letters import Expr, as_exact, letter, name_of, rule_called
from minigrad.regularization.checks import integer
from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2
from minigrad.rules import hyper_names, state_names

sympy: Any = need("sympy", "proof")

__all__ = ["Gap", "momentum_gap"]

Rule = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Gap:
    """Door 3 less door 2 after each of the steps 1, …, T, from equal weights w₀ and zero buffers.

    Attributes:
        rule: the rule's name.
        weights: y_t − x_t.
        buffers: the buffers' difference.
    """

    rule: str
    weights: tuple[Expr, ...]
    buffers: tuple[Expr, ...]


def momentum_gap(
    rule: Rule | str,
    steps: int,
    schedule: bool | Sequence[Any] = False,
    *,
    l2: str = "each",
    any_loss: bool = False,
) -> Gap:
    """Return the gap of decay and L2 under momentum, in closed form, after 1, 2, …, `steps` steps.

    Args:
        rule: one without an adaptive denominator: heavy_ball, heavy_ball_inside, nesterov (or sgd, whose gap is 0).
        steps: T ≥ 1.
        schedule: False for constant α and η. True for an α_t and an η_t of each step, free of each other. A sequence
            of T exact multipliers s_t for α_t = s_t α and η_t = s_t η.
        l2: "each" for λ_t = η_t/α_t, "first" for λ = η₁/α₁ at all steps. They are the same unless `schedule` is True.
        any_loss: False if both doors are given the same gradients g₁, g₂, …, which is exact for a loss that is linear
            in w, and for any loss up to and including the step after the first in which the weights differ. True for
            the gradients of any loss: G_t(w), unknown functions of the weights, one per step (batches may differ).

    Raises:
        ValueError: for another rule, fewer than one step, a schedule of another length or with an entry that is zero,
            NaN or infinite; or another word for `l2`.
        TypeError: for a schedule entry that is a float.
    """
    rule = rule_called(rule)
    if not set(hyper_names(rule)) <= {"lr", "momentum"} or len(state_names(rule)) > 1:
        raise ValueError(
            f"momentum_gap is for rules of lr and momentum alone (sgd, heavy_ball, heavy_ball_inside, nesterov), "
            f"got {name_of(rule)}, which takes {', '.join(hyper_names(rule))}"
        )
    steps = integer("steps", steps)
    if l2 not in ("each", "first"):
        raise ValueError(f'l2 must be "each" (λ_t = η_t/α_t) or "first" (λ = η₁/α₁), got {l2!r}')
    rates = _rates(schedule, steps)
    other = {"momentum": letter("momentum")} if "momentum" in hyper_names(rule) else {}
    through_gradient, through_update = coupled(rule, L2.gradient), decoupled(rule)
    x = y = (letter("w", 0), *(sympy.S.Zero for _ in state_names(rule)))
    weights, buffers = [], []
    for t, (lr, decay) in enumerate(rates, start=1):
        at = rates[0] if l2 == "first" else (lr, decay)
        gx, gy = _gradients(t, x[0], y[0], any_loss)
        x = _expanded(through_gradient(x[0], gx, *x[1:], l2=at[1] / at[0], lr=lr, **other))
        y = _expanded(through_update(y[0], gy, *y[1:], decay=decay, lr=lr, **other))
        weights.append(neat(sympy.expand(y[0] - x[0])))
        buffers += [neat(sympy.expand(b - a)) for a, b in zip(x[1:], y[1:], strict=True)]
    return Gap(name_of(rule), tuple(weights), tuple(buffers))


def _rates(schedule: bool | Sequence[Any], steps: int) -> list[tuple[Expr, Expr]]:
    """Return (α_t, η_t) for t = 1, …, T."""
    lr, decay = letter("lr"), letter("decay")
    if schedule is False:
        return [(lr, decay)] * steps
    if schedule is True:
        return [(letter("lr", t), letter("decay", t)) for t in range(1, steps + 1)]
    multipliers = list(schedule)
    if len(multipliers) != steps:
        raise ValueError(f"schedule must have one multiplier per step: got {len(multipliers)} for {steps} steps")
    exact = []
    for t, s in enumerate(multipliers, start=1):
        if s != s or s in (float("inf"), -float("inf")):
            raise ValueError(f"schedule must be finite, got {s!r} for step {t}")
        exact.append(as_exact(f"schedule for step {t}", s))
        if exact[-1] == 0:
            raise ValueError(f"schedule must not be 0, where λ = η/α is 0/0, got {s!r} for step {t}")
    return [(s * lr, s * decay) for s in exact]


def _gradients(t: int, x: Expr, y: Expr, any_loss: bool) -> tuple[Expr, Expr]:
    if not any_loss:
        return letter("g", t), letter("g", t)
    gradient = sympy.Function(f"G_{t}", real=True)
    return gradient(x), gradient(y)


def _expanded(values: tuple[Any, ...]) -> tuple[Expr, ...]:
    """Expand, so that equal weights are equal arguments of the loss."""
    return tuple(map(sympy.expand, values))
