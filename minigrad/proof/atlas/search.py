"""Counterexamples: Hypothesis draws small rationals, both sides are run on them, and what differs is shrunk.

Values are drawn from short lists, the simplest first, and Hypothesis shrinks towards the first: what it ends with can
be checked by hand. The draws are the same every time. A draw at which a root is irrational, or a loss has no
gradient, is passed over; where irrational roots are all that was found, more is drawn.
"""

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from random import Random
from typing import Any

from minigrad.extras import need
from minigrad.proof.atlas.model import Place
from minigrad.proof.atlas.question import Question

hypothesis: Any = need("hypothesis", "proof")
st: Any = need("hypothesis.strategies", "proof")

__all__ = ["differing_run", "differing_step", "find", "hyper_choices", "run"]

_OF_STEP = (("s₁", "occurs1"), ("s₂", "occurs2"), ("s₃", "occurs3"))  # the names of each step's own values

_CHOICES: dict[str, str] = {
    "w": "1 2 -1 1/2 0 -2 3",
    "g": "0 1 -1 2 -2 1/2 3",
    "h": "0 1 2",
    "a": "1 2 -1 1/2",
    "b": "0 1 -1 2",
    "m": "0 1 -1 2",
    "v": "0 1 4 1/4",
    "v_max": "0 1 4 1/4",
    "u": "0 1 4",
    "mu_product": "1 1/2",
    "psi": "0 1",
    "lr": "1 1/2 2 1/4",
    "decay": "1/2 1/4 1/3 3/4",
    "l2": "1 1/2 2 1/4",
    "momentum": "1/2 1/4 3/4",
    "beta1": "1/2 1/4 3/4",
    "beta2": "1/2 3/4 1/4",
    "rho": "3/4 1/2 1/4",
    "eps": "1 1/2 2",
    "scale": "2 4",
    "limit": "1 2 1/2",
    "s": "1/2 1 1/4",
    "t": "1 2",
    "p": "1 2 1/2 3",
    "d": "1 2 1/2",
    "q": "0 1 4 3",
    "any": "1 2 -1",
}

Values = dict[str, Any]


def choices(name: str) -> list[Fraction]:
    """Return what a name is drawn from, the simplest first."""
    return [Fraction(x) for x in _CHOICES[name.rstrip("₀₁₂₃₄₅₆₇₈₉")].split()]


def find(drawn: Mapping[str, Sequence[Any]], differs: Callable[[Values], bool], examples: int) -> Values | None:
    """Return the smallest values at which `differs`, or None if `examples` draws show none.

    Ten times as many are drawn if none of them shows any, but some have a root that is irrational.
    """
    irrational = False

    def condition(values: Values) -> bool:
        nonlocal irrational
        try:
            return differs(values)
        except ValueError:
            irrational = True
        except ZeroDivisionError:  # a loss or a rule undefined there
            pass
        return False

    strategy = st.fixed_dictionaries({name: st.sampled_from(list(found)) for name, found in drawn.items()})
    phases = (hypothesis.Phase.generate, hypothesis.Phase.shrink)
    for many in (examples, 10 * examples):
        settings = hypothesis.settings(database=None, deadline=None, max_examples=many, phases=phases)
        try:
            found: Values = hypothesis.find(strategy, condition, settings=settings, random=Random(0))
        except hypothesis.errors.NoSuchExample:
            if not irrational:
                return None
        else:
            return found
    return None


def hyper_choices(q: Question) -> dict[str, list[Any]]:
    """Return what every hyperparameter of a question is drawn from."""
    return {name: choices(name) for name in q.hyper}


def weight_choices(q: Question) -> dict[str, list[Any]]:
    """Return what the weights are drawn from. Where two are one vector, (1, 0) is simpler than (1, 1)."""
    first, *others = q.weights
    simplest = [Fraction(0)] if q.situation.clip or q.situation.data == "scale-invariant" else []
    return {first: choices(first)} | {w: [*simplest, *(x for x in choices(w) if x not in simplest)] for w in others}


def differing_step(q: Question, examples: int = 400) -> tuple[Values, Place, Place] | None:
    """Return values from which one step of the two sides differs, and where both end: in the weights, if any do.

    Only if no values are found from which the weights differ are they looked for from which the state does.
    """
    names = [*q.slopes, *(n for row in q.states for n in row), *(["t"] if q.takes_t else [])]
    drawn: dict[str, list[Any]] = hyper_choices(q) | weight_choices(q) | {name: choices(name) for name in names}
    if q.situation.schedule:
        drawn["s"] = choices("s")
    if q.situation.absent:
        drawn["occurs"] = list(q.situation.kinds)

    def ends(values: Values) -> tuple[Place, Place]:
        values = _integer_t(values)
        numbers = q.numbers({n: values[n] for n in q.hyper}, values.get("s", 1))
        place, occurs = q.place(values), values.get("occurs", True)
        left, right = (q.step(side, place, values, numbers, occurs) for side in (q.pair.left, q.pair.right))
        return left, right

    def weights_differ(values: Values) -> bool:
        left, right = ends(values)
        return left.weights != right.weights

    def differs(values: Values) -> bool:
        left, right = ends(values)
        return left != right

    found = find(drawn, weights_differ, examples) or find(drawn, differs, examples)
    return None if found is None else (found, *ends(found))


def differing_run(q: Question, examples: int = 400) -> tuple[Values, list[Place], list[Place]] | None:
    """Return values from which runs from the zero state come to differ in the weights, and both runs, place by place.

    Runs of one step are tried first, then of two, then of three. The loss is linear or quadratic (or that of batch
    norm), the same in every step; gradients follow the weights. Curvatures that are 0 are left out of the values.
    """
    drawn: dict[str, list[Any]] = hyper_choices(q) | weight_choices(q)
    drawn |= {name: choices(name) for name in q.slopes}
    curvatures = [name.replace("g", "h") for name in q.slopes] if q.situation.data == "any" else []
    drawn |= {name: choices("h") for name in curvatures}

    def differs(values: Values) -> bool:
        lefts, rights = run(q, values)
        return any(x.weights != y.weights for x, y in zip(lefts, rights, strict=True))

    for steps, (s, occurs) in enumerate(_OF_STEP, 1):
        if q.situation.schedule and (not q.situation.restarts or s == "s₂"):
            drawn[s] = choices("s")
        if q.situation.absent:
            drawn[occurs] = [True, False]
        found = find({"steps": [steps], **drawn}, differs, examples)
        if found is not None:
            unused = {"steps", *(name for name in curvatures if found[name] == 0)}
            return {name: x for name, x in found.items() if name not in unused}, *run(q, found)
    return None


def run(q: Question, values: Values) -> tuple[list[Place], list[Place]]:
    """Return the places of both runs, the start included."""
    base = {n: values[n] for n in q.hyper}
    start = q.place({n: values[n] for n in q.weights})
    runs: list[list[Place]] = []
    for side in (q.pair.left, q.pair.right):
        places = [start]
        for s, occurs in _OF_STEP[: values["steps"]]:
            numbers = q.numbers(base, values.get(s, 1))
            places.append(q.step(side, places[-1], values, numbers, values.get(occurs, True)))
        runs.append(places)
    return runs[0], runs[1]


def _integer_t(values: Values) -> Values:
    return {n: int(x) if n == "t" else x for n, x in values.items()}
