"""Adamax: Adam with the infinity norm."""

from typing import Any

from minigrad.rules.functions import maximum

__all__ = ["adamax"]


def adamax(g: Any, m: Any, u: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, t: Any) -> tuple[Any, ...]:
    """Adamax: a bias-corrected mean of gradients over their largest recent size, u ← max(β₂ u, |g| + ε), δ = α m̂ / u.

    PyTorch's form (``torch.optim.Adamax``), with ε beside |g|; the paper has none, optax adds it to u. A maximum needs
    no correction for bias.

    Source: Kingma and Ba, "Adam", arXiv 1412.6980, Algorithm 2.
    """
    m = beta1 * m + (1 - beta1) * g
    u = maximum(beta2 * u, abs(g) + eps)
    m_hat = m / (1 - beta1**t)
    delta = lr * m_hat / u
    return delta, m, u
