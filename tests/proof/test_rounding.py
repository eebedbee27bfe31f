"""The derived bounds: they hold, they are evaluated outwards, and what they assume is checked by name."""

from fractions import Fraction
from math import ulp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.proof import (
    asymptotic_bound,
    contraction,
    coupled_error,
    decoupled_error,
    many_step_bound,
    one_step_bound,
)
from minigrad.proof.rounding import unit_roundoff
from minigrad.regularization import L2, coupled, decoupled
from minigrad.rules import sgd
from tests.strategies import arrays, log_uniform, shapes

DTYPES = [np.float64, np.float32, np.float16]
door2, door3 = coupled(sgd, L2.gradient), decoupled(sgd)


def exactly(x):
    return np.vectorize(Fraction, otypes=[object])(np.asarray(x, dtype=np.float64))


def exact_step(w, g, lr, decay, dtype):
    """z over the rationals, with α as the dtype has it and η as it was given."""
    return (1 - Fraction(decay)) * exactly(w) - Fraction(float(np.dtype(dtype).type(lr))) * exactly(g)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_each_door_keeps_its_own_share_of_the_bound(dtype, data):
    shape = data.draw(shapes())
    w, g = data.draw(arrays(dtype, shape, zero=True)), data.draw(arrays(dtype, shape, zero=True))
    lr, decay = data.draw(log_uniform(1e-3, 8)), data.draw(st.one_of(st.just(0.0), log_uniform(1e-6, 0.999)))
    z = exact_step(w, g, lr, decay, dtype)
    (x,) = door2(w, g, lr=lr, l2=decay / lr)
    (y,) = door3(w, g, lr=lr, decay=decay)
    assert x.dtype == y.dtype == dtype
    assert np.all(abs(exactly(x) - z) <= exactly(coupled_error(w, g, lr, decay)))
    assert np.all(abs(exactly(y) - z) <= exactly(decoupled_error(w, g, lr, decay)))
    assert np.all(abs(exactly(x) - exactly(y)) <= exactly(one_step_bound(w, g, lr, decay)))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_the_bound_holds_among_subnormal_numbers(dtype, data):
    info = np.finfo(dtype)
    tiny = st.integers(-4 * 2**10, 4 * 2**10).map(lambda n: float(info.smallest_subnormal) * n)
    w = np.array(data.draw(st.lists(tiny, min_size=1, max_size=4)), dtype)
    g = np.array(data.draw(st.lists(tiny, min_size=len(w), max_size=len(w))), dtype)
    lr, decay = data.draw(log_uniform(1e-3, 30)), data.draw(log_uniform(1e-7, 0.99))
    with np.errstate(under="ignore"):
        (x,) = door2(w, g, lr=lr, l2=decay / lr)
        (y,) = door3(w, g, lr=lr, decay=decay)
    z = exact_step(w, g, lr, decay, dtype)
    assert np.all(abs(exactly(x) - z) <= exactly(coupled_error(w, g, lr, decay)))
    assert np.all(abs(exactly(y) - z) <= exactly(decoupled_error(w, g, lr, decay)))


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("small", ["l2", "lr"])
@given(data=st.data())
def test_the_bound_holds_where_a_coefficient_itself_underflows(dtype, small, data):
    """Its error is multiplied by the other one: it shows where that is nearly too large for the dtype."""
    info = np.finfo(dtype)
    large = data.draw(log_uniform(float(info.max) / 16, float(info.max) / 4))
    places = data.draw(st.integers(1, 8)) + data.draw(st.sampled_from([-0.49, -0.25, 0.25, 0.49]))
    subnormal = min(places * float(info.smallest_subnormal), 0.9 / large)
    lr, decay = (large if small == "l2" else subnormal), large * subnormal
    high = 64 if small == "l2" else 2  # λw must not overflow
    w, g = data.draw(arrays(dtype, (3,), 1, high)), np.zeros(3, dtype)
    (x,) = door2(w, g, lr=lr, l2=decay / lr)
    error = abs(exactly(x) - exact_step(w, g, lr, decay, dtype))
    assert np.all(error <= exactly(coupled_error(w, g, lr, decay)))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_a_coefficient_kept_through_a_schedule_has_a_bound_of_its_own(dtype, data):
    w, g = data.draw(arrays(dtype, (3,))), data.draw(arrays(dtype, (3,)))
    lr0, decay0, s = data.draw(log_uniform(1e-3, 1)), data.draw(log_uniform(1e-4, 0.9)), data.draw(log_uniform(0.01, 1))
    lr, decay, l2 = s * lr0, s * decay0, decay0 / lr0
    (x,) = door2(w, g, lr=lr, l2=l2)
    (y,) = door3(w, g, lr=lr, decay=decay)
    assert np.all(abs(exactly(x) - exactly(y)) <= exactly(one_step_bound(w, g, lr, decay, l2=l2)))


