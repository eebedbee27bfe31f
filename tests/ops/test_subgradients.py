"""What is given where a derivative does not exist: the conventions that the docstrings state."""

import numpy as np
import pytest

import minigrad as mg


def slope(f, *values, argnums=0):
    return mg.grad(lambda *xs: mg.sum(f(*xs)), argnums)(*(np.array(v, dtype=float) for v in values))


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (mg.abs, 0),
        (mg.sign, 0),
        (mg.relu, 0),
        (mg.sqrt, 0),
        (lambda x: mg.leaky_relu(x, 0.25), 0.25),
        (lambda x: mg.clip(x, 0, 1), 1),
        (lambda x: mg.clip(x, -1, 0), 1),
        (lambda x: mg.clip(x, min=0), 1),
        (lambda x: mg.clip(x, max=0), 1),
        (lambda x: mg.power(x, 0.5), 0),
    ],
    ids=[
        "abs",
        "sign",
        "relu",
        "sqrt",
        "leaky_relu",
        "clip below",
        "clip above",
        "clip with min",
        "clip with max",
        "power",
    ],
)
def test_the_subgradient_at_zero(f, expected):
    assert slope(f, 0) == expected


@pytest.mark.parametrize("exponent", [-0.5, -1, -2])
def test_the_slope_at_a_pole_is_infinite(exponent):
    """Unlike that of √x at 0, it has no finite subgradient to stand for it."""
    with np.errstate(divide="ignore"):
        assert slope(lambda x: mg.power(x, exponent), 0) == -np.inf


def test_equal_operands_of_maximum_and_minimum_share_the_gradient():
    for f in (mg.maximum, mg.minimum):
        assert slope(f, 2, 2, argnums=(0, 1)) == (0.5, 0.5)


def test_equal_entries_share_the_gradient_of_max_and_min():
    np.testing.assert_array_equal(slope(mg.max, [3, 1, 3]), [0.5, 0, 0.5])
    np.testing.assert_array_equal(slope(mg.min, [1, 1, 3, 1]), np.array([1, 1, 0, 1]) / 3)
    np.testing.assert_array_equal(
        slope(lambda x: mg.max(x, axis=0), [[1, 2], [1, 3]]), [[0.5, 0], [0.5, 1]]
    )  # fmt: skip


def test_equal_entries_share_the_gradient_of_max_pooling():
    x = np.zeros((1, 2, 2, 1))
    np.testing.assert_array_equal(slope(mg.max_pool2d, x), np.full_like(x, 0.25))


def test_a_nan_wins_and_takes_the_gradient():
    x = np.array([1.0, np.nan, 2.0])
    assert np.isnan(mg.max(x).data)
    np.testing.assert_array_equal(slope(mg.max, x), [0, 1, 0])


def test_max_at_a_tie_averages_in_complex_numbers():
    # So that a complex step sees the subgradient that the engine gives.
    y = mg.max(np.array([1 + 2j, 1 + 4j, 0 + 100j]))
    assert y.data == 1 + 3j
    y = mg.min(np.array([1 + 2j, 1 + 4j, 7 + 100j]))
    assert y.data == 1 + 3j


def test_the_gradient_of_the_norm_at_the_origin_is_0():
    np.testing.assert_array_equal(slope(lambda w: mg.sqrt(mg.sum(w * w)), np.zeros(3)), np.zeros(3))


def test_repeated_indices_accumulate():
    x = np.arange(3.0)
    np.testing.assert_array_equal(slope(lambda x: x[np.array([0, 0, 2])], x), [2, 0, 1])
    np.testing.assert_array_equal(slope(lambda x: x[[0, 0, 2]], x), [2, 0, 1])
    np.testing.assert_array_equal(slope(lambda x: x[mg.tensor([0, 0, 2])], x), [2, 0, 1])
    np.testing.assert_array_equal(slope(lambda x: x[mg.tensor([True, False, True])], x), [1, 0, 1])
