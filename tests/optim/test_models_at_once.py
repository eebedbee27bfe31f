"""N models trained at once, with arrays for numbers, against N optimizers with a number each."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import optim, rules
from minigrad.data import Batches
from minigrad.executors import choose, emitted
from minigrad.nn.parameter import Parameter
from minigrad.optim import Optimizer
from minigrad.regularization import L1, L2, Decay, ElasticNet
from minigrad.regularization.column import Column
from minigrad.rules import RULES, hyper_names
from minigrad.testing.strategies import log_uniform
from minigrad.training.checkpoint import load_checkpoint, save_checkpoint

RANGES = dict.fromkeys(("lr", "eps", "psi", "l1", "l2"), (1e-3, 0.1)) | {"decay": (1e-3, 0.5)}
RANGES |= dict.fromkeys(("momentum", "beta1", "beta2", "rho"), (0.5, 0.99))
ONE_FOR_ALL = {"radam": ("beta2",), "nadam": ("beta1", "psi")}  # what decides a branch, or a state that is one number
SHAPES = ((3, 2), (2,), ())
EXECUTORS = ("auto", "plain", "numpy", "numba")
DOORS = {
    "plain": lambda n: {},
    "decay": lambda n: {"regularizer": Decay(n["decay"], on="weights")},
    "decay by lr": lambda n: {"regularizer": Decay(n["decay"], times="lr")},
    "decay by nothing": lambda n: {"regularizer": Decay(n["decay"], times=None)},
    **{
        f"{at} {penalty.__name__}": lambda n, penalty=penalty, names=names, at=at: {
            "regularizer": penalty(*(n[x] for x in names)),
            "at": at,
        }
        for penalty, names in ((L2, ("l2",)), (L1, ("l1",)), (ElasticNet, ("l1", "l2")))
        for at in ("gradient", "prox")
    },
}


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path_factory):
    """Blocks and thresholds so small that a few entries pass through all of them."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp()))
    monkeypatch.setattr(emitted, "BLOCK", 64)
    monkeypatch.setattr(choose, "SMALL", 1)
    monkeypatch.setattr(choose, "LARGE", 10**9)


class Run:
    """What all models have in common: first weights, gradients, which of them are missing, a schedule."""

    def __init__(self, models, steps, dtype, seed, schedule=None, absent=()):
        rng = np.random.default_rng(seed)
        self.models, self.schedule, self.absent = models, schedule, absent
        shapes = [(models, *shape) for shape in SHAPES]
        self.start = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
        self.gradients = [[rng.standard_normal(shape).astype(dtype) for shape in shapes] for _ in range(steps)]

    def parameters(self, i=slice(None)):
        return [Parameter(w[i], role) for w, role in zip(self.start, ("weight", "bias", "scale"), strict=True)]

    def make(self, rule, door, numbers, executor="plain", i=slice(None)):
        own = {name: numbers[name] for name in hyper_names(rule) if name not in ("lr", "t")}
        options = {"schedule": self.schedule, "executor": executor, **door(numbers)}
        return Optimizer(self.parameters(i), rule, numbers["lr"], own, **options)

    def train(self, optimizer, i=slice(None)):
        """Return values and state after the steps."""
        for k, gradients in enumerate(self.gradients):
            for j, (p, g) in enumerate(zip(optimizer.params, gradients, strict=True)):
                p.grad = None if (k, j) in self.absent else np.asarray(g[i])
            optimizer.step()
        state = {name: x for name, x in optimizer.state_dict().items() if isinstance(x, np.ndarray)}
        return [*(p.numpy() for p in optimizer.params), *(state[name] for name in sorted(state))]


def number_of(numbers, i):
    return {name: float(x[i]) if isinstance(x, np.ndarray) else x for name, x in numbers.items()}


@st.composite
def numbers_for(draw, rule, models):
    """Numbers by name, some of them arrays; at least one is."""
    names = [*(name for name in hyper_names(rule) if name != "t"), "decay", "l1", "l2"]
    may = [name for name in names if name not in ONE_FOR_ALL.get(rule.__name__, ())]
    arrays = draw(st.sets(st.sampled_from(may), min_size=1)) | {draw(st.sampled_from(("lr", "eps", "lr")))} & set(may)
    one = {name: draw(log_uniform(*RANGES[name])) for name in names}
    own = st.lists(st.floats(0.5, 1), min_size=models, max_size=models)
    return {name: x * np.array(draw(own)) if name in arrays else x for name, x in one.items()}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("door", DOORS)
