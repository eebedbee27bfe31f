"""Whole runs of T steps from a state of zeros, with a gradient that is any function of the weight and of the step."""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any

from minigrad.extras import need
from minigrad.proof.smt.question import CounterModel, Proof, Question, reals, settle
from minigrad.proof.smt.wording import PREFER, domain, letter
from minigrad.proof.symbolic.letters import rule_called
from minigrad.regularization.checks import as_number, at_step, integer, nonnegative
from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2
from minigrad.rules import hyper_names, state_names

z3: Any = need("z3", "proof")

__all__ = ["same_run", "weights"]

Rule = Callable[..., tuple[Any, ...]]
Door = Callable[..., tuple[Any, ...]]
Schedule = Callable[[int], float]


def same_run(
    rule: Rule | str,
    *,
    steps: int,
    lr: float | Schedule | None = None,
    decay: float | Schedule | None = None,
    l2: float | Schedule | None = None,
    constant: bool = False,
    **hyper: float,
) -> Proof | CounterModel:
    """Decide whether doors 2 and 3 have the same weight after `steps` steps, whatever the loss and the first weight.

    Args:
        rule: a function of `minigrad.rules`, its name, or a function of the same form and names.
        steps: T ≥ 1.
        lr: α, a number or a callable of the 0-based step, taken exactly; any α_t > 0 unless given.
        decay: η, likewise; any 0 ≤ η_t < 1 unless given.
        l2: λ, likewise; η_t/α_t unless given.
        constant: whether α and η, where they are not given, are the same number at every step.
        hyper: numbers for the rule's other hyperparameters; any in their range unless given.

    Raises:
        ValueError: for a name that no rule has, or a schedule that is NaN, infinite or negative at some step, or α = 0.
        TypeError: for a number that is none, or a hyperparameter that the rule does not have.
        UndecidedError: if z3 cannot tell.
    """
    steps, rule = integer("steps", steps), rule_called(rule)
    names = [name for name in hyper_names(rule) if name not in ("lr", "t")]
    if unknown := sorted(set(hyper) - set(names)):
        raise TypeError(f"{rule.__name__} has no hyperparameter {unknown[0]!r}; it has {', '.join(names) or 'none'}")
    fixed = {name: Fraction(as_number(name, value)) for name, value in hyper.items()}
    given: dict[str, list[Fraction]] = {}
    for name, value in (("lr", lr), ("decay", decay), ("l2", l2)):
        if value is not None:
            checked = value if callable(value) else nonnegative(name, value)
            given[name] = [Fraction(at_step(name, checked, t)) for t in range(steps)]
    if 0 in given.get("lr", ()):
        raise ValueError(
            f"lr must be > 0, got 0 at step {given['lr'].index(Fraction(0))}: decay / lr is the coefficient of door 2"
        )

    def written(name: str) -> list[str]:
        return [name if constant and name not in given else f"{name}_{t + 1}" for t in range(steps)]

    # Where neither is given, λ_t is a symbol and η_t = α_t λ_t: no division is left for z3.
    free = ["lr", *([] if decay is not None else ["l2"] if lr is None and l2 is None else ["decay"])]
    free = [name for name in free if name not in given]
    own = [name for name in names if name not in fixed]
    symbols = reals(" ".join(["w", *(name for at in zip(*map(written, free), strict=True) for name in at), *own]))

    def series(v: Any) -> dict[str, list[Any]]:
        found: dict[str, list[Any]] = {name: [getattr(v, at) for at in written(name)] for name in free} | given
        if "decay" not in found:
            found["decay"] = [a * x for a, x in zip(found["lr"], found["l2"], strict=True)]
        if "l2" not in found:
            found["l2"] = [x / a for a, x in zip(found["lr"], found["decay"], strict=True)]
        return found

    def decays(v: Any) -> dict[str, Any]:
        return dict(zip(written("decay"), series(v)["decay"], strict=True))

    def both(v: Any) -> list[list[Any]]:
        numbers, others = series(v), fixed | {name: getattr(v, name) for name in own}
        return [
            weights(door, rule, v.w, v.gradient, others, {name: numbers[name] for name in ("lr", coefficient)})
            for door, coefficient in ((coupled(rule, L2.gradient), "l2"), (decoupled(rule), "decay"))
        ]

    def show(v: Any) -> dict[str, Any]:
        x, y = both(v)
        gradients = [[v.gradient(w, t) for t, w in enumerate([v.w, *run[:-1]], start=1)] for run in (x, y)]
        return {"weights behind door 2": x, "behind door 3": y, "gradients": gradients}

    def fraction(name: str, v: Any) -> Any:
        return [decays(v)[name] >= 0, decays(v)[name] < 1]

    assumptions = domain(symbols) | {f"0 ≤ {letter(name)} < 1": partial(fraction, name) for name in written("decay")}
    symbols["gradient"] = z3.Function("gradient", z3.RealSort(), z3.IntSort(), z3.RealSort())
    return settle(
        Question(
            f"{steps} steps of {rule.__name__}",
            symbols,
            assumptions,
            lambda v: both(v)[0][-1] == both(v)[1][-1],
            show=show,
            terms=decays,
            prefer=PREFER | {at: PREFER[name] for name in free for at in written(name)},
        )
    )


def weights(
    door: Door,
    rule: Rule,
    w: Any,
    gradient: Callable[[Any, int], Any],
    own: Mapping[str, Any],
    series: Mapping[str, Sequence[Any]],
) -> list[Any]:
    """Return the weights after each step from `w`, with a gradient of the weight and the 1-based step.

    `own` are the rule's constants; `series` are α and the door's coefficient, a number for each step.
    """
    state, found = [0 * w for _ in state_names(rule)], []
    for t, varying in enumerate(zip(*series.values(), strict=True), start=1):
        number = {"t": t} if "t" in hyper_names(rule) else {}
        w, *state = door(w, gradient(w, t), *state, **own, **number, **dict(zip(series, varying, strict=True)))
        found.append(w)
    return found
