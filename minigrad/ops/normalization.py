"""Normalisation, over the batch or over the features: the value, and beside it the derivative.

Both make entries of mean 0 and variance 1 of x, then scale and shift them: y = scale · (x − mean) / √(var + eps) +
bias. The mean and the variance (divided by n) depend on x, which the derivative must not forget.
"""

from typing import Any

from minigrad.autodiff import sum_rows
from minigrad.ops.operation import op, run
from minigrad.ops.reductions import count, divided, mean
from minigrad.rules import functions

__all__ = ["batch_norm", "layer_norm"]


def _normalised(xp: Any, x: Any, axis: Any, eps: float) -> tuple[Any, Any]:
    """Return (x − mean) / std along `axis`, and 1 / std."""
    z = x - _mean(xp, x, axis)
    inverse = 1 / functions.sqrt(_mean(xp, z * z, axis) + eps)
    z *= inverse  # on an array in place; of a tensor, a new one
    return z, inverse


def _back(xp: Any, g: Any, saved: Any, axis: Any) -> Any:
    """Return the gradient by x from the gradient by z = (x − mean) / std: less its part along 1, less that along z."""
    z, inverse = saved
    d = g - _mean(xp, g, axis)
    d -= z * _mean(xp, g * z, axis)
    d *= inverse
    return d


def _mean(xp: Any, x: Any, axis: Any) -> Any:
    """Return the mean along `axis`, the last one or all others, so that it broadcasts against x."""
    if axis == -1 or x.dtype.char == "e":  # a sum may be beyond float16 where the mean is not
        return run(xp, mean, x, axis=axis, keepdims=True)
    return divided(sum_rows(xp, x), count(x, axis))


def _checked(x: Any, *others: Any) -> None:
    for v in others:
        if getattr(v, "shape", ()) not in ((), x.shape[-1:]):
            raise ValueError(f"scale and bias must have shape {x.shape[-1:]}, the last axis of x, got {v.shape}")


# --- over the batch ---------------------------------------------------------------------------------------------------


def _over_batch(xp: Any, x: Any, scale: Any, bias: Any, eps: float) -> tuple[Any, Any]:
    _checked(x, scale, bias)
    return _normalised(xp, x, _batch(x), eps)


def _batch(x: Any) -> tuple[int, ...]:
    return tuple(range(x.ndim - 1))


@op(save=_over_batch, reads=(0, 1), twice=False)
def batch_norm(xp: Any, saved: Any, x: Any, scale: Any, bias: Any, eps: float = 1 / 100000) -> Any:
    """Return x normalised over all axes but the last, with the statistics of this batch.

    Shapes: x (…, features), scale and bias (features,). Source: Ioffe and Szegedy, arXiv 1502.03167, Algorithm 1.
    """
    return saved[0] * scale + bias


batch_norm.vjp(
    lambda xp, g, y, saved, x, scale, bias, eps: _back(xp, g * scale, saved, _batch(x)),
    lambda xp, g, y, saved, x, scale, bias, eps: g * saved[0],
    lambda xp, g, y, saved, x, scale, bias, eps: g,
)

# --- over the features ------------------------------------------------------------------------------------------------


def _over_features(xp: Any, x: Any, scale: Any, bias: Any, eps: float) -> tuple[Any, Any]:
    _checked(x, scale, bias)
    return _normalised(xp, x, -1, eps)


@op(save=_over_features, reads=(0, 1))
def layer_norm(xp: Any, saved: Any, x: Any, scale: Any, bias: Any, eps: float = 1 / 100000) -> Any:
    """Return x normalised over its last axis.

    Shapes: x (…, features), scale and bias (features,). Source: Ba, Kiros and Hinton, arXiv 1607.06450, §3.
    """
    return saved[0] * scale + bias


layer_norm.vjp(
    lambda xp, g, y, saved, x, scale, bias, eps: _back(xp, g * scale, saved, -1),
    lambda xp, g, y, saved, x, scale, bias, eps: g * saved[0],
    lambda xp, g, y, saved, x, scale, bias, eps: g,
)
