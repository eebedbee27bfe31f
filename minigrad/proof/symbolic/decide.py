"""Is an expression zero everywhere? Yes needs a proof, no needs numbers; anything else is no answer.

That a simplification did not reach 0 shows nothing. So an expression is zero if its numerator expands to 0, and
it is not if there are rational numbers, printed, at which it is another rational number than 0; or, where its roots are
irrational at all that were tried, at which a ball that holds its value does not hold 0.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from typing import Any

from minigrad.executors.listing import SYMBOLS
from minigrad.extras import need
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic.letters import Expr, text
from minigrad.proof.symbolic.numbers import ball, met, number

sympy: Any = need("sympy", "proof")

__all__ = ["Verdict", "decide", "different", "expands_to_zero", "likely", "neat", "shown"]

# Numbers to try, the likeliest first. 1 − 24/25 is a square, and so are the second moments of a first step, hence
# roots come out rational; the rest are chosen to be checked by hand.
_TRY: dict[str, tuple[str, ...]] = {
    "lr": ("1/10", "1/2"),
    "decay": ("1/100", "1/4"),
    "l2": ("1/10", "1/3"),
    "momentum": ("9/10", "1/2"),
    "beta1": ("9/10", "1/2"),
    "beta2": ("24/25", "3/4"),
    "rho": ("24/25", "3/4"),
    "eps": ("1/10", "1"),
    "scale": ("4", "9"),
    "t": ("1", "2", "6"),  # RAdam asks whether t is large: at β₂ = 24/25 it is at 6
    "w": ("1", "2", "-1", "3"),
    "g": ("1", "0", "-1", "2"),
    "m": ("0", "1", "-1"),
    "b": ("0", "1", "-1"),
    "v": ("0", "1"),
    "v_max": ("0", "1"),
    "u": ("0", "1"),
    "psi": ("0", "1"),
    "mu_product": ("1", "1/2"),
}
_BY_LETTER = {SYMBOLS.get(name, "s" if name == "scale" else name): values for name, values in _TRY.items()}
_OTHERWISE = ("1/2", "2", "0", "3")
_AT_MOST, _AT_MOST_BALLS = 20_000, 100


@dataclass(frozen=True)
class Verdict:
    """Whether an expression is zero for all values of its symbols; if not, rational values at which it is not.

    Attributes:
        expression: the expression, written simply.
        zero: True if it is proved to be zero, False if `value` shows that it is not.
        witness: a rational number for every symbol of the expression, by symbol; empty if it is zero.
        value: what the expression is there: a rational number, or one with roots.
    """

    expression: Expr
    zero: bool
    witness: dict[Expr, Expr]
    value: Expr

    def __str__(self) -> str:
        if self.zero:
            return "0"
        at = ", ".join(f"{s} = {text(x)}" for s, x in self.witness.items())
        return f"{text(self.expression)}" + (f", {shown(self.value)} at {at}" if at else "")


def decide(x: Expr, where: Sequence[Expr] = ()) -> Verdict:
    """Decide whether `x` is zero for all values of its symbols `where` the relations hold.

    Raises UndecidedError if it neither expands to zero nor differs from zero at any of the rational points tried.
    """
    x = neat(sympy.sympify(x))
    if expands_to_zero(x):
        return Verdict(sympy.S.Zero, True, {}, sympy.S.Zero)
    return different(x, where)


def different(x: Expr, where: Sequence[Expr] = ()) -> Verdict:
    """Show numbers at which `x` is not zero, `where` the relations hold. Raises UndecidedError if none were found."""
    irrational: list[dict[Expr, Fraction]] = []
    for at in _points(x, where):
        try:
            value = number(x, at)
        except ValueError:  # a root
            irrational += [at] * (len(irrational) < _AT_MOST_BALLS)
            continue
        except ZeroDivisionError:
            continue
        except TypeError:  # a function of which no value is known
            break
        if value != 0:
            return Verdict(x, False, _exactly(at), sympy.Rational(value))
    for at in irrational:
        with suppress(UndecidedError):
            if ball(x, at) != 0:
                return Verdict(x, False, _exactly(at), x.subs(_exactly(at), simultaneous=True))
    raise UndecidedError(f"neither proved to be zero nor seen to differ from it: {text(x)}")


def expands_to_zero(x: Expr) -> bool:
    """Return whether the numerator of `x` expands to 0: a proof that `x` is 0. False is no proof of anything."""
    return bool(x == 0 or sympy.expand(sympy.fraction(sympy.together(x))[0]) == 0)


def neat(x: Expr) -> Expr:
    """Return `x` with its polynomial terms gathered, and factored if there are no others; roots are left alone."""
    terms = sympy.Add.make_args(x)
    simple = [a for a in terms if a.is_rational_function(*a.free_symbols)]
    rest = [a for a in terms if not a.is_rational_function(*a.free_symbols)]
    if not rest:
        return sympy.factor(x)
    return sympy.Add(sympy.factor(sympy.Add(*simple)), *rest)


def shown(value: Expr) -> str:
    """Return a number: as it is if it is rational, or else to six digits, marked as such."""
    return text(value) if value.is_Rational else f"≈ {float(value):.6g}".replace("-", "−")


def _exactly(at: dict[Expr, Fraction]) -> dict[Expr, Expr]:
    return {s: sympy.Rational(value) for s, value in at.items()}


def _points(x: Expr, where: Sequence[Expr]) -> Iterator[dict[Expr, Fraction]]:
    """Yield rational values for the symbols of `x`, combined, first those nearest the first choices."""
    symbols = sorted(x.free_symbols.union(*(r.free_symbols for r in where)), key=lambda s: s.name)
    choices = [_choices(s) for s in symbols]
    for count, values in enumerate(product(*choices)):
        if count == _AT_MOST:
            return
        at = dict(zip(symbols, map(Fraction, values), strict=True))
        if met(where, at):
            yield at


def likely(symbol: Expr) -> Expr:
    """Return the rational number that is tried first for a symbol."""
    return sympy.Rational(_choices(symbol)[0])


def _choices(symbol: Expr) -> tuple[str, ...]:
    letter_alone = symbol.name.rstrip("₀₁₂₃₄₅₆₇₈₉")
    return _BY_LETTER.get(symbol.name) or _BY_LETTER.get(letter_alone, _OTHERWISE)
