"""Ball: a real number known to lie in midpoint ± radius, in which nothing is decided that is not certain.

The arithmetic is Arb's (`flint.arb`), which rounds to a settable precision and adds every rounding to the radius. What
this adds is two refusals. Arb answers an undecided comparison with False, so that ``max`` and ``where`` would go on
with either operand: here it raises `UndecidedError`. And Arb takes a Python float as if it were meant exactly: here a
float is refused, since it may be the rounded result of a computation that left the balls; `Ball` itself converts one.

Source: Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Transactions on
Computers 66, 2017.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

from minigrad.extras import need
from minigrad.proof.claims import UndecidedError
from minigrad.regularization.checks import integer
from minigrad.rules.functions import exp

__all__ = ["Ball", "precision"]

flint: Any = need("flint", "proof")
arb: Any = flint.arb


@contextmanager
def precision(bits: int) -> Iterator[None]:
    """Compute with balls of `bits` bits within this block. flint's precision belongs to the thread; it is restored."""
    before = flint.ctx.prec
    flint.ctx.prec = integer("bits", bits, least=2)
    try:
        yield
    finally:
        flint.ctx.prec = before


class Ball:
    """A number within a ball: ``Ball(x)`` of an integer, Fraction, flint rational, Arb ball or float (exactly).

    Operators take other balls, integers and rationals; TypeError for a float. UndecidedError for a comparison that is
    not certain, and for a result that is unbounded (a divisor that may be zero, a root of what may be negative).
    """

    __slots__ = ("arb",)

    def __init__(self, x: Any):
        self.arb = arb(x) if isinstance(x, float) else _arb(x)
        if self.arb is None:
            raise TypeError(f"a ball is made of a number, got {type(x).__name__} {x!r}")
        if not self.arb.is_finite():
            raise UndecidedError(f"{x} is unbounded: a divisor may be zero, or a function undefined, within its ball")

    @property
    def middle(self) -> Fraction:
        """The midpoint, exactly."""
        return _fraction(self.arb.mid())

    @property
    def radius(self) -> Fraction:
        """The radius, exactly."""
        return _fraction(self.arb.rad())

    def distance(self, x: float) -> Fraction:
        """Return |x − midpoint| + radius: the number itself lies at most that far from `x`."""
        return abs(Fraction(x) - self.middle) + self.radius

    def __repr__(self) -> str:
        return f"Ball({self.arb.str(12)})"

    # --- arithmetic -----------------------------------------------------------------------------------------------

    def __add__(self, other: Any) -> "Ball":
        return _result(self, other, lambda a, b: a + b)

    def __sub__(self, other: Any) -> "Ball":
        return _result(self, other, lambda a, b: a - b)

    def __rsub__(self, other: Any) -> "Ball":
        return _result(self, other, lambda a, b: b - a)

    def __mul__(self, other: Any) -> "Ball":
        return _result(self, other, lambda a, b: a * b)

    def __truediv__(self, other: Any) -> "Ball":
        return _result(self, other, lambda a, b: a / b)

    def __rtruediv__(self, other: Any) -> "Ball":
        return _result(self, other, lambda a, b: b / a)

    __radd__ = __add__
    __rmul__ = __mul__

    def __pow__(self, n: int) -> "Ball":
        return Ball(self.arb**n) if isinstance(n, int) else NotImplemented

    def __neg__(self) -> "Ball":
        return Ball(-self.arb)

    def __abs__(self) -> "Ball":
        return Ball(abs(self.arb))

    # --- comparisons ----------------------------------------------------------------------------------------------

    def __lt__(self, other: Any) -> bool:
        return _decided(self, other, "<", lambda a, b: a < b, lambda a, b: a >= b)

    def __le__(self, other: Any) -> bool:
        return _decided(self, other, "<=", lambda a, b: a <= b, lambda a, b: a > b)

    def __gt__(self, other: Any) -> bool:
        return _decided(self, other, ">", lambda a, b: a > b, lambda a, b: a <= b)

    def __ge__(self, other: Any) -> bool:
        return _decided(self, other, ">=", lambda a, b: a >= b, lambda a, b: a < b)

    def __eq__(self, other: object) -> bool:
        return self is other or _decided(self, other, "==", lambda a, b: a == b, lambda a, b: a != b)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        return self != 0

    __hash__ = None  # type: ignore[assignment]

    # --- functions: the names that NumPy calls on entries, and the rules' own ---------------------------------------

    def maximum(self, other: Any) -> "Ball":
        """Return the larger; UndecidedError where the balls overlap."""
        return self if self >= other else Ball(other)

    def sign(self) -> "Ball":
        """Return −1, 0 or 1; UndecidedError for a ball around 0."""
        return Ball(0 if self == 0 else 1 if self > 0 else -1)

    def sqrt(self) -> "Ball":
        """√x."""
        return Ball(self.arb.sqrt())

    def exp(self) -> "Ball":
        """eˣ."""
        return Ball(self.arb.exp())

    def log(self) -> "Ball":
        """The natural logarithm."""
        return Ball(self.arb.log())

    def log1p(self) -> "Ball":
        """log(1 + x)."""
        return Ball(self.arb.log1p())

    def expm1(self) -> "Ball":
        """eˣ − 1."""
        return Ball(self.arb.expm1())

    def tanh(self) -> "Ball":
        """The hyperbolic tangent."""
        return Ball(self.arb.tanh())

    def sin(self) -> "Ball":
        """The sine."""
        return Ball(self.arb.sin())

    def cos(self) -> "Ball":
        """The cosine."""
        return Ball(self.arb.cos())


@exp.register
def _(x: Ball, base: Any) -> Ball:
    return Ball(_arb(base) ** x.arb)


def _arb(x: Any) -> Any:
    """Return `x` as an Arb ball, rounded outwards to the current precision; None for any other type, floats too."""
    if isinstance(x, Ball):
        return x.arb
    if isinstance(x, Fraction):
        return arb(flint.fmpq(x.numerator, x.denominator))
    return arb(x) if isinstance(x, int | arb | flint.fmpz | flint.fmpq) else None


def _result(x: Ball, other: Any, compute: Callable[[Any, Any], Any]) -> Ball:
    y = _arb(other)
    return NotImplemented if y is None else Ball(compute(x.arb, y))


def _decided(x: Ball, other: Any, name: str, yes: Callable[..., Any], no: Callable[..., Any]) -> bool:
    y = _arb(other)
    if y is None:
        return NotImplemented  # type: ignore[no-any-return]
    if yes(x.arb, y):
        return True
    if no(x.arb, y):
        return False
    raise UndecidedError(f"{x.arb} {name} {y} is undecided: the balls overlap")


def _fraction(x: Any) -> Fraction:
    """Return an Arb ball without radius as a Fraction."""
    mantissa, exponent = x.man_exp()
    return int(mantissa) * Fraction(2) ** int(exponent)
