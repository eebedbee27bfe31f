"""Every optimizer that torch has too, many steps in float64, regularised by enough to be seen."""

import numpy as np
import pytest

from minigrad import optim
from minigrad.optim import schedules
from tests.optim.making import give, gradients, parameters, run, values

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

STEPS = 60
U = 2.0**-53
LAMBDA = 0.1

# name: our optimizer, torch's; the two given the same regularisation, or none.
CASES = {
    "sgd l2": (
        lambda p, c, **k: optim.SGD(p, 0.05, l2=c, on="all", **k),
        lambda p, c: torch.optim.SGD(p, 0.05, weight_decay=c),
    ),
    "heavy ball l2": (
        lambda p, c, **k: optim.SGD(p, 0.05, momentum=0.9, l2=c, on="all", **k),
        lambda p, c: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=c),
    ),
    "nesterov l2": (
        lambda p, c, **k: optim.SGD(p, 0.05, momentum=0.9, nesterov=True, l2=c, on="all", **k),
        lambda p, c: torch.optim.SGD(p, 0.05, momentum=0.9, nesterov=True, weight_decay=c),
    ),
    "adam l2": (
        lambda p, c, **k: optim.Adam(p, 0.05, l2=c, on="all", **k),
        lambda p, c: torch.optim.Adam(p, 0.05, weight_decay=c),
    ),
    "adamw": (
        lambda p, c, **k: optim.AdamW(p, 0.05, decay=c, times="lr", **k),
        lambda p, c: torch.optim.AdamW(p, 0.05, weight_decay=c),
    ),
    "amsgrad l2": (
        lambda p, c, **k: optim.AMSGrad(p, 0.05, (0.8, 0.9), l2=c, on="all", **k),
        lambda p, c: torch.optim.Adam(p, 0.05, (0.8, 0.9), weight_decay=c, amsgrad=True),
    ),
    "amsgrad decay": (
        lambda p, c, **k: optim.AMSGrad(p, 0.05, decay=c, times="lr", **k),
        lambda p, c: torch.optim.AdamW(p, 0.05, weight_decay=c, amsgrad=True),
    ),
    "adagrad l2": (
        lambda p, c, **k: optim.Adagrad(p, 0.05, l2=c, on="all", **k),
        lambda p, c: torch.optim.Adagrad(p, 0.05, weight_decay=c),
    ),
    "rmsprop l2": (
        lambda p, c, **k: optim.RMSprop(p, 0.05, 0.9, l2=c, on="all", **k),
        lambda p, c: torch.optim.RMSprop(p, 0.05, 0.9, weight_decay=c),
    ),
}


def theirs(make, coefficient, ours, schedule=None, skip=frozenset()):
    tensors = [torch.nn.Parameter(torch.tensor(w)) for w in ours]
    optimizer = make(tensors, coefficient)
    clock = torch.optim.lr_scheduler.LambdaLR(optimizer, schedule) if schedule else None
    for k in range(STEPS):
        for i, (p, g) in enumerate(zip(tensors, gradients([p.detach().numpy() for p in tensors], 1 + k), strict=True)):
            p.grad = None if (k, i) in skip else torch.tensor(g)
        optimizer.step()
        if clock:
            clock.step()
    return [p.detach().numpy() for p in tensors]


def distance(xs, ys):
    return max(np.abs(x - y).max() for x, y in zip(xs, ys, strict=True))


def tolerance(start):
    """Bound on the distance after STEPS steps.

    A step computes w and its update in at most 32 roundings of numbers ≤ largest + 1 (momentum sums up to ten
    gradients of |g| < 5 at α = 0.05, hence the 3). Earlier distances return through λw with a gain below 1 + αλ/ε_v,
    where the root √v of these random gradients stays above αλ: below 4 over all steps.
    """
    largest = 1 + max(np.abs(w).max() for w in start) + 3
    return 4 * STEPS * 32 * U * largest


@pytest.mark.parametrize("name", CASES)
def test_many_steps_agree_with_torch(name):
    ours, torchs = CASES[name]
    start = values(parameters())
    bound = tolerance(start)
    found, expected = run(ours(parameters(), LAMBDA), STEPS), theirs(torchs, LAMBDA, start)
    assert distance(found, expected) <= bound
    assert distance(expected, theirs(torchs, 0, start)) >= 100 * bound  # the regularisation is seen


@pytest.mark.parametrize("name", ["heavy ball l2", "adamw", "amsgrad l2"])
def test_a_schedule_is_torchs_lambda_lr(name):
    ours, torchs = CASES[name]
    ps = parameters()
    start = values(ps)
    schedule = schedules.joined((schedules.linear_warmup(10), schedules.cosine(50)), at=(10,))
    optimizer = ours(ps, LAMBDA, schedule=schedule)
    expected = theirs(torchs, LAMBDA, start, schedule)
    assert distance(run(optimizer, STEPS), expected) <= tolerance(start)
    assert distance(expected, theirs(torchs, LAMBDA, start)) >= 100 * tolerance(start)


@pytest.mark.parametrize("name", ["adam l2", "adamw", "nesterov l2"])
def test_parameters_without_gradient_are_skipped_as_in_torch(name):
    ours, torchs = CASES[name]
    ps = parameters()
    start = values(ps)
    skip = {(k, i) for k in range(STEPS) for i in range(4) if (k + i * k) % 3 == i % 2}
    optimizer = ours(ps, LAMBDA)
    for k in range(STEPS):
        give(ps, [None if (k, i) in skip else g for i, g in enumerate(gradients(ps, 1 + k))])
        optimizer.step()
    expected = theirs(torchs, LAMBDA, start, skip=skip)
    assert distance(values(ps), expected) <= tolerance(start)
    assert distance(expected, theirs(torchs, LAMBDA, start)) >= 100 * tolerance(start)
