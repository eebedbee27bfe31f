"""Operations on each entry: the value, and beside it the derivative.

Subgradients at kinks, where a derivative does not exist: |x| and relu give 0 at 0, leaky_relu its slope, maximum and
minimum divide the gradient equally between equal operands, clip passes it on at its bounds, and √x gives 0 at 0 (so
that the gradient of √Σw² at the origin is 0, the shortest of its subgradients).
"""

import math
from typing import Any

from minigrad.backend import constant
from minigrad.ops.operation import op
from minigrad.ops.reductions import divided, floating
from minigrad.rules import functions

__all__ = [
    "abs", "add", "astype", "clip", "cos", "divide", "exp", "expm1", "gelu", "leaky_relu", "log", "log1p", "maximum",
    "minimum", "multiply", "negative", "power", "relu", "sigmoid", "sign", "sin", "softplus", "sqrt", "subtract",
    "tanh", "where",
]  # fmt: skip

# --- arithmetic -------------------------------------------------------------------------------------------------------


@op(reads=(), entrywise=True)
def add(xp: Any, a: Any, b: Any) -> Any:
    """Return a + b."""
    return a + b


add.vjp(
    lambda xp, g, y, a, b: g,
    lambda xp, g, y, a, b: g,
)


@op(reads=(), entrywise=True)
def subtract(xp: Any, a: Any, b: Any) -> Any:
    """Return a − b."""
    return a - b


subtract.vjp(
    lambda xp, g, y, a, b: g,
    lambda xp, g, y, a, b: -g,
)


@op(entrywise=True)
def multiply(xp: Any, a: Any, b: Any) -> Any:
    """Return a · b, entry by entry."""
    return a * b


multiply.vjp(
    lambda xp, g, y, a, b: g * b,
    lambda xp, g, y, a, b: g * a,
)


@op(reads=(1,), entrywise=True)
def divide(xp: Any, a: Any, b: Any) -> Any:
    """Return a / b."""
    return a / b


divide.vjp(
    lambda xp, g, y, a, b: g / b,
    lambda xp, g, y, a, b: -g * y / b,
)


@op(entrywise=True)
def power(xp: Any, a: Any, b: Any) -> Any:
    """Return a to the power b. The gradient by b needs a > 0; x**0.5 is `sqrt`, at 0 too."""
    return a**b


power.vjp(
    lambda xp, g, y, a, b: _power_slope(xp, g, a, b),
    lambda xp, g, y, a, b: g * y * xp.log(a),
)


def _power_slope(xp: Any, g: Any, a: Any, b: Any) -> Any:
    """g · b a^(b−1), without 0 · ∞ where a and b are 0, and with 0 for √0."""
    if isinstance(b, int | float):
        if b == 0:
            return 0 * g
        if b == 1:
            return g
        if b == 2:
            return g * (2 * a)
        if 0 < b < 1:
            return g * b * xp.where(a == 0, constant(a, 0), xp.where(a == 0, constant(a, 1), a) ** (b - 1))
        return g * b * a ** (b - 1)
    flat = (a == 0) & (b == 0)  # and not all of b = 0, where the derivative by b is 1/a
    return xp.where(flat, constant(g, 0), g * b * xp.where(flat, constant(a, 1), a) ** (b - 1))


@op(reads=(), entrywise=True)
def negative(xp: Any, x: Any) -> Any:
    """Return −x."""
    return -x


negative.vjp(lambda xp, g, y, x: -g)


@op(reads=())
def astype(xp: Any, x: Any, dtype: Any) -> Any:
    """Return x with entries of another dtype."""
    return x.astype(dtype)


astype.vjp(lambda xp, g, y, x, dtype: g.astype(x.dtype))

# --- smooth functions -------------------------------------------------------------------------------------------------


@op(reads=(), entrywise=True)
def exp(xp: Any, x: Any) -> Any:
    """Return eˣ."""
    return xp.exp(x)


exp.vjp(lambda xp, g, y, x: g * y)


@op(reads=(), entrywise=True)
def expm1(xp: Any, x: Any) -> Any:
    """Return eˣ − 1, accurate for small x."""
    return xp.expm1(x)


expm1.vjp(lambda xp, g, y, x: g * (y + 1))


@op(entrywise=True)
def log(xp: Any, x: Any) -> Any:
    """Return the natural logarithm of x."""
    return xp.log(x)