def test_without_its_additive_term_the_bound_is_beaten_among_subnormal_numbers_of_float16():
    """Where the weights are a few of the smallest numbers, a product errs by half of one, and u|w| is far less."""
    smallest = float(np.finfo(np.float16).smallest_subnormal)
    w, g = (np.arange(1, 64) * smallest).astype(np.float16), np.zeros(63, np.float16)
    lr, decay = 0.5, 0.3
    with np.errstate(under="ignore"):
        (x,), (y,) = door2(w, g, lr=lr, l2=decay / lr), door3(w, g, lr=lr, decay=decay)
    error, wide = abs(exactly(x) - exactly(y)), abs(exactly(w))
    u, eta = Fraction(1, 2**11), Fraction(decay)
    assert np.any(error > 100 * (1 + 8 * u) * u * (2 * (1 - eta) + Fraction(3, 2) + 4 * eta) * wide)
    assert np.all(error <= exactly(one_step_bound(w, g, lr, decay)))


def test_the_largest_coefficient_of_float16_is_that_of_the_dtype():
    w, g = np.array([2.0**-12], np.float16), np.zeros(1, np.float16)
    lr = 2.0**-17
    assert np.all(np.isfinite(one_step_bound(w, g, lr, 65504 * lr)))
    with pytest.raises(ValueError, match="is beyond the largest float16"):
        one_step_bound(w, g, lr, 65536 * lr)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@given(data=st.data())
def test_many_steps_on_given_gradients_stay_within_what_they_add_up_to(dtype, data):
    """The same gradients to both runs: ρ = 1 − η; and into the subnormal numbers, where each step adds its own."""
    w = data.draw(arrays(dtype, (3,)))
    gradients = data.draw(st.lists(arrays(dtype, (3,), 2.0**-4, 2.0, zero=True), min_size=1, max_size=4)) + [0 * w] * 40
    lr, decay = data.draw(log_uniform(1e-2, 0.5)), data.draw(log_uniform(0.01, 0.6))
    x, y, bounds, gaps = w, w, [], []
    with np.errstate(under="ignore"):
        for g in gradients:
            bounds.append(coupled_error(x, g, lr, decay) + decoupled_error(y, g, lr, decay))
            (x,), (y,) = door2(x, g, lr=lr, l2=decay / lr), door3(y, g, lr=lr, decay=decay)
            gaps.append(abs(x.astype(float) - y.astype(float)))
    rho = contraction(lr, decay, dtype=dtype)
    assert rho < 1
    assert np.all(np.stack(gaps) <= many_step_bound(bounds, rho))
    assert np.all(np.stack(gaps) <= asymptotic_bound(bounds, rho))


@given(st.data())
def test_the_evaluation_rounds_outwards_and_hardly_more(data):
    w, g = data.draw(arrays(np.float64, (4,))), data.draw(arrays(np.float64, (4,)))
    lr, decay = data.draw(log_uniform(1e-3, 8)), data.draw(log_uniform(1e-6, 0.999))
    u, a, eta = Fraction(1, 2**53), Fraction(lr), Fraction(decay)
    z, ag, w_ = abs(exact_step(w, g, lr, decay, np.float64)), abs(a * exactly(g)), abs(exactly(w))
    derived = (1 + 8 * u) * u * (2 * z + 3 * ag + (Fraction(3, 2) + 3 * eta) * w_)
    found = exactly(one_step_bound(w, g, lr, decay))
    assert np.all(derived <= found)
    assert np.all(found <= derived * (1 + Fraction(1, 2**40)))


def test_float32_has_one_rounding_more():
    w, g = np.ones(1, np.float32), np.zeros(1, np.float32)
    u, eta = 2.0**-24, 0.5
    expected = u * (2 * (1 - eta) + 1.5 + 4 * eta)
    np.testing.assert_allclose(one_step_bound(w, g, 0.125, eta), expected, rtol=1e-6)
    np.testing.assert_allclose(one_step_bound(w, g, 0.125, eta, np.float64), 2.0**-53 * (1 + 1.5 + 1.5), rtol=1e-6)


def test_no_bound_in_units_of_the_last_place_exists():
    """The weight and the step cancel: the two results differ by many units of their own last place."""
    rng = np.random.default_rng(0)
    w = rng.uniform(1, 2, 100_000)
    lr, decay = 0.1, 0.01
    g = (1 - decay) * w / lr * (1 + rng.uniform(-1e-9, 1e-9, w.shape))
    (x,) = door2(w, g, lr=lr, l2=decay / lr)
    (y,) = door3(w, g, lr=lr, decay=decay)
    assert max(abs(a - b) / ulp(b) for a, b in zip(x.tolist(), y.tolist(), strict=True)) > 1e5
    assert np.all(abs(x - y) <= one_step_bound(w, g, lr, decay))


def test_many_steps_iterate_the_recurrence():
    found = many_step_bound([np.array([1.0, 2.0])] * 3, 0.5)
    np.testing.assert_allclose(found, [[1, 2], [1.5, 3], [1.75, 3.5]], rtol=1e-12)
    np.testing.assert_allclose(many_step_bound([1.0, 1.0], [0.5, 0.25], start=4.0), [3, 1.75], rtol=1e-12)
    assert many_step_bound([], 0.5).shape == (0,)


