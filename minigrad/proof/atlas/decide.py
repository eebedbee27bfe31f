"""A cell decided: first a proof is tried, then a counterexample is looked for, then other numbers are solved for.

No verdict is written here. What is equal was expanded to 0, what differs was run on numbers, and what comes out as
neither is undecided.
"""

import difflib
from collections.abc import Iterable
from typing import Any

from minigrad.extras import need
from minigrad.proof.atlas import equal, search, stationary
from minigrad.proof.atlas.equal import Expr, Hyper
from minigrad.proof.atlas.model import Place
from minigrad.proof.atlas.pairs import PAIRS
from minigrad.proof.atlas.question import Question
from minigrad.proof.atlas.rest import ANY, EXTRA, Case, P
from minigrad.proof.atlas.situations import FIRST, SITUATIONS
from minigrad.proof.atlas.verdict import Cell, Verdict
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic.letters import latex, text
from minigrad.rules import RULES

sympy: Any = need("sympy", "proof")

__all__ = ["ALL_SITUATIONS", "atlas", "cells", "decide", "decide_step"]

ALL_SITUATIONS = ("sgd", "heavy_ball", "adam")  # the rules that are asked about all of them


def cells(
    rules: Iterable[str] | None = None,
    pairs: Iterable[str] | None = None,
    situations: Iterable[str] | None = None,
    thorough: bool = False,
) -> list[tuple[str, str, str]]:
    """Return the cells as (pair, rule, situation): all situations for three rules, the first four for every other.

    Rules, pairs and situations that are named narrow the choice; where rules and situations are both named, or if
    `thorough`, every rule is asked about every situation.

    Raises ValueError for an unknown name, suggesting the nearest.
    """
    chosen = [_known("pair", name, PAIRS) for name in pairs or PAIRS]
    asked = [_known("rule", name, RULES) for name in rules or RULES]
    where = [_known("situation", name, SITUATIONS) for name in situations or SITUATIONS]
    named = rules is not None and situations is not None
    return [
        (pair, rule, situation)
        for pair in chosen
        for rule in asked
        for situation in where
        if thorough or named or rule in ALL_SITUATIONS or situation in FIRST
    ]


def atlas(
    rules: Iterable[str] | None = None,
    pairs: Iterable[str] | None = None,
    situations: Iterable[str] | None = None,
    thorough: bool = False,
) -> list[Cell]:
    """Return the `cells`, decided."""
    return [decide(*names) for names in cells(rules, pairs, situations, thorough)]


def decide(pair: str, rule: str, situation: str) -> Cell:
    """Return the cell with its three verdicts. Raises ValueError for an unknown name, suggesting the nearest."""
    q = Question(
        PAIRS[_known("pair", pair, PAIRS)],
        _known("rule", rule, RULES),
        SITUATIONS[_known("situation", situation, SITUATIONS)],
    )
    step, hyper = decide_step(q)
    return Cell(q.pair.name, q.rule_name, q.situation.name, step, _trajectory(q, step, hyper), _stationary(q))


def _known(kind: str, name: str, names: Any) -> str:
    key = str(name).lower()
    for candidate in (key, key.replace("-", "_"), key.replace("_", "-").replace(" ", "-")):
        if candidate in names:
            return candidate
    near = difflib.get_close_matches(key, names, n=3, cutoff=0.4)
    hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(names)}"
    raise ValueError(f"the atlas has no {kind} {name!r}; {hint}")


# --- the same step ----------------------------------------------------------------------------------------------------


def decide_step(q: Question) -> tuple[Verdict, Hyper | None]:
    """Return the verdict on one step, and the left side's other numbers if there are some."""
    common = equal.same_step(q)
    if common is not None:
        said = "the weights" + (" and the state" if q.states[0] else "") + " are the same expressions"
        return Verdict("equal", said, proof=_formulas(q, common), latex=_latex_formulas(q, common)), None
    differing = search.differing_step(q)
    if differing is None:
        return Verdict("undecided", "expanded, the difference is not 0, and no numbers show it"), None
    values, left, right = differing
    example = {"given": _given(q, values), "left": _named(q, left), "right": _named(q, right)}
    for hyper in equal.step_solutions(q):
        common = equal.same_step(q, hyper)
        if common is not None:
            said = f"with {_chosen(q, hyper)} in {q.pair.left.name}"
            return _otherwise(q, hyper, said, _formulas(q, common), example), hyper
    if left.weights != right.weights:
        said = "the weights differ"
    elif equal.same_weights(q):
        said = "the weights agree, the state does not"
    else:
        said = "the state differs; the weights were neither proved to agree nor seen to differ"
    return Verdict("different", said, example=example), None


