"""Adagrad: divide by the root of the sum of all squared gradients."""

from typing import Any

from minigrad.rules.functions import sqrt

__all__ = ["adagrad"]


def adagrad(g: Any, v: Any, *, lr: Any, eps: Any) -> tuple[Any, ...]:
    """Adagrad: v ← v + g², δ = α g / (√v + ε).

    PyTorch's form (``torch.optim.Adagrad``, lr_decay 0, accumulator from 0): ε stands outside the root, after it.

    Source: Duchi, Hazan and Singer, "Adaptive subgradient methods", JMLR 12, 2011, Fig. 1.
    """
    v = v + g**2
    delta = lr * g / (sqrt(v) + eps)
    return delta, v
