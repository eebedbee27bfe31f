"""RAdam: Adam that waits until its second moment can be trusted."""

from typing import Any

from minigrad.rules.functions import sqrt

__all__ = ["radam"]


def radam(g: Any, m: Any, v: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, t: Any) -> tuple[Any, ...]:
    """RAdam: momentum while the mean of squares is over fewer than five gradients, Adam rescaled by r from then on.

    PyTorch's form (``torch.optim.RAdam``): the threshold is ρₜ > 5 (the paper's is 4), and ε is added to √v before the
    bias of v is corrected. The branch depends on t and β₂ alone.

    Source: Liu et al., "On the variance of the adaptive learning rate and beyond", arXiv 1908.03265, Algorithm 2.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    delta = lr * m / (1 - beta1**t)
    rho_inf = 2 / (1 - beta2) - 1
    rho_t = rho_inf - 2 * t * beta2**t / (1 - beta2**t)
    if rho_t > 5:
        r = sqrt((rho_t - 4) * (rho_t - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho_t))
        delta = delta * (r * sqrt(1 - beta2**t)) / (sqrt(v) + eps)
    return delta, m, v
