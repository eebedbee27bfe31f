"""Values against plain definitions, written as loops, and exact arithmetic."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import minigrad as mg
from minigrad.ops import shaping
from tests.ops.cases import INDICES, Source

sizes = st.integers(1, 3)


def integers(rng, *shape):
    """Floats without rounding: small integers."""
    return rng.integers(-4, 5, shape).astype(float)


@given(st.integers(0, 99), sizes, sizes, st.tuples(sizes, sizes), st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_conv2d_is_the_sum_over_the_window(seed, kh, kw, stride, padding):
    rng = np.random.default_rng(seed)
    x, w, b = integers(rng, 2, 4, 5, 2), integers(rng, kh, kw, 2, 3), integers(rng, 3)
    wide = np.pad(x, ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0)))
    rows = range(0, wide.shape[1] - kh + 1, stride[0])
    columns = range(0, wide.shape[2] - kw + 1, stride[1])
    expected = np.array([
        [[[np.sum(image[i : i + kh, j : j + kw] * w[..., o]) + b[o] for o in range(3)] for j in columns] for i in rows]
        for image in wide
    ])  # fmt: skip
    np.testing.assert_array_equal(mg.conv2d(x, w, b, stride, padding).data, expected)


def test_conv2d_takes_views_and_does_not_read_across_their_gaps():
    x = integers(np.random.default_rng(0), 5, 8, 6, 4)
    view = x[::2, 1:7, ::-1, ::2].transpose(0, 2, 1, 3)
    w = integers(np.random.default_rng(1), 2, 3, 2, 1)
    np.testing.assert_array_equal(mg.conv2d(view, w).data, mg.conv2d(view.copy(), w).data)


@given(st.integers(0, 99), st.tuples(sizes, sizes), st.none() | st.tuples(sizes, sizes))
def test_pooling_is_the_largest_or_the_mean_of_each_window(seed, size, stride):
    x = integers(np.random.default_rng(seed), 2, 4, 5, 2)
    (kh, kw), (sh, sw) = size, stride or size
    windows = np.array([
        [x[:, i : i + kh, j : j + kw].reshape(2, -1, 2) for j in range(0, 5 - kw + 1, sw)]
        for i in range(0, 4 - kh + 1, sh)
    ])  # fmt: skip
    windows = np.moveaxis(windows, 2, 0)
    np.testing.assert_array_equal(mg.max_pool2d(x, size, stride).data, windows.max(axis=3))
    np.testing.assert_allclose(mg.avg_pool2d(x, size, stride).data, windows.mean(axis=3), rtol=1e-15, atol=1e-15)


OF_SEVERAL_STEPS = {
    "sigmoid": mg.sigmoid, "softplus": mg.softplus, "gelu": mg.gelu, "softmax": mg.softmax,
    "log_softmax": mg.log_softmax, "logsumexp": mg.logsumexp, "mean": mg.mean, "var": mg.var,
    "avg_pool2d": lambda x: mg.avg_pool2d(x.reshape(1, 2, 2, 2)), "mse": lambda x: mg.mse(x, x[::-1]),
    "binary_cross_entropy": lambda x: mg.binary_cross_entropy_with_logits(x, x[::-1]),
    "cross_entropy": lambda x: mg.cross_entropy(x, np.arange(4)),
    "layer_norm": lambda x: mg.layer_norm(x, np.ones(2), np.zeros(2)),
    "batch_norm": lambda x: mg.batch_norm(x, np.ones(2), np.zeros(2)),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int64, np.bool_])
@pytest.mark.parametrize("name", OF_SEVERAL_STEPS)
@given(data=st.data())
def test_an_operation_of_several_steps_takes_integers_for_the_numbers_they_are(name, dtype, data):
    """None of the steps wraps around: the value is that of the same floats."""
    f = OF_SEVERAL_STEPS[name]
    x = data.draw(arrays(dtype, (4, 2)))
    x = x if name != "cross_entropy" else np.concatenate([x, x[::-1]], axis=1)
    x = np.clip(x, -1000, 1000) if dtype == np.int64 else x
    found = f(x).data
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, f(x.astype(float)).data)


def test_normalised_entries_have_mean_0_and_variance_1():
    x = 3 + 5 * Source(0).normal(50, 4, 3)
    for f, axis in ((mg.batch_norm, (0, 1)), (mg.layer_norm, -1)):
        y = f(x, np.ones(3), np.zeros(3), eps=0).data
        np.testing.assert_allclose(y.mean(axis=axis), 0, atol=1e-13)
        np.testing.assert_allclose(y.var(axis=axis), 1, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("bias", [1.5, 2, np.float64(1.5)])
def test_a_bias_that_is_one_number_is_added_to_every_entry_and_changes_no_dtype(bias, dtype):
    s = Source(0)
    for f, shape, of_weight in ((mg.linear, (2, 3), (3, 4)), (mg.conv2d, (2, 3, 3, 2), (2, 2, 2, 4))):
        x, weight = (mg.tensor(s.normal(*n).astype(dtype), requires_grad=True) for n in (shape, of_weight))
        y, bare = f(x, weight, bias), f(x, weight)
        assert y.dtype == dtype
        assert np.array_equal(y.data, bare.data + dtype(bias))
        assert np.array_equal(*(mg.grad(lambda w, b=b: f(x.data, w, b).sum())(weight).data for b in (bias, None)))


@given(arrays(float, 5, elements=st.floats(-9, 9)), st.floats(-9, 9) | st.none(), st.floats(-9, 9) | st.none())
def test_clip_is_numpys_whichever_bound_is_the_larger(x, low, high):
    expected = x if low is high is None else np.clip(x, low, high)
    np.testing.assert_array_equal(mg.clip(x, low, high).data, expected)


def test_scatter_is_the_transpose_of_getitem():
    s = Source(0)
    for index in INDICES:
        x, part = s.normal(3, 3, 2), s.normal(*np.zeros((3, 3, 2))[index].shape)
        np.testing.assert_allclose(
            np.sum(mg.getitem(x, index).data * part),
            np.sum(x * shaping.scatter(part, index, (3, 3, 2)).data),
            rtol=1e-13,
        )


def test_views_share_memory_and_einsum_of_one_operand_does_not():
    x = mg.tensor(np.arange(4.0).reshape(2, 2))
    for y in (mg.transpose(x), x[0], mg.reshape(x, 4), mg.expand_dims(x, 0), mg.swapaxes(x, 0, 1)):
        assert np.shares_memory(x.data, y.data)
    assert not np.shares_memory(x.data, mg.einsum("ij->ji", x).data)


def exact(rng, *shape):
    numbers = [Fraction(int(rng.integers(-9, 10)), int(rng.integers(1, 8))) for _ in range(int(np.prod(shape)))]
    return np.array(numbers, dtype=object).reshape(shape)


@given(st.integers(0, 99))
def test_a_network_of_fractions_is_exact(seed):
    rng = np.random.default_rng(seed)
    x, target = exact(rng, 5, 3), exact(rng, 5, 2)
    w = mg.tensor(exact(rng, 3, 2), requires_grad=True)
    b = mg.tensor(exact(rng, 2), requires_grad=True)
    y = mg.relu(mg.linear(x, w, b))
    loss = mg.mse(y, target)
    loss.backward()
    z = [[sum((x[n, i] * w.data[i, o] for i in range(3)), b.data[o]) for o in range(2)] for n in range(5)]
    errors = [[max(z[n][o], 0) - target[n, o] for o in range(2)] for n in range(5)]
    assert loss.data[()] == sum(e * e for row in errors for e in row) / Fraction(10)
    for i in range(3):
        for o in range(2):
            g = sum(2 * errors[n][o] * x[n, i] for n in range(5) if z[n][o] > 0) / Fraction(10)
            assert w.grad[i, o] == g
    assert all(type(v) is Fraction for v in [*w.grad.ravel(), *b.grad.ravel()])


@given(st.integers(0, 99))
def test_penalties_and_reductions_of_fractions_are_exact(seed):
    w = mg.tensor(exact(np.random.default_rng(seed), 3, 2), requires_grad=True)
    y = mg.sum(w * w) / 2 + mg.mean(w) + mg.sum(mg.matmul(mg.transpose(w), w)) + mg.max(w) + mg.var(w)
    y.backward()
    n, mean = 6, sum(w.data.ravel()) / Fraction(6)
    largest = np.max(w.data)
    ties = int(np.sum(w.data == largest))
    for (i, j), v in np.ndenumerate(w.data):
        slope = v + Fraction(1, n) + 2 * sum(w.data[i]) + Fraction(int(v == largest), ties) + 2 * (v - mean) / n
        assert w.grad[i, j] == slope
        assert isinstance(w.grad[i, j], Fraction)
