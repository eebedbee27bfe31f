"""Operations that move entries about and change none: the value, and beside it the derivative, which moves them back.

Where NumPy returns a view, so does minigrad: the result then shares the operand's memory.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.autodiff import unbroadcast
from minigrad.ops.operation import op, run
from minigrad.tensor import Tensor, plain_index

__all__ = [
    "broadcast_to", "concatenate", "expand_dims", "getitem", "pad", "reshape", "squeeze", "stack", "swapaxes",
    "transpose",
]  # fmt: skip

# --- other axes -------------------------------------------------------------------------------------------------------


@op(reads=(), view=True)
def reshape(xp: Any, x: Any, shape: Any) -> Any:
    """Return the same entries, in the same order, in another shape; one length may be −1."""
    return xp.reshape(x, shape)


reshape.vjp(lambda xp, g, y, x, shape: xp.reshape(g, x.shape))


@op(reads=(), view=True)
def transpose(xp: Any, x: Any, axes: Any = None) -> Any:
    """Return x with its axes in another order: axis i of the result is axis ``axes[i]`` of x; None reverses them."""
    return xp.transpose(x, axes)


transpose.vjp(lambda xp, g, y, x, axes: xp.transpose(g, _inverse(axes)))


def _inverse(axes: Any) -> Any:
    return None if axes is None else tuple(sorted(range(len(axes)), key=lambda i: axes[i] % len(axes)))


@op(reads=(), view=True)
def swapaxes(xp: Any, x: Any, axis1: int, axis2: int) -> Any:
    """Return x with two axes exchanged."""
    return xp.swapaxes(x, axis1, axis2)


swapaxes.vjp(lambda xp, g, y, x, axis1, axis2: xp.swapaxes(g, axis1, axis2))


@op(reads=(), view=True)
def expand_dims(xp: Any, x: Any, axis: Any) -> Any:
    """Return x with new axes of length one, at the places `axis` (one or several) of the result."""
    return xp.expand_dims(x, axis)


expand_dims.vjp(lambda xp, g, y, x, axis: xp.reshape(g, x.shape))


@op(reads=(), view=True)
def squeeze(xp: Any, x: Any, axis: Any = None) -> Any:
    """Return x without the axes of length one at `axis` (one, several, or None for all)."""
    return xp.squeeze(x, axis=axis)


squeeze.vjp(lambda xp, g, y, x, axis: xp.reshape(g, x.shape))


@op(reads=(), view=True)
def broadcast_to(xp: Any, x: Any, shape: Any) -> Any:
    """Return x repeated along new axes in front, and along its axes of length one, until it has `shape`."""
    return xp.broadcast_to(x, shape)


broadcast_to.vjp(lambda xp, g, y, x, shape: unbroadcast(xp, g, x))

# --- several into one -------------------------------------------------------------------------------------------------


@op(reads=(), variadic=True)
def _concatenate(xp: Any, *arrays: Any, axis: int) -> Any:
    return xp.concatenate(arrays, axis=axis)


_concatenate.operation.__name__ = "concatenate"
_concatenate.vjp(lambda xp, g, y, i, *arrays, axis: g[_place(i, arrays, axis)])


def _place(i: int, arrays: Any, axis: int) -> tuple[slice, ...]:
    """Return the index of operand `i` within the result."""
    axis %= arrays[i].ndim
    start = sum(a.shape[axis] for a in arrays[:i])
    return (slice(None),) * axis + (slice(start, start + arrays[i].shape[axis]),)


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Return the arrays one after the other along an axis that they have; the other axes must agree."""
    if axis is None:
        raise TypeError("concatenate needs an axis; to join arrays end to end, reshape each to (-1,) first")
    return _concatenate(*arrays, axis=axis)


def stack(arrays: Sequence[Any], axis: int = 0) -> Tensor:
    """Return arrays of one shape one after the other along a new axis."""
    return concatenate([expand_dims(x, axis) for x in arrays], axis)


# --- parts and surroundings -------------------------------------------------------------------------------------------


@op(reads=())
def pad(xp: Any, x: Any, pad_width: Any) -> Any:
    """Return x with zeros around it.

    ``pad_width`` is how many: a number, a pair (before, after), or such a pair for each axis.
    """
    if isinstance(pad_width, dict):
        raise TypeError("pad_width must be a number, a pair or a pair for each axis, got a dict")
    return xp.pad(x, pad_width, constant_values=backend.zeros((), x) if x.dtype == object else 0)


pad.vjp(lambda xp, g, y, x, pad_width: g[_inside(x, pad_width)])


def _inside(x: Any, pad_width: Any) -> tuple[slice, ...]:
    before = np.broadcast_to(pad_width, (x.ndim, 2))[:, 0].tolist()
    return tuple(slice(b, b + n) for b, n in zip(before, x.shape, strict=True))


@op(reads=(), view=True)
def _getitem(xp: Any, x: Any, index: Any) -> Any:
    return xp.asarray(x[index])


@op(reads=())
def scatter(xp: Any, x: Any, index: Any, shape: Any) -> Any:
    """Return zeros of `shape` to which x is added at `index`: the way back of `getitem`."""
    whole = backend.zeros(shape, x)
    if _may_repeat(index):
        xp.add.at(whole, index, x)
    else:
        whole[index] = x
    return whole


_getitem.operation.__name__ = "getitem"
_getitem.vjp(lambda xp, g, y, x, index: run(xp, scatter, g, index=index, shape=x.shape))
scatter.vjp(lambda xp, g, y, x, index, shape: run(xp, _getitem, g, index=index))


def getitem(x: Any, index: Any) -> Tensor:
    """Return x[index]: any index that NumPy takes, tensors among them. What is taken twice gets both gradients.

    As in NumPy, slices give a view of x, index arrays and masks a copy. A mask makes the host wait for a GPU, since
    how much it takes is a matter of its entries; `where` and products with a mask do not.
    """
    return _getitem(x, index=plain_index(index))


def _may_repeat(index: Any) -> bool:
    """Tell whether an index may take an entry twice: along some axis it is an array or a sequence of integers."""
    along = index if isinstance(index, tuple) else (index,)
    return any(isinstance(i, list | tuple) or getattr(getattr(i, "dtype", None), "kind", "b") != "b" for i in along)