@settings(max_examples=10)
@given(st.data())
def test_each_of_n_models_is_bit_for_bit_the_one_that_is_trained_alone(door, name, data):
    rule, models = RULES[name], data.draw(st.integers(1, 4))
    dtype = data.draw(st.sampled_from((np.float16, np.float32, np.float64)))
    schedule = data.draw(st.sampled_from((None, optim.schedules.cosine(9))))
    absent = {(k, data.draw(st.integers(0, 2))) for k in data.draw(st.sets(st.integers(0, 6), max_size=2))}
    run = Run(models, data.draw(st.sampled_from((1, 3, 7))), dtype, data.draw(st.integers(0, 99)), schedule, absent)
    numbers = data.draw(numbers_for(rule, models))
    executor = data.draw(st.sampled_from([x for x in EXECUTORS[:3] if x != "numpy" or dtype != np.float16]))
    together = run.train(run.make(rule, DOORS[door], numbers, executor))
    for i in range(models):
        alone = run.train(run.make(rule, DOORS[door], number_of(numbers, i), i=i), i)
        for found, expected in zip(together, alone, strict=True):
            assert found.dtype == expected.dtype == dtype
            assert found[i].tobytes() == expected.tobytes()


def lr_and_decay(models=5):
    return {"lr": np.logspace(-3, -1, models), "decay": np.logspace(-2, -0.5, models)} | {
        "beta1": 0.9, "beta2": 0.999, "eps": 1e-8,
    }  # fmt: skip


@pytest.mark.parametrize("executor", EXECUTORS)
def test_every_executor_writes_the_bits_of_the_plain_one(executor, monkeypatch):
    if executor == "numba":
        pytest.importorskip("numba")
        monkeypatch.setattr(choose, "LARGE", 1)
    run = Run(5, 3, np.float32, 0)
    found = run.train(run.make(rules.adam, DOORS["decay"], lr_and_decay(), executor))
    expected = run.train(run.make(rules.adam, DOORS["decay"], lr_and_decay()))
    assert all(x.tobytes() == y.tobytes() for x, y in zip(found, expected, strict=True))


def test_models_lie_in_rows_and_a_group_is_one_matrix():
    run = Run(5, 1, np.float32, 0)
    optimizer = run.make(rules.adam, DOORS["decay"], lr_and_decay())
    assert optimizer.models == 5
    assert [(g.weights.shape, g.regularised) for g in optimizer.groups] == [((5, 6), True), ((5, 3), False)]
    for group in optimizer.groups:
        assert all(a.flags.c_contiguous for a in (group.weights, group.grads, *group.state))
        assert group.weights[2].tolist() == [x for p in group.params for x in p.numpy()[2].ravel()]
        assert all(np.shares_memory(p.data, group.weights) for p in group.params)


def test_without_arrays_there_are_no_models():
    optimizer = optim.SGD(Run(5, 1, np.float32, 0).parameters(), 0.1)
    assert optimizer.models is None
    assert [g.weights.shape for g in optimizer.groups] == [(45,)]


def test_each_model_gets_its_own_gradient_from_the_sum_of_the_losses():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((16, 4)), rng.standard_normal((16, 1))
    first = rng.standard_normal((4, 1))
    lr, l2 = np.array([0.1, 0.2, 0.05]), np.array([0.5, 0.0, 0.1])

    def train(w, optimizer):
        for _ in range(5):
            optimizer.zero_grad()
            (((x @ w - y) ** 2).mean(axis=(-2, -1))).sum().backward()
            optimizer.step()
        return w.numpy()

    together = Parameter(np.repeat(first[None], 3, 0))
    found = train(together, optim.SGD([together], lr, l2=l2))
    for i in range(3):
        alone = Parameter(first)
        assert np.array_equal(found[i], train(alone, optim.SGD([alone], float(lr[i]), l2=float(l2[i]))))


# --- every number of every optimizer ----------------------------------------------------------------------------------

N = np.array([0.5, 0.25])
MAKERS = {
    "SGD": lambda p: optim.SGD(p, N, momentum=N, l2=N),
    "nesterov": lambda p: optim.SGD(p, 0.1, momentum=N, nesterov=True, decay=N),
    "SGDW": lambda p: optim.SGDW(p, N, momentum=N, decay=N),
    "Adam": lambda p: optim.Adam(p, N, betas=(N, N), eps=N, l2=N),
    "AdamW": lambda p: optim.AdamW(p, 0.1, betas=(0.9, N), decay=0.1, times="lr"),
    "AMSGrad": lambda p: optim.AMSGrad(p, N, betas=(N, N), eps=N),
    "Adagrad": lambda p: optim.Adagrad(p, N, eps=N),
    "RMSprop": lambda p: optim.RMSprop(p, N, rho=N, eps=N),
    "Adadelta": lambda p: optim.Adadelta(p, N, rho=N, eps=N),
    "Adamax": lambda p: optim.Adamax(p, N, betas=(N, N), eps=N),
    "RAdam": lambda p: optim.RAdam(p, N, betas=(N, 0.9), eps=N, decay=N),
    "NAdam": lambda p: optim.NAdam(p, N, betas=(0.9, N), eps=N, decay=N),
    "Lion": lambda p: optim.Lion(p, N, betas=(N, N), decay=N),
}


