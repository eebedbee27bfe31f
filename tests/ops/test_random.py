"""Threefry against its authors' known answers, and dropout's masks against what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import random

words = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # Random123, tests/kat_vectors, threefry2x32 20
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF, 0xFFFFFFFF), (0xFFFFFFFF, 0xFFFFFFFF), (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_threefry_gives_the_known_answers(key, counter, expected):
    found = random.threefry(key, tuple(np.array([c], np.uint32) for c in counter))
    assert tuple(int(w[0]) for w in found) == expected
    assert all(w.dtype == np.uint32 for w in found)


def test_threefry_does_not_write_its_counter():
    counter = np.arange(3, dtype=np.uint32), np.zeros(3, np.uint32)
    random.threefry((1, 2), counter)
    np.testing.assert_array_equal(counter, [[0, 1, 2], [0, 0, 0]])


@given(key=st.tuples(words, words), step=words, n=st.integers(0, 9), m=st.integers(0, 9))
def test_bits_depend_on_key_step_and_place_alone(key, step, n, m):
    bits = random.uniform_bits(np, key, step, (n * m,))
    np.testing.assert_array_equal(random.uniform_bits(np, key, step, (n, m)), bits.reshape(n, m))
    np.testing.assert_array_equal(random.uniform_bits(np, key, step, (n * m + 3,))[: n * m], bits)


def test_other_steps_and_keys_give_other_bits():
    bits = [random.uniform_bits(np, key, step, (64,)) for key, step in (((0, 1), 0), ((0, 1), 1), ((1, 1), 0))]
    assert len(np.unique(bits)) == 3 * 64


@given(rate=st.floats(0, 1, exclude_max=True), key=st.tuples(words, words), step=words)
def test_dropout_zeroes_or_divides_by_the_share_that_is_kept(rate, key, step):
    x = mg.tensor(np.arange(1.0, 13).reshape(3, 4), requires_grad=True)
    y = mg.dropout(x, rate, key, step)
    kept = random.uniform_bits(np, key, step, (3, 4)) >= int(rate * 2**32)
    np.testing.assert_array_equal(y.data, np.where(kept, x.data / (1 - rate), 0))
    y.backward(np.ones((3, 4)))
    np.testing.assert_array_equal(x.grad, kept / (1 - rate))


def test_dropout_drops_its_share():
    # The number kept is binomial; 6 standard deviations either way.
    n, rate = 100_000, 0.3
    dropped = np.sum(mg.dropout(np.ones(n), rate, (7, 9), 3).data == 0)
    assert abs(dropped - rate * n) < 6 * np.sqrt(n * rate * (1 - rate))


def test_dropout_at_rate_0_keeps_everything():
    x = np.arange(5.0)
    np.testing.assert_array_equal(mg.dropout(x, 0, (1, 2), 0).data, x)


def test_a_numpy_rate_does_not_promote():
    assert mg.dropout(np.ones(3, np.float32), np.float64(0.5), (1, 2), 0).dtype == np.float32


def test_dropout_makes_the_same_mask_when_it_is_differentiated_twice():
    x = np.arange(1.0, 9)
    v = np.ones(8)
    hessian_row = mg.hvp(lambda x: (mg.dropout(x, 0.5, (3, 4), 5) ** 2).sum())(x, v)
    np.testing.assert_array_equal(hessian_row, np.where(mg.dropout(x, 0.5, (3, 4), 5).data != 0, 8, 0))
