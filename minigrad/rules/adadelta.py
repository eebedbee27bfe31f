"""Adadelta: a step in the units of the weights."""

from typing import Any

from minigrad.rules.functions import sqrt

__all__ = ["adadelta"]


def adadelta(g: Any, v: Any, u: Any, *, lr: Any, rho: Any, eps: Any) -> tuple[Any, ...]:
    """Adadelta: v ← ρ v + (1 − ρ) g², x = √(u + ε) g / √(v + ε), u ← ρ u + (1 − ρ) x², δ = α x.

    PyTorch's form (``torch.optim.Adadelta``). ε stands inside both roots, and starts the motion: u is 0 at first. The
    paper has no α, which is α = 1.

    Source: Zeiler, "ADADELTA: an adaptive learning rate method", arXiv 1212.5701, Algorithm 1.
    """
    v = rho * v + (1 - rho) * g**2
    x = sqrt(u + eps) / sqrt(v + eps) * g
    u = rho * u + (1 - rho) * x**2
    delta = lr * x
    return delta, v, u
