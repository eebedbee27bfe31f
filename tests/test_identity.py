"""λ = η/α: with plain gradient descent, L2 in the gradient and weight decay are one algorithm.

Here the pure functions are at stake, the very ones that train: in exact arithmetic they are equal, in floating point
they differ by no more than the bound derived in `minigrad.proof.rounding`. `test_identity_engine` goes through
``backward()`` and the optimizers. Hypothesis is told the ratio of error to bound, and looks where it is large.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, target
from hypothesis import strategies as st

from minigrad.proof import coupled_error, decoupled_error, many_step_bound, one_step_bound
from minigrad.regularization import L2, coupled, decoupled, plain
from minigrad.rules import sgd
from tests.conftest import LARGEST
from tests.strategies import (
    DRAWS,
    VISIBLE,
    exact_arrays,
    fractions_below_one,
    histories,
    rationals,
    shapes,
    steps,
)

DTYPES = [np.float64, np.float32]
through_gradient, through_update, undecayed = coupled(sgd, L2.gradient), decoupled(sgd), plain(sgd)


def distance(x, y):
    return abs(x.astype(np.float64) - y.astype(np.float64))


def ratio(error, bound):
    return float(np.max(error / bound, initial=0))


def near_the_bound(error, bound):
    """Return the largest error/bound, after telling Hypothesis to look for larger ones."""
    found = ratio(error, bound)
    target(found, label=LARGEST)
    return found


# --- exactly ----------------------------------------------------------------------------------------------------------


@given(rationals(), rationals(), rationals(1, 3), fractions_below_one())
def test_one_step_is_the_same_rational_number(w, g, lr, decay):
    (x,) = through_gradient(w, g, lr=lr, l2=decay / lr)
    (y,) = through_update(w, g, lr=lr, decay=decay)
    assert type(x) is type(y) is Fraction
    assert x == y == (1 - decay) * w - lr * g


@given(st.data(), rationals(1, 3), fractions_below_one())
def test_one_step_is_the_same_array_of_rational_numbers(data, lr, decay):
    shape = data.draw(shapes())
    w, g = data.draw(exact_arrays(shape)), data.draw(exact_arrays(shape))
    (x,) = through_gradient(w, g, lr=lr, l2=decay / lr)
    (y,) = through_update(w, g, lr=lr, decay=decay)
    assert np.shape(x) == np.shape(y) == shape
    assert all(type(a) is type(b) is Fraction and a == b for a, b in zip(np.ravel(x), np.ravel(y), strict=True))


@given(
    rationals(),
    st.lists(st.tuples(rationals(), st.fractions(0, 1, max_denominator=9)), min_size=1, max_size=8),
    rationals(1, 3),
    fractions_below_one(),
)
def test_many_steps_under_any_schedule_that_multiplies_both_end_in_the_same_rational_number(w, history, lr, decay):
    x = y = w
    for g, s in history:
        (x,) = through_gradient(x, g, lr=s * lr, l2=decay / lr)
        (y,) = through_update(y, g, lr=s * lr, decay=s * decay)
    assert type(x) is type(y) is Fraction
    assert x == y


@given(rationals().filter(bool), rationals(), rationals(1, 3), fractions_below_one(), rationals(0, 9))
def test_no_other_coefficient_will_do(w, g, lr, decay, l2):
    (x,) = through_gradient(w, g, lr=lr, l2=l2)
    (y,) = through_update(w, g, lr=lr, decay=decay)
    assert (x == y) == (l2 == decay / lr)


# --- in floating point ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
def test_one_step_agrees_within_the_derived_bound(dtype, record_property):
    DRAWS.clear()
    met = [0.0]

    @given(steps(dtype))
    def property_(step):
        bound = one_step_bound(step.w, step.g, step.lr, step.decay)
        assert np.all(step.decay * abs(step.w) >= VISIBLE * bound)
        (x,) = through_gradient(step.w, step.g, lr=step.lr, l2=step.decay / step.lr)
        (y,) = through_update(step.w, step.g, lr=step.lr, decay=step.decay)
        assert x.dtype == y.dtype == dtype
        error = distance(x, y)
        met.append(near_the_bound(error, bound))
        assert np.all(error <= bound)

    property_()
    record_property(LARGEST, max(met))
    assert DRAWS["rejected"] <= 0.05 * DRAWS["drawn"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_steps_agree_within_the_bound_they_add_up_to(dtype, record_property):
    """And without decay they would be apart by a hundred times that bound."""
    DRAWS.clear()
    met = [0.0]

    @given(histories(dtype))
    def property_(run):
        y, gaps, total = follow(run)
        met.append(near_the_bound(gaps, total))
        assert np.all(gaps <= total)
        without = run.w
        for g, s in zip(run.gradients, run.schedule, strict=True):
            (without,) = undecayed(without, g, lr=s * run.lr)
        assert np.all(distance(without, y) >= VISIBLE * total[-1])

    property_()
    record_property(LARGEST, max(met))
    assert DRAWS["rejected"] <= 0.05 * DRAWS["drawn"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_many_steps_of_any_size_agree_within_the_bound_they_add_up_to(dtype, record_property):
    met = [0.0]

    @given(histories(dtype, visible=False))
    def property_(run):
        _, gaps, total = follow(run)
        met.append(near_the_bound(gaps, total))
        assert np.all(gaps <= total)

    property_()
    record_property(LARGEST, max(met))


def follow(run):
    """Run both doors on the same gradients; return door 3's end, the distance after each step, and its bound."""
    x = y = run.w
    gaps, bounds, rhos, l2 = [], [], [], run.decay / run.lr
    for g, s in zip(run.gradients, run.schedule, strict=True):
        lr, decay = s * run.lr, s * run.decay
        bounds.append(coupled_error(x, g, lr, decay, l2=l2) + decoupled_error(y, g, lr, decay))
        rhos.append(1 - decay)
        (x,) = through_gradient(x, g, lr=lr, l2=l2)
        (y,) = through_update(y, g, lr=lr, decay=decay)
        gaps.append(distance(x, y))
    assert x.dtype == y.dtype == run.w.dtype
    return y, np.stack(gaps), many_step_bound(bounds, rhos)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bound_is_hardly_larger_than_what_a_search_attains(dtype, record_property):
    """Roundings are relatively largest just above powers of two: look there. A bound twice too large would be idle."""
    rng = np.random.default_rng(0)
    largest = 0.0
    for _ in range(400):
        lr, decay = float(np.exp(rng.uniform(-7, 0))), float(np.exp(rng.uniform(-4.5, -0.7)))
        w = (1 + rng.exponential(0.1, 4000)).astype(dtype)
        step = rng.choice([-1.0, 1.0], 4000) * 2.0 ** rng.integers(-2, 3, 4000) * (1 + rng.exponential(0.1, 4000))
        g = (step / lr).astype(dtype)
        (x,) = through_gradient(w, g, lr=lr, l2=decay / lr)
        (y,) = through_update(w, g, lr=lr, decay=decay)
        largest = max(largest, ratio(distance(x, y), one_step_bound(w, g, lr, decay)))
    record_property(LARGEST, largest)
    assert 0.5 <= largest <= 1


def test_a_test_in_units_of_the_last_place_would_fail_where_the_bound_holds():
    """One reason for the bound: w and αg nearly cancel, and the last places of the rest are noise."""
    w, g, lr, decay = np.array([1.0]), np.array([9.899999999]), 0.1, 0.01
    (x,) = through_gradient(w, g, lr=lr, l2=decay / lr)
    (y,) = through_update(w, g, lr=lr, decay=decay)
    assert distance(x, y) > 1000 * np.spacing(abs(y))
    assert np.all(distance(x, y) <= one_step_bound(w, g, lr, decay))