_BY_RATIO = "by induction: the states keep a constant ratio, the weights stay equal"
_INDUCTION = "both sides begin with the same weights and state, and every step, the same on both sides, keeps them so"


# --- the same trajectory ----------------------------------------------------------------------------------------------


def _trajectory(q: Question, step: Verdict, hyper: Hyper | None) -> Verdict:
    if step.kind == "equal":
        return Verdict("equal", "by induction over steps", proof=_INDUCTION)
    factors = equal.invariant(q)
    if factors is not None:
        return Verdict("equal", _BY_RATIO, proof=_ratios(q, factors))
    differing = search.differing_run(q)
    if differing is None:
        return Verdict("undecided", "no induction was found, and no run shows a difference")
    example = _run_example(q, *differing)
    if hyper is not None:
        said = f"by induction, with {_chosen(q, hyper)} in {q.pair.left.name}"
        return _otherwise(q, hyper, said, _INDUCTION, example)
    for other in equal.first_step_solutions(q):
        factors = equal.invariant(q, other)
        if factors is not None:
            said = f"with {_chosen(q, other)} in {q.pair.left.name}, {_BY_RATIO}"
            return _otherwise(q, other, said, _ratios(q, factors), example)
    count = len(differing[1]) - 1
    return Verdict("different", f"the weights differ after {count} step{'s' * (count > 1)}", example=example)


def _ratios(q: Question, factors: list[Expr]) -> str:
    names = [name for row in q.states for name in row]
    return "; ".join(
        f"{_letter(q, n)} of {q.pair.right.name} is {text(c)} times that of {q.pair.left.name}"
        for n, c in zip(names, factors, strict=True)
    )


def _run_example(q: Question, values: dict[str, Any], lefts: list[Place], rights: list[Place]) -> dict[str, Any]:
    return {
        "given": _given(q, values),
        "left": {n: [str(p.weights[i]) for p in lefts] for i, n in enumerate(q.weights)},
        "right": {n: [str(p.weights[i]) for p in rights] for i, n in enumerate(q.weights)},
    }


# --- the same stationary points ---------------------------------------------------------------------------------------


def _stationary(q: Question) -> Verdict:
    try:
        found = stationary.sets(q)
        if q.situation.data == "scale-invariant":
            reason = stationary.none_at_right_angles(found)
            if reason:
                return Verdict("not applicable", reason, proof=_points(q, found))
            return Verdict("undecided", "whether any w ≠ 0 rests was not found")
        if stationary.same(q, found):
            return Verdict("equal", "both sides rest at the same weights", proof=_points(q, found))
        point = stationary.witness(q, found)
        if point is None:
            return Verdict("undecided", "the sets were not shown to be equal, and no point is in one alone")
        example = _point_example(q, point)
        for hyper in stationary.solutions(q):
            others = stationary.sets(q, hyper)
            if stationary.same(q, others):
                said = f"with {_chosen(q, hyper)} in {q.pair.left.name}"
                return _otherwise(q, hyper, said, _points(q, others), example)
        return Verdict("different", "a point is stationary on one side alone", proof=_points(q, found), example=example)
    except UndecidedError as error:
        return Verdict("undecided", str(error))


