"""Stationary points: two sides' sets compared, made equal by other numbers, or told apart by a point of one of them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import Any

import numpy as np

from minigrad.extras import need
from minigrad.proof.atlas import search
from minigrad.proof.atlas.equal import Expr, Hyper, solve, vanishes
from minigrad.proof.atlas.model import Forever, Place, scale_invariant
from minigrad.proof.atlas.pairs import Side
from minigrad.proof.atlas.question import Question
from minigrad.proof.atlas.rest import (
    ANY,
    EXTRA,
    SPARE,
    Case,
    P,
    Rest,
    at_nothing,
    cases,
    neat,
    resting,
    sign_of,
    slopes_of,
)
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic.numbers import number
from minigrad.rules import scalar_state, state_names
from minigrad.tensor import Tensor

sympy: Any = need("sympy", "proof")

__all__ = ["Sets", "Witness", "none_at_right_angles", "same", "sets", "solutions", "witness"]


@dataclass(frozen=True)
class Sets:
    """For each data gradient, and each parameter, what rests on the left and what on the right.

    Attributes:
        rows: a case, and for each parameter the rests of the left and of the right.
        branches: whether gradients within, at and beyond the limit of clipping are cases of their own.
    """

    rows: tuple[tuple[Case, list[list[Rest]], list[list[Rest]]], ...]
    branches: bool


@dataclass(frozen=True)
class Witness:
    """A point that rests on one side and on the other does not: run on numbers.

    Attributes:
        values: the hyperparameters by name, and the multiplier ``s`` of a schedule.
        parameter: the name of the weight at which it is looked at; any other is 0.
        gradient: the data gradient that is held.
        start: weights and state by name.
        rests: the side on which it rests.
        moves: weights and state by name after a step of the other side.
        instead: the weights that rest on the other side at this gradient; None if any does.
    """

    values: dict[str, Any]
    parameter: str
    gradient: Any
    start: dict[str, Any]
    rests: Side
    other: Side
    moves: dict[str, Any]
    instead: list[Any]


def sets(q: Question, hyper: Hyper | None = None) -> Sets:
    """Return the stationary points of both sides, on symbols; `hyper` replaces numbers of the left.

    Under a schedule they are those of a step whose multiplier s is held, as functions of s.
    """
    numbers = q.numbers(q.base(), q.symbol("s"))
    left, right = numbers | (hyper or {}), numbers
    branches = bool(q.situation.clip) and (q.pair.left.in_loss or q.pair.right.in_loss)  # what is clipped contains w
    lefts = resting(q, q.pair.left, left, branches=branches)
    rights = resting(q, q.pair.right, right, branches=branches)
    return Sets(tuple(zip(cases(q, branches), lefts, rights, strict=True)), branches)


def same(q: Question, found: Sets) -> bool:
    """Whether the sets are shown to be equal.

    Where the branches of clipping by norm are told apart, only one weight is not 0, which shows no equality.
    """
    if found.branches and q.situation.multi:
        return False
    return all(_same(a, b) for _, left, right in found.rows for a, b in zip(left, right, strict=True))


def _same(left: list[Rest], right: list[Rest]) -> bool:
    def within(these: list[Rest], those: list[Rest]) -> bool:
        return all(any(_equal(a.weight, b.weight) for b in those) for a in these)

    return within(left, right) and within(right, left)


def _equal(a: Expr, b: Expr) -> bool:
    return a is b or (ANY not in (a, b) and neat(a - b) == 0)


def solutions(q: Question) -> Iterable[Hyper]:
    """Yield numbers for the left side with which the stationary points may be the right side's; `same` decides."""
    for count in range(1, len(q.pair.free) + 1):
        for names in combinations(q.pair.free, count):
            unknown = {name: sympy.Symbol(f"{name}*", positive=True) for name in names}
            equations = []
            for _, left, right in sets(q, unknown).rows:
                for a, b in zip(left, right, strict=True):
                    if len(a) != 1 or len(b) != 1 or ANY in (a[0].weight, b[0].weight):
                        continue  # two different sets if the numbers are ever so well chosen: `same` will tell
                    equations.append(a[0].weight - b[0].weight)
            yield from solve(equations, unknown, keep={*q.base().values(), q.symbol("s")})


def none_at_right_angles(found: Sets) -> str:
    """Return why no w ≠ 0 rests while w·g = 0, as a scale-invariant loss has it; empty if that was not shown.

    If w g < 0 for every weight with g ≠ 0, and w = 0 where g = 0, then Σ w g < 0 unless all weights are zero.
    """
    for case, *both in found.rows:
        for rest in (r for side in both for parameter in side for r in parameter):
            if rest.weight is ANY:
                return ""
            held = case.gradient != 0
            if sign_of(rest.weight * case.gradient if held else rest.weight) != (-1 if held else 0):
                return ""
    if not _loss_at_right_angles():
        return ""
    return (
        "on both sides a weight rests only with w·g < 0, or with w = 0 and g = 0; a scale-invariant loss has "
        "Σ w·g = 0, so no w ≠ 0 rests, and at w = 0 the loss is not defined"
    )


