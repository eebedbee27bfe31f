"""Proofs on symbols: that two sides make the same step, that their runs agree for ever, and with which numbers.

Everything is arbitrary: weights, state, gradients (which are equal on both sides as long as the weights are), the
multiplier of the schedule, t. A run's agreement for all T is an induction over steps: there is a relation between the
two states, c times the one is the other with a constant c for each part, which the zero state fulfils, and which every
step from equal weights keeps while it keeps the weights equal. c is read off the first step.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations, product
from typing import Any

from minigrad.extras import need
from minigrad.proof.atlas.model import Place
from minigrad.proof.atlas.question import Question
from minigrad.proof.branches import Branch
from minigrad.proof.symbolic.decide import expands_to_zero
from minigrad.rules import scalar_state

sympy: Any = need("sympy", "proof")

__all__ = ["Expr", "first_step_solutions", "invariant", "same_step", "simple", "step_solutions", "vanishes"]

Expr = Any
Hyper = dict[str, Expr]


def vanishes(x: Expr) -> bool:
    """Whether `x` is shown to be 0 for all values of its symbols, by expanding its numerator. False is no proof.

    As `minigrad.proof.symbolic.decide`, but no rational numbers are asked for where it is not: clipping has none.
    """
    x = sympy.sympify(x)
    return not _is_seen_to_differ(x) and (
        expands_to_zero(x.subs({e: sympy.Dummy() for e in _opaque(x)})) or expands_to_zero(x)
    )


def _opaque(x: Expr) -> list[Expr]:
    """Return the roots, powers and functions in `x` that are not rational in their symbols, the largest first."""
    found = [
        e for e in sympy.sympify(x).atoms(sympy.Pow, sympy.Function, sympy.Max) if not (e.is_Pow and e.exp.is_Integer)
    ]
    return sorted(found, key=sympy.count_ops, reverse=True)


def simple(x: Expr) -> Expr:
    """Return a rational expression factored, with 1 − β where SymPy writes β − 1; any other as it is."""
    x = sympy.sympify(x)
    if not x.is_rational_function(*x.free_symbols):
        return x
    x = sympy.factor(x)
    below = {s - 1: sympy.Dummy() for s in x.free_symbols}
    turned = x.replace(lambda e: e in below, lambda e: -below[e])
    return turned.xreplace({d: 1 - (e + 1) for e, d in below.items()})


def _is_seen_to_differ(x: Expr) -> bool:
    """Whether numbers show that `x` is not 0: saves proofs that would fail. Unknown functions decide nothing."""
    symbols = sorted(x.free_symbols, key=lambda s: s.name)
    at = {
        s: sympy.Integer(i + 2) if s.is_integer else sympy.Rational(2 * i + 3, 2 * i + 8) for i, s in enumerate(symbols)
    }
    value = x.subs(at)
    return bool(value.is_number and value.is_finite and abs(sympy.N(value)) > 1e-9)


def same_step(q: Question, hyper: Hyper | None = None) -> dict[str, dict[str, Expr]] | None:
    """Return the common step, an expression for each weight and state, or None if it was not shown to be common.

    There is one for each branch of the rule, by what is assumed there in words. `hyper` replaces numbers of the left.
    """
    found: dict[str, dict[str, Expr]] = {}
    for occurs, branch in product(q.situation.kinds, q.branches):
        left, right = both(q, any_place(q), hyper, occurs, branch)
        if not all(vanishes(a - b) for a, b in pairs(left, right)):
            return None
        found.setdefault(branch.where, q.named(right))
    return found


def same_weights(q: Question) -> bool:
    """Whether one step leaves the weights equal, whatever becomes of the state."""
    ends = [both(q, any_place(q), None, *kind) for kind in product(q.situation.kinds, q.branches)]
    return all(vanishes(a - b) for x, y in ends for a, b in zip(x.weights, y.weights, strict=True))


def any_place(q: Question, zero: bool = False) -> Place:
    """Return arbitrary weights with an arbitrary state at any t; or with the zero state, at the first step."""
    values = {name: q.symbol(name) for name in q.weights}
    if not zero:
        values |= {name: q.symbol(name) for row in q.states for name in row} | {"t": q.symbol("t")}
    return q.place(values)


def data(q: Question) -> dict[str, Expr]:
    """Return arbitrary slopes: the gradients."""
    return {name: sympy.Symbol(name, real=True) for name in q.slopes}


def both(
    q: Question,
    place: Place | tuple[Place, Place],
    hyper: Hyper | None,
    occurs: bool = True,
    branch: Branch | None = None,
) -> tuple[Place, Place]:
    """Return both sides' step from a place, or from two, on a branch of the rule."""
    rule = branch.rule if branch else None
    numbers = q.numbers(q.base(), q.symbol("s"))
    first, second = place if isinstance(place, tuple) else (place, place)
    left = q.step(q.pair.left, first, data(q), numbers | (hyper or {}), occurs, rule)
    return left, q.step(q.pair.right, second, data(q), numbers, occurs, rule)


def first_branches(q: Question) -> list[Branch]:
    """Return the branches that the first step may take."""
    scalars = {name: sympy.sympify(x) for name, x in scalar_state(q.rule).items()}
    numbers = q.numbers(q.base(), q.symbol("s"))
    return [
        b
        for b in q.branches
        if not any(sympy.simplify(r) == sympy.false for r in q.assumed(b, numbers, sympy.Integer(1), scalars))
    ]


