"""Convolution and pooling of images, channels last: the value, and beside it the derivative.

Images have shape (N, H, W, C), as in Keras and Flax (PyTorch: N, C, H, W). A window of size (KH, KW) moves by a
stride; what does not fill a window at the end is left out, as in PyTorch.
"""

import itertools
import math
from collections.abc import Iterator
from typing import Any

from minigrad import backend
from minigrad.ops.operation import op, run
from minigrad.ops.reductions import divided, max

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


def _columns(xp: Any, x: Any, weight: Any, bias: Any, stride: Any, padding: Any) -> Any:
    """im2col: return every window as a row, of shape (N, OH, OW, KH · KW · C)."""
    if weight.ndim != 4 or x.ndim != 4 or x.shape[-1] != weight.shape[2]:
        raise ValueError("x must have shape (N, H, W, C) and weight (KH, KW, C, O), with the same C")
    size, (sh, sw) = weight.shape[:2], _pair(stride, "stride", 1)
    x = _padded(xp, x, padding)
    n, _, _, c = x.shape
    oh, ow = _counts(x.shape, size, (sh, sw))
    a, b, d, e = x.strides
    windows = xp.lib.stride_tricks.as_strided(x, (n, oh, ow, *size, c), (a, b * sh, d * sw, b, d, e))
    return windows.reshape(n, oh, ow, math.prod(size) * c)


def _padded(xp: Any, x: Any, padding: Any) -> Any:
    ph, pw = _pair(padding, "padding", 0)
    if not ph and not pw:
        return x
    n, h, w, c = x.shape
    wide = backend.zeros((n, h + 2 * ph, w + 2 * pw, c), x)
    wide[:, ph : ph + h, pw : pw + w] = x
    return wide


@op(save=_columns, reads=(0, 1), twice=False)
def conv2d(xp: Any, columns: Any, x: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0) -> Any:
    """Return the convolution of images with O filters (a cross-correlation, as everywhere in deep learning).

    Shapes: x (N, H, W, C), weight (KH, KW, C, O), bias (O,) or None; the result is (N, OH, OW, O) with
    OH = ⌊(H + 2·padding − KH) / stride⌋ + 1. Stride and padding (with zeros, on both sides) are integers or pairs.

    All windows are laid out as the rows of one matrix (im2col), and one product does the work. Source: Chellapilla,
    Puri and Simard, High performance convolutional neural networks for document processing (2006), §3.
    """
    y = xp.matmul(_rows(columns), _matrix(weight)).reshape(*columns.shape[:-1], weight.shape[-1])
    return y if bias is None else y + bias


conv2d.vjp(
    lambda xp, g, y, columns, x, weight, bias, stride, padding: _images(
        xp, xp.matmul(_rows(g), _matrix(weight).T), g.shape, x, weight, stride, padding
    ),
    lambda xp, g, y, columns, x, weight, bias, stride, padding: xp.matmul(_rows(columns).T, _rows(g)).reshape(
        weight.shape
    ),
    lambda xp, g, y, columns, x, weight, bias, stride, padding: g,
)


def _rows(x: Any) -> Any:
    return x.reshape(math.prod(x.shape[:-1]), x.shape[-1])


def _matrix(weight: Any) -> Any:
    return weight.reshape(math.prod(weight.shape[:3]), weight.shape[3])


def _images(xp: Any, rows: Any, shape: Any, x: Any, weight: Any, stride: Any, padding: Any) -> Any:
    """col2im: add every window's entries to the pixels they came from."""
    ph, pw = _pair(padding, "padding", 0)
    n, h, w, c = x.shape
    size = weight.shape[:2]
    wide = backend.zeros((n, h + 2 * ph, w + 2 * pw, c), rows)
    windows = rows.reshape(*shape[:3], math.prod(size), c)
    for k, place in enumerate(_places(wide.shape, size, _pair(stride, "stride", 1))):
        wide[place] += windows[:, :, :, k]
    return wide[:, ph : ph + h, pw : pw + w]


# --- pooling ----------------------------------------------------------------------------------------------------------


def _pools(x: Any, size: Any, stride: Any) -> list[tuple[slice, slice, slice]]:
    """Return the places of a pooling window; it moves by its own size unless told otherwise."""
    size = _pair(size, "size", 1)
    return list(_places(x.shape, size, size if stride is None else _pair(stride, "stride", 1)))


def _stacked(xp: Any, x: Any, size: Any, stride: Any) -> Any:
    """Return the entries of all windows, one place of the window after the other, along a new first axis."""
    return xp.stack([x[place] for place in _pools(x, size, stride)])


def _unstacked(parts: Any, x: Any, size: Any, stride: Any) -> Any:
    """Return images to which the part of each place of the window has been added."""
    back = backend.zeros(x.shape, x)
    for place, part in zip(_pools(x, size, stride), parts, strict=False):
        back[place] += part
    return back


@op(twice=False, kinks=True)
def max_pool2d(xp: Any, x: Any, size: Any = 2, stride: Any = None) -> Any:
    """Return the largest entry of each window; equal ones share its gradient equally. The stride is `size` if None."""
    return run(xp, max, _stacked(xp, x, size, stride), axis=0)


max_pool2d.vjp(
    lambda xp, g, y, x, size, stride: _unstacked(
        max.operation.vjps[0](xp, g, y, _stacked(xp, x, size, stride), axis=0, keepdims=False), x, size, stride
    )
)


@op(reads=(), twice=False)
def avg_pool2d(xp: Any, x: Any, size: Any = 2, stride: Any = None) -> Any:
    """Return the mean of each window. The stride is `size` if None."""
    places = _pools(x, size, stride)
    total = x[places[0]]
    for place in places[1:]:
        total = total + x[place]
    return divided(total, _area(size))


avg_pool2d.vjp(lambda xp, g, y, x, size, stride: _unstacked(itertools.repeat(divided(g, _area(size))), x, size, stride))


def _area(size: Any) -> int:
    return math.prod(_pair(size, "size", 1))