def _loss_at_right_angles() -> bool:
    """Whether the gradient of the loss behind batch norm, as the engine finds it, is at right angles to the weights."""
    weights = [Tensor(np.array(w, dtype=object), requires_grad=True) for w in sympy.symbols("w1 w2", real=True)]
    scale_invariant(sympy.Symbol("a"))(weights).backward()
    return vanishes(sum(w.data[()] * w.grad[()] for w in weights))


def witness(q: Question, found: Sets, examples: int = 300) -> Witness | None:
    """Return the smallest point found that is in one set and not in the other, and what a step makes of it."""
    drawn: dict[str, list[Any]] = search.hyper_choices(q)
    drawn |= {"s": search.choices("s")} if q.situation.schedule else {}
    drawn |= {"row": [*range(len(found.rows))], "parameter": [*range(len(q.weights))]}
    drawn |= {name: search.choices(name) for name in ("p", "d", "q", "any")}

    def point(values: dict[str, Any]) -> Witness | None:
        at = {q.symbol(n): values[n] for n in (*q.hyper, "s") if n in values} | {
            P: values["p"],
            EXTRA: values["d"],
            SPARE: values["q"],
        }
        at |= {q.symbol(name): values["q"] for name in state_names(q.rule)}  # where any state rests
        case, left, right = found.rows[values["row"]]
        at_rest = dict.fromkeys(scalar_state(q.rule), Fraction(0))
        if not all(q.assumed(case.branch, values, Forever(), at_rest)):
            return None
        g, i = number(case.gradient, at), values["parameter"]
        if q.situation.clip and not found.branches and abs(g) > values["limit"]:
            return None
        ways = [(q.pair.left, q.pair.right, left[i], right[i]), (q.pair.right, q.pair.left, right[i], left[i])]
        for side, other, these, those in sorted(ways, key=lambda way: _is_family(way[3])):
            for rest in these:
                w = values["any"] if rest.weight is ANY else number(rest.weight, at)
                if not any(_contains(r, w, at) for r in those):
                    state = [number(x, at) for x in rest.state]
                    instead = [r.weight if r.weight is ANY else number(r.weight, at) for r in those]
                    idle = at_nothing(q, case.branch, q.numbers(q.base(), q.symbol("s")))
                    others = [number(x, at | {SPARE: Fraction(0)}) for x in idle]
                    return _moved(q, side, other, values, i, g, w, state, others, instead)
        return None

    values = search.find(drawn, lambda v: point(v) is not None, examples)
    return None if values is None else point(values)


def _is_family(rests: list[Rest]) -> bool:
    return any(SPARE in r.weight.free_symbols for r in rests)


def _contains(rest: Rest, w: Fraction, at: Mapping[Expr, Fraction]) -> bool:
    if rest.weight is ANY or SPARE not in rest.weight.free_symbols:
        return rest.weight is ANY or number(rest.weight, at) == w
    value = rest.weight.subs({x: sympy.Rational(y) for x, y in at.items() if x != SPARE})
    return any(x.is_nonnegative for x in sympy.solve(value - sympy.Rational(w), SPARE))


def _moved(
    q: Question,
    side: Side,
    other: Side,
    values: dict[str, Any],
    i: int,
    g: Fraction,
    w: Fraction,
    state: list[Fraction],
    others: list[Fraction],
    instead: list[Any],
) -> Witness | None:
    """Run a step of both sides from the point, with the multiplier of the schedule held: one must stay, one must not.

    Every other parameter is 0, has gradient 0 and the state of `others`, and stays.
    """
    n, zero = len(q.weights), Fraction(0)
    row = tuple(state or others)
    place = Place(
        tuple(w if j == i else zero for j in range(n)),
        tuple(row if j == i else tuple(others) for j in range(n)),
        (Forever(),) * n,
    )
    data = slopes_of(q, g, i, zero)
    held = {name: values[name] for name in (*q.hyper, "s") if name in values}
    numbers = q.numbers({name: values[name] for name in q.hyper}, values.get("s"))
    ends: dict[str, list[dict[str, Any]]] = {side.name: [], other.name: []}
    for occurs in q.situation.kinds:
        for each in (side, other):
            ends[each.name].append(q.named(q.step(each, place, data, numbers, occurs)))
    start = q.named(place)
    if any(end != start for end in ends[side.name]):
        raise UndecidedError(f"{side.name} does not rest at {start} with gradient {g}: {ends[side.name]}")
    moved = [end for end in ends[other.name] if end != start]
    if not moved:
        raise UndecidedError(f"{other.name} rests at {start} with gradient {g}, though it was shown not to")
    return Witness(held, q.weights[i], g, start, side, other, moved[0], instead)
