"""Lion: the sign of an interpolated momentum."""

from typing import Any

from minigrad.rules.functions import sign

__all__ = ["lion"]


def lion(g: Any, m: Any, *, lr: Any, beta1: Any, beta2: Any) -> tuple[Any, ...]:
    """Lion: δ = α sign(β₁ m + (1 − β₁) g), m ← β₂ m + (1 − β₂) g.

    Every weight moves by α or not at all. An L2 term in the gradient therefore only turns signs: it shrinks nothing in
    proportion to w, which is why Lion is published with decoupled decay alone.

    Source: Chen et al., "Symbolic discovery of optimization algorithms", arXiv 2302.06675, Algorithm 2.
    """
    delta = lr * sign(beta1 * m + (1 - beta1) * g)
    m = beta2 * m + (1 - beta2) * g
    return delta, m
