"""Rules with more than arrays in their state, or branches, against torch: many steps, behind the doors torch has."""

from itertools import pairwise

import numpy as np
import pytest

from minigrad import optim, rules
from minigrad.nn import Module, Parameter
from minigrad.rules import scalar_state, state_names
from minigrad.training import load_checkpoint, save_checkpoint
from tests.optim.making import give, gradients, parameters, run, values

STEPS = 40
U = 2.0**-53
LAMBDA = 0.1

# name: our optimizer, torch's name and its further arguments.
CASES = {
    "adadelta": (lambda p, c: optim.Adadelta(p, 0.5, l2=c, on="all"), "Adadelta", {"lr": 0.5}),
    "adamax": (lambda p, c: optim.Adamax(p, 0.05, l2=c, on="all"), "Adamax", {"lr": 0.05}),
    "nadam": (lambda p, c: optim.NAdam(p, 0.05, l2=c, on="all"), "NAdam", {"lr": 0.05}),
    "nadamw": (
        lambda p, c: optim.NAdam(p, 0.05, decay=c, times="lr"),
        "NAdam", {"lr": 0.05, "decoupled_weight_decay": True},
    ),
    "nadam, warming up": (
        lambda p, c: optim.NAdam(p, 0.05, (0.8, 0.9), psi=0.5, l2=c, on="all"),
        "NAdam", {"lr": 0.05, "betas": (0.8, 0.9), "momentum_decay": 0.5},
    ),
    "radam": (lambda p, c: optim.RAdam(p, 0.05, l2=c, on="all"), "RAdam", {"lr": 0.05}),
    "radamw": (
        lambda p, c: optim.RAdam(p, 0.05, decay=c, times="lr"),
        "RAdam", {"lr": 0.05, "decoupled_weight_decay": True},
    ),
    "radam, never": (
        lambda p, c: optim.RAdam(p, 0.05, (0.9, 0.6), l2=c, on="all"), "RAdam", {"lr": 0.05, "betas": (0.9, 0.6)},
    ),
}  # fmt: skip


def theirs(name, coefficient, start, skip=frozenset()):
    torch = pytest.importorskip("torch")
    _, called, options = CASES[name]
    tensors = [torch.nn.Parameter(torch.tensor(w)) for w in start]
    optimizer = getattr(torch.optim, called)(tensors, weight_decay=coefficient, foreach=False, **options)
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # that of the product of momenta, which is float32 otherwise
    try:
        _take_steps(torch, optimizer, tensors, skip)
    finally:
        torch.set_default_dtype(before)
    return [p.detach().numpy() for p in tensors]


def _take_steps(torch, optimizer, tensors, skip):
    for k in range(STEPS):
        for i, (p, g) in enumerate(zip(tensors, gradients([p.detach().numpy() for p in tensors], 1 + k), strict=True)):
            p.grad = None if (k, i) in skip else torch.tensor(g)
        optimizer.step()


def distance(xs, ys):
    return max(np.abs(x - y).max() for x, y in zip(xs, ys, strict=True))


def tolerance(start):
    """Bound on the distance after STEPS steps.

    A step computes w and its update in at most 40 roundings of numbers ≤ largest + 3: gradients have |g| < 5, and no
    step is larger than 1. A root of the sum u + ε halves its relative error. Earlier distances return through λw with
    a gain below 1 + αλ/√v, where √v of these random gradients stays above αλ: below 4 over all steps.
    """
    largest = 1 + max(np.abs(w).max() for w in start) + 3
    return 4 * STEPS * 40 * U * largest


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
def test_many_steps_agree_with_torch(name):
    start = values(parameters())
    bound = tolerance(start)
    expected = theirs(name, LAMBDA, start)
    assert distance(run(CASES[name][0](parameters(), LAMBDA), STEPS), expected) <= bound
    assert distance(expected, theirs(name, 0, start)) >= 100 * bound  # the regularisation is seen


@pytest.mark.oracle
@pytest.mark.parametrize("name", CASES)
def test_parameters_without_gradient_are_skipped_as_in_torch(name):
    """Their t, their branch and their product of momenta stay behind."""
    ps = parameters()
    start = values(ps)
    skip = {(k, i) for k in range(STEPS) for i in range(4) if (k + i * k) % 3 == i % 2}
    optimizer = CASES[name][0](ps, LAMBDA)
    for k in range(STEPS):
        give(ps, [None if (k, i) in skip else g for i, g in enumerate(gradients(ps, 1 + k))])
        optimizer.step()
    expected = theirs(name, LAMBDA, start, skip)
    assert distance(values(ps), expected) <= tolerance(start)
    assert distance(expected, theirs(name, LAMBDA, start)) >= 100 * tolerance(start)


