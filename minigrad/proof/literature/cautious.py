"""Cautious decay: decay only where the step itself already moves the weight towards zero.

With δ what the rule subtracts, as everywhere in this book (w ← w − δ), a step towards zero is one with δ w > 0: the
update and the weight have the same sign. So

    w ← w − δ − η [δ w > 0] w.

**With >**, every stationary point of the loss stays one of the algorithm: g = 0 and a state at rest give δ = 0, hence
no decay. And nothing else becomes one for gradient descent: a weight that rests has δ = −η [δ w > 0] w, of which
the bracket excludes all but δ = 0. **With ≥**, as the paper prints it, 0 ≥ 0 lets decay act where δ = 0: a
stationary point w ≠ 0 is left at once, and only w = 0 could be one. (Gradient descent on a quadratic may still come as
near to it as one likes, from the side of zero, where δ w < 0; it cannot stay.)

**Conditions.** A rule at rest that answers g = 0 with δ = 0. All of this book do; Adam needs ε > 0 for it, since 0/0
is undecided. The second statement is of gradient descent alone, for any α and η > 0.

Source: Chen et al., "Cautious weight decay", arXiv 2510.12402.
"""

from collections.abc import Callable
from fractions import Fraction
from itertools import product
from typing import Any

from minigrad.proof.branches import branches
from minigrad.proof.claims import Claim, Evidence, UndecidedError
from minigrad.proof.literature.symbols import letter, positive, sympy, text, vanish
from minigrad.proof.symbolic.letters import RATES
from minigrad.regularization.doors import decoupled
from minigrad.rules import RULES, hyper_names, maximum, scalar_state, sgd, sign, state_names

__all__ = ["above", "at_least", "cautious", "claims", "fixed", "moves"]

Rule = Callable[..., tuple[Any, ...]]
Step = Callable[..., tuple[Any, ...]]


def above(x: Any) -> Any:
    """[x > 0], as a number of the arithmetic of x."""
    return maximum(sign(x), 0)


def at_least(x: Any) -> Any:
    """[x ≥ 0]."""
    return 1 - above(-x)


def cautious(rule: Rule, mask: Callable[[Any], Any] = above) -> Step:
    """Door 3 with a condition: w − δ − η mask(δ w) w. With ``mask=at_least`` it is the paper's printed form."""

    def step(w: Any, g: Any, *state: Any, decay: Any, **hyper: Any) -> tuple[Any, ...]:
        delta, *state = rule(g, *state, **hyper)  # type: ignore[assignment]
        return w - delta - decay * mask(delta * w) * w, *state

    return step


def fixed(door: Callable[..., Step]) -> dict[str, bool]:
    """Return for each rule whether a weight of either sign with g = 0, from zero state, stays where it is for ever.

    On SymPy symbols, hence for all weights, all t and all hyperparameters > 0 (of a moving average, < 1); a rule that
    branches on its scalars, on each branch. The first step may not move the weight, and the second neither the weight
    nor the state that the first left (Adamax's is ε): so it rests. What is one number for all weights, as NAdam's
    product, is a clock as t is, and any number.
    """
    return {name: all(_stays(door, b.rule) for b in branches(rule)) for name, rule in RULES.items()}


def _stays(door: Callable[..., Step], rule: Rule) -> bool:
    below_one = {n: 1 / (1 + sympy.Symbol(f"1/{n} − 1", positive=True)) for n in RATES}
    hyper: dict[str, Any] = {h: below_one.get(h, letter(h)) for h in hyper_names(rule)}
    later = hyper | ({"t": hyper["t"] + 1} if "t" in hyper else {})
    own = len(state_names(rule)) - len(scalar_state(rule))
    clocks = [letter(name) for name in scalar_state(rule)]
    zero = sympy.Integer(0)
    differences = []
    for w in (positive("w"), -positive("w")):
        once = door(rule)(w, zero, *[zero] * own, *clocks, decay=letter("decay"), **hyper)
        twice = door(rule)(w, zero, *once[1 : 1 + own], *clocks, decay=letter("decay"), **later)
        differences += [once[0] - w, *(a - b for a, b in zip(twice, (w, *once[1 : 1 + own]), strict=False))]
    return vanish(differences)[0]


