"""Optimizers that torch does not have, against their published loops, written out for one number."""

import numpy as np
import pytest

from minigrad import optim
from minigrad.nn.parameter import Parameter

GRADIENTS = [0.7, -1.3, 0.2, 0.9, -0.4]
U = 2.0**-53


def schedule(step):
    return 1 / (1 + step)


def trained(make):
    p = Parameter(np.array(2.0))
    optimizer = make([p])
    for g in GRADIENTS:
        p.grad = np.array(g)
        optimizer.step()
    return p.item()


def algorithm_1(alpha, beta, coupled, decay):
    """arXiv 1711.05101, Algorithm 1, lines 5 to 9: SGD with L2 regularisation (violet), SGDW (green)."""
    w = 2.0
    m = 0.0
    for k, g in enumerate(GRADIENTS):
        eta = schedule(k)
        m = beta * m + eta * alpha * (g + coupled * w)
        w = w - m - eta * decay * w
    return w


@pytest.mark.parametrize(
    ("make", "expected", "other"),
    [
        (
            lambda p: optim.SGDW(p, lr=0.1, decay=0.05, schedule=schedule),
            algorithm_1(0.1, 0.9, 0, 0.05),
            algorithm_1(0.1, 0.9, 0.5, 0),
        ),
        (
            lambda p: optim.SGD(p, lr=0.1, momentum=0.9, momentum_form="inside", l2=0.5, schedule=schedule),
            algorithm_1(0.1, 0.9, 0.5, 0),
            algorithm_1(0.1, 0.9, 0, 0.05),
        ),
    ],
)
def test_momentum_inside_is_the_papers_algorithm_1(make, expected, other):
    bound = len(GRADIENTS) * 8 * U * 4  # eight roundings a step, of numbers below 4
    outside = trained(lambda p: optim.SGD(p, lr=0.1, momentum=0.9, decay=0.05, schedule=schedule))
    assert abs(trained(make) - expected) <= bound
    assert abs(expected - other) >= 100 * bound
    assert abs(expected - outside) >= 100 * bound


def test_lion_is_its_papers_algorithm_2():
    # With these betas the momentum decides the sign more than once against the gradient.
    w, m, decided = 2.0, 0.0, 0
    for g in GRADIENTS:
        c = 0.9 * m + (1 - 0.9) * g
        decided += c * g < 0
        w = w - 0.1 * (np.sign(c) + 0.05 * w)
        m = 0.5 * m + (1 - 0.5) * g
    found = trained(lambda p: optim.Lion(p, lr=0.1, betas=(0.9, 0.5), decay=0.05, times="lr"))
    assert decided >= 2
    assert abs(found - w) <= len(GRADIENTS) * 8 * U * 4
