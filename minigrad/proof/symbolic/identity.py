"""The identity on symbols: what separates doors 2 and 3 of a rule, and which λ would close the gap.

Both questions go through `minigrad.proof.criterion.residues`: for λ = η/α they are decided, for a free λ they are
solved.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from minigrad.extras import need
from minigrad.proof.claims import UndecidedError
from minigrad.proof.criterion import residues
from minigrad.proof.symbolic.decide import Verdict, decide, likely
from minigrad.proof.symbolic.letters import (
    PER_WEIGHT,
    RATES,
    Expr,
    as_exact,
    fraction,
    letter,
    letters_of,
    name_of,
    rule_called,
)
from minigrad.rules import state_names

sympy: Any = need("sympy", "proof")

__all__ = ["AtRest", "Difference", "Solution", "difference", "solve_l2"]

Rule = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Difference:
    """Door 3 less door 2 after one step from equal weights, gradient and state: decided for the weights and the state.

    Attributes:
        rule: the rule's name.
        step: y − x, the weights' difference.
        state: the difference of each part of the state, by its name; empty for a rule that keeps none.
    """

    rule: str
    step: Verdict
    state: dict[str, Verdict]

    @property
    def same_step(self) -> bool:
        """Whether both doors give the same weights, for every w, g, state and hyperparameters."""
        return self.step.zero

    @property
    def same_state(self) -> bool:
        """Whether both doors leave the same state, likewise."""
        return all(v.zero for v in self.state.values())


def difference(rule: Rule | str, l2: Any = None) -> Difference:
    """Return what separates decay η from L2 with λ = `l2` (η/α if not given) in one step of `rule`, on symbols.

    A zero is proved by expansion; what is not zero is shown by rational numbers, at which the same functions are then
    run on Fractions and must give the same number.

    Raises ValueError for an unknown rule, TypeError for an inexact `l2`, and UndecidedError where neither a proof nor
    numbers were found.
    """
    rule = rule_called(rule)
    w, g, state, hyper = letters_of(rule)
    coefficient = letter("decay") / letter("lr") if l2 is None else as_exact("l2", l2)
    found = residues(rule, w, g, *state, l2=coefficient, decay=letter("decay"), **hyper)
    verdicts = [decide(r) for r in found]
    for i, v in enumerate(verdicts):
        if not v.zero:
            _rerun(rule, coefficient, i, v)
    return Difference(name_of(rule), verdicts[0], dict(zip(state_names(rule), verdicts[1:], strict=True)))


def _rerun(rule: Rule, l2: Expr, index: int, verdict: Verdict) -> None:
    """Run the functions once more, on Fractions, at the witness of a verdict; ArithmeticError unless both agree."""
    w, g, state, hyper = letters_of(rule)
    values = {
        s: likely(s) for s in (w, g, *state, *hyper.values(), letter("decay"), *l2.free_symbols)
    } | verdict.witness

    def number(x: Expr) -> Any:
        found = sympy.sympify(x).subs(values)
        return int(found) if x == letter("t") else fraction(found)

    numbers = {n: number(x) for n, x in hyper.items()}
    try:
        again = residues(
            rule, number(w), number(g), *map(number, state), l2=number(l2), decay=number(letter("decay")), **numbers
        )[index]
    except ValueError as error:
        raise UndecidedError(f"{name_of(rule)} cannot be run on Fractions where {verdict}: {error}") from error
    if again != fraction(verdict.value):
        raise ArithmeticError(f"{name_of(rule)}: on symbols {verdict}, but on Fractions {again}")


@dataclass(frozen=True)
class Solution:
    """Every real λ for which door 2 does what decay η does, whatever w, g and state.

    Attributes:
        rule: the rule's name.
        step: the λ that give the same weights for every w, g and state.
        both: those among them that leave the same state, too.
        per_weight: the symbols of which each weight has its own (w, g, the state, s).
        at_rest: how it stands with a single weight at rest.
    """

    rule: str
    step: tuple[Expr, ...]
    both: tuple[Expr, ...]
    per_weight: frozenset[Expr]
    at_rest: "AtRest"

    @property
    def coefficient(self) -> Expr | None:
        """The one λ that serves all weights for ever, free of w, g, state and whatever else a weight has of its own."""
        free = [x for x in self.both if not x.free_symbols & self.per_weight]
        return free[0] if len(free) == 1 else None


@dataclass(frozen=True)
class AtRest:
    """Which λ serve a single weight w > 0 at rest: g = 0, a state of zeros, the first step.

    Attributes:
        needed: the λ that give the weight that decay gives, as functions of w; there are no others,
        unless: except where one of these is zero.
        example: two weights and the λ that each needs, where they are unequal, run through the rule in Fractions.
        numbers: the hyperparameters of the example, by symbol.
    """

    needed: tuple[Expr, ...]
    unless: tuple[Expr, ...]
    example: dict[Expr, Expr]
    numbers: dict[Expr, Expr]


def solve_l2(rule: Rule | str) -> Solution:
    """Solve rule(g + λw) = rule(g) + ηw for λ, for all w, g and state at once, and then for an unchanged state too.

    Where the residue is a polynomial in w, g and the state, it vanishes everywhere if and only if every coefficient
    does; these are equations in λ and the hyperparameters, and are solved. Where it is not (roots, signs), a weight
    at rest is looked at, w > 0, g = 0 and a state of zeros in the first step: λ > 0, λ = 0 and λ < 0 are solved apart,
    and if no λ is found, or none that serves both w and 2w, there is none. Numbers are shown.

    Raises ValueError for an unknown rule or one that is behind a door already; UndecidedError where neither way leads
    to an answer.
    """
    rule = rule_called(rule)
    w, g, state, hyper = letters_of(rule)
    l2 = letter("l2")
    weights, *states = residues(rule, w, g, *state, l2=l2, decay=letter("decay"), **hyper)
    numerator = sympy.expand(sympy.fraction(sympy.together(weights))[0])
    step: tuple[Expr, ...] = ()
    if numerator.is_polynomial(w, g, *state, l2):
        first, *others = sympy.Poly(numerator, w, g, *state).coeffs()
        step = tuple(x for x in _roots(first, l2)[0] if _all_zero(others, l2, x))
        at_rest = _at_rest(rule, compare=False)
    else:
        at_rest = _at_rest(rule, compare=True)
    both = tuple(x for x in step if _all_zero(states, l2, x))
    own = frozenset({w, g, *state, *(hyper[n] for n in PER_WEIGHT if n in hyper)})
    return Solution(name_of(rule), step, both, own, at_rest)


def _all_zero(expressions: list[Expr], unknown: Expr, x: Expr) -> bool:
    return all(decide(e.subs(unknown, x)).zero for e in expressions)


def _roots(x: Expr, unknown: Expr) -> tuple[list[Expr], list[Expr]]:
    """Return the root of `x`, linear in `unknown`; or, if it is free of it, none, and `x` unless its signs forbid 0.

    Raises UndecidedError for an equation of higher degree.
    """
    p = sympy.Poly(x, unknown)
    if p.degree() > 1:
        raise UndecidedError(f"an equation of degree {p.degree()} in {unknown}: {x} = 0")
    if decide(p.LC()).zero:
        raise UndecidedError(f"no equation in {unknown}: {x} = 0")
    if p.degree() == 0:
        return [], [] if sympy.factor(x).is_zero is False else [x]
    root = sympy.factor(-p.nth(0) / p.nth(1))
    if root.could_extract_minus_sign():  # εη/(α − ηw) reads better than −εη/(ηw − α)
        above, below = sympy.fraction(root)
        root = sympy.expand(-above) / sympy.expand(-below) if below.is_Add else root
    return [root], []


def _at_rest(rule: Rule, compare: bool) -> AtRest:
    """Solve for the λ that serve a weight at rest; if `compare`, show two weights that no one λ serves."""
    _, _, state, hyper = letters_of(rule)
    w, size = sympy.Symbol("w", positive=True), sympy.Symbol("λ", positive=True)
    # A rate below 1 is written 1 − q with q > 0, so that SymPy knows the signs of what stands under roots.
    rest = {n: sympy.Symbol(f"1-{n}", positive=True) for n in RATES if n in hyper}
    back = {q: 1 - hyper[n] for n, q in rest.items()} | {w: letter("w")}
    hyper = {n: sympy.S.One if n == "t" else 1 - rest[n] if n in rest else x for n, x in hyper.items()}
    needed: list[Expr] = []
    unless: list[Expr] = []
    for direction in (1, -1, 0):
        zeros = [sympy.S.Zero] * len(state)
        r = residues(rule, w, sympy.S.Zero, *zeros, l2=direction * size, decay=letter("decay"), **hyper)[0]
        numerator = sympy.expand(sympy.fraction(sympy.together(r))[0])
        if numerator == 0 and direction == 0:
            needed.append(sympy.S.Zero)
            continue
        if numerator == 0 or not numerator.is_polynomial(size):
            raise UndecidedError(f"{name_of(rule)}: at rest, the residue does not determine λ: {r}")
        roots, exceptions = _roots(numerator, size)
        # A root that is not positive contradicts the sign that λ was assumed to have.
        needed += [(direction * x).subs(back) for x in roots if x.is_nonpositive is not True]
        unless += [x.subs(back) for x in exceptions]
    example, numbers = _unequal(rule, needed, unless) if compare else ({}, {})
    return AtRest(tuple(needed), tuple(unless), example, numbers)


def _unequal(rule: Rule, needed: list[Expr], unless: list[Expr]) -> tuple[dict[Expr, Expr], dict[Expr, Expr]]:
    """Show numbers at which no λ serves both w and 2w: the λ that each needs, and the hyperparameters.

    One product is not zero there: of all differences of a λ that serves w and one that serves 2w, and of all that
    must not be zero. Raises UndecidedError if there are no such numbers.
    """
    w = letter("w")
    differences = [a - b.subs(w, 2 * w) for a in needed for b in needed]
    verdict = decide(sympy.Mul(*differences, *unless, *(x.subs(w, 2 * w) for x in unless)))
    if verdict.zero:
        raise UndecidedError(f"{name_of(rule)}: one λ serves every weight at rest; elsewhere it is not known")
    numbers = {s: x for s, x in verdict.witness.items() if s != w}
    one: Expr = verdict.witness[w] if w in verdict.witness else likely(w)
    example = {x: a.subs({**numbers, w: x}) for x in (one, 2 * one) for a in needed[:1]}
    _rerun_at_rest(rule, example, numbers)
    return example, numbers


def _rerun_at_rest(rule: Rule, example: dict[Expr, Expr], numbers: dict[Expr, Expr]) -> None:
    """Run weights at rest on Fractions; ArithmeticError unless each is served by its own λ and not by the other's."""
    _, _, state, hyper = letters_of(rule)
    at = {n: 1 if n == "t" else fraction(numbers.get(x, likely(x))) for n, x in hyper.items()}
    decay = fraction(numbers.get(letter("decay"), likely(letter("decay"))))
    zeros = [Fraction(0)] * len(state)
    for w in example:
        for served, l2 in example.items():
            r = residues(rule, fraction(w), Fraction(0), *zeros, l2=fraction(l2), decay=decay, **at)[0]
            if (r == 0) != (served == w):
                raise ArithmeticError(f"{name_of(rule)}: at w = {w}, λ = {l2} leaves {r} on Fractions")
