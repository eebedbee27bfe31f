"""Operations that make one number of many, along some axes: the value, and beside it the derivative.

``axis`` is an axis, a tuple of axes or None for all of them; with ``keepdims`` they stay as axes of length one.
Where the largest (or smallest) entry occurs more than once, its occurrences share the gradient equally; PyTorch's
``amax`` does the same, its ``max(dim)`` gives everything to one of them.
"""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from minigrad.ops.operation import op, run

__all__ = ["logsumexp", "max", "mean", "min", "sum", "var"]

# --- going back: a gradient by the result becomes one by the entries --------------------------------------------------


def kept(xp: Any, y: Any, axis: Any, keepdims: bool) -> Any:
    """Return `y`, a reduction along `axis`, so that it broadcasts against what was reduced."""
    return y if keepdims or axis is None else xp.expand_dims(y, axis)


def spread(xp: Any, g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Return `g`, of the shape of a reduction of `x` along `axis`, repeated over the entries of `x`."""
    return xp.broadcast_to(kept(xp, g, axis, keepdims), x.shape)


def count(x: Any, axis: Any) -> int:
    """Return how many entries of `x` a reduction along `axis` takes together."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return math.prod(x.shape[a] for a in axes)


def divided(x: Any, n: Any) -> Any:
    """Return x / n, for a count or an array of them.

    Exactly for exact numbers (Python's int / int is a float), and also where n is beyond x's dtype.
    """
    dtype = getattr(x, "dtype", _OBJECT)
    if dtype == _OBJECT:
        return run(np, _divided_exactly, x, n=n)
    return x * (1 / n) if dtype == _HALF else x / n


def floating(x: Any) -> Any:
    """Return x, but integers and booleans as float64: what takes several steps must not wrap around in one of them."""
    return x.astype(np.float64) if getattr(x, "dtype", _OBJECT).kind in "iub" else x


_OBJECT, _HALF = np.dtype(object), np.dtype(np.float16)
_quotient = np.frompyfunc(lambda x, n: Fraction(x, n) if isinstance(x, int) else x / n, 2, 1)


@op(reads=())
def _divided_exactly(xp: Any, x: Any, n: int) -> Any:
    return _quotient(x, n)


_divided_exactly.vjp(lambda xp, g, y, x, n: divided(g, n))

# --- sums -------------------------------------------------------------------------------------------------------------


@op(reads=())
def sum(xp: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the sum of the entries along `axis`."""
    return x.sum(axis=axis, keepdims=keepdims)


sum.vjp(lambda xp, g, y, x, axis, keepdims: spread(xp, g, x, axis, keepdims))


@op(reads=())
def mean(xp: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the mean of the entries along `axis`."""
    if x.dtype.char in "fdO":  # NumPy's mean does the same, after a look at everything that it might be asked for
        return divided(x.sum(axis=axis, keepdims=keepdims), count(x, axis))
    return x.mean(axis=axis, keepdims=keepdims)


mean.vjp(lambda xp, g, y, x, axis, keepdims: spread(xp, divided(g, count(x, axis)), x, axis, keepdims))


def _deviation(xp: Any, x: Any, axis: Any) -> Any:
    return x - run(xp, mean, x, axis=axis, keepdims=True)


@op()
def var(xp: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the variance along `axis`, the mean of (x − mean)², divided by n as in NumPy (PyTorch: by n − 1)."""
    d = _deviation(xp, x, axis)
    return run(xp, mean, d * d, axis=axis, keepdims=keepdims)


var.vjp(
    lambda xp, g, y, x, axis, keepdims: (
        _deviation(xp, x, axis) * spread(xp, divided(2 * g, count(x, axis)), x, axis, keepdims)
    )
)

# --- the largest and the smallest -------------------------------------------------------------------------------------


@op(kinks=True)
def max(xp: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the largest entry along `axis`; equal ones share its gradient equally. NaN wins."""
    if x.dtype == complex:
        return _by_real_part(xp, xp.max, x, axis, keepdims)
    return x.max(axis=axis, keepdims=keepdims)


max.vjp(lambda xp, g, y, x, axis, keepdims: _shared(xp, g, y, x, axis, keepdims))


@op(kinks=True)
def min(xp: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return the smallest entry along `axis`; equal ones share its gradient equally. NaN wins."""
    if x.dtype == complex:
        return _by_real_part(xp, xp.min, x, axis, keepdims)
    return x.min(axis=axis, keepdims=keepdims)


min.vjp(lambda xp, g, y, x, axis, keepdims: _shared(xp, g, y, x, axis, keepdims))


def _shared(xp: Any, g: Any, y: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Divide `g` equally between the entries of `x` that are `y`; NaN, which differs from itself, is one of them."""
    won = (x == kept(xp, y, axis, keepdims)) | (x != x)
    n = won.sum(axis=axis, keepdims=True).astype(np.float32 if x.dtype == _HALF else x.dtype)
    return divided(kept(xp, g, axis, keepdims) * won.astype(x.dtype), n)


def _by_real_part(xp: Any, extreme: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """Return the mean of the entries whose real part is extreme: what complex steps must see."""
    won = x.real == extreme(x.real, axis=axis, keepdims=True)
    return xp.sum(x * won, axis=axis, keepdims=keepdims) / xp.sum(won, axis=axis, keepdims=keepdims)


# --- log Σ exp --------------------------------------------------------------------------------------------------------


def below_largest(xp: Any, x: Any, axis: Any) -> tuple[Any, Any]:
    """Return x minus its largest entry along `axis`, and that entry; for an infinite one the largest number is taken.

    On arrays only. The difference of two huge numbers may be −∞ in their dtype; its exponential is the right one.
    Exact numbers do not overflow, and may be undecided which is the largest: 0 is subtracted.
    """
    if x.dtype == object:
        return x, 0
    x = floating(x)
    top = x.real.max(axis=axis, keepdims=True)
    largest = _LARGEST[top.dtype.char]
    finite = xp.minimum(xp.maximum(top, -largest), largest)
    with np.errstate(over="ignore"):
        return x - finite, top


_LARGEST = {kind: float(np.finfo(kind).max) for kind in "efd"}


@np.errstate(over="ignore")
def _exp_below(xp: Any, x: Any, y: Any) -> Any:
    return xp.exp(x - y)


@op()
def logsumexp(xp: Any, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Return log Σ eˣ along `axis`, without overflow for any x; −∞ where every x is −∞, and the gradient is then 0."""
    low, top = below_largest(xp, x, axis)
    total = xp.sum(xp.exp(low), axis=axis, keepdims=True)
    y = xp.log(total + (total == 0)) + xp.where(xp.isfinite(top) | (total == 0), top, 0)
    return y if keepdims else xp.squeeze(y, axis=axis)


logsumexp.vjp(
    lambda xp, g, y, x, axis, keepdims: (
        kept(xp, g, axis, keepdims) * _exp_below(xp, x, kept(xp, xp.where(y == -math.inf, 0, y), axis, keepdims))
    )
)