def moves(door: Callable[..., Step]) -> dict[tuple[int, int], Any]:
    """Return by how much one step of gradient descent moves w, for each pair of signs (of w, of g).

    Nine cases cover all real w and g; |w|, |g|, α and η are positive symbols.
    """
    w, g, lr, decay = positive("|w|"), positive("|g|"), letter("lr"), letter("decay")
    step = door(sgd)
    return {
        (s, r): sympy.expand(step(sympy.sympify(s * w), sympy.sympify(r * g), lr=lr, decay=decay)[0] - s * w)
        for s, r in product((1, 0, -1), repeat=2)
    }


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this file."""
    kept = "every stationary point of the loss stays where it is, for every rule"
    return [
        Claim("cautious.strict", f"cautious decay with δ·w > 0: {kept}", True, lambda: prove_fixed(cautious)),
        Claim(
            "cautious.nothing_else",
            "with δ·w > 0 gradient descent rests at stationary points and nowhere else",
            True,
            lambda: prove_nothing_else(cautious),
        ),
        Claim(
            "cautious.nowhere", "with δ·w ≥ 0 gradient descent rests at no w ≠ 0", True, lambda: prove_nowhere(printed)
        ),
        Claim("cautious.printed", f"cautious decay with δ·w ≥ 0: {kept}", False, lambda: prove_fixed(printed)),
        Claim("cautious.decay", f"weight decay: {kept}", False, lambda: prove_fixed(decoupled)),
    ]


def printed(rule: Rule) -> Step:
    """The door with ≥."""
    return cautious(rule, at_least)


def prove_fixed(door: Callable[..., Step]) -> Evidence:
    """Decide for every rule; where it fails, show the loss ½(w − 1)² left from its own minimum."""
    found = fixed(door)
    moved = [name for name, stays in found.items() if not stays]
    (after,) = door(sgd)(Fraction(1), Fraction(0), lr=Fraction(1, 10), decay=Fraction(1, 4))
    shown = f"g = 0 moves no weight behind any of {len(found)} rules"
    if moved:
        shown = f"{len(moved)} of {len(found)} rules leave it: sgd with g = 0 and η = 1/4 steps from 1 to {after}"
    return Evidence(not moved, shown, data={"stays": found, "from 1 with g = 0": str(after)})


def prove_nothing_else(door: Callable[..., Step]) -> Evidence:
    """Decide in the nine cases: the move is 0 where g = 0, and nowhere 0 where g ≠ 0."""
    return _cases(moves(door), lambda x, r: not rests(x) if r else vanish([x])[0])


def prove_nowhere(door: Callable[..., Step]) -> Evidence:
    """Decide in the six cases with w ≠ 0: the move is nowhere 0."""
    found = {case: x for case, x in moves(door).items() if case[0] != 0}
    return _cases(found, lambda x, r: not rests(x))


def rests(move: Any) -> bool:
    """Return whether a move of `moves` is 0 for some |w|, |g|, α, η > 0: yes by solving for |w|, no by its sign.

    UndecidedError where neither decides.
    """
    if move == 0:
        return True
    if move.is_positive or move.is_negative:
        return False
    if any(root.is_positive for root in sympy.solve(move, positive("|w|"))):
        return True
    raise UndecidedError(f"not known whether it may be 0: {text(move)}")


def _cases(found: dict[tuple[int, int], Any], good: Callable[[Any, int], bool]) -> Evidence:
    words = {1: "> 0", 0: "= 0", -1: "< 0"}
    told = {f"w {words[s]}, g {words[r]}": text(x) for (s, r), x in found.items()}
    return Evidence(
        all(good(x, r) for (_, r), x in found.items()),
        "w moves by " + "; ".join(f"{x} where {case}" for case, x in told.items() if "w > 0" in case),
        data=told,
    )