def pairs(left: Place, right: Place) -> list[tuple[Expr, Expr]]:
    """Return the weights and the states of two places, in pairs."""
    flat = [[*p.weights, *(x for row in p.states for x in row)] for p in (left, right)]
    return list(zip(*flat, strict=True))


def invariant(q: Question, hyper: Hyper | None = None) -> list[Expr] | None:
    """Return c, one for each part of the state, with which the runs agree for ever from the zero state; or None."""
    start = any_place(q, zero=True)
    begun = [both(q, start, hyper, branch=branch) for branch in first_branches(q)]
    if not all(vanishes(a - b) for left, right in begun for a, b in zip(left.weights, right.weights, strict=True)):
        return None
    varying = {*start.weights, *data(q).values(), q.symbol("s")}
    factors = []
    left, right = begun[0]
    for a, b in zip((x for row in left.states for x in row), (x for row in right.states for x in row), strict=True):
        c = sympy.Integer(1) if vanishes(a - b) else sympy.cancel(b / a) if a != 0 else None
        if c is None or c.free_symbols & varying or c.has(sympy.core.function.AppliedUndef):
            return None
        factors.append(c)
    n = len(start.weights)
    if not all(vanishes(a * c - b) for ends in begun for (a, b), c in zip(pairs(*ends)[n:], factors, strict=True)):
        return None
    anywhere = any_place(q)
    scaled = iter(factors)
    other = Place(
        anywhere.weights, tuple(tuple(x * next(scaled) for x in row) for row in anywhere.states), anywhere.counts
    )
    for kind in product(q.situation.kinds, q.branches):
        ends = pairs(*both(q, (anywhere, other), hyper, *kind))
        if not all(vanishes(a - b) for a, b in ends[:n]):
            return None
        if not all(vanishes(a * c - b) for (a, b), c in zip(ends[n:], factors, strict=True)):
            return None
    return factors


def step_solutions(q: Question) -> Iterable[Hyper]:
    """Yield numbers for the left side with which one step, weights and state, is the same from everywhere."""
    yield from _solutions(q, any_place(q), states=True)


def first_step_solutions(q: Question) -> Iterable[Hyper]:
    """Yield numbers for the left side with which the first step from the zero state leaves the weights equal."""
    yield from _solutions(q, any_place(q, zero=True), states=False)


def _solutions(q: Question, place: Place, states: bool) -> Iterable[Hyper]:
    """Solve for as few of the free numbers as it takes."""
    for count in range(1, len(q.pair.free) + 1):
        for names in combinations(q.pair.free, count):
            unknown = {name: sympy.Symbol(f"{name}*", positive=True) for name in names}
            equations: list[Expr] = []
            for kind in product(q.situation.kinds, q.branches if states else first_branches(q)):
                left, right = both(q, place, unknown, *kind)
                ends = pairs(left, right)[: None if states else len(place.weights)]
                equations += [a - b for a, b in ends]
            yield from solve(equations, unknown, keep={*q.base().values(), q.symbol("s"), q.symbol("t")})


def solve(equations: Sequence[Expr], unknown: dict[str, Expr], keep: set[Expr]) -> list[Hyper]:
    """Return the unknowns, as functions of the symbols to `keep`, for which all equations hold at all other symbols.

    The equations must be rational in the other symbols and in whatever expressions do not contain an unknown; each
    power's coefficient must vanish. Returns nothing for other equations, nor a rate that is 0 or negative.
    """
    conditions: set[Expr] = set()
    symbols = set(unknown.values())
    kept: dict[Expr, Expr] = {}  # roots and powers of what is kept, which stand for themselves
    for equation in equations:
        for e in _opaque(equation):
            if e.free_symbols <= keep:
                kept.setdefault(e, sympy.Symbol(f"kept {len(kept)}", real=True))
    keep = keep | set(kept.values())
    for equation in (sympy.sympify(e).subs(kept) for e in equations):
        opaque = {e: sympy.Dummy() for e in _opaque(equation) if not e.free_symbols <= keep}
        if any(e.free_symbols & symbols for e in opaque):
            return []
        x = sympy.fraction(sympy.together(equation.subs(opaque)))[0]
        others = sorted(x.free_symbols - keep - symbols, key=lambda s: s.name)
        x = sympy.expand(x)
        try:
            conditions |= set(sympy.Poly(x, *others).coeffs()) if others else {x}
        except sympy.PolynomialError:
            return []
    conditions.discard(sympy.Integer(0))
    if not conditions:
        return [{}]
    meant = {symbol: e for e, symbol in kept.items()}
    found = sympy.solve(
        sorted(conditions, key=sympy.default_sort_key), list(unknown.values()), dict=True, simplify=False, check=False
    )
    return [
        {name: sympy.factor(solution[x].subs(meant)) for name, x in unknown.items()}
        for solution in found
        if all(x in solution and not solution[x].free_symbols & symbols for x in symbols)
        and not any(x.is_nonpositive for x in solution.values())
        and all(vanishes(e.subs(solution)) for e in conditions)
    ]
