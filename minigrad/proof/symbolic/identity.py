"""The identity on symbols: what separates doors 2 and 3 of a rule, and which λ would close the gap.

Both questions go through `minigrad.proof.criterion.residues`: for λ = η/α they are decided, for a free λ they are
solved.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from minigrad.extras import need
from minigrad.proof.balls.ball import Ball, precision
from minigrad.proof.branches import Branch, only_branch
from minigrad.proof.claims import UndecidedError
from minigrad.proof.criterion import residues
from minigrad.proof.symbolic.decide import Verdict, decide, different, likely
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
from minigrad.proof.symbolic.numbers import BITS, ball
from minigrad.rules import scalar_state, state_names

sympy: Any = need("sympy", "proof")

__all__ = ["AtRest", "Difference", "Solution", "assumed", "difference", "solve_l2"]

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


def difference(rule: Rule | str, l2: Any = None, branch: Branch | None = None) -> Difference:
    """Return what separates decay η from L2 with λ = `l2` (η/α if not given) in one step of `rule`, on symbols.

    A zero is proved by expansion; what is not zero is shown by rational numbers, at which the same functions are then
    run on Fractions and must give the same number. If its roots are irrational, they are run on balls.

    A rule that branches on its scalars is asked about one `branch` (`minigrad.proof.branches.branches`): a zero is one
    on that branch, and the numbers lead the rule itself there.

    Raises ValueError for an unknown rule, or if a branch is missing; TypeError for an inexact `l2`, and UndecidedError
    where neither a proof nor numbers were found.
    """
    rule = rule_called(rule)
    branch = branch or only_branch(rule)
    w, g, state, hyper = letters_of(rule)
    coefficient = letter("decay") / letter("lr") if l2 is None else as_exact("l2", l2)
    found = residues(branch.rule, w, g, *state, l2=coefficient, decay=letter("decay"), **hyper)
    where = assumed(branch)
    verdicts = [decide(r, where) for r in found]
    for i, v in enumerate(verdicts):
        if not v.zero:
            _rerun(rule, coefficient, i, v)
    return Difference(name_of(rule), verdicts[0], dict(zip(state_names(rule), verdicts[1:], strict=True)))


def assumed(branch: Branch, **given: Expr) -> list[Expr]:
    """Return what a branch assumes of its scalars, which are the book's letters unless `given`."""
    _, _, _, hyper = letters_of(branch.rule)
    return branch.relations(**{**hyper, **{name: letter(name) for name in scalar_state(branch.rule)}, **given})


