"""RMSprop: divide by the root of a moving average of squared gradients."""

from typing import Any

from minigrad.rules.functions import sqrt

__all__ = ["rmsprop"]


def rmsprop(g: Any, v: Any, *, lr: Any, rho: Any, eps: Any) -> tuple[Any, ...]:
    """RMSprop: v ← ρ v + (1 − ρ) g², δ = α g / (√v + ε).

    PyTorch's form (``torch.optim.RMSprop``, not centred, no momentum), where ρ is called ``alpha``. TensorFlow's
    original puts ε inside the root.

    Source: Tieleman and Hinton, "Lecture 6.5", Coursera, 2012.
    """
    v = rho * v + (1 - rho) * g**2
    delta = lr * g / (sqrt(v) + eps)
    return delta, v
