"""The steps before and after compute the same; what a step must keep is counted."""

import numpy as np
import pytest

import minigrad as mg
from minigrad.lab.bench import footprint, lessons
from minigrad.lab.bench.contenders import of_lessons
from minigrad.lab.bench.job import SkippedError
from minigrad.lab.bench.turns import _off


def test_every_lesson_has_a_before_and_an_after_and_none_is_quick():
    assert list(of_lessons.PAIRS) == list(lessons.LESSONS)
    assert lessons.cases(quick=True) == []


@pytest.mark.parametrize("case", lessons.cases(quick=False), ids=lambda c: c.name)
def test_both_compute_the_same_up_to_rounding(case):
    try:
        before, after = (of_lessons.make(name, case.task) for name in ("before", "after"))
    except SkippedError as skipped:
        pytest.skip(str(skipped))
    assert _off(after.values, before.values, case) <= 1
    assert max(map(abs, before.values)) > 0


@pytest.mark.parametrize("broken", [0, 1])
def test_a_step_that_computes_something_else_is_seen(monkeypatch, broken):
    name = "Sums over a batch"
    pair = list(of_lessons.PAIRS[name])
    pair[broken] = lambda: of_lessons._sums(lambda x: 1.01 * x.sum(axis=(0, 1, 2)))
    monkeypatch.setitem(of_lessons.PAIRS, name, tuple(pair))
    (case,) = (c for c in lessons.cases(quick=False) if c.name == name)
    before, after = (of_lessons.make(which, case.task) for which in ("before", "after"))
    assert _off(after.values, before.values, case) > 1


# --- memory -----------------------------------------------------------------------------------------------------------

N = 1000


def chain(step, length=5):
    y = mg.tensor(np.full(N, 0.5), requires_grad=True)
    for _ in range(length):
        y = step(y)
    return y


@pytest.mark.parametrize(
    ("step", "arrays"),
    [
        (mg.tanh, 5),  # each result
        (mg.sin, 4),  # each operand; the first is a leaf
        (lambda y: y + 1.0, 0),
        (lambda y: y * y, 4),
        (lambda y: mg.relu(mg.tanh(y)), 10),
    ],
)
def test_what_the_way_back_reads_is_counted_once_and_nothing_else_is(step, arrays):
    assert footprint.must_be_kept(chain(step)) == arrays * N * 8


def test_the_peak_of_a_step_lies_above_what_must_be_kept_by_the_gradients_in_flight():
    def backward(loss):
        loss.backward()

    found = footprint.measure(lambda: mg.sum(chain(mg.tanh)), backward)
    assert found["held_bytes"] == 5 * N * 8
    assert found["held_bytes"] < found["peak_bytes"] < found["held_bytes"] + 6 * N * 8
