"""Gradient clipping, between `backward` and the optimizer.

Clipping changes gradients *before* the optimizer's door. A penalty in the loss (door 1) has by then become part of
the gradient and is clipped with it; an L2 term in the gradient (door 2) and weight decay (door 3) come later and are
not. So clipping separates door 1 from the other two, which still agree with each other.

Neither function waits for a GPU.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.regularization.checks import as_number
from minigrad.regularization.selection import listed

__all__ = ["clip_by_norm", "clip_by_value"]


def clip_by_value(params: Iterable[Any], limit: float) -> None:
    """Move every entry of every gradient into [−limit, limit], in place. NaN stays NaN.

    Acts before the optimizer's door: a penalty in the loss is clipped, ``l2=`` and ``decay=`` are not.
    PyTorch: ``clip_grad_value_``. Raises ValueError unless limit > 0 and there are parameters, TypeError for what is no
    iterable of them.
    """
    limit = _limit(limit)
    for g in _gradients(params):
        backend.namespace(g).clip(g, -limit, limit, out=g)


def clip_by_norm(params: Iterable[Any], limit: float) -> Any:
    """Scale all gradients together, in place, so that their joint Euclidean norm is at most `limit`.

    g ← g · limit / max(‖g‖, limit): gradients within the limit keep every bit. PyTorch's ``clip_grad_norm_`` divides
    by ‖g‖ + 10⁻⁶ instead. The norm is summed in float64. If it is infinite or NaN,
    gradients become 0 or NaN.

    Acts before the optimizer's door: a penalty in the loss is clipped, ``l2=`` and ``decay=`` are not.

    Returns the norm before clipping, a 0-d float64 array where the gradients are (0.0 if there are none).
    Raises ValueError unless limit > 0 and there are parameters, TypeError for what is no iterable of them.
    Source: Pascanu, Mikolov and Bengio, arXiv 1211.5063, Algorithm 1.
    """
    limit = _limit(limit)
    gradients = _gradients(params)
    if not gradients:
        return np.zeros(())
    norm = joint_norm(gradients)
    scale = limit / backend.namespace(norm).maximum(norm, limit)
    for g in gradients:
        g[...] *= scale.astype(g.dtype)
    return norm


def joint_norm(arrays: Iterable[Any]) -> Any:
    """Return √ΣΣx² over all entries of all arrays as a 0-d float64 array, where they are."""
    total: Any = 0
    for x in arrays:
        wide = x.astype(np.float64)
        total = total + (wide * wide).sum()
    xp = backend.namespace(total)
    return xp.sqrt(xp.asarray(total, dtype=np.float64))


def _gradients(params: Iterable[Any]) -> list[Any]:
    return [p.grad for p in {id(p): p for p in listed(params, "clip")}.values() if p.grad is not None]


def _limit(limit: Any) -> Any:
    limit = as_number("limit", limit)
    if limit <= 0:
        raise ValueError(f"limit must be > 0, got {limit!r}")
    return limit
