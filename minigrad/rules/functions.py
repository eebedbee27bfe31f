"""The few functions the rules need beyond ``+ - * / **``, for every kind of number.

A rule is written once and runs on floats, exact rationals, symbols and arrays alike. Operators already mean the
right thing everywhere; ``sqrt``, ``sign``, ``maximum`` and ``exp`` do not, so they are generic. A number type is
served, in this order, by what was registered for it (``sqrt.register``), by its own array namespace (NumPy, CuPy,
JAX), or by its own method of the same name (a minigrad or torch tensor, a python-flint ball).
"""

import math
from fractions import Fraction
from functools import singledispatch
from numbers import Real
from typing import Any

__all__ = ["exp", "maximum", "sign", "sqrt"]


def _own(name: str, x: Any, *others: Any) -> Any:
    """Compute function `name` by the array namespace of `x`, or else by its method."""
    if hasattr(x, "__array_namespace__"):
        return getattr(x.__array_namespace__(), name)(x, *others)
    if hasattr(x, name):
        return getattr(x, name)(*others)
    raise TypeError(f"{name} is not defined for {type(x).__name__}; teach it with @{name}.register({type(x).__name__})")


@singledispatch
def sqrt(x: Any) -> Any:
    """Return √x in the arithmetic of `x`.

    A rational is refused with ValueError unless it is the square of a rational: ``Fraction ** 0.5`` would silently
    continue in floating point, and a proof that uses floats proves nothing.
    """
    return _own("sqrt", x)


@sqrt.register(int)
@sqrt.register(float)
def _(x: float) -> float:
    return math.sqrt(x)


@sqrt.register
def _(x: Fraction) -> Fraction:
    root = Fraction(math.isqrt(abs(x.numerator)), math.isqrt(x.denominator))
    if root * root != x:
        raise ValueError(f"sqrt of {x} is not rational; choose numbers whose roots are, or use floats")
    return root


@singledispatch
def sign(x: Any) -> Any:
    """Return −1, 0 or +1, in the arithmetic of `x`; the sign of a signed zero is +0, of NaN it is NaN."""
    return _own("sign", x)


@sign.register(int)
@sign.register(float)
@sign.register(Fraction)
def _(x: Any) -> Any:
    return x if x != x else type(x)(int(x > 0) - int(x < 0))


@singledispatch
def maximum(x: Any, y: Any) -> Any:
    """Return the larger of `x` and `y`, entry by entry; NaN wins. One of them may be a plain number, also the first."""
    return _own("maximum", x, y)


@maximum.register(float)
@maximum.register(Fraction)
def _(x: Any, y: Any) -> Any:
    if not isinstance(y, Real):
        return _larger_of_number_and(x, y)
    return x if x != x else max(type(x)(y), x)  # of what cannot be ordered, max takes the first


@maximum.register
def _(x: int, y: Any) -> Any:
    return max(y, x) if isinstance(y, Real) else _larger_of_number_and(x, y)


def _larger_of_number_and(x: Any, y: Any) -> Any:
    """Compute the maximum of a plain number and what is none by what serves the latter."""
    served = maximum.dispatch(type(y))
    if served is not maximum.dispatch(object):
        return served(x, y)
    return y.__array_namespace__().maximum(x, y) if hasattr(y, "__array_namespace__") else _own("maximum", y, x)


@singledispatch
def exp(x: Any, base: Any) -> Any:
    """Return ``base ** x`` in the arithmetic of `x`, the exponent, which Python would leave to the base.

    A rational exponent is refused with ValueError unless it is an integer: ``Fraction ** Fraction`` would silently
    continue in floating point.
    """
    return base**x


@exp.register
def _(x: Fraction, base: Any) -> Any:
    if x.denominator != 1:
        raise ValueError(f"{base} to the power of {x} is not rational; choose an integer exponent, or use floats")
    return base**x.numerator
