"""Heavy ball: the same first step, another buffer, and another second step; by how much is found, not given."""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from minigrad.proof.claims import Claim
from minigrad.proof.criterion import residues
from minigrad.proof.smt.combination import Quantity, as_evidence, combination
from minigrad.proof.smt.question import CounterModel, Proof, reals
from minigrad.proof.smt.runs import same_run, weights
from minigrad.proof.smt.wording import domain, evidence
from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2
from minigrad.rules import heavy_ball, heavy_ball_inside, state_names

__all__ = ["buffer_difference", "claims", "second_step_difference"]

Rule = Callable[..., tuple[Any, ...]]

# What the differences are looked for in. α and λ are symbols, η = αλ.
BUFFER: dict[str, Quantity] = {"λ w": lambda v: v.l2 * v.w, "η w": lambda v: v.lr * v.l2 * v.w}
SECOND_STEP: dict[str, Quantity] = {
    "η₁ β w": lambda v: v.lr_1 * v.l2_1 * v.momentum * v.w,
    "η₂ β w": lambda v: v.lr_2 * v.l2_2 * v.momentum * v.w,
    "λ₁ β w": lambda v: v.l2_1 * v.momentum * v.w,
    "(α₂/α₁) η₁ β w": lambda v: v.lr_2 * v.l2_1 * v.momentum * v.w,
}


def buffer_difference(rule: Rule) -> tuple[dict[str, Fraction], Proof] | CounterModel:
    """Find the buffer of door 3 less that of door 2 after one step from equal ones, in λw and ηw."""
    (state,) = state_names(rule)
    symbols = reals(f"w g lr l2 momentum {state}")

    def difference(v: Any) -> Any:
        step = {"lr": v.lr, "momentum": v.momentum}
        return residues(rule, v.w, v.g, getattr(v, state), l2=v.l2, decay=v.lr * v.l2, **step)[1]

    return combination(f"the buffer of {rule.__name__}", difference, BUFFER, symbols, domain(symbols))


def second_step_difference(rule: Rule) -> tuple[dict[str, Fraction], Proof] | CounterModel:
    """Find the weight behind door 3 less that behind door 2 after two steps from a buffer of zero, any schedule.

    The second gradient is one number for both runs: after the first step their weights are still equal (which
    `same_run` proves), so that any loss gives both the same.
    """
    symbols = reals("w g_1 g_2 lr_1 lr_2 l2_1 l2_2 momentum")

    def difference(v: Any) -> Any:
        lr, l2 = (v.lr_1, v.lr_2), (v.l2_1, v.l2_2)
        decay = [a * x for a, x in zip(lr, l2, strict=True)]

        def run(door: Rule, **series: Any) -> list[Any]:
            return weights(door, rule, v.w, lambda w, t: (v.g_1, v.g_2)[t - 1], {"momentum": v.momentum}, series)

        x = run(coupled(rule, L2.gradient), lr=lr, l2=l2)
        y = run(decoupled(rule), lr=lr, decay=decay)
        return y[1] - x[1]

    return combination(f"the second step of {rule.__name__}", difference, SECOND_STEP, symbols, domain(symbols))


def claims(thorough: bool = False) -> list[Claim]:
    """Return, for both forms: the first step, the buffer, the second step, and by how much it differs."""
    found = []
    for rule in (heavy_ball, heavy_ball_inside):
        name = rule.__name__
        found += [
            Claim(
                f"{name}.first_step",
                f"From a buffer of zero, one step of {name} gives both doors the same weight, for any loss, α and η",
                True,
                lambda rule=rule: evidence(same_run(rule, steps=1)),  # type: ignore[misc]
            ),
            Claim(
                f"{name}.buffer",
                f"After one step of {name} the buffers differ by a fixed combination of λw and ηw",
                True,
                lambda rule=rule: as_evidence("door 3 less door 2", buffer_difference(rule)),  # type: ignore[misc]
            ),
            Claim(
                f"{name}.second_step",
                f"From a buffer of zero, two steps of {name} give both doors the same weight, for any loss, α and η",
                False,
                lambda rule=rule: evidence(same_run(rule, steps=2, constant=True)),  # type: ignore[misc]
            ),
            Claim(
                f"{name}.second_step_difference",
                f"After two steps of {name} under any schedule the weights differ by a fixed multiple of w",
                True,
                lambda rule=rule: as_evidence("door 3 less door 2", second_step_difference(rule)),  # type: ignore[misc]
            ),
        ]
    return found
