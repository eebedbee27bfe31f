"""Convolutions in parts, and both ways back to the images, on integers: nothing rounds, so everything is equal."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import backend
from minigrad.autodiff import backpropagate
from minigrad.ops import convolution
from minigrad.ops.convolution import _Layout

SHAPE, WINDOW = (5, 4, 6, 2), (2, 3, 2, 3)
paddings = st.tuples(st.integers(0, 3), st.integers(0, 3))
strides = st.tuples(st.integers(1, 3), st.integers(1, 3))


def integers(seed, *shape):
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(float)


def cached(patch, size):
    patch.setattr(backend, "cache", lambda x: size)


def bytes_of_windows(layout):
    """Of one image."""
    return 8 * np.prod(layout.windows) * np.prod(WINDOW[:2]) * layout.wide[-1]


def with_gradients(stride, padding):
    """Return the convolution of integers, and a random combination's gradient by images, weight and bias."""
    xs = [mg.tensor(integers(i, *s), requires_grad=True) for i, s in enumerate((SHAPE, WINDOW, WINDOW[3:]))]
    y = mg.conv2d(*xs, stride, padding)
    found = backpropagate(y, integers(9, *y.shape), xs)
    return [y.data, *(found[x] for x in xs)]


@given(stride=strides, padding=paddings)
def test_neither_how_many_images_fit_into_the_cache_nor_the_order_of_the_copies_changes_anything(stride, padding):
    layout = _Layout(np.empty(SHAPE), np.empty(WINDOW), stride, padding)
    with pytest.MonkeyPatch.context() as patch:
        cached(patch, None)
        expected = with_gradients(stride, padding)
        for images, few in product((0, 1, 2, 4, 5, 9), (0, 9)):
            cached(patch, images * bytes_of_windows(layout))
            patch.setattr(convolution, "_FEW", few)
            assert all(map(np.array_equal, with_gradients(stride, padding), expected))


@pytest.mark.parametrize("channels", [3, 4], ids=["few channels", "many"])
@pytest.mark.parametrize(
    ("images", "parts"),
    [(0, [1] * 5), (0.9, [1] * 5), (1, [1] * 5), (1.9, [1] * 5), (2, [2, 2, 1]), (4, [4, 1]), (5, [5]), (99, [5])],
)
def test_as_many_images_are_taken_as_fit_and_one_at_least(monkeypatch, images, parts, channels):
    cached(monkeypatch, None)
    x, weight = integers(0, *SHAPE[:3], channels), integers(1, *WINDOW[:2], channels, WINDOW[3])
    layout = _Layout(x, weight, 1, 1)
    cached(monkeypatch, int(images * bytes_of_windows(layout)))
    found = list(convolution._columns(np, x, weight, _Layout(x, weight, 1, 1)))
    assert [len(columns) for _, columns in found] == [30 * part for part in parts]
    assert [n for part, _ in found for n in range(5)[part]] == list(range(5))
    assert all(columns.shape[1] == 6 * channels for _, columns in found)
    assert len({columns.__array_interface__["data"][0] for _, columns in found}) == 1  # written over, not made anew


def test_without_images_or_channels_there_is_one_part():
    for x, weight in ((np.empty((0, 4, 4, 1)), np.ones((2, 2, 1, 3))), (np.empty((2, 4, 4, 0)), np.ones((2, 2, 0, 3)))):
        y = mg.conv2d(mg.tensor(x, requires_grad=True), mg.tensor(weight, requires_grad=True))
        assert y.shape == (len(x), 3, 3, 3)
        assert (y.data == 0).all()
        mg.sum(y).backward()


@given(padding=paddings, stride=strides)
def test_a_turned_convolution_is_what_the_windows_hand_out(padding, stride):
    x, weight = integers(0, *SHAPE), integers(1, *WINDOW)
    layout = _Layout(x, weight, stride, padding)
    g = integers(2, len(x), *layout.windows, WINDOW[3])
    expected = np.zeros(layout.wide)
    for i, j in product(*map(range, layout.windows)):
        at = i * stride[0], j * stride[1]
        expected[:, at[0] : at[0] + 2, at[1] : at[1] + 3] += np.einsum("no,ijco->nijc", g[:, i, j], weight)
    expected = expected[layout.inside]
    assert np.array_equal(convolution._handed_out(np, g, x, weight, layout), expected)
    assert np.array_equal(convolution._back_to_images(np, g, x, weight, stride, padding), expected)


@pytest.mark.parametrize(
    ("stride", "padding", "turned"),
    [
        (1, 0, True), (1, (1, 2), True), (1, (0, 2), True),
        (1, (2, 0), False), (1, (0, 3), False), (2, 0, False), ((1, 2), 0, False), ((2, 1), 0, False),
    ],
)  # fmt: skip
def test_the_filters_are_turned_where_windows_move_by_a_pixel_and_the_padding_is_within_them(
    monkeypatch, stride, padding, turned
):
    called = []
    right = convolution._handed_out
    monkeypatch.setattr(convolution, "_handed_out", lambda *a: called.append(True) or right(*a))
    with_gradients(stride, padding)
    assert called == ([] if turned else [True])


@pytest.mark.parametrize(
    ("x", "weight"), [((5, 4, 2), (2, 3, 2, 3)), ((5, 4, 6, 2), (2, 3, 2)), ((5, 4, 6, 2), (2, 3, 1, 3))]
)
def test_shapes_that_do_not_fit_are_refused(x, weight):
    with pytest.raises(ValueError, match="with the same C"):
        mg.conv2d(np.zeros(x), np.zeros(weight))


@pytest.mark.parametrize("dtypes", [(np.float32, np.float32, np.float64), (np.float64, np.float32, np.float32)])
def test_a_bias_of_another_dtype_promotes_as_numpy_does(dtypes):
    a, b, c = (integers(i, *s).astype(t) for i, (s, t) in enumerate(zip((SHAPE, WINDOW, (3,)), dtypes, strict=True)))
    y = mg.conv2d(a, b, c).data
    assert y.dtype == np.float64
    assert np.array_equal(y, mg.conv2d(a, b).data + c)


@pytest.mark.parametrize(("size", "stride"), [(2, None), (2, 2), (3, 1), (2, (2, 1)), (2, (1, 2)), ((1, 3), (2, 2))])
def test_the_largest_of_each_window_gets_its_gradient_and_equal_ones_share_it(size, stride):
    x = mg.tensor(integers(3, 2, 5, 7, 2), requires_grad=True)
    y = mg.max_pool2d(x, size, stride)
    g = 12 * integers(4, *y.shape)  # divisible by 2, 3 and 4
    kh, kw = size if isinstance(size, tuple) else (size, size)
    sh, sw = (kh, kw) if stride is None else stride if isinstance(stride, tuple) else (stride, stride)
    expected = np.zeros(x.shape)
    for i, j in product(range(y.shape[1]), range(y.shape[2])):
        place = np.s_[:, i * sh : i * sh + kh, j * sw : j * sw + kw]
        won = x.data[place] == y.data[:, i : i + 1, j : j + 1]
        expected[place] += g[:, i : i + 1, j : j + 1] * won / won.sum(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(backpropagate(y, g, [x])[x], expected, rtol=1e-15, atol=1e-14)
