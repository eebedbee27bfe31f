"""Whole runs of T steps from a state of zeros, with a gradient that is any function of the weight and of the step."""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any

from minigrad.extras import need
from minigrad.proof.smt.question import CounterModel, Proof, Question, reals, settle
from minigrad.proof.smt.wording import PREFER, domain, letter
from minigrad.regularization.checks import Scheduled, as_number, at_step, integer, scheduled
from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2
from minigrad.rules import hyper_names, state_names

z3: Any = need("z3", "proof")

__all__ = ["same_run", "weights"]

Rule = Callable[..., tuple[Any, ...]]
Door = Callable[..., tuple[Any, ...]]


def same_run(
    rule: Rule,
    *,
    steps: int,
    lr: Scheduled | None = None,
    decay: Scheduled | None = None,
    l2: Scheduled | None = None,
    constant: bool = False,
    **hyper: float,
) -> Proof | CounterModel:
    """Decide whether doors 2 and 3 have the same weight after `steps` steps, whatever the loss and the first weight.

    Args:
        rule: a function of `minigrad.rules`, or one of the same form and names.
        steps: T ≥ 1.
        lr: α, a number or a callable of the 0-based step, taken exactly; any α_t > 0 unless given.
        decay: η, likewise; any 0 ≤ η_t < 1 unless given.
        l2: λ, likewise; η_t/α_t unless given.
        constant: whether α and η, where they are not given, are the same number at every step.
        hyper: numbers for the rule's other hyperparameters; any in their range unless given.

    Raises:
        ValueError: for a schedule that is NaN, infinite or negative at some step, or α = 0.
        TypeError: for a number that is none, or a hyperparameter that the rule does not have.
        UndecidedError: if z3 cannot tell.
    """
    steps = integer("steps", steps)
    names = [name for name in hyper_names(rule) if name not in ("lr", "t")]
    if unknown := sorted(set(hyper) - set(names)):
        raise TypeError(f"{rule.__name__} has no hyperparameter {unknown[0]!r}; it has {', '.join(names) or 'none'}")
    given: dict[str, Fraction] = {name: Fraction(as_number(name, value)) for name, value in hyper.items()}
    for name, value in (("lr", lr), ("decay", decay), ("l2", l2)):
        if value is not None:
            checked = scheduled(name, value)
            given |= {f"{name}_{t + 1}": Fraction(at_step(name, checked, t)) for t in range(steps)}
    if zero := [name for name, value in given.items() if name.startswith("lr_") and value == 0]:
        raise ValueError(
            f"lr must be > 0, got 0 at step {int(zero[0][3:]) - 1}: decay / lr is the coefficient of door 2"
        )

    # Where neither is given, λ_t is a symbol and η_t = α_t λ_t: no division is left for z3.
    varying = ["lr", "decay" if lr is not None or l2 is not None else "l2"]
    free = {f"{n}_{t}": n if constant else f"{n}_{t}" for t in range(1, steps + 1) for n in varying}
    free = {name: symbol for name, symbol in free.items() if name not in given}
    symbols = reals(" ".join(["w", *dict.fromkeys(free.values()), *(name for name in names if name not in given)]))

    def number(v: Any, name: str) -> Any:
        if name in given or name in names or name in free:
            return given[name] if name in given else getattr(v, free.get(name, name))
        kind, _, t = name.partition("_")
        if kind == "l2":
            return number(v, f"decay_{t}") / number(v, f"lr_{t}")
        return number(v, f"lr_{t}") * number(v, f"l2_{t}")

    def show(v: Any) -> dict[str, Any]:
        x, y = both(v)
        gradients = [[v.gradient(w, t) for t, w in enumerate([v.w, *run[:-1]], start=1)] for run in (x, y)]
        return {"weights behind door 2": x, "behind door 3": y, "gradients": gradients}

    def decays(v: Any) -> dict[str, Any]:
        every = {f"decay_{t}": number(v, f"decay_{t}") for t in range(1, steps + 1)}
        return {"decay": every["decay_1"]} if constant else every

    def both(v: Any) -> tuple[list[Any], list[Any]]:
        return (
            weights(coupled(rule, L2.gradient), rule, v, steps, ("lr", "l2"), number),
            weights(decoupled(rule), rule, v, steps, ("lr", "decay"), number),
        )

    def fraction(name: str, v: Any) -> Any:
        return [decays(v)[name] >= 0, decays(v)[name] < 1]

    assumptions = domain(symbols)
    for name in decays(SimpleNamespace(**symbols)):
        assumptions[f"0 ≤ {letter(name)} < 1"] = partial(fraction, name)
    symbols["gradient"] = z3.Function("gradient", z3.RealSort(), z3.IntSort(), z3.RealSort())
    return settle(
        Question(
            f"{steps} steps of {rule.__name__}",
            symbols,
            assumptions,
            lambda v: both(v)[0][-1] == both(v)[1][-1],
            show=show,
            terms=decays,
            prefer=PREFER | {name: PREFER[name.partition("_")[0]] for name in free},
        )
    )


def weights(
    door: Door, rule: Rule, v: Any, steps: int, scheduled_names: tuple[str, ...], number: Callable[[Any, str], Any]
) -> list[Any]:
    """Return the weights after each step; `number(v, name)` gives hyperparameters, ``lr_1`` that of step 1."""
    w, state, found = v.w, [0 * v.w for _ in state_names(rule)], []
    for t in range(1, steps + 1):
        own = {n: t if n == "t" else number(v, n) for n in hyper_names(rule) if n != "lr"}
        varying = {n: number(v, f"{n}_{t}") for n in scheduled_names}
        w, *state = door(w, v.gradient(w, t), *state, **own, **varying)
        found.append(w)
    return found
