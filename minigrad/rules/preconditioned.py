"""Gradient descent with a fixed diagonal preconditioner."""

from typing import Any

__all__ = ["preconditioned"]


def preconditioned(g: Any, *, lr: Any, scale: Any) -> tuple[Any, ...]:
    """Gradient descent in fixed units: δ = α g / s, with one s > 0 per weight, which no gradient changes.

    What adaptive rules would be if they stopped adapting: it keeps no state and is linear in g, yet no one λ serves
    two weights of unequal s. The L2 that does is λ s w, with λ = η/α. No optimizer here offers it.

    Source: Loshchilov and Hutter, arXiv 1711.05101, Proposition 3, where M = diag(s)⁻¹.
    """
    delta = lr * g / scale
    return (delta,)