def test_the_limit_bounds_every_number_of_steps():
    bounds = [np.array([1.0, b]) for b in (0.5, 2.0, 1.0)] * 20
    rho = 0.75
    limit = asymptotic_bound(bounds, rho)
    assert np.all(many_step_bound(bounds, rho) <= limit)
    np.testing.assert_allclose(limit, [4, 8], rtol=1e-12)


def test_a_run_that_does_not_contract_has_no_limit():
    with pytest.raises(ValueError, match="bounded only if rho < 1, got 1"):
        asymptotic_bound([1.0], 1)


@pytest.mark.parametrize("decay", [1e-15, 1e-14])
def test_a_contraction_within_rounding_of_one_is_refused_not_answered_below_zero(decay):
    with pytest.raises(ValueError, match=r"bounded only if rho < 1, got 0\.99999"):
        asymptotic_bound([1e-17], contraction(0.1, decay))
    assert asymptotic_bound([1e-17], contraction(0.1, 1e-12)) >= 1e-17 / 1e-12


@given(log_uniform(1e-13, 1), log_uniform(1e-20, 1e20))
def test_from_the_limit_on_no_step_leads_above_it(left, bound):
    """The recursion's own roundings included: what it never leaves it never exceeds from 0."""
    rho = 1 - left
    limit = asymptotic_bound([bound], rho)
    assert many_step_bound([bound], rho, start=limit)[-1] <= limit


def test_one_contraction_per_step_or_one_for_all():
    with pytest.raises(ValueError, match="got 2 for 3 steps"):
        many_step_bound([1.0] * 3, [0.5, 0.5])


def test_the_contraction_of_given_gradients_is_one_minus_decay_and_of_a_quadratic_knows_its_curvature():
    assert contraction(0.1, 0.25) == 0.75
    assert contraction(0.5, 0.25, curvature=0.5) == 0.5
    assert contraction(0.5, 0.25, curvature=[0.5, 4.0]).tolist() == [0.5, 1.25]
    decay = 0.1
    assert Fraction(contraction(0.1, decay)) >= 1 - Fraction(decay)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_two_runs_on_a_quadratic_stay_within_the_limit(dtype, data):
    """Gradient h(w − c): two roundings of its own, whose size times α belongs to each step's bound.

    Its product may be subnormal: half the smallest subnormal number more, for either run.
    """
    w = data.draw(arrays(dtype, (4,)))
    c, h = data.draw(arrays(dtype, (4,))), data.draw(arrays(dtype, (4,), 2.0**-3, 2.0))
    h = abs(h)
    lr, decay = data.draw(log_uniform(0.05, 0.4)), data.draw(log_uniform(1e-3, 0.1))
    u, a, smallest = unit_roundoff(dtype), float(dtype(lr)), float(np.finfo(dtype).smallest_subnormal)
    x, y, bounds, gaps = w, w, [], []
    for _ in range(60):
        gx, gy = h * (x - c), h * (y - c)
        own = a * (2.01 * u * (abs(gx.astype(float)) + abs(gy.astype(float))) + 2 * smallest)
        bounds.append(coupled_error(x, gx, lr, decay) + decoupled_error(y, gy, lr, decay) + own)
        (x,), (y,) = door2(x, gx, lr=lr, l2=decay / lr), door3(y, gy, lr=lr, decay=decay)
        gaps.append(abs(x.astype(float) - y.astype(float)))
    rho = contraction(lr, decay, curvature=h, dtype=dtype)
    assert np.all(rho < 1)
    assert np.all(np.stack(gaps) <= many_step_bound(bounds, rho))
    assert np.all(np.stack(gaps) <= asymptotic_bound(bounds, rho))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"decay": 1.0}, ValueError, r"decay must be below 1, got 1\.0"),
        ({"decay": -0.1}, ValueError, r"decay must be ≥ 0"),
        ({"decay": float("nan")}, ValueError, "decay must be finite"),
        ({"lr": 0.0}, ValueError, r"lr must be > 0: decay / lr"),
        ({"lr": 1e-30, "decay": 0.5, "dtype": np.float16}, ValueError, r"decay / lr = 0\.5 / 1e-30 is beyond.*float16"),
        ({"lr": 1e39, "dtype": np.float32}, ValueError, r"lr = 1e\+39 is beyond the largest float32"),
        ({"l2": 1e300, "dtype": np.float32}, ValueError, r"l2 = 1e\+300 is beyond the largest float32"),
        ({"w": np.array([np.inf])}, ValueError, "weights and gradients must be finite"),
        ({"g": np.array([1e308]), "lr": 100.0}, ValueError, "may overflow float64"),
        ({"w": np.array([6e4], np.float16)}, ValueError, "may overflow float16"),
        ({"dtype": np.longdouble}, TypeError, "must be one of float64, float32, float16, got (longdouble|float128)"),
        ({"w": np.array([1])}, TypeError, "got int64"),
    ],
)
def test_a_condition_that_does_not_hold_is_named(arguments, error, message):
    arguments = {"w": np.ones(1), "g": np.ones(1), "lr": 0.1, "decay": 0.01} | arguments
    with pytest.raises(error, match=message):
        one_step_bound(**arguments)
