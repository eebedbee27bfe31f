"""Adam and AMSGrad."""

from typing import Any

from minigrad.rules.functions import maximum, sqrt

__all__ = ["adam", "amsgrad"]


def adam(g: Any, m: Any, v: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, t: Any) -> tuple[Any, ...]:
    """Adam: a bias-corrected mean of gradients over the root of a bias-corrected mean of their squares.

    ε is added to √v̂ (the paper, PyTorch, optax); Keras and Chainer add it to √v. `t` is 1 at the first step.

    Source: Kingma and Ba, "Adam", arXiv 1412.6980, Algorithm 1.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    delta = lr * m_hat / (sqrt(v_hat) + eps)
    return delta, m, v


def amsgrad(
    g: Any, m: Any, v: Any, v_max: Any, *, lr: Any, beta1: Any, beta2: Any, eps: Any, t: Any
) -> tuple[Any, ...]:
    """AMSGrad: Adam whose second moment never shrinks.

    PyTorch's form (``torch.optim.Adam(amsgrad=True)``): the maximum is taken over v and corrected for bias
    afterwards. optax takes it over v̂, which is another function.

    Source: Reddi, Kale and Kumar, "On the convergence of Adam and beyond", arXiv 1904.09237, Algorithm 2.
    """
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g**2
    v_max = maximum(v_max, v)
    m_hat = m / (1 - beta1**t)
    v_hat = v_max / (1 - beta2**t)
    delta = lr * m_hat / (sqrt(v_hat) + eps)
    return delta, m, v, v_max
