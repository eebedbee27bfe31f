"""Convolution and pooling of images, channels last: the value, and beside it the derivative.

Images have shape (N, H, W, C), as in Keras and Flax (PyTorch: N, C, H, W). A window of size (KH, KW) moves by a
stride; what does not fill a window at the end is left out, as in PyTorch.
"""

import functools
import itertools
import math
import operator
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.ops import reductions
from minigrad.ops.elementwise import maximum
from minigrad.ops.linalg import product
from minigrad.ops.operation import op, run

__all__ = ["avg_pool2d", "conv2d", "max_pool2d"]

# --- windows ----------------------------------------------------------------------------------------------------------


def _pair(value: Any, name: str, least: int) -> tuple[int, int]:
    """Return an int or a pair of them as a pair, each at least `least`."""
    pair = tuple(value) if isinstance(value, tuple | list) else (value, value)
    if len(pair) != 2 or any(not hasattr(v, "__index__") or v < least for v in pair):
        raise ValueError(f"{name} must be an integer of at least {least}, or two of them, got {value!r}")
    return int(pair[0]), int(pair[1])


def _counts(shape: Any, size: tuple[int, int], stride: tuple[int, int]) -> tuple[int, int]:
    """Return how many windows fit below and beside each other."""
    if len(shape) != 4:
        raise ValueError(f"images have shape (N, H, W, C), got {shape}")
    if size[0] > shape[1] or size[1] > shape[2]:
        raise ValueError(f"a window of {size} does not fit into images of height and width {shape[1:3]}")
    return (shape[1] - size[0]) // stride[0] + 1, (shape[2] - size[1]) // stride[1] + 1


def _places(shape: Any, size: tuple[int, int], stride: tuple[int, int]) -> Iterator[tuple[slice, slice, slice]]:
    """For each place in a window, row by row: the index of the pixels that stand there, over all windows."""
    oh, ow = _counts(shape, size, stride)
    (sh, sw), everything = stride, slice(None)
    for i in range(size[0]):
        for j in range(size[1]):
            yield everything, slice(i, i + sh * (oh - 1) + 1, sh), slice(j, j + sw * (ow - 1) + 1, sw)


# --- convolution ------------------------------------------------------------------------------------------------------

# All windows of a few images at a time are laid out as the rows of one matrix (im2col), and a product of matrices does
# the work. On a CPU so many images are taken that this matrix stays in the cache: it is KH · KW times as large as they
# are, and would cost more to write to memory and read again than the product does. It is made anew on the way back.


