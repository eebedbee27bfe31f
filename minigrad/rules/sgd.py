"""Gradient descent and its three forms of momentum."""

from typing import Any

__all__ = ["heavy_ball", "heavy_ball_inside", "nesterov", "sgd"]


def sgd(g: Any, *, lr: Any) -> tuple[Any, ...]:
    """Gradient descent: δ = α g.

    The one rule of this book that returns α g itself. At λ = η/α the rule applied to λ w is therefore η w, and L2 in
    the gradient and weight decay are one algorithm. To be linear in g and without state is not enough: see
    `preconditioned`.

    Source: Robbins and Monro, "A stochastic approximation method", 1951, with the step of ``torch.optim.SGD``.
    """
    delta = lr * g
    return (delta,)


def heavy_ball(g: Any, b: Any, *, lr: Any, momentum: Any) -> tuple[Any, ...]:
    """Momentum with the learning rate outside the buffer: b ← β b + g, δ = α b.

    PyTorch's form (``torch.optim.SGD``, dampening 0), also optax's. Not to be confused with `heavy_ball_inside`:
    the two take the same steps only while the learning rate is constant.

    Source: Polyak, "Some methods of speeding up the convergence of iteration methods", 1964; Sutskever et al.,
    ICML 2013, for its use in deep learning.
    """
    b = momentum * b + g
    delta = lr * b
    return delta, b


def heavy_ball_inside(g: Any, m: Any, *, lr: Any, momentum: Any) -> tuple[Any, ...]:
    """Momentum with the learning rate inside the buffer: m ← β m + α g, δ = m.

    The form of Loshchilov and Hutter's Algorithm 1 (line 8; arXiv 1711.05101) and of Keras. A change of the
    learning rate reaches the step only as fast as the buffer forgets.
    """
    m = momentum * m + lr * g
    delta = m
    return delta, m


def nesterov(g: Any, b: Any, *, lr: Any, momentum: Any) -> tuple[Any, ...]:
    """Nesterov momentum: b ← β b + g, δ = α (g + β b).

    PyTorch's form (``torch.optim.SGD(nesterov=True)``): the gradient is taken where the weights are, and the look
    ahead is folded into the step.

    Source: Sutskever et al., "On the importance of initialization and momentum in deep learning", ICML 2013,
    after the change of variables of Bengio et al., arXiv 1212.0901.
    """
    b = momentum * b + g
    delta = lr * (g + momentum * b)
    return delta, b