def _rerun(rule: Rule, l2: Expr, index: int, verdict: Verdict) -> None:
    """Run the functions once more, on numbers, at the witness of a verdict; ArithmeticError unless both agree.

    On Fractions if all roots are rational, else on balls: one that can hold the verdict's value, and not 0.
    """
    w, g, state, hyper = letters_of(rule)
    values = {
        s: likely(s) for s in (w, g, *state, *hyper.values(), letter("decay"), *l2.free_symbols)
    } | verdict.witness

    def run(kind: Callable[[Fraction], Any]) -> Any:
        def number(x: Expr) -> Any:
            found = fraction(sympy.sympify(x).subs(values))
            return int(found) if x == letter("t") else kind(found)

        at = {"l2": number(l2), "decay": number(letter("decay")), **{n: number(x) for n, x in hyper.items()}}
        return residues(rule, *map(number, (w, g, *state)), **at)[index]

    try:
        again = run(Fraction)
        agree = again == fraction(verdict.value)
    except (ValueError, TypeError):  # a root of the rule's, or of the verdict's, is irrational
        expected = ball(verdict.value, {})
        with precision(BITS):
            again = run(Ball)
            agree = again != 0 and abs(again.middle - expected.middle) <= again.radius + expected.radius
    if not agree:
        raise ArithmeticError(f"{name_of(rule)}: on symbols {verdict}, but on numbers {again}")


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
    """Which λ serve a single weight w > 0 at rest: g = 0, nothing in its state but zeros, the first step.

    On a branch that the first step does not take, any step t of the branch. Numbers that all weights share are letters.

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


def solve_l2(rule: Rule | str, branch: Branch | None = None) -> Solution:
    """Solve rule(g + λw) = rule(g) + ηw for λ, for all w, g and state at once, and then for an unchanged state too.

    Where the residue is a polynomial in w, g and the state, it vanishes everywhere if and only if every coefficient
    does; these are equations in λ and the hyperparameters, and are solved. Where it is not (roots, signs), a weight
    at rest is looked at, w > 0, g = 0 and a state of zeros in the first step: λ > 0, λ = 0 and λ < 0 are solved apart,
    and if no λ is found, or none that serves both w and 2w, there is none. Numbers are shown. As for `difference`, a
    rule that branches on its scalars is asked about one `branch`.

    Raises ValueError for an unknown rule or one that is behind a door already, or if a branch is missing;
    UndecidedError where neither way leads to an answer.
    """
    rule = rule_called(rule)
    branch = branch or only_branch(rule)
    where = assumed(branch)
    w, g, state, hyper = letters_of(rule)
    l2 = letter("l2")
    weights, *states = residues(branch.rule, w, g, *state, l2=l2, decay=letter("decay"), **hyper)
    numerator = sympy.expand(sympy.fraction(sympy.together(weights))[0])
    step: tuple[Expr, ...] = ()
    if numerator.is_polynomial(w, g, *state, l2):
        first, *others = sympy.Poly(numerator, w, g, *state).coeffs()
        step = tuple(x for x in _roots(first, l2)[0] if _all_zero(others, l2, x, where))
        at_rest = _at_rest(rule, branch, compare=False)
    else:
        at_rest = _at_rest(rule, branch, compare=True)
    both = tuple(x for x in step if _all_zero(states, l2, x, where))
    own = frozenset({w, g, *state, *(hyper[n] for n in PER_WEIGHT if n in hyper)})
    return Solution(name_of(rule), step, both, own, at_rest)


def _all_zero(expressions: list[Expr], unknown: Expr, x: Expr, where: Sequence[Expr]) -> bool:
    return all(decide(e.subs(unknown, x), where).zero for e in expressions)


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


def _without_root(x: Expr, unknown: Expr) -> tuple[list[Expr], list[Expr]]:
    """Return as `_roots`, for x = a + b√c with the unknown > 0 under the root: of a² − b²c = 0, where a/b < 0."""
    roots = [e for e in x.atoms(sympy.Pow) if e.exp == sympy.S.Half and unknown in e.free_symbols]
    root, square = sympy.Dummy(positive=True), sympy.Dummy(positive=True)
    p = sympy.Poly(x.subs(roots[0], root), root) if len(roots) == 1 else None
    if p is None or p.degree() != 1 or not all(a.is_polynomial(unknown) for a in p.all_coeffs()):
        raise UndecidedError(f"an equation with other than one root in {unknown}: {x} = 0")
    b, a = p.all_coeffs()
    y = sympy.expand(a**2 - b**2 * roots[0].base).subs(unknown, sympy.sqrt(square))
    if not y.is_polynomial(square):
        raise UndecidedError(f"an equation of odd and even powers in {unknown}: {x} = 0")
    found, exceptions = _roots(y, square)
    ratio = sympy.factor(a / b)
    if ratio.is_positive:  # a + b√c is not 0, though its product with a − b√c is
        return [], exceptions
    if ratio.is_negative:
        return [sympy.sqrt(z) for z in found], exceptions
    raise UndecidedError(f"the sign of {ratio} was not found")


def _at_rest(rule: Rule, branch: Branch, compare: bool) -> AtRest:
    """Solve for the λ that serve a weight at rest; if `compare`, show two weights that no one λ serves."""
    w, size = sympy.Symbol("w", positive=True), sympy.Symbol("λ", positive=True)
    _, _, _, hyper = letters_of(rule)
    given = _first(branch)
    where = assumed(branch, **given)
    # A rate below 1 is written 1 − q with q > 0, so that SymPy knows the signs of what stands under roots.
    rest = {n: sympy.Symbol(f"1-{n}", positive=True) for n in RATES if n in hyper}
    back = {q: 1 - hyper[n] for n, q in rest.items()} | {w: letter("w")}
    hyper = {n: 1 - rest[n] if n in rest else given.get(n, x) for n, x in hyper.items()}
    needed: list[Expr] = []
    unless: list[Expr] = []
    signs: list[int] = []
    state = [given.get(n, letter(n)) if n in scalar_state(rule) else sympy.S.Zero for n in state_names(rule)]
    scalars: dict[Expr, Expr] = {}  # roots and powers of what all weights share, of which only the sign is used
    for direction in (1, -1, 0):
        numbers = {"l2": direction * size, "decay": letter("decay"), **hyper}
        r = sympy.sympify(residues(branch.rule, w, sympy.S.Zero, *state, **numbers)[0])
        for e in sorted(r.atoms(sympy.Pow), key=lambda e: (-sympy.count_ops(e), str(e))):
            if not e.exp.is_Integer and not e.free_symbols & {w, size}:
                scalars.setdefault(e, sympy.Symbol(f"scalar {len(scalars)}", positive=True))
        r = r.xreplace(scalars)
        numerator = sympy.expand(sympy.fraction(sympy.together(r))[0])
        if numerator == 0 and direction == 0:
            needed.append(sympy.S.Zero)
            signs.append(0)
            continue
        if numerator == 0:
            raise UndecidedError(f"{name_of(rule)}: at rest, the residue does not determine λ: {r}")
        solve = _roots if numerator.is_polynomial(size) else _without_root
        roots, exceptions = solve(numerator, size)
        # A root that is not positive contradicts the sign that λ was assumed to have.
        kept = [x for x in roots if x.is_nonpositive is not True]
        needed += [direction * x for x in kept]
        signs += [direction] * len(kept)
        unless += exceptions
    meant = {s: e for e, s in scalars.items()}
    needed, unless = ([x.xreplace(meant).subs(back) for x in found] for found in (needed, unless))
    example, values = _unequal(rule, needed, signs, unless, given, where) if compare else ({}, {})
    return AtRest(tuple(needed), tuple(unless), example, values)


def _first(branch: Branch) -> dict[str, Expr]:
    """Return t and the scalar state of the first step, by name, if the branch is taken there; otherwise nothing."""
    first = {"t": sympy.S.One} | {n: sympy.sympify(x) for n, x in scalar_state(branch.rule).items()}
    return first if all(sympy.simplify(r) == sympy.true for r in assumed(branch, **first)) else {}


def _unequal(
    rule: Rule,
    needed: list[Expr],
    signs: list[int],
    unless: list[Expr],
    given: dict[str, Expr],
    where: Sequence[Expr],
) -> tuple[dict[Expr, Expr], dict[Expr, Expr]]:
    """Show numbers at which no λ serves both w and 2w: the λ that each needs, and the hyperparameters.

    One product is not zero there: of all differences of a λ that serves w and one that serves 2w, and of all that
    must not be zero. And the first λ has the sign there for which it was solved. Raises UndecidedError if there are no
    such numbers.
    """
    w = letter("w")
    where = [*where, *(sign * x > 0 for a, sign in zip(needed[:1], signs, strict=False) for x in (a, a.subs(w, 2 * w)))]
    differences = [a - b.subs(w, 2 * w) for a in needed for b in needed]
    try:
        verdict = different(sympy.Mul(*differences, *unless, *(x.subs(w, 2 * w) for x in unless)), where)
    except UndecidedError as error:
        said = f"{name_of(rule)}: no two weights at rest were found that need two λ; elsewhere it is not known"
        raise UndecidedError(said) from error
    numbers = {s: x for s, x in verdict.witness.items() if s != w}
    one: Expr = verdict.witness[w] if w in verdict.witness else likely(w)
    example = {x: a.subs({**numbers, w: x}) for x in (one, 2 * one) for a in needed[:1]}
    _rerun_at_rest(rule, example, numbers, given)
    return example, numbers


def _rerun_at_rest(rule: Rule, example: dict[Expr, Expr], numbers: dict[Expr, Expr], given: dict[str, Expr]) -> None:
    """Run weights at rest on numbers; ArithmeticError unless each is served by its own λ and not by the other's.

    On Fractions where the λ are rational, else on balls: one that is served by no rational λ cannot be shown to be
    served by it exactly, only that its ball holds 0.
    """
    exactly = all(l2.is_Rational for l2 in example.values())
    with precision(BITS):
        kind: Callable[[Expr], Any] = fraction if exactly else lambda x: ball(x, {})
        _, _, _, hyper = letters_of(rule)
        at = {n: kind(given.get(n, numbers.get(x, likely(x)))) for n, x in (hyper | {"decay": letter("decay")}).items()}
        if "t" in at:
            t: Expr = given.get("t", numbers.get(letter("t"), likely(letter("t"))))
            at["t"] = int(t)
        shared = {n: given.get(n, numbers.get(letter(n), likely(letter(n)))) for n in scalar_state(rule)}
        state = [kind(shared.get(n, sympy.S.Zero)) for n in state_names(rule)]
        for w in example:
            for served, l2 in example.items():
                r = residues(rule, kind(w), kind(sympy.S.Zero), *state, l2=kind(l2), **at)[0]
                zero = r == 0 if exactly else abs(r.middle) <= r.radius
                if zero != (served == w):
                    raise ArithmeticError(f"{name_of(rule)}: at w = {w}, λ = {l2} leaves {r}")
