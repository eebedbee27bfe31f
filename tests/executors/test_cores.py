"""A loop on one core or on all: the same entries, the faster way."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.executors import cores
from minigrad.executors.cores import TRIALS, Cores


def on(monkeypatch, count, least=1):
    monkeypatch.setattr(cores, "_count", lambda: count)
    monkeypatch.setattr(cores, "LEAST", least)


@given(size=st.integers(0, 50), count=st.integers(1, 5))
def test_every_entry_is_taken_once_whichever_way(size, count):
    with pytest.MonkeyPatch.context() as patch:
        on(patch, count)
        x, y = np.zeros(size), np.arange(size)

        def loop(x, y, step):
            x += y + step

        run = Cores(loop)
        for _ in range(2 * TRIALS + 1):
            run([x, y], [1])
        assert (x == (2 * TRIALS + 1) * (np.arange(size) + 1)).all()
        assert (y == np.arange(size)).all()


@pytest.mark.parametrize(("one", "many"), [(3.0, 1.0), (1.0, 3.0)])
def test_after_the_trials_the_faster_way_stays_for_this_size(monkeypatch, one, many):
    on(monkeypatch, 2)
    clock, calls, me = [0.0], [], threading.get_ident()

    def loop(x):
        whole = x.size == 100
        calls.append(whole)
        if whole or threading.get_ident() == me:
            clock[0] += one if whole else many

    monkeypatch.setattr(cores.time, "perf_counter", lambda: clock[0])
    run = Cores(loop)
    for _ in range(2 * TRIALS):
        run([np.zeros(100)], [])
    assert calls.count(True) == TRIALS
    calls.clear()
    for _ in range(20):
        run([np.zeros(100)], [])
    assert set(calls) == {one < many}


def test_short_arrays_wake_no_other_core(monkeypatch):
    on(monkeypatch, 2, least=1000)
    sizes = []
    run = Cores(lambda x: sizes.append(x.size))
    for _ in range(3 * TRIALS):
        run([np.zeros(999)], [])
    assert set(sizes) == {999}


def test_an_error_on_another_core_reaches_the_caller(monkeypatch):
    on(monkeypatch, 2)
    me = threading.get_ident()

    def loop(x):
        if threading.get_ident() != me:
            raise ZeroDivisionError("there")

    run = Cores(loop)
    run([np.zeros(10)], [])
    with pytest.raises(ZeroDivisionError, match="there"):
        run([np.zeros(10)], [])
