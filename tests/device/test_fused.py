"""One launch per group, from the traced rule, with the host's bits; the emitted kernels run here compiled as C."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, optim
from minigrad.executors import cuda, plain
from minigrad.executors.branches import branches
from minigrad.executors.fused import Fused
from minigrad.executors.kernel import kernel
from minigrad.regularization import L1, L2, ElasticNet
from tests.device.machine import Event
from tests.device.runs import OPTIMIZERS
from tests.device.standin import cupy
from tests.executors.emitting import OWN, case, drawn, same
from tests.optim.making import give, gradients, parameters, run, values


def on_the_host(make, steps, dtype):
    with mg.use_backend("numpy"):
        return run(make(parameters(dtype=dtype), executor="plain"), steps)


def equal(found, expected):
    return all(x.tobytes() == y.tobytes() for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_is_one_launch_per_group_with_the_hosts_bits(name, dtype, device):
    def make(p, **executor):
        return OPTIMIZERS[name](p, decay=0.1, on="weights", schedule=lambda k: 1 / (k + 1), **executor)

    optimizer = make(parameters(dtype=dtype))
    for k in range(9):  # RAdam takes its other branch from the sixth on
        give(optimizer.params, gradients(optimizer.params, 1 + k))
        device.clear()
        with device.unread():
            optimizer.step()
        assert [x for x in device.launches if x != "setitem"] == ["update"] * len(optimizer.groups) == ["update"] * 2
        assert [name for name, _ in device.uploads] == ["pinned copy"] * 2
    assert equal(values(optimizer.params), on_the_host(make, 9, dtype))


@pytest.mark.parametrize("at", ["gradient", "prox"])
@pytest.mark.parametrize("penalty", [L2(0.1), L1(0.1), ElasticNet(0.1, 0.2)], ids=lambda p: type(p).__name__)
def test_the_other_doors_are_fused_too(penalty, at, device):
    def make(p, **executor):
        return optim.Adam(p, regularizer=penalty, at=at, **executor)

    found = run(make(parameters(dtype=np.float32)), 3)
    assert "update" in device.launches
    assert equal(found, on_the_host(make, 3, np.float32))


@pytest.mark.parametrize("t", [3, 30])
def test_of_a_kernel_with_branches_one_is_executed(t, device):
    c = case("radam/decay")
    numbers = c.numbers() | {"t": t}
    data = drawn(("w", "g", *c.names), np.float32)
    with np.errstate(all="ignore"):
        expected = c.step(data["w"], data["g"], *c.state(data), **numbers)
        there = {name: cupy.asarray(x) for name, x in data.items()}
        Fused(c.names)(c.step, there["w"], there["g"], c.state(there), numbers)
    assert same(expected, [backend.to_host(there[name]) for name in ("w", *c.names)])


@pytest.mark.parametrize("executor", [plain.execute, Fused(("m", "v"))])
@pytest.mark.parametrize("name", OWN)
def test_rules_of_a_user_write_what_they_return(name, executor, device):
    c = case(f"{name}/decay")
    data = drawn(("w", "g", *c.names), np.float32)
    with np.errstate(all="ignore"):
        expected = c.step(data["w"], data["g"], *c.state(data), **c.numbers())
        there = {name: cupy.asarray(x) for name, x in data.items()}
        executor(c.step, there["w"], there["g"], c.state(there), c.numbers())
    assert same(expected, [backend.to_host(there[name]) for name in ("w", *c.names)])


def test_a_rule_without_branches_has_none_in_its_kernel_and_one_with_two_has_both():
    for name, count in (("adam/decay", 0), ("radam/decay", 2)):
        c = case(name)
        text = cuda.source([kernel(t) for t in branches(c.step, c.names, c.hyper)])
        assert text.count("if (numbers[0] ==") == count


def unsuitable():
    whole = cupy.asarray(np.ones(8, np.float32))
    yield "overlapping", whole[:4], whole[2:6]
    yield "strided", whole[::2], cupy.asarray(np.ones(4, np.float32))
    yield "float16", whole[:4].astype(np.float16), whole[4:].astype(np.float16)


def test_arrays_that_a_kernel_cannot_take_are_updated_plainly(device):
    c = case("sgd/plain")
    for what, w, g in unsuitable():
        expected = w.copy()
        plain.execute(c.step, expected, g.copy(), [], {"lr": 0.5})
        device.clear()
        Fused(())(c.step, w, g, [], {"lr": 0.5})
        assert "update" not in device.launches, what
        assert w.tolist() == expected.tolist()


def test_a_rule_that_cannot_be_traced_is_updated_plainly(device):
    def clipped(g, *, lr):
        delta = lr * g.clip(-1, 1)
        return (delta,)

    p = parameters(dtype=np.float32)
    run(optim.Optimizer(p, clipped, 0.1), 2)
    assert "update" not in device.launches
    with pytest.raises(TypeError, match=r"test_fused\.py:"):
        optim.Optimizer(p, clipped, 0.1, executor="cuda")


def test_numbers_are_never_written_over_what_is_in_flight(device, monkeypatch):
    monkeypatch.setattr(Event, "_busy", True)
    ring = backend.Ring(nbytes=16, slots=3)
    sent = [ring.send(np.array([float(k)])) for k in range(3)]
    assert device.waits == []
    assert [x.tolist() for x in sent] == [[0.0], [1.0], [2.0]]
    device.clear()
    ring.send(np.array([3.0]))
    assert device.waits == ["Event.synchronize"]


def test_a_source_that_does_not_compile_raises_with_the_compilers_log(device):
    with pytest.raises(RuntimeError, match="error: #error"):
        backend.compiled("#error", "sm_90")