@pytest.mark.parametrize("name", MAKERS)
def test_the_optimizers_by_name_take_arrays_describe_them_and_keep_the_dtype(name):
    optimizer = MAKERS[name](Run(2, 1, np.float32, 0).parameters())
    for p in optimizer.params:
        p.grad = np.ones_like(p.data)
    optimizer.step()
    assert {p.dtype for p in optimizer.params} == {np.dtype(np.float32)}
    assert ", 2 models at once\n" in repr(optimizer)
    assert "0.25 … 0.5" in repr(optimizer)


def test_time_scales_are_given_from_where_to_where():
    p = Run(3, 1, np.float32, 0).parameters()
    optimizer = optim.AdamW(p, 0.1, decay=np.array([0.01, 0.1, 0.02]))
    assert "η = 0.01 … 0.1; time scale 1/η = 10 … 100 steps = 2.5 … 25 epochs" in optimizer.describe(4)
    assert "η = 0 … 0.5; time scale 1/η = 2 … inf steps" in repr(optim.AdamW(p, 0.1, decay=np.array([0, 0.5, 0])))
    assert "η = 0 at this step" in repr(optim.AdamW(p, 0.1, decay=np.zeros(3)))
    assert "η = 0.25; time scale 1/η = 4 steps" in repr(optim.AdamW(p, 0.1, decay=np.full(3, 0.25)))
    with pytest.warns(UserWarning, match=r"1/η = 10 steps, is shorter than an epoch of 11 .*for one of the models"):
        optimizer.describe(11)


def test_a_schedule_multiplies_the_array_and_hyper_shows_it():
    p = Run(2, 1, np.float32, 0).parameters()
    optimizer = optim.AdamW(p, N, decay=N, times="lr", schedule=lambda k: 1 / (k + 1))
    found = optimizer.hyper(1)
    assert {name: list(x) for name, x in found.items() if isinstance(x, Column)} == {
        "lr": [0.25, 0.125],
        "decay": [0.125, 0.03125],
    }


# --- saved and loaded -------------------------------------------------------------------------------------------------


def test_a_run_continues_from_its_state_bit_for_bit():
    run = Run(5, 4, np.float32, 0)
    whole = run.train(run.make(rules.adam, DOORS["decay"], lr_and_decay(), "auto"))
    first, steps = run.make(rules.adam, DOORS["decay"], lr_and_decay()), run.gradients
    run.gradients = steps[:2]
    *_, second = run.train(first), run.make(rules.adam, DOORS["decay"], lr_and_decay(), "auto")
    for p, q in zip(second.params, first.params, strict=True):
        p.data[...] = q.numpy()
    second.load_state_dict(first.state_dict())
    run.gradients = steps[2:]
    assert all(x.tobytes() == y.tobytes() for x, y in zip(run.train(second), whole, strict=True))


def test_a_checkpoint_holds_models_at_once(tmp_path):
    class Net(mg.nn.Module):
        def __init__(self):
            self.w, self.b = Parameter(np.ones((2, 3, 1))), Parameter(np.ones((2, 1)), "bias")

    def made():
        net = Net()
        return net, optim.Adam(net.parameters(), N, decay=N), Batches(np.arange(6), np.arange(6), 2, seed=0)

    net, optimizer, batches = made()
    for k in range(3):
        for p in net.parameters():
            p.grad = np.full(p.shape, k - 0.5)
        optimizer.step()
    save_checkpoint(tmp_path / "run.safetensors", net, optimizer, batches)
    other, again, order = made()
    load_checkpoint(tmp_path / "run.safetensors", other, again, order)
    for o in (optimizer, again):
        for p in o.params:
            p.grad = np.full(p.shape, 0.25)
        o.step()
    assert [p.numpy().tolist() for p in net.parameters()] == [p.numpy().tolist() for p in other.parameters()]
    assert again.steps == 4


# --- refusals, before anything is changed -----------------------------------------------------------------------------

