"""NAdam: Adam that looks ahead."""

from fractions import Fraction
from typing import Any

from minigrad.rules.functions import exp, sqrt

__all__ = ["nadam"]


def nadam(
    g: Any, m: Any, v: Any, mu_product: Any = 1, *, lr: Any, beta1: Any, beta2: Any, eps: Any, psi: Any, t: Any
) -> tuple[Any, ...]:
    """NAdam: Adam with Nesterov's look ahead, under a momentum that warms up, μₜ = β₁ (1 − ½ · 0.96^(t ψ)).

    PyTorch's form (``torch.optim.NAdam``), where ψ is called ``momentum_decay`` and is 0.004. The product μ₁ … μₜ
    corrects the bias; it is one number, not an array. optax's ``nadam`` keeps μ = β₁.

    Source: Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop, 2016.
    """
    mu = beta1 * (1 - exp(t * psi, Fraction(96, 100)) / 2)
    mu_next = beta1 * (1 - exp((t + 1) * psi, Fraction(96, 100)) / 2)
    mu_product = mu_product * mu
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = mu_next / (1 - mu_product * mu_next) * m + (1 - mu) / (1 - mu_product) * g
    v_hat = v / (1 - beta2**t)
    delta = lr * m_hat / (sqrt(v_hat) + eps)
    return delta, m, v, mu_product