class _Layout:
    """Where the windows of a convolution lie. Raises ValueError for shapes and options that do not fit.

    Attributes:
        stride, padding: as pairs.
        wide: the shape of the images with their padding.
        inside: the index of the images in there.
        windows: how many windows there are below and beside each other.
        parts: slices of images, one image at least, whose windows fit into the cache together.
    """

    def __init__(self, x: Any, weight: Any, stride: Any, padding: Any):
        if weight.ndim != 4 or x.ndim != 4 or x.shape[-1] != weight.shape[2]:
            raise ValueError("x must have shape (N, H, W, C) and weight (KH, KW, C, O), with the same C")
        self.stride = _pair(stride, "stride", 1)
        self.padding = ph, pw = _pair(padding, "padding", 0)
        n, h, w, c = x.shape
        self.wide = (n, h + 2 * ph, w + 2 * pw, c)
        self.inside = (slice(None), slice(ph, ph + h), slice(pw, pw + w))
        self.windows = _counts(self.wide, weight.shape[:2], self.stride)
        cache, each = backend.cache(x), math.prod((*self.windows, *weight.shape[:3])) * x.dtype.itemsize
        some = max(1, n if cache is None or each == 0 else cache // each)
        self.parts = [slice(start, start + some) for start in range(0, max(1, n), some)]


@op(reads=(0, 1), twice=False)
def conv2d(xp: Any, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0) -> Any:
    """Return the convolution of images with O filters (a cross-correlation, as everywhere in deep learning).

    Shapes: x (N, H, W, C), weight (KH, KW, C, O), bias (O,), a number or None; the result is (N, OH, OW, O)
    with OH = ⌊(H + 2·padding − KH) / stride⌋ + 1. Stride and padding (with zeros, on both sides) are integers or pairs.

    Source: Chellapilla, Puri and Simard, High performance convolutional neural networks for document processing
    (2006), §3, for the product of matrices.
    """
    layout = _Layout(x, weight, stride, padding)
    y = xp.empty((len(x), *layout.windows, weight.shape[3]), np.result_type(x.dtype, weight.dtype))
    in_place = hasattr(bias, "dtype") and bias.dtype == y.dtype
    for images, columns in _columns(xp, x, weight, layout):
        some = _rows(y[images])
        xp.matmul(columns, _matrix(weight), out=some)
        if in_place:
            some += bias
    return y if bias is None or in_place else y + bias


conv2d.vjp(
    lambda xp, g, y, x, weight, bias, stride, padding: _back_to_images(xp, g, x, weight, stride, padding),
    lambda xp, g, y, x, weight, bias, stride, padding, out=None: _back_to_weight(
        xp, g, x, weight, stride, padding, out
    ),
    lambda xp, g, y, x, weight, bias, stride, padding: g,
)


def _back_to_weight(xp: Any, g: Any, x: Any, weight: Any, stride: Any, padding: Any, out: Any) -> Any:
    """Return the sum over all windows of window ⊗ gradient."""
    total = None if out is None else _matrix(out)
    for images, columns in _columns(xp, x, weight, _Layout(x, weight, stride, padding)):
        if images.start == 0:
            total = product(xp, columns.T, _rows(g[images]), total)
        else:
            total += xp.matmul(columns.T, _rows(g[images]))
    return total.reshape(weight.shape)  # type: ignore[union-attr]  # there is one part at least


def _back_to_images(xp: Any, g: Any, x: Any, weight: Any, stride: Any, padding: Any) -> Any:
    """Add up what a pixel gets from all windows that it is in.

    If windows move by one pixel, that is itself a convolution: of the gradient, with the filters turned by 180° and
    their inputs and outputs exchanged. That copies, where handing out adds up nine times the images.
    """
    layout = _Layout(x, weight, stride, padding)
    around = tuple(k - 1 - p for k, p in zip(weight.shape[:2], layout.padding, strict=True))
    if layout.stride != (1, 1) or min(around) < 0:
        return _handed_out(xp, g, x, weight, layout)
    turned = xp.ascontiguousarray(xp.swapaxes(weight[::-1, ::-1], 2, 3))
    return conv2d.operation.forward(xp, g, turned, padding=around)


def _handed_out(xp: Any, g: Any, x: Any, weight: Any, layout: _Layout) -> Any:
    """col2im: every window gets its gradient, and hands it out to the pixels that it is made of."""
    wide, transposed = backend.zeros(layout.wide, g), _matrix(weight).T
    places = list(_places(layout.wide, weight.shape[:2], layout.stride))
    for images in layout.parts:
        few, into = g[images], wide[images]
        windows = xp.matmul(_rows(few), transposed).reshape(*few.shape[:3], len(places), x.shape[3])
        for k, place in enumerate(places):
            into[place] += windows[:, :, :, k]
    return wide[layout.inside]


_FEW = 3  # channels up to which the pixels at one place of all windows make longer runs than one row of a window does


def _columns(xp: Any, x: Any, weight: Any, layout: _Layout) -> Iterator[tuple[slice, Any]]:
    """Yield images, some at a time, and the matrix whose rows are all their windows. The next may be written over it.

    What lies in one run is copied in one: a row of a window, with all channels; or, of few channels, all windows'
    pixels at one place, which makes the transposed matrix.
    """
    wide = _padded(xp, x, layout)
    (kh, kw, channels, _), (sh, sw), (a, b, c, d) = weight.shape, layout.stride, wide.strides
    entries, each = kh * kw * channels, math.prod(layout.windows)
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    room = xp.empty(len(wide[layout.parts[0]]) * each * entries, x.dtype)
    for images in layout.parts:
        few = wide[images]
        if channels <= _FEW:
            shape, strides = (kh, kw, channels, len(few), *layout.windows), (b, c, d, a, b * sh, c * sw)
        else:
            shape, strides = (len(few), *layout.windows, kh, kw * channels), (a, b * sh, c * sw, b, d)
        columns = room[: len(few) * each * entries]
        columns.reshape(shape)[...] = xp.lib.stride_tricks.as_strided(few, shape, strides)
        windows = len(few) * each
        yield images, columns.reshape(entries, windows).T if channels <= _FEW else columns.reshape(windows, entries)


def _padded(xp: Any, x: Any, layout: _Layout) -> Any:
    if layout.padding == (0, 0):
        return xp.ascontiguousarray(x)
    wide = backend.zeros(layout.wide, x)
    wide[layout.inside] = x
    return wide


def _rows(x: Any) -> Any:
    n, h, w, *rest = x.shape
    return x.reshape(n * h * w, math.prod(rest))


def _matrix(weight: Any) -> Any:
    return weight.reshape(math.prod(weight.shape[:3]), weight.shape[3])


# --- pooling ----------------------------------------------------------------------------------------------------------


def _pools(x: Any, size: Any, stride: Any) -> list[tuple[slice, slice, slice]]:
    """Return the places of a pooling window; it moves by its own size unless told otherwise."""
    size = _pair(size, "size", 1)
    return list(_places(x.shape, size, size if stride is None else _pair(stride, "stride", 1)))


def _handed_back(xp: Any, share: Any, factors: Any, x: Any, size: Any, stride: Any) -> Any:
    """Return images in which every pixel has, of each window that it is in, `share` times the factor of its place."""
    back = backend.zeros(x.shape, x)
    apart = stride is None or all(map(operator.ge, _pair(stride, "stride", 1), _pair(size, "size", 1)))
    for place, factor in zip(_pools(x, size, stride), factors, strict=False):
        if apart:
            xp.multiply(share, factor, out=back[place])
        else:
            back[place] += share * factor
    return back


@op(twice=False, kinks=True)
def max_pool2d(xp: Any, x: Any, size: Any = 2, stride: Any = None) -> Any:
    """Return the largest entry of each window; equal ones share its gradient equally. The stride is `size` if None.

    In a window with a NaN nothing is the largest: all entries share the gradient.
    """
    size = kh, kw = _pair(size, "size", 1)
    sh, sw = size if stride is None else _pair(stride, "stride", 1)
    oh, ow = _counts(x.shape, size, (sh, sw))
    if x.dtype.kind == "c" or size == (1, 1):
        return run(xp, reductions.max, xp.stack([x[place] for place in _pools(x, size, stride)]), axis=0)
    larger = functools.partial(run, xp, maximum)  # of whole rows first: those are long runs
    x = functools.reduce(larger, [x[:, i : i + sh * (oh - 1) + 1 : sh] for i in range(kh)])
    return functools.reduce(larger, [x[:, :, j : j + sw * (ow - 1) + 1 : sw] for j in range(kw)])


max_pool2d.vjp(lambda xp, g, y, x, size, stride: _back_to_largest(xp, g, y, x, size, stride))


def _back_to_largest(xp: Any, g: Any, y: Any, x: Any, size: Any, stride: Any) -> Any:
    won = [xp.logical_not(x[place] < y) for place in _pools(x, size, stride)]
    kind = np.uint8 if len(won) < 256 else np.result_type(x.dtype, np.float32)  # float16 counts to 2048
    share = g / functools.reduce(operator.add, (one.astype(kind) for one in won))
    return _handed_back(xp, share, won, x, size, stride)


@op(reads=(), twice=False)
def avg_pool2d(xp: Any, x: Any, size: Any = 2, stride: Any = None) -> Any:
    """Return the mean of each window. The stride is `size` if None."""
    places = _pools(x, size, stride)
    total = reductions.floating(x[places[0]])
    for place in places[1:]:
        total = total + x[place]
    return reductions.divided(total, _area(size))


avg_pool2d.vjp(
    lambda xp, g, y, x, size, stride: _handed_back(
        xp, reductions.divided(g, _area(size)), itertools.repeat(1), x, size, stride
    )
)


def _area(size: Any) -> int:
    return math.prod(_pair(size, "size", 1))
