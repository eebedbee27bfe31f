"""No NaN, no infinity and no warning (warnings are errors here) where the answer is an ordinary number."""

import numpy as np
import pytest

import minigrad as mg

DTYPES = [np.float16, np.float32, np.float64]


def value_and_gradient(f, x):
    x = mg.tensor(x, requires_grad=True)
    y = f(x)
    y.backward(np.ones(y.shape, y.dtype))
    return y.data, x.grad


@pytest.mark.parametrize("dtype", DTYPES)
def test_softmax_and_its_kin_bear_the_largest_logits_there_are(dtype):
    m = np.finfo(dtype).max
    x = np.array([[m, -m, 0], [-m, m, m]], dtype=dtype)
    y, g = value_and_gradient(mg.softmax, x)
    np.testing.assert_array_equal(y, np.array([[1, 0, 0], [0, 0.5, 0.5]], dtype))
    np.testing.assert_array_equal(g, np.zeros_like(x))
    y, g = value_and_gradient(lambda x: mg.logsumexp(x, axis=1), x)
    np.testing.assert_array_equal(y, np.array([m, m]))
    np.testing.assert_array_equal(g[0], [1, 0, 0])
    y, g = value_and_gradient(mg.log_softmax, x)
    assert not np.isnan(y).any()
    np.testing.assert_array_equal(g[0], [-2, 1, 1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("labels", [np.array([0, 1]), np.array([[1, 0, 0], [0, 1, 0]])], ids=["integer", "soft"])
def test_cross_entropy_bears_the_largest_logits_there_are(dtype, labels):
    m = np.finfo(dtype).max
    labels = labels if labels.ndim == 1 else labels.astype(dtype)
    y, g = value_and_gradient(lambda x: mg.cross_entropy(x, labels), np.array([[m, -m, 0], [-m, m, m]], dtype=dtype))
    assert y == -np.log(np.array(0.5, dtype)) / 2
    np.testing.assert_array_equal(g, [[0, 0, 0], [0, -0.25, 0.25]])


@pytest.mark.parametrize("labels", [np.array([1]), np.array([[0.0, 1.0, 0.0]])], ids=["integer", "soft"])
def test_a_class_masked_out_by_minus_infinity_gets_no_gradient(labels):
    y, g = value_and_gradient(lambda x: mg.cross_entropy(x, labels), np.array([[-np.inf, 1.0, 1.0]]))
    # The largest logit is subtracted first, so that y is −(0 − log(e⁰ + e⁰)): exact but for the logarithm, which errs
    # by less than 1 ulp, as does NumPy's here.
    assert abs(y - np.log(2)) <= 2 * np.spacing(np.log(2))
    np.testing.assert_array_equal(g, [[0, -0.5, 0.5]])


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_sigmoid_bears_the_largest_inputs_there_are(dtype):
    m = np.finfo(dtype).max
    x = np.array([m, -m], dtype=dtype)
    y, g = value_and_gradient(lambda x: -mg.softplus(-x), x)
    np.testing.assert_array_equal(y, [0, -m])
    np.testing.assert_array_equal(g, [0, 1])
    y, g = value_and_gradient(mg.sigmoid, x)
    np.testing.assert_array_equal(y, [1, 0])
    y, g = value_and_gradient(
        lambda x: mg.binary_cross_entropy_with_logits(x, np.array([1, 0], dtype)), x
    )  # fmt: skip
    assert y == 0
    np.testing.assert_array_equal(g, [0, 0])


@pytest.mark.parametrize("axis", [None, 0, 1])
def test_log_sum_exp_of_nothing_but_minus_infinity_is_minus_infinity(axis):
    y, g = value_and_gradient(lambda x: mg.logsumexp(x, axis=axis), np.full((2, 3), -np.inf))
    assert np.all(y == -np.inf)
    np.testing.assert_array_equal(g, np.zeros((2, 3)))


def test_log_sum_exp_with_plus_infinity_is_plus_infinity():
    assert mg.logsumexp(np.array([np.inf, 1.0, -np.inf])).data == np.inf


def test_a_mean_of_float16_does_not_overflow_on_the_way():
    x = np.full(1000, 1000, np.float16)
    assert mg.mean(x).data == 1000


def test_layer_norm_of_equal_features_is_the_bias():
    y, g = value_and_gradient(lambda x: mg.layer_norm(x, np.ones(3), np.arange(3.0)), np.full((2, 3), 5.0))
    np.testing.assert_array_equal(y, [[0, 1, 2]] * 2)
    np.testing.assert_allclose(g, 0, atol=1e-10)


def test_the_gradient_of_a_mean_of_more_entries_than_float16_counts_to_is_not_lost():
    n = 100_000
    assert n > float(np.finfo(np.float16).max)
    gradient = mg.grad(mg.mean)(np.ones(n, np.float16))
    assert gradient.dtype == np.float16
    assert set(gradient.tolist()) == {float(np.float16(1 / n))}
    assert np.float16(1 / n) > 0


MANY = 70_000  # more than float16 counts to; row by row its sums of ones stop at 2048 already


@pytest.mark.parametrize("shape", [(2,), (1, 2)])
def test_the_gradient_of_a_bias_in_float16_counts_all_rows(shape):
    bias = mg.tensor(np.zeros(shape, np.float16), requires_grad=True)
    (np.ones((4096, 2), np.float16) + bias).sum().backward()
    np.testing.assert_array_equal(bias.grad, np.full(shape, 4096, np.float16))


def test_batch_norm_of_many_rows_in_float16_has_their_mean_and_variance():
    x = np.ones((MANY, 2), np.float16)
    x[::2] = 3
    layer = mg.nn.BatchNorm(2, dtype=np.float16, momentum=0.5)
    y, g = value_and_gradient(lambda x: mg.batch_norm(x, layer.scale.data, layer.bias.data), x)
    np.testing.assert_array_equal(y, x - 2)
    np.testing.assert_array_equal(g, np.zeros_like(x))  # ∂y/∂x takes constants, and what is along y, to 0
    np.testing.assert_array_equal(layer(x).data, x - 2)
    np.testing.assert_array_equal(layer.running_mean, [1, 1])
    np.testing.assert_array_equal(layer.running_var, [1, 1])


@pytest.mark.parametrize("f", [mg.max, mg.min])
def test_more_equal_entries_than_float16_counts_to_share_the_gradient(f):
    gradient = mg.grad(f)(np.ones(MANY, np.float16))
    assert set(gradient.tolist()) == {float(np.float16(1 / MANY))}
    assert np.float16(1 / MANY) > 0


def test_in_a_window_of_more_entries_than_float16_counts_to_equal_ones_share_the_gradient_too():
    gradient = mg.grad(lambda x: mg.sum(mg.max_pool2d(x, 64)))(np.ones((1, 64, 64, 1), np.float16))
    np.testing.assert_array_equal(gradient, np.full((1, 64, 64, 1), 2.0**-12, np.float16))


@pytest.mark.parametrize(("dtype", "x"), [(np.float16, 750), (np.float64, 1e200)])
def test_the_slope_of_gelu_is_0_or_1_where_the_square_of_x_is_infinite(dtype, x):
    with np.errstate(over="ignore"):  # x³ is infinite, and its tanh 1
        _, g = value_and_gradient(mg.gelu, np.array([x, -x], dtype))
    np.testing.assert_array_equal(g, [1, 0])
