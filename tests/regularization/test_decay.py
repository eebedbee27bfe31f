"""Decay: what η is under each convention, which λ belongs to it, and normalised decay."""

import math
from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.regularization import L2, Decay, coupled, decoupled, normalized
from minigrad.regularization.selection import selector
from minigrad.rules import sgd
from tests.strategies import fractions_below_one, rationals

positive = rationals(1, 3)


@given(fractions_below_one(), fractions_below_one(), fractions_below_one())
def test_the_fraction_removed_is_the_rate_times_nothing_the_schedule_or_the_learning_rate(rate, lr, s):
    assert Decay(rate, times=None).fraction(0, s * lr, s) == rate
    assert Decay(rate, times="schedule").fraction(0, s * lr, s) == s * rate
    assert Decay(rate, times="lr").fraction(0, s * lr, s) == s * lr * rate


@pytest.mark.parametrize("times", [None, "schedule", "lr"])
@given(
    w=rationals(), g=rationals(), rate=fractions_below_one(), lr=fractions_below_one(),
    schedule=st.lists(fractions_below_one(), min_size=1, max_size=4),
)  # fmt: skip
def test_the_coefficient_that_the_docstring_gives_makes_plain_sgd_take_the_same_steps(times, w, g, rate, lr, schedule):
    decay, x, y = Decay(rate, times), w, w
    for t, s in enumerate(schedule):
        l2 = {None: rate / (s * lr), "schedule": rate / lr, "lr": rate}[times]
        (x,) = coupled(sgd, L2.gradient)(x, g, lr=s * lr, l2=l2)
        (y,) = decoupled(sgd)(y, g, lr=s * lr, decay=decay.fraction(t, s * lr, s))
    assert x == y


def test_decay_follows_the_schedule_on_all_parameters_unless_told_otherwise():
    decay = Decay(0.1)
    assert (decay.times, decay.on) == ("schedule", "all")
    assert repr(decay) == "Decay(0.1, times='schedule', on='all')"


def test_a_rate_may_depend_on_the_step():
    assert Decay(lambda step: step / 10, times=None).fraction(3, 1.0, 1.0) == 0.3
    with pytest.raises(ValueError, match=r"decay at step 2 must be ≥ 0, got -1"):
        Decay(lambda step: 1 - step).fraction(2, 1.0, 1.0)
    with pytest.raises(ValueError, match=r"decay at step 0 must be finite, got nan"):
        Decay(lambda step: math.nan).fraction(0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Decay(-0.1), ValueError, r"decay must be ≥ 0, got -0\.1"),
        (lambda: Decay(math.inf), ValueError, "decay must be finite, got inf"),
        (lambda: Decay(10**400), ValueError, "decay must be finite, got 1000"),  # an integer beyond the floats
        (lambda: Decay("0.1"), TypeError, r"decay must be a real number, got '0\.1'"),
        (lambda: Decay(0.1, times="step"), ValueError, 'times must be None, "schedule" or "lr", got \'step\''),
        (lambda: Decay(0.1, on="biases"), ValueError, "got 'biases'"),
        (
            lambda: Decay(1.0, times=None).fraction(7, 0.1, 1.0), ValueError,
            r"remove the fraction 1\.0 of every weight at step 7 \(rate 1\.0, times=None\); it must stay below 1",
        ),
        (lambda: Decay(0.5).fraction(0, 0.1, 2.0), ValueError, r"fraction 1\.0 .*times='schedule'"),
        (lambda: Decay(20.0, times="lr").fraction(0, 0.1, 1.0), ValueError, r"fraction 2\.0 .*times='lr'"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_decay_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 30), st.floats(0.001, 1))
def test_normalised_decay_is_over_the_root_of_the_number_of_updates_the_last_short_batch_included(size, n, epochs, c):
    updates = sum(1 for _ in range(epochs) for _ in range(0, n, size))
    found = normalized(c, batch_size=size, examples=n, epochs=epochs)
    assert type(found) is float
    assert found == c / math.sqrt(updates)


@given(st.integers(1, 9), st.integers(1, 9))
def test_normalised_decay_halves_when_a_run_is_four_times_as_long(size, epochs):
    arguments = {"batch_size": size, "examples": 50}
    short, long = normalized(0.5, epochs=epochs, **arguments), normalized(0.5, epochs=4 * epochs, **arguments)
    assert long == pytest.approx(short / 2, rel=1e-15)


def test_numpy_integers_count_batches_examples_and_epochs():
    counts = {"batch_size": 4, "examples": 10, "epochs": 2}
    assert normalized(0.1, **{name: np.int64(n) for name, n in counts.items()}) == normalized(0.1, **counts)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"batch_size": 0}, "batch_size must be an integer ≥ 1, got 0"),
        ({"examples": 10.0}, r"examples must be an integer ≥ 1, got 10\.0"),
        ({"epochs": True}, "epochs must be an integer ≥ 1, got True"),
        ({"decay_norm": -1}, "decay_norm must be ≥ 0, got -1"),
    ],
)
def test_what_cannot_be_normalised_is_refused_by_name(wrong, message):
    arguments = {"decay_norm": 0.1, "batch_size": 4, "examples": 10, "epochs": 2} | wrong
    with pytest.raises(ValueError, match=message):
        normalized(arguments.pop("decay_norm"), **arguments)


# --- which parameters -------------------------------------------------------------------------------------------------


def test_a_choice_of_parameters_is_a_word_or_a_predicate_on_the_role():
    roles = [SimpleNamespace(role=role) for role in ("weight", "bias", "scale")]
    assert [selector("weights")(p) for p in roles] == [True, False, False]
    assert [selector("all")(p) for p in roles] == [True, True, True]
    assert [selector(lambda p: p.role == "scale")(p) for p in roles] == [False, False, True]
    assert selector("weights")(np.ones(2))  # what has no role is a weight


@pytest.mark.parametrize("on", ["weight", "biases", None, 3])
def test_any_other_choice_is_refused(on):
    with pytest.raises(ValueError, match='on must be "weights", "all" or a predicate on a parameter'):
        selector(on)


def test_the_fraction_stays_a_rational_number():
    assert type(Decay(Fraction(1, 10)).fraction(0, Fraction(1, 3), Fraction(1, 2))) is Fraction
