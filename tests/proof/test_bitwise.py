"""When the doors agree to the last bit: what is counted is true, and what is stated holds, and no more is claimed."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from minigrad.proof import bitwise
from minigrad.proof.bitwise import InexactError, Operand, agreeing_steps, exact_steps, nearest, share_equal
from minigrad.regularization import L2, coupled, decoupled
from minigrad.rules import sgd
from tests.strategies import arrays, log_uniform

DTYPES = [np.float64, np.float32, np.float16]
door2, door3 = coupled(sgd, L2.gradient), decoupled(sgd)


def run(w, gradients, lr, decay, dtype):
    """Yield x, y after every step of doors 2 and 3, each from its own weights."""
    x = y = np.atleast_1d(np.asarray(w, dtype))
    for given_ in gradients:
        g = np.broadcast_to(np.asarray(given_, dtype), x.shape)
        (x,), (y,) = door2(x, g, lr=lr, l2=decay / lr), door3(y, g, lr=lr, decay=decay)
        assert x.dtype == y.dtype == dtype
        yield x, y


def dyadic(bits, low=-4, high=4):
    """Odd-or-even integers of a few bits, times a power of two."""
    return st.builds(lambda n, e: float(n) * 2.0**e, st.integers(-(2**bits) + 1, 2**bits - 1), st.integers(low, high))


POWERS = st.integers(-4, 3).map(lambda e: 2.0**e)
DECAYS = st.one_of(
    st.integers(1, 6).map(lambda m: 2.0**-m),
    st.builds(lambda n, m: n % 2**m / 2.0**m, st.integers(0, 63), st.integers(1, 6)),
)
LRS = st.one_of(POWERS, st.sampled_from([0.75, 1.5, 3.0, 0.375]))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_for_the_counted_steps_both_runs_are_exact_and_equal_to_the_last_bit(dtype, data):
    w, lr, decay = data.draw(dyadic(4)), data.draw(LRS), data.draw(DECAYS)
    gradients = data.draw(st.lists(st.one_of(st.just(0.0), dyadic(3)), min_size=1, max_size=12))
    counted = exact_steps(w, gradients, lr, decay, dtype)
    assume(counted > 0)
    z = Fraction(w)
    for (x, y), g in zip(run(w, gradients[:counted], lr, decay, dtype), gradients, strict=False):
        z = (1 - Fraction(decay)) * z - Fraction(lr) * Fraction(g)
        assert Fraction(float(x[0])) == z
        assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_where_only_the_last_operation_rounds_the_bits_agree(dtype, data):
    w = data.draw(st.one_of(dyadic(4), arrays(dtype, (1,)).map(lambda a: float(a[0]))))
    lr, decay = data.draw(LRS), data.draw(DECAYS)
    gradients = data.draw(st.lists(st.one_of(st.just(0.0), dyadic(3, -12, 0)), min_size=1, max_size=40))
    counted = agreeing_steps(w, gradients, lr, decay, dtype)
    assert counted >= exact_steps(w, gradients, lr, decay, dtype)
    assume(counted > 0)
    for x, y in run(w, gradients[:counted], lr, decay, dtype):
        assert x.tobytes() == y.tobytes()


@pytest.mark.parametrize(("dtype", "steps"), [(np.float64, 33), (np.float32, 15), (np.float16, 6)])
def test_three_quarters_to_the_power_of_t_is_exact_while_three_to_the_t_has_few_enough_bits(dtype, steps):
    bits = np.finfo(dtype).nmant + 1
    assert 3**steps < 2**bits < 3 ** (steps + 1)
    assert exact_steps(1.0, [0] * 100, 0.25, 0.25, dtype) == steps
    found = [Fraction(float(x[0])) for x, _ in run(1.0, [0] * (steps + 1), 0.25, 0.25, dtype)]
    exact = [Fraction(3, 4) ** t for t in range(1, steps + 2)]
    assert found[:-1] == exact[:-1]
    assert found[-1] != exact[-1]


@pytest.mark.parametrize("dtype", DTYPES)
def test_after_the_exact_steps_the_runs_may_go_on_agreeing(dtype):
    exact, agreeing = (count(1.0, [0] * 40, 0.25, 0.25, dtype) for count in (exact_steps, agreeing_steps))
    assert agreeing > exact
    assert all(x.tobytes() == y.tobytes() for x, y in run(1.0, [0] * agreeing, 0.25, 0.25, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_with_powers_of_two_and_no_gradient_all_bits_agree_for_any_weights(dtype, data):
    w = data.draw(arrays(dtype, (3,)))
    i, m = data.draw(st.integers(-3, 3)), data.draw(st.integers(1, 5))
    assert agreeing_steps(w, [0] * 6, 2.0**i, 2.0**-m, dtype) == 6
    assert all(x.tobytes() == y.tobytes() for x, y in run(w, [0] * 6, 2.0**i, 2.0**-m, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_without_decay_all_bits_agree_for_ever(dtype, data):
    w, lr = data.draw(arrays(dtype, (3,), zero=True)), data.draw(log_uniform(1e-3, 8))
    gradients = data.draw(st.lists(arrays(dtype, (3,), zero=True), min_size=1, max_size=6))
    assert all(x.tobytes() == y.tobytes() for x, y in run(w, gradients, lr, 0.0, dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_from_zero_weights_all_bits_agree_for_one_step(dtype, data):
    g, zero = data.draw(arrays(dtype, (3,), zero=True)), data.draw(st.sampled_from([0.0, -0.0]))
    lr, decay = data.draw(log_uniform(1e-3, 8)), data.draw(log_uniform(1e-6, 0.999))
    for signed in (g, -g):
        ((x, y),) = run(np.full(3, zero), [signed], lr, decay, dtype)
        assert x.tobytes() == y.tobytes()


def test_what_is_not_counted_may_differ():
    """The decay of the everyday, 0.01 at α = 0.1, is not counted, and the bits do differ."""
    w = np.linspace(1, 2, 100)
    assert exact_steps(w, [0.5], 0.1, 0.01) == agreeing_steps(w, [0.5], 0.1, 0.01) == 0
    ((x, y),) = run(w, [0.5], 0.1, 0.01, np.float64)
    assert np.any(x != y)


@pytest.mark.parametrize("dtype", DTYPES)
def test_about_two_thirds_of_random_steps_agree_by_chance(dtype):
    assert 0.6 <= share_equal(dtype, draws=50_000) <= 0.7


@pytest.mark.parametrize("dtype", DTYPES)
@given(st.floats(-6e4, 6e4), st.integers(-40, 0))
def test_nearest_is_the_rounding_of_the_dtype(dtype, x, e):
    x = x * 2.0**e
    with np.errstate(under="ignore"):
        assert nearest(Fraction(x), dtype) == Fraction(float(dtype(x)))


@given(st.integers(1, 2**70), st.integers(-1100, -1000))
def test_nearest_rounds_rationals_among_subnormal_numbers(n, e):
    x = Fraction(n) * Fraction(2) ** e / 3
    assert nearest(x, np.float64) == Fraction(float(x))
    assert nearest(-x, np.float64) == Fraction(float(-x))


def test_an_operand_is_refused_where_it_is_used_not_where_it_arises():
    third = Operand(Fraction(1), np.float32) / 3
    assert third.value == Fraction(1, 3)
    for use in (lambda x: x + 1, lambda x: 1 - x, lambda x: 2 * x, lambda x: x / 2, lambda x: 1 + x, lambda x: x * x):
        with pytest.raises(InexactError, match="1/3 is no float32"):
            use(third)
    assert (third - 0).value == third.value


def test_overflow_ends_the_count():
    assert exact_steps(0.0, [-(2.0**15)] * 9, 1.0, 0.0, np.float16) == 1
    with pytest.raises(InexactError, match="beyond the largest float16"):
        nearest(Fraction(70_000), np.float16)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_numbers_that_enter_rounded_are_not_counted(dtype):
    assert exact_steps(1.0, [1.0], 0.1, 0.5, dtype) == 0
    assert exact_steps(1.0, [1.0], 0.5, 0.1, dtype) == 0


@pytest.mark.parametrize("door", ["DOOR2", "DOOR3"])
def test_nothing_is_counted_for_doors_that_differ(door, monkeypatch):
    true, name = getattr(bitwise, door), "l2" if door == "DOOR2" else "decay"
    monkeypatch.setattr(bitwise, door, lambda w, g, **h: true(w, g, **{**h, name: h[name] * 2}))
    assert agreeing_steps(1.0, [0.0] * 3, 0.25, 0.25) == 0


def test_every_weight_counts():
    assert exact_steps([1.0, 0.1], [0.0] * 3, 0.25, 0.25) == 0
    assert exact_steps([1.0, 3.0], [[0.0, 1.0]] * 3, 0.25, 0.25) == 3


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"lr": 0.0}, ValueError, "lr must be > 0"),
        ({"decay": 1.0}, ValueError, r"decay must be below 1, got 1\.0"),
        ({"decay": -0.5}, ValueError, "decay must be ≥ 0"),
        ({"dtype": np.int64}, TypeError, "dtype must be one of float64, float32, float16, got int64"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    arguments = {"w": 1.0, "gradients": [0.0], "lr": 0.25, "decay": 0.25} | arguments
    with pytest.raises(error, match=message):
        exact_steps(**arguments)