def test_radam_begins_as_momentum_and_changes_at_the_sixth_step():
    """ρₜ > 5 from t = 6 on, at β₂ = 0.999."""
    numbers = {"lr": 1.0, "beta1": 0.0, "beta2": 0.999, "eps": 0.0}
    first = [rules.radam(2.0, 0.0, 4.0, t=t, **numbers)[0] for t in range(1, 8)]
    assert first[:5] == [2.0] * 5
    assert 2.0 not in first[5:]


# --- state that is one number -----------------------------------------------------------------------------------------


def test_a_state_with_a_default_is_one_number_and_starts_there():
    assert state_names(rules.nadam) == ("m", "v", "mu_product")
    assert scalar_state(rules.nadam) == {"mu_product": 1}
    assert not any(scalar_state(rule) for rule in rules.RULES.values() if rule is not rules.nadam)


def counting(g, seen=0, *, lr):
    """A user's own: steps that shrink by a factor of two each time a parameter is seen."""
    seen = seen + 1
    delta = lr / 2**seen * g
    return delta, seen


EXECUTORS = ["auto", "plain", "numpy"]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_each_parameter_has_a_number_of_its_own(executor):
    ps = [Parameter(np.zeros(2)) for _ in range(3)]
    optimizer = optim.Optimizer(ps, counting, 1.0, executor=executor)
    for present in ((1, 1, 1), (0, 1, 1), (1, 0, 1)):
        give(ps, [np.ones(2) if here else None for here in present])
        optimizer.step()
    assert [p.data[0] for p in ps] == [-0.75, -0.75, -0.875]
    assert optimizer.state_dict()["seen"] == [2, 2, 3]


def test_neighbours_with_unequal_numbers_are_updated_apart():
    ps = [Parameter(np.zeros(2)) for _ in range(4)]
    optimizer = optim.Optimizer(ps, counting, 1.0)
    saved = optimizer.state_dict()
    optimizer.load_state_dict({**saved, "seen": [1, 1, 3, 3]})
    calls, execute = [], optimizer.executor

    def counted(update, w, g, state, hyper):
        calls.append((w.size, state))
        return execute(update, w, g, state, hyper)

    optimizer.executor = counted
    give(ps, [np.ones(2)] * 4)
    optimizer.step()
    assert calls == [(4, [1]), (4, [3])]
    assert [p.data[0] for p in ps] == [-0.25, -0.25, -0.0625, -0.0625]


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_run_of_nadam_goes_on_from_its_saved_state(executor, tmp_path):
    pytest.importorskip("safetensors")

    class Model(Module):
        def __init__(self):
            self.a, self.b = parameters()[:2]

    from minigrad.data import Batches

    def made():
        model = Model()
        data = Batches(np.zeros((4, 1)), np.zeros(4), batch_size=2, seed=0)
        return model, optim.NAdam(model.parameters(), decay=0.01, executor=executor), data

    whole, stopped = made(), made()
    run(whole[1], 6)
    run(stopped[1], 3)
    save_checkpoint(tmp_path / "c", *stopped)
    resumed = made()
    load_checkpoint(tmp_path / "c", *resumed)
    assert resumed[1].state_dict()["mu_product"] == stopped[1].state_dict()["mu_product"]
    found = run(resumed[1], 3, seed=4)
    assert all((x == y).all() for x, y in zip(found, values(whole[1].params), strict=True))


@pytest.mark.parametrize("wrong", [[1.0], 1.0, [1.0, float("nan"), 1, 1], ["1", 1, 1, 1]])
def test_numbers_of_a_saved_state_that_do_not_fit_are_refused(wrong):
    optimizer = optim.NAdam(parameters())
    saved = optimizer.state_dict()
    with pytest.raises((ValueError, TypeError), match="mu_product"):
        optimizer.load_state_dict({**saved, "mu_product": wrong})
    with pytest.raises(KeyError, match="mu_product"):
        optimizer.load_state_dict({k: x for k, x in saved.items() if k != "mu_product"})


def test_the_product_of_momenta_is_the_product():
    optimizer = optim.NAdam(parameters(), psi=0.0)
    seen = []
    for k in range(3):
        run(optimizer, 1, seed=k)
        seen.append(optimizer.state_dict()["mu_product"][0])
    assert all(abs(b - 0.45 * a) <= 4 * U * a for a, b in pairwise([1.0, *seen]))