REFUSED = {
    "two lengths": (
        lambda p: optim.SGD(p, N, l2=np.ones(3)), ValueError, "lr has 2 numbers and l2 has 3: each has one",
    ),
    "parameters without the axis": (
        lambda p: optim.SGD(p, 0.1, decay=np.full(3, 0.1)), ValueError,
        "decay has 3 numbers, .* leading axis of length 3; the one at position 0 has shape (2, 3, 2)",
    ),
    "a parameter without any axis": (
        lambda p: optim.SGD([p[0], Parameter(np.float64(1))], N), ValueError, "the one at position 1 has shape ()",
    ),
    "two axes": (
        lambda p: optim.SGD(p, np.ones((2, 1))), ValueError, "lr must be a number, or a 1-d .* got shape (2, 1)",
    ),
    "no entries": (
        lambda p: optim.SGD(p, 0.1, l2=np.ones(0)), ValueError, "l2 must be a number, or a 1-d .* got shape (0,)",
    ),
    "negative": (lambda p: optim.SGD(p, np.array([1, -1.0])), ValueError, "lr[1] must be ≥ 0, got -1.0"),
    "not finite": (lambda p: optim.SGD(p, 1.0, l2=np.array([1, np.inf])), ValueError, "l2[1] must be finite, got inf"),
    "a factor of 1": (
        lambda p: optim.SGD(p, 1.0, momentum=np.array([0, 1])), ValueError, "momentum[1] must be in [0, 1), got 1",
    ),
    "a beta of 1": (
        lambda p: optim.Adam(p, betas=(0.9, np.array([1.0, 0]))), ValueError, "beta2[0] must be in [0, 1), got 1.0",
    ),
    "eps that is 0 in the dtype": (
        lambda p: optim.Adam(p, eps=np.array([1e-8, 1e-60])), ValueError, "adam: eps[1]=1e-60 is 0 in float32",
    ),
    "beyond the dtype": (lambda p: optim.SGD(p, np.array([0, 1e39])), ValueError, "lr[1] = 1e+39 is beyond float32"),
    "strings": (lambda p: optim.SGD(p, np.array(["a", "b"])), TypeError, "lr[0] must be a real number, got 'a'"),
    "a list": (lambda p: optim.SGD(p, [0.1, 0.2]), TypeError, "lr must be a real number"),
    "l2 and decay": (
        lambda p: optim.SGD(p, 0.1, l2=N, decay=N), ValueError, "l2=Column(0.25 … 0.5, 2 numbers) couples",
    ),
    "a branch": (
        lambda p: optim.RAdam(p, N, betas=(0.9, N)), TypeError,
        "radam cannot take an array for lr, beta2: .*radam.py:.*: all models take one .* would depend on beta2,",
    ),
    "a state that is one number": (
        lambda p: optim.NAdam(p, N, psi=N), TypeError,
        "nadam cannot take an array for lr, psi: the state mu_product is one number .* would depend on psi,",
    ),
    "a rule that is not traced": (
        lambda p: Optimizer(p, clipped, N), TypeError, "clipped cannot take an array for lr: .*test_models_at_once.py:",
    ),
}  # fmt: skip


def clipped(g, *, lr):
    delta = lr * np.clip(g, -1, 1)
    return (delta,)


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_by_name_and_nothing_has_changed(what):
    make, error, message = REFUSED[what]
    params = Run(2, 1, np.float32, 0).parameters()
    before = [p.data for p in params]
    with pytest.raises(error, match=".*".join(map(re.escape, message.split(".*")))):
        make(params)
    assert all(p.data is a and p.owner is None and p.grad_home is None for p, a in zip(params, before, strict=True))


@pytest.mark.parametrize(
    ("dtype", "options", "message"),
    [
        (
            np.float64,
            {"lr": np.array([1.0, 1e308]), "schedule": lambda k: 1e9},
            "lr[1] at step 0 must be finite, got inf",
        ),
        (np.float32, {"lr": np.array([1.0, 1e38]), "schedule": lambda k: 1e9}, "lr[1] = 1e+47 is beyond float32"),
        (
            np.float32,
            {"lr": 1.0, "decay": np.array([0.5, 1.0])},
            "decay[1] would remove the fraction 1.0 of every weight at step 0",
        ),
        (np.float32, {"lr": N, "schedule": lambda k: N}, "schedule at step 0 must be a real number"),
        (np.float32, {"lr": lambda k: N, "decay": N, "times": None}, "lr at step 0 must be a real number"),
    ],
)
def test_a_step_that_would_be_out_of_range_is_refused_before_anything_is_written(dtype, options, message):
    optimizer = optim.SGD(Run(2, 1, dtype, 0).parameters(), **options)
    for p in optimizer.params:
        p.grad = np.ones_like(p.data)
    before = [p.numpy().copy() for p in optimizer.params]
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        optimizer.step()
    assert all(np.array_equal(p.numpy(), a) for p, a in zip(optimizer.params, before, strict=True))
    assert optimizer.steps == 0