def _points(q: Question, found: stationary.Sets) -> str:
    """Return the stationary points in words: case by case, and side by side where the sides differ."""
    lines: dict[str, list[str]] = {}
    for case, left, right in found.rows:
        both = [[_weights(q, case, side[i]) for side in (left, right)] for i in range(len(q.weights))]
        said = "; ".join(
            f"{name} {a}" if a == b else f"{name} {a} ({q.pair.left.name}), {b} ({q.pair.right.name})"
            for name, (a, b) in zip(q.weights, both, strict=True)
        )
        lines.setdefault(said, []).append(case.words)
    shown = " · ".join(f"{' or '.join(words)}: {said}" for said, words in lines.items())
    if not q.situation.clip:
        return shown
    return shown + (" (while the other weight is 0)" * q.situation.multi if found.branches else " (g as clipped)")


def _weights(q: Question, case: Case, rests: list[Any]) -> str:
    g = sympy.Symbol("g", real=True)
    shown = []
    for rest in rests:
        if rest.weight is ANY:
            return "any"
        value = rest.weight
        if case.gradient in (P, -P):
            value = value.subs(P, g if case.gradient == P else -g)
        elif case.gradient == 0:
            value = value.subs(g, 0)
        elif P in value.free_symbols or EXTRA in value.free_symbols:
            value = sympy.simplify(value / case.gradient) * g
        shown.append(text(equal.simple(value)))
    return "= " + " or ".join(dict.fromkeys(shown)) if shown else "nowhere"


def _point_example(q: Question, point: stationary.Witness) -> dict[str, Any]:
    instead = "any" if any(x is ANY for x in point.instead) else [str(x) for x in dict.fromkeys(point.instead)]
    return {
        "given": {**_given(q, point.values), "g": str(point.gradient)},
        "rests": point.rests.name,
        "at": {_letter(q, n): str(x) for n, x in point.start.items()},
        "moves": point.other.name,
        "to": {_letter(q, n): str(x) for n, x in point.moves.items()},
        "instead": instead,
        "weight": point.parameter,
    }


# --- in words ---------------------------------------------------------------------------------------------------------


def _otherwise(q: Question, hyper: Hyper, said: str, proof: str, example: dict[str, Any]) -> Verdict:
    shown = {_letter(q, name) + "′": text(equal.simple(x)) for name, x in hyper.items()}
    formula = r",\quad ".join(f"{latex(q.symbol(name))}' = {latex(equal.simple(x))}" for name, x in hyper.items())
    return Verdict("otherwise", said, proof=proof, hyper=shown, example=example, latex=formula)


def _chosen(q: Question, hyper: Hyper) -> str:
    return ", ".join(f"{_letter(q, name)}′ = {text(equal.simple(x))}" for name, x in hyper.items())


def _named(q: Question, place: Place) -> dict[str, str]:
    return {_letter(q, n): str(x) for n, x in q.named(place).items()}


def _letter(q: Question, name: str) -> str:
    return str(q.symbol(name))


def _given(q: Question, values: dict[str, Any]) -> dict[str, str]:
    def said(x: Any) -> str:
        return ("yes" if x else "no") if isinstance(x, bool) else str(x)

    def name_of(name: str) -> str:
        if name.startswith("occurs"):
            return "w in the loss" + (f" of step {name[-1]}" if name[-1].isdigit() else "")
        return name if name in values and name[0] in "gha" else _letter(q, name)

    return {name_of(n): said(x) for n, x in values.items()}


def _formulas(q: Question, common: dict[str, dict[str, Expr]]) -> str:
    """Return the common step, for each branch of the rule."""
    return "; ".join(
        (f"where {where}, " if where else "")
        + "; ".join(f"{_letter(q, n)}′ = {text(_collected(x, q))}" for n, x in step.items())
        for where, step in common.items()
    )


def _latex_formulas(q: Question, common: dict[str, dict[str, Expr]]) -> str:
    return r",\quad ".join(
        f"{latex(q.symbol(n))}' \\leftarrow {latex(_collected(x, q))}"
        for step in common.values()
        for n, x in step.items()
        if n in q.weights
    )


def _collected(x: Expr, q: Question) -> Expr:
    """Return `x` collected by the weights if it is rational, or else as it was computed."""
    symbols = [q.symbol(n) for n in q.weights]
    if not (x.is_rational_function(*x.free_symbols) and x.is_polynomial(*symbols)):
        return x
    return sympy.collect(sympy.expand(x), symbols, equal.simple)