log.vjp(lambda xp, g, y, x: g / x)


@op(entrywise=True)
def log1p(xp: Any, x: Any) -> Any:
    """Return log(1 + x), accurate for small x."""
    return xp.log1p(x)


log1p.vjp(lambda xp, g, y, x: g / (1 + x))


@op(reads=(), entrywise=True)
def sqrt(xp: Any, x: Any) -> Any:
    """Return √x; its gradient at 0 is taken to be 0."""
    return functions.sqrt(x)


sqrt.vjp(lambda xp, g, y, x: xp.where(y == 0, constant(g, 0), g / xp.where(y == 0, constant(y, 1), 2 * y)))


@op(entrywise=True)
def sin(xp: Any, x: Any) -> Any:
    """Return the sine of x, in radians."""
    return xp.sin(x)


sin.vjp(lambda xp, g, y, x: g * xp.cos(x))


@op(entrywise=True)
def cos(xp: Any, x: Any) -> Any:
    """Return the cosine of x, in radians."""
    return xp.cos(x)


cos.vjp(lambda xp, g, y, x: -g * xp.sin(x))


@op(reads=(), entrywise=True)
def tanh(xp: Any, x: Any) -> Any:
    """Return the hyperbolic tangent of x."""
    return xp.tanh(x)


tanh.vjp(lambda xp, g, y, x: g * (1 - y * y))


@op(reads=(), entrywise=True)
def sigmoid(xp: Any, x: Any) -> Any:
    """Return 1 / (1 + e⁻ˣ), computed without overflow for any x."""
    if x.dtype == object:  # which knows no overflow, and perhaps not whether x > 0
        return 1 / (1 + xp.exp(-x))
    x = floating(x)
    small = xp.exp(_minus_magnitude(xp, x))
    return xp.where(x.real <= 0, small, 1) / (1 + small)


sigmoid.vjp(lambda xp, g, y, x: g * y * (1 - y))


@op(reads=(), entrywise=True)
def softplus(xp: Any, x: Any) -> Any:
    """Return log(1 + eˣ), computed without overflow for any x; −softplus(−x) is the log of `sigmoid`."""
    if x.dtype == object:
        return xp.log1p(xp.exp(x))
    x = floating(x)
    return _positive(xp, x) + xp.log1p(xp.exp(_minus_magnitude(xp, x)))


softplus.vjp(lambda xp, g, y, x: -g * xp.expm1(-y))


def _gelu_tanh(xp: Any, x: Any) -> Any:
    return xp.tanh(math.sqrt(2 / math.pi) * (x + 44715 / 1000000 * x * x * x))


@op(save=_gelu_tanh)
def gelu(xp: Any, h: Any, x: Any) -> Any:
    """Return the tanh form of GELU: x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³))).

    PyTorch's ``gelu(approximate="tanh")``, JAX's default. Source: Hendrycks and Gimpel, arXiv 1606.08415, §2.
    """
    return x * (1 + h) / 2


gelu.vjp(lambda xp, g, y, h, x: g * (1 + h + _gelu_bend(x, x * (1 - h * h))) / 2)


def _gelu_bend(x: Any, q: Any) -> Any:
    """q = x (1 − h²) times the slope of the tanh's argument; 0 where q is, though x² be infinite."""
    return math.sqrt(2 / math.pi) * (q + 3 * 44715 / 1000000 * q * x * x)


# --- functions with kinks ---------------------------------------------------------------------------------------------


@op(kinks=True, entrywise=True)
def abs(xp: Any, x: Any) -> Any:
    """Return |x|; its gradient at 0 is taken to be 0."""
    return _magnitude(xp, x)


abs.vjp(lambda xp, g, y, x: xp.where(x > 0, g, xp.where(x == 0, constant(g, 0), -g)))


@op(reads=(), kinks=True)
def sign(xp: Any, x: Any) -> Any:
    """Return −1, 0 or +1; its gradient is 0 everywhere."""
    return xp.sign(x.real).astype(x.dtype) if x.dtype == complex else functions.sign(x)


sign.vjp(None)


@op(reads=(), kinks=True, entrywise=True)
def relu(xp: Any, x: Any) -> Any:
    """Return max(x, 0); its gradient at 0 is taken to be 0."""
    return _positive(xp, x)


relu.vjp(lambda xp, g, y, x: g * (y > 0))


