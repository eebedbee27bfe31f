"""All T, any loss, any schedule, any number of weights: one step of induction, for everything at once.

**Theorem.** Let two runs of gradient descent begin from the same weights and be given the same gradient function,
which may depend on all weights and on t (a loss on random batches). Let α_t > 0 and η_t be any numbers, one per step,
and λ_t = η_t/α_t. Then the run with L2 λ_t in its gradient and the run with weight decay η_t have the same weights at
every t.

What z3 proves is that, if all weights are equal before step t, weight i is equal after it. Weights, t and i are
symbols, the gradient, α and η uninterpreted functions: it is proved for all of them at once. That the weights are equal
before step 0 is the theorem's own condition. That both together give every t is the principle of induction, which
stands outside of z3. Several parameter tensors count as one vector of weights here.
"""

from collections.abc import Callable
from typing import Any

from minigrad.extras import need
from minigrad.proof.claims import Claim
from minigrad.proof.smt.question import CounterModel, Proof, Question, settle
from minigrad.proof.smt.wording import PREFER, evidence
from minigrad.proof.symbolic.letters import rule_called
from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2
from minigrad.rules import sgd

z3: Any = need("z3", "proof")

__all__ = ["SCHEDULES", "all_steps", "claims"]

Rule = Callable[..., tuple[Any, ...]]
Condition = Callable[[Any], Any]

# What is assumed of α_t, η_t and λ_t, by the name of the situation.
SCHEDULES: dict[str, dict[str, Condition]] = {
    "any": {
        "α_t > 0": lambda v: v.lr(v.t) > 0,
        "λ_t = η_t/α_t": lambda v: v.l2(v.t) == v.decay(v.t) / v.lr(v.t),
    },
    "shared": {
        "α_0 > 0": lambda v: v.lr(0) > 0,
        "α_t = s_t α_0": lambda v: v.lr(v.t) == v.s(v.t) * v.lr(0),
        "η_t = s_t η_0": lambda v: v.decay(v.t) == v.s(v.t) * v.decay(0),
        "λ_t = η_0/α_0": lambda v: v.l2(v.t) == v.decay(0) / v.lr(0),
    },
    "lr only": {
        "t > 0": lambda v: v.t > 0,
        "α_0 > 0": lambda v: v.lr(0) > 0,
        "α_t = s_t α_0": lambda v: v.lr(v.t) == v.s(v.t) * v.lr(0),
        "0 < s_t ≤ 1": lambda v: [v.s(v.t) > 0, v.s(v.t) <= 1],
        "η_t = η_0": lambda v: v.decay(v.t) == v.decay(0),
        "λ_t = η_0/α_0": lambda v: v.l2(v.t) == v.decay(0) / v.lr(0),
    },
}


def all_steps(schedule: str = "any", *, rule: Rule | str = sgd, door_3: Rule | None = None) -> Proof | CounterModel:
    """Decide the step of induction: equal weights before step t, equal weights after it.

    Args:
        schedule: "any" (α_t and η_t free, λ_t = η_t/α_t), "shared" (both times s_t, λ = η_0/α_0 fixed) or "lr only"
            (α times s_t, η and λ = η_0/α_0 fixed).
        rule: a rule without state, or its name.
        door_3: the run to compare with; ``decoupled(rule)`` unless given.

    Raises:
        ValueError: for another schedule, and for a name that no rule has.
    """
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {', '.join(map(repr, SCHEDULES))}, got {schedule!r}")
    rule = rule_called(rule)
    real, whole, weights = z3.RealSort(), z3.IntSort(), z3.DeclareSort("Weights")
    symbols = {
        "x": z3.Const("x", weights),
        "y": z3.Const("y", weights),
        "t": z3.Int("t"),
        "i": z3.Int("i"),
        "at": z3.Function("at", weights, whole, real),
        "gradient": z3.Function("gradient", weights, whole, whole, real),
        **{name: z3.Function(name, whole, real) for name in ("lr", "decay", "l2", "s")},
    }

    def after(v: Any) -> tuple[Any, Any]:
        (x,) = coupled(rule, L2.gradient)(v.at(v.x, v.i), v.gradient(v.x, v.t, v.i), lr=v.lr(v.t), l2=v.l2(v.t))
        step = decoupled(rule) if door_3 is None else door_3
        (y,) = step(v.at(v.y, v.i), v.gradient(v.y, v.t, v.i), lr=v.lr(v.t), decay=v.decay(v.t))
        return x, y

    def equal_after(v: Any) -> Any:
        x, y = after(v)
        return x == y

    def terms(v: Any) -> dict[str, Any]:
        named = {"w": v.at(v.x, v.i), "g": v.gradient(v.x, v.t, v.i), "lr_0": v.lr(0), "decay_0": v.decay(0)}
        return {**named, "s_t": v.s(v.t), "lr_t": v.lr(v.t), "decay_t": v.decay(v.t), "l2_t": v.l2(v.t)}

    return settle(
        Question(
            f"all steps under schedule {schedule!r}",
            symbols,
            {
                "all weights are equal before step t": lambda v: v.x == v.y,
                "t ≥ 0": lambda v: v.t >= 0,
                "0 ≤ η_t < 1": lambda v: [v.decay(v.t) >= 0, v.decay(v.t) < 1],
                **SCHEDULES[schedule],
            },
            equal_after,
            terms=terms,
            prefer=PREFER,
            show=lambda v: dict(zip(("weight i after door 2", "after door 3"), after(v), strict=True)),
        )
    )


def claims(thorough: bool = False) -> list[Claim]:
    """Return the theorem for any schedule, for a shared one with a fixed λ, and the schedule that breaks a fixed λ."""
    every = "For all T, any loss, any number of weights and gradient descent, doors 2 and 3 have the same weights"
    return [
        Claim(
            "sgd.all_steps",
            f"{every} under any schedules α_t > 0 and η_t, with λ_t = η_t/α_t",
            True,
            lambda: evidence(all_steps("any"), shown="induction over t"),
        ),
        Claim(
            "sgd.all_steps.shared_schedule",
            f"{every} under a schedule s_t of both α and η, with one λ = η_0/α_0",
            True,
            lambda: evidence(all_steps("shared"), shown="induction over t"),
        ),
        Claim(
            "sgd.all_steps.lr_schedule",
            f"{every} under a schedule s_t of α alone, with one λ = η_0/α_0",
            False,
            lambda: evidence(all_steps("lr only")),
        ),
    ]
