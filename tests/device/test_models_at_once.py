"""N models trained at once on a device: their numbers travel with the launch, and nothing is read back."""

import shutil

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, optim
from minigrad.executors.captured import graphs
from minigrad.nn.parameter import Parameter
from tests.optim.making import give, gradients, parameters, run, values

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to run the kernels")

SHAPES = ((3, 4, 2), (3, 2), (3, 5), (3, 1))
LR, RATE = np.array([0.1, 0.01, 0.05]), np.array([0.0, 0.1, 0.2])
MAKERS = {
    "sgd": lambda p, **k: optim.SGD(p, LR, **k),
    "momentum": lambda p, **k: optim.SGD(p, 0.1, momentum=1 - LR, **k),
    "adamw": lambda p, **k: optim.AdamW(p, LR, betas=(0.9, 1 - LR), **k),
    "nadam": lambda p, **k: optim.NAdam(p, LR, **k),
    "radam": lambda p, **k: optim.RAdam(p, LR, **k),
    "lion": lambda p, **k: optim.Lion(p, LR, **k),
}


def made(name, dtype=np.float32, **executor):
    options = {"decay": RATE, "on": "weights", "schedule": lambda k: 1 / (k + 1), **executor}
    return MAKERS[name](parameters(dtype=dtype, shapes=SHAPES), **options)


def on_the_host(name, steps, dtype=np.float32):
    with mg.use_backend("numpy"):
        return run(made(name, dtype, executor="plain"), steps)


def equal(found, expected):
    return all(x.tobytes() == y.tobytes() for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MAKERS)
def test_a_step_is_one_launch_and_one_copy_per_group_with_the_hosts_bits(name, dtype, device):
    optimizer = made(name, dtype)
    for k in range(9):  # RAdam takes its other branch from the sixth on
        give(optimizer.params, gradients(optimizer.params, 1 + k))
        device.clear()
        with device.unread():
            optimizer.step()
        assert [x for x in device.launches if x != "setitem"] == ["update"] * 2
        assert [name for name, _ in device.uploads] == ["pinned copy"] * 2
        assert device.waits == device.downloads == []
    assert equal(values(optimizer.params), on_the_host(name, 9, dtype))


def test_what_no_kernel_is_for_is_updated_plainly_and_not_read_either(device):
    optimizer = made("adamw")
    first = gradients(optimizer.params, 1)
    give(optimizer.params, [first[0], None, *first[2:]])
    with device.unread():
        optimizer.step()  # without the second parameter, part of the rows take part
    with mg.use_backend("numpy"):
        alone = made("adamw", executor="plain")
        host = gradients(alone.params, 1)
        give(alone.params, [host[0], None, *host[2:]])
        alone.step()
        expected = values(alone.params)
    assert equal(values(optimizer.params), expected)


def test_groups_of_other_widths_and_dtypes_have_kernels_of_their_own(device):
    def make(**executor):
        narrow = parameters(dtype=np.float32, shapes=((3, 1), (3,)), roles=("weight", "bias"))
        wide = parameters(dtype=np.float64, shapes=((3, 5), (3, 4)), roles=("weight", "bias"))
        return optim.AdamW([*narrow, *wide], LR, decay=RATE, **executor)

    found = run(make(), 3)
    assert device.launches.count("update") == 6
    with mg.use_backend("numpy"):
        assert equal(found, run(make(executor="plain"), 3))


def test_an_array_of_the_device_is_taken_to_the_host_once(device):
    p = parameters(dtype=np.float32, shapes=SHAPES)
    optimizer = optim.SGD(p, backend.current().asarray(LR))
    give(p, gradients(p, 1))
    with device.unread():
        optimizer.step()
    assert list(optimizer.hyper(0)["lr"]) == LR.tolist()


class Run:
    """Three linear models at once, and a step of them on one batch."""

    def __init__(self, name):
        rng = np.random.default_rng(0)
        self.w = Parameter(rng.standard_normal((3, 4, 2)).astype(np.float32))
        self.b = Parameter(np.zeros((3, 1, 2), np.float32), "bias")
        options = {"decay": RATE, "on": "weights", "schedule": optim.schedules.cosine(20)}
        self.optimizer = MAKERS[name]([self.w, self.b], **options)

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = ((mg.matmul(x, self.w) + self.b - y) ** 2).mean(axis=(-2, -1))
        loss.sum().backward()
        self.optimizer.step()
        return loss

    def state(self):
        return [p.tobytes() for p in values(self.optimizer.params)], self.optimizer.steps


def batches(steps):
    rng = np.random.default_rng(1)
    drawn = (rng.standard_normal((6, 6)).astype(np.float32) for _ in range(steps))
    return [(mg.tensor(np.ascontiguousarray(a[:, :4])), mg.tensor(np.ascontiguousarray(a[:, 4:]))) for a in drawn]


@pytest.mark.parametrize("name", ["sgd", "adamw", "radam"])
def test_a_captured_step_takes_every_models_numbers_anew(name, device):
    eager, recorded = Run(name), Run(name)
    step = mg.capture(recorded.step)
    for batch in batches(9):
        expected = eager.step(*batch)
        assert step(*batch).numpy().tolist() == expected.numpy().tolist()
    assert recorded.state() == eager.state()


def test_a_replay_is_one_launch_and_one_small_copy(device):
    run = Run("adamw")
    step = mg.capture(run.step)
    given = batches(4)
    for batch in given[:2]:
        step(*batch)
    for batch in given[2:]:
        device.clear()
        with device.unread():
            step(*batch)
        assert device.launches == ["setitem", "setitem", "graph", "copy"]
        assert [name for name, _ in device.uploads] == ["pinned copy"]


def test_more_numbers_than_a_captured_step_may_take_are_refused(device, monkeypatch):
    monkeypatch.setattr(graphs, "LARGEST", 64)
    run = Run("adamw")
    step = mg.capture(run.step)
    first, second = batches(2)
    step(*first)
    with pytest.raises(ValueError, match="at most 64 bytes of numbers .* train fewer models at once"):
        step(*second)