@op(kinks=True)
def leaky_relu(xp: Any, x: Any, slope: float = 1 / 100) -> Any:
    """Return x where x > 0, slope · x elsewhere; its gradient at 0 is the slope."""
    return xp.where(x.real > 0, x, slope * x)


leaky_relu.vjp(lambda xp, g, y, x, slope: xp.where(x > 0, g, slope * g))


@op(kinks=True, entrywise=True)
def maximum(xp: Any, a: Any, b: Any) -> Any:
    """Return the larger of a and b; equal operands share the gradient equally. NaN wins."""
    return _larger(xp, a, b)


maximum.vjp(
    lambda xp, g, y, a, b: xp.where(a > b, g, xp.where(a < b, constant(g, 0), divided(g, 2))),
    lambda xp, g, y, a, b: xp.where(a < b, g, xp.where(a > b, constant(g, 0), divided(g, 2))),
)


@op(kinks=True, entrywise=True)
def minimum(xp: Any, a: Any, b: Any) -> Any:
    """Return the smaller of a and b; equal operands share the gradient equally. NaN wins."""
    return -_larger(xp, -a, -b) if _has("cO", a, b) else xp.minimum(a, b)


minimum.vjp(
    lambda xp, g, y, a, b: xp.where(a < b, g, xp.where(a > b, constant(g, 0), divided(g, 2))),
    lambda xp, g, y, a, b: xp.where(a > b, g, xp.where(a < b, constant(g, 0), divided(g, 2))),
)


@op(kinks=True)
def clip(xp: Any, x: Any, min: Any = None, max: Any = None) -> Any:
    """Return x moved into [min, max]; the gradient passes within, and at the bounds. A bound may be None.

    As in NumPy it is min(max(x, min), max), which is max where the bounds are the wrong way round.
    """
    low = xp.array(x) if min is None else xp.where(x.real < min, constant(x, min), x)
    return low if max is None else xp.where(low.real > max, constant(x, max), low)


clip.vjp(
    lambda xp, g, y, x, min, max: (
        g if min is None and max is None
        else g * (x <= max) if min is None
        else g * (x >= min) if max is None
        else g * ((x >= min) & (x <= max))
    )
)  # fmt: skip


@op(reads=(0,))
def where(xp: Any, condition: Any, a: Any, b: Any) -> Any:
    """Return a where the condition holds, b elsewhere."""
    y = xp.where(condition, a, b)
    return xp.where(condition, a + constant(b, 0), b + constant(a, 0)) if y.dtype.kind == "O" else y


where.vjp(
    None,
    lambda xp, g, y, condition, a, b: xp.where(condition, g, constant(g, 0)),
    lambda xp, g, y, condition, a, b: xp.where(condition, constant(g, 0), g),
)

# --- the same, for complex steps (kinks lie where the real part says) and for exact numbers ---------------------------


def _has(kinds: str, *operands: Any) -> bool:
    """Tell whether an operand's dtype is of one of the kinds: c for complex numbers, O for exact ones."""
    for x in operands:  # noqa: SIM110 -- a generator would cost as much as the function
        if hasattr(x, "dtype") and x.dtype.kind in kinds:
            return True
    return False


def _magnitude(xp: Any, x: Any) -> Any:
    return x * xp.sign(x.real) if x.dtype.kind == "c" else xp.abs(x)


def _minus_magnitude(xp: Any, x: Any) -> Any:
    """−|x| in a form that a complex step through 0 follows to the left: these functions have no kink there."""
    return x - 2 * _positive(xp, x) if x.dtype.kind == "c" else -xp.abs(x)


def _positive(xp: Any, x: Any) -> Any:
    if x.dtype.kind in "cO":
        return xp.where(x.real > 0, x, 0) if x.dtype == complex else functions.maximum(x, 0)
    # NumPy's maximum is several times as fast beside an array, be it a small one, as beside a number.
    beside = xp.__name__ == "numpy" and x.ndim > 1 and len(x) > 7
    return xp.maximum(x, xp.zeros(x.shape[1:][-2:], x.dtype) if beside else 0)


def _larger(xp: Any, a: Any, b: Any) -> Any:
    if not _has("cO", a, b):
        return xp.maximum(a, b)
    if _has("c", a, b):
        return xp.where(a.real > b.real, a, xp.where(a.real < b.real, b, (a + b) / 2))
    return functions.maximum(a, b) if hasattr(a, "dtype") else functions.maximum(b, a)
