"""Optimizer(..., executor=...)."""

import sys

import numpy as np
import pytest

from minigrad import optim
from minigrad.executors import choose, plain
from minigrad.nn.parameter import Parameter
from minigrad.regularization import L1, L2, ElasticNet
from tests.optim.making import parameters, run

MAKERS = {
    "sgd": lambda p, **k: optim.SGD(p, 0.1, **k),
    "sgdw": lambda p, **k: optim.SGDW(p, 0.1, **k),
    "adamw": lambda p, **k: optim.AdamW(p, 0.1, **k),
    "nadam": lambda p, **k: optim.NAdam(p, 0.1, **k),
    "radam": lambda p, **k: optim.RAdam(p, 0.1, **k),
    "lion": lambda p, **k: optim.Lion(p, 0.1, **k),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp()))
    monkeypatch.setattr(choose, "SMALL", 1)
    monkeypatch.setattr(choose, "LARGE", 1000)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("executor", ["auto", "numpy", plain.execute])
def test_the_executor_changes_no_bit_of_a_run(executor, name, dtype):
    found = run(MAKERS[name](parameters(dtype=dtype), decay=0.1, executor=executor), 8)
    expected = run(MAKERS[name](parameters(dtype=dtype), decay=0.1, executor="plain"), 8)
    assert all(x.tobytes() == y.tobytes() for x, y in zip(found, expected, strict=True))


@pytest.mark.parametrize("at", ["gradient", "prox"])
@pytest.mark.parametrize("penalty", [L2(0.1), L1(0.1), ElasticNet(0.1, 0.2)], ids=lambda p: type(p).__name__)
def test_nor_does_it_behind_the_other_doors(penalty, at):
    ours = {"regularizer": penalty, "at": at}
    found = run(optim.Adam(parameters(), **ours, executor="numpy"), 4)
    expected = run(optim.Adam(parameters(), **ours, executor="plain"), 4)
    assert all(x.tobytes() == y.tobytes() for x, y in zip(found, expected, strict=True))


def test_numba_in_a_run():
    pytest.importorskip("numba")
    found = run(optim.AdamW(parameters(), decay=0.1, executor="numba"), 4)
    expected = run(optim.AdamW(parameters(), decay=0.1, executor="plain"), 4)
    assert all(x.tobytes() == y.tobytes() for x, y in zip(found, expected, strict=True))


def test_an_unknown_executor_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="unknown executor 'nunpy'; did you mean 'numpy'"):
        optim.SGD(parameters(), 0.1, executor="nunpy")


def test_numba_that_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match='the extra "fast"'):
        optim.SGD(parameters(), 0.1, executor="numba")


def test_a_rule_that_cannot_be_traced_is_refused_when_an_executor_is_named_and_run_otherwise():
    def clipped(g, *, lr):
        delta = lr * np.clip(g, -1, 1)
        return (delta,)

    line = clipped.__code__.co_firstlineno + 1
    with pytest.raises(TypeError, match=rf"test_executor\.py:{line}: "):
        optim.Optimizer(parameters(), clipped, 0.1, executor="numpy")
    found = run(optim.Optimizer(parameters(), clipped, 0.1), 2)
    expected = run(optim.Optimizer(parameters(), clipped, 0.1, executor="plain"), 2)
    assert all(x.tobytes() == y.tobytes() for x, y in zip(found, expected, strict=True))


def test_a_rule_of_the_users_own_is_emitted_like_any_other():
    def signed(g, m, *, lr, momentum):
        m = momentum * m + (1 - momentum) * g
        delta = lr * m / (abs(m) + 1)
        return delta, m

    own = {"momentum": 0.9}
    found = run(optim.Optimizer(parameters(), signed, 0.1, own, decay=0.1, executor="numpy"), 3)
    expected = run(optim.Optimizer(parameters(), signed, 0.1, own, decay=0.1, executor="plain"), 3)
    assert all(x.tobytes() == y.tobytes() for x, y in zip(found, expected, strict=True))


def test_a_schedule_of_numbers_needs_no_other_kernel():
    optimizer = optim.SGD([Parameter(np.ones(3))], lambda k: 1 / (k + 1), l2=0.5, on="all", executor="numpy")
    run(optimizer, 5)
    assert [len(kernels) for kernels in optimizer.executor._known.values()] == [1]
