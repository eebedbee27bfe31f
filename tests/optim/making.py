"""Parameters and gradients for the tests of this folder."""

from typing import Any

import numpy as np

from minigrad import backend
from minigrad.nn.parameter import Parameter

SHAPES = ((3, 2), (2,), (2, 4), (4,))
ROLES = ("weight", "bias", "weight", "bias")


def parameters(seed: int = 0, dtype: Any = np.float64, shapes: Any = SHAPES, roles: Any = ROLES) -> list[Parameter]:
    rng = np.random.default_rng(seed)
    return [Parameter(rng.standard_normal(s).astype(dtype), role) for s, role in zip(shapes, roles, strict=True)]


def gradients(params: Any, seed: int) -> list[Any]:
    rng, xp = np.random.default_rng([seed, 7]), backend.current()
    return [xp.asarray(rng.standard_normal(p.shape).astype(p.dtype)) for p in params]


def give(params: Any, grads: Any) -> None:
    for p, g in zip(params, grads, strict=True):
        p.grad = None if g is None else backend.current().asarray(g)


def values(params: Any) -> list[Any]:
    return [backend.to_host(p.data).copy() for p in params]


def run(optimizer: Any, steps: int, seed: int = 1) -> list[Any]:
    """Take steps with gradients that depend on the seed alone; return the new values."""
    for k in range(steps):
        give(optimizer.params, gradients(optimizer.params, seed + k))
        optimizer.step()
    return values(optimizer.params)
