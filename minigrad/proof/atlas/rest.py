"""Where a run may rest: weights and state that no step moves while the data gradient is held, found by solving.

(w, g) is a stationary point of a side if there is a state such that a step with data gradient g leaves the weights and
the state as they are. For a rule that counts its steps this is the limit of its steps, t → ∞, in which βᵗ, t βᵗ and
0.96^(tψ) are 0: corrections for bias are over, warming up is too, and what the rule asks of t is answered as the limit
is. A rule that asks is taken branch by branch. Under a schedule its multiplier s is held too, so
that what rests is a function of s: sets are equal if they are so for every s. Two solutions make it up:

- of the rule: at which state does a constant gradient u keep the state, and what does the rule then subtract? Solved
  for u > 0, u < 0 and u = 0 apart, so that no root and no sign is left open;
- of the door: the step is run with a rule that subtracts a symbol D and notes which u it was given; hence u(w, g) and
  w′(w, D). For each sign of u, w′ = w is solved for w at the D of the rule.

The result, for g > 0, g < 0 and g = 0, is the set of weights that rest there. Where clipping acts on what contains w,
its three branches are cases of their own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from minigrad.extras import need
from minigrad.proof.atlas.equal import Expr
from minigrad.proof.atlas.model import Forever, Place, Rule
from minigrad.proof.atlas.pairs import Side
from minigrad.proof.atlas.question import Question
from minigrad.proof.branches import Branch
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic.letters import RATES, letter, text
from minigrad.rules import hyper_names, scalar_state, state_names

sympy: Any = need("sympy", "proof")

__all__ = [
    "ANY",
    "EXTRA",
    "SPARE",
    "Case",
    "P",
    "Rest",
    "at_nothing",
    "cases",
    "neat",
    "resting",
    "sign_of",
    "slopes_of",
]

ANY = sympy.Symbol("any w")
P, EXTRA = sympy.Symbol("p", positive=True), sympy.Symbol("d", positive=True)
_MAGNITUDE = sympy.Symbol("|u|", positive=True)
_BELOW_ONE = {str(letter(name)) for name in ("decay", "momentum", *RATES)}
SPARE = sympy.Symbol("q", nonnegative=True)


@dataclass(frozen=True)
class Case:
    """A data gradient: what it is, in positive symbols, and how to say so; and the branch that the rule takes."""

    words: str
    gradient: Expr
    branch: Branch


@dataclass(frozen=True)
class Rest:
    """A weight that rests: itself, `ANY` for every one, and the state it rests with."""

    weight: Expr
    state: tuple[Expr, ...]


def cases(q: Question, branches: bool) -> list[Case]:
    """Return what is to be told apart: the branches that the rule may take in the limit, and the data gradients.

    Of these the signs, and with `branches` on which side of the limit of clipping they are.
    """
    found = []
    for branch in q.branches:
        where = in_the_limit(q, branch)
        if where is not None:
            before = f"{where}, " if where else ""
            found += [Case(before + words, gradient, branch) for words, gradient in _gradients(q, branches)]
    return found


def in_the_limit(q: Question, branch: Branch) -> str | None:
    """Return in words for which hyperparameters a branch is taken in the limit t → ∞; None if for none."""
    relations = [
        r
        for r in q.assumed(branch, q.base(), Forever(), dict.fromkeys(scalar_state(q.rule), sympy.Integer(0)))
        if r not in (True, sympy.true)
    ]
    return None if any(r in (False, sympy.false) for r in relations) else ", ".join(map(_bounds, relations))


@cache
def _bounds(relation: Expr) -> str:
    """Return a relation of one number below 1 as its bounds, any other as it is."""
    symbols = relation.free_symbols
    if len(symbols) == 1 and {s.name for s in symbols} <= _BELOW_ONE:
        (x,), real = symbols, sympy.Symbol("x", real=True)
        found = relation.subs(x, real).as_set().intersect(sympy.Interval.open(0, 1))
        if isinstance(found, sympy.Interval):
            above = f"{text(x)} {'>' if found.left_open else '≥'} {text(found.start)}"
            below = f"{text(x)} {'<' if found.right_open else '≤'} {text(found.end)}"
            return " and ".join([above] * bool(found.start > 0) + [below] * bool(found.end < 1))
    return f"{text(relation.lhs)} {relation.rel_op} {text(relation.rhs)}"


def _gradients(q: Question, branches: bool) -> list[tuple[str, Expr]]:
    zero = ("g = 0", sympy.Integer(0))
    if q.situation.data == "zero":
        return [zero]
    if not branches:
        return [("g > 0", P), ("g < 0", -P), zero]
    c = q.symbol("limit")
    found = [zero]
    for sign, name in ((1, "g"), (-1, "−g")):
        # inside, at the limit, outside; within, the limit itself is p + d, so that |g| = p is less
        found += [(f"0 < {name} < c", sign * c * P / (P + EXTRA)), (f"{name} = c", sign * c)]
        found += [(f"{name} > c", sign * (c + EXTRA))]
    return found


def resting(q: Question, side: Side, numbers: Mapping[str, Expr], *, branches: bool) -> list[list[list[Rest]]]:
    """Return, for each of the `cases`, for each parameter, the weights that rest at that data gradient.

    Raises UndecidedError if a sign or an equation could not be decided, or if `branches` are needed and not wanted.
    """
    own = tuple((name, numbers[name]) for name in hyper_names(q.rule) if name != "t")
    return [
        _of_case(q, side, case, numbers, {sign: _of_rule(case.branch.rule, sign, own) for sign in (1, -1, 0)}, branches)
        for case in cases(q, branches)
    ]


def at_nothing(q: Question, branch: Branch, numbers: Mapping[str, Expr]) -> tuple[Expr, ...]:
    """Return the state that rests at no gradient at all. Raises UndecidedError if there is none."""
    found = _of_rule(branch.rule, 0, tuple((name, numbers[name]) for name in hyper_names(q.rule) if name != "t"))
    if found is None:
        raise UndecidedError(f"{q.rule_name}: no state rests at gradient 0")
    return found[1]


def _of_case(
    q: Question,
    side: Side,
    case: Case,
    numbers: Mapping[str, Expr],
    rules: Mapping[int, Any],
    branches: bool,
) -> list[list[Rest]]:
    found: list[list[Rest]] = []
    for i in range(len(q.weights)):
        meets: list[Rest] | None = None
        for occurs in q.situation.kinds:
            condition = _of_door(q, side, i, case, numbers, rules, branches, occurs)
            if condition is not None:
                meets = condition if meets is None else _both(meets, condition)
        found.append([Rest(ANY, ())] if meets is None else meets)
    return found


# --- of the rule ------------------------------------------------------------------------------------------------------


@cache
def _of_rule(rule: Rule, sign: int, numbers: tuple[tuple[str, Expr], ...]) -> tuple[Expr, tuple[Expr, ...]] | None:
    """Return what the rule subtracts when a constant gradient of that sign keeps the state, and the state; or None."""
    own = dict(numbers) | ({"t": Forever()} if "t" in hyper_names(rule) else {})
    u = sign * _MAGNITUDE
    state = [letter(name) for name in state_names(rule)]
    solved: dict[Expr, Expr] = {}
    for i, x in enumerate(state):
        _, *new = rule(u, *(y.subs(solved) for y in state), **own)
        remaining = neat(_numerator(neat(new[i]) - x.subs(solved)))
        if x in remaining.free_symbols:
            value = _solve_state(remaining, x)
            if value is None:
                return None
            solved[x] = value
        elif sign_of(remaining) != 0:
            return None
    state = [neat(x.subs(solved)) for x in state]
    delta, *_ = rule(u, *state, **own)
    return neat(delta), tuple(state)


def _solve_state(equation: Expr, x: Expr) -> Expr | None:
    """Return the x at which `equation` is zero, or None: one root, or Max(x, e) − x, which any x ≥ e solves.

    Of Max(d, e) − x, each of d and e may be x, where it is the larger one.

    Raises UndecidedError if there are several.
    """
    largest = equation.atoms(sympy.Max)
    if largest:
        (m,) = largest
        if sympy.expand(equation / (m - x)).free_symbols:
            raise UndecidedError(f"no rest was found for {text(equation)} = 0")
        if x in m.args:
            (other,) = [neat(a) for a in m.args if a != x]
            return other + SPARE
        found = [
            root
            for a in m.args
            for factor in sympy.Mul.make_args(_numerator(neat(a - x)))
            for root in _roots(factor, x)
            if all(sign_of(root - b.subs(x, root)) >= 0 for b in m.args)
        ]
    else:
        found = [root for factor in sympy.Mul.make_args(equation) for root in _roots(factor, x)]
    if len(found) > 1:
        raise UndecidedError(f"more than one state rests: {text(equation)} = 0")
    return found[0] if found else None


# --- of the door ------------------------------------------------------------------------------------------------------


def _of_door(
    q: Question,
    side: Side,
    i: int,
    case: Case,
    numbers: Mapping[str, Expr],
    rules: Mapping[int, Any],
    branches: bool,
    occurs: bool,
) -> list[Rest] | None:
    """Return the weights for which parameter `i` rests in a step of one kind; None if the step never moves it."""
    given: list[Expr] = []
    subtracted = sympy.Symbol("D", real=True)

    def probe(g: Expr, *state: Expr, lr: Expr) -> tuple[Expr, ...]:
        given.append(g)
        return (subtracted, *state)

    symbols = [sympy.Symbol(name, real=True) for name in q.weights]
    place = Place(tuple(symbols), tuple(tuple(map(q.symbol, row)) for row in q.states), (Forever(),) * len(symbols))
    data = slopes_of(q, case.gradient, i, sympy.Symbol("h", real=True))
    after = q.step(side, place, data, {**numbers}, occurs, rule=probe)
    if not given:
        return None
    w, new, u = symbols[i], after.weights[i], sympy.sympify(given[i])
    others = {x: 0 for x in symbols if x != w}
    found: list[Rest] = []
    for value, limits in _unclipped(u.subs(others), q, case, w, branches):
        for sign, rule in rules.items():
            if rule is None:
                continue
            delta, state = (x.subs(_MAGNITUDE, sign * value) for x in (sympy.Tuple(rule[0]), sympy.Tuple(*rule[1])))
            if w not in value.free_symbols and sign_of(value) != sign:
                continue
            equations = [_numerator(new.subs(subtracted, delta[0]) - w)]
            equations += [_numerator(value)] if sign == 0 and w in value.free_symbols else []
            for weight in _solve_weight(equations, w):
                at = {} if weight is ANY else {w: weight}
                if sign_of(value.subs(at)) == sign and all(sign_of(x.subs(at)) in allowed for x, allowed in limits):
                    found.append(Rest(neat(weight), tuple(neat(x.subs(at)) for x in state)))
    return found


def slopes_of(q: Question, gradient: Expr, i: int, spare: Expr) -> dict[str, Expr]:
    """Return slopes whose total at parameter `i` is `gradient`; `spare` is what two of them may share freely."""
    if q.situation.data == "scale-invariant":
        return {"held": [gradient if j == i else 0 * gradient for j in range(len(q.weights))]}
    if q.situation.batches == 2:
        return dict(zip(q.slopes, (gradient - spare, gradient + spare), strict=True))
    if len(q.situation.uses) == 2 and not q.situation.multi:
        return dict(zip(q.slopes, (gradient - spare, spare), strict=True))
    return {name: gradient if j == i else 0 * gradient for j, name in enumerate(q.slopes)}


def _unclipped(
    u: Expr, q: Question, case: Case, w: Expr, branches: bool
) -> list[tuple[Expr, list[tuple[Expr, tuple[int, ...]]]]]:
    """Return what u may be, with the signs that its conditions must have.

    Without `branches` what is clipped stands for itself: nothing is used of it but that it keeps the sign.
    """
    clipped = [e for e in u.atoms(sympy.core.function.AppliedUndef) if str(e.func).startswith("clip")]
    if not clipped:
        return [(sympy.expand(u), [])]
    (e,) = clipped
    x = e.args[0 if len(e.args) == 1 else int(str(e.func)[-1]) - 1]
    if not branches:
        if w in x.free_symbols:
            raise UndecidedError("clipping acts on what contains the weights, and its branches were not told apart")
        return [(sympy.expand(u.subs(e, case.gradient)), [])]
    c = q.symbol("limit")
    return [
        (sympy.expand(u.subs(e, x)), [(c - x, (0, 1)), (c + x, (0, 1))]),
        (sympy.expand(u.subs(e, c)), [(x - c, (1,))]),
        (sympy.expand(u.subs(e, -c)), [(-x - c, (1,))]),
    ]


def _solve_weight(equations: Sequence[Expr], w: Expr) -> list[Expr]:
    equations = [e for e in map(neat, equations) if e != 0]
    if not equations:
        return [ANY]
    if any(w not in e.free_symbols and sign_of(e) != 0 for e in equations):
        return []
    found = [x for factor in sympy.Mul.make_args(equations[0]) for x in _roots(factor, w)]
    return [x for x in found if all(neat(e.subs(w, x)) == 0 for e in equations[1:])]


def _roots(factor: Expr, w: Expr) -> list[Expr]:
    """Return the roots of one factor; what is linear in w needs no solver."""
    base = factor.base if factor.is_Pow and factor.exp.is_Integer and factor.exp > 0 else factor
    slope = base.diff(w)
    if slope == 0:
        return []
    return [-base.subs(w, 0) / slope] if w not in slope.free_symbols else list(sympy.solve(base, w))


def _both(first: list[Rest], second: list[Rest]) -> list[Rest]:
    """Return what rests in both kinds of step, with one state.

    Raises UndecidedError where that depends on a family's q: two families that differ, each with a q of its own, may
    still meet.
    """
    found = []
    for a in first:
        for b in second:
            pairs = [*zip(a.state, b.state, strict=True)]
            if ANY not in (a.weight, b.weight):
                pairs.append((a.weight, b.weight))
            apart = [(x, y) for x, y in pairs if neat(x - y) != 0]
            if not apart:
                found.append(b if a.weight is ANY else a)
            elif all(SPARE in x.free_symbols | y.free_symbols for x, y in apart):
                said = " and ".join(f"({', '.join(map(text, (r.weight, *r.state)))})" for r in (a, b))
                raise UndecidedError(f"whether {said} meet for some q ≥ 0 was not found")
    return found


# --- expressions ------------------------------------------------------------------------------------------------------


def sign_of(x: Expr) -> int:
    """Return the sign of an expression in signed symbols; UndecidedError if it depends on them."""
    x = neat(x)
    below_one = {s: 1 / (1 + sympy.Dummy(positive=True)) for s in x.free_symbols if s.name in _BELOW_ONE}
    x = sympy.factor(x.subs(below_one))
    if x.is_zero or x == 0:
        return 0
    if x.is_positive:
        return 1
    if x.is_negative:
        return -1
    raise UndecidedError(f"the sign of {text(x)} was not found")


def _numerator(x: Expr) -> Expr:
    return sympy.fraction(sympy.together(x))[0]


def neat(x: Expr) -> Expr:
    """Factor, under roots as well."""
    x = sympy.sympify(x)
    if x.has(sympy.Pow) or x.has(sympy.Max):
        x = x.replace(lambda e: e.is_Pow and e.exp.is_Rational and not e.exp.is_Integer, _root)
    return sympy.factor(x)


def _root(e: Expr) -> Expr:
    base = sympy.factor(e.base)
    return base**e.exp
