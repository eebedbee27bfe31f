"""Tensor: a value, a gradient, and how it was made."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import ContextDecorator, contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any

import numpy as np

from minigrad import backend
from minigrad.autodiff import Node, accumulate, wrote

__all__ = ["Tensor", "no_grad", "tensor"]

NEVER = [0]  # when the memory of results was written that share it with no tensor of the user's: results are values

_recording: ContextVar[bool] = ContextVar("minigrad_recording", default=True)
recording = _recording.get

_IN_PIECES = (inspect.isgeneratorfunction, inspect.iscoroutinefunction, inspect.isasyncgenfunction)


class no_grad(ContextDecorator):  # noqa: N801 -- reads as a statement: with mg.no_grad():
    """Within this block (or decorated function), and this context only, operations record nothing."""

    _records = False

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __call__(self, function: Any) -> Any:
        """Return a function that runs within such a block. Raises TypeError for a generator and an async function."""
        if any(is_one(function) for is_one in _IN_PIECES):
            raise TypeError(
                f"{type(self).__name__} cannot decorate {function.__name__}, whose body runs only after the call: put "
                f"the block into it, with {type(self).__name__}():"
            )
        return super().__call__(function)

    def __enter__(self) -> None:
        self._tokens.append(_recording.set(self._records))

    def __exit__(self, *_: object) -> None:
        _recording.reset(self._tokens.pop())

    def _recreate_cm(self) -> no_grad:
        return type(self)()  # as a decorator, one for each call: calls in two threads share nothing


class enable_grad(no_grad):  # noqa: N801
    """The opposite of `no_grad`: transforms differentiate wherever they are called."""

    _records = True


class Tensor(Node):
    """An array that remembers how it was made.

    Attributes:
        data: the array, NumPy's or CuPy's. A write into it behind minigrad's back (``t.data[...] = 0``) is not
            noticed by a graph that still needs the old value; nor is one into a plain array that was used as an
            operand, a bound or a condition, which is kept as it is and not copied.
        grad: a plain array of the tensor's shape and dtype, or None. Only tensors made by the user (leaves)
            receive one, and `backward` adds to it. (A parameter's lies in its optimizer's buffer: copy it to keep it.)
        requires_grad: whether operations on this tensor are recorded.

    A result of operations is a value: it cannot be written. A tensor made by `tensor` can (``t[0] = 1``, ``t += 1``);
    a graph that still needs what was there raises when it is asked for gradients.
    """

    __slots__ = ()

    # Without this, ``array * tensor`` would be an object array of tensors.
    __array_ufunc__ = None

    def __init__(self, data: Any, requires_grad: bool = False, dtype: Any = None):
        if isinstance(data, list | tuple) and any(isinstance(x, Tensor) for x in data):
            raise TypeError("a tensor is not made of tensors, since that would lose their graphs; mg.stack joins them")
        data = data.data if isinstance(data, Tensor) else data
        xp = backend.namespace(data)  # an array that is on a GPU stays there
        self.data = (backend.current() if xp is np else xp).array(data, dtype=dtype)
        if requires_grad and self.data.dtype.kind not in "fcO":
            raise TypeError(
                f"only real, complex and exact numbers have gradients, got dtype {self.data.dtype} with "
                "requires_grad=True; pass dtype=float"
            )
        self.requires_grad = requires_grad
        self.grad = None
        self._made = None
        self._written = [0]

    # --- what it is -----------------------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self.data.shape  # type: ignore[no-any-return]

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of the entries."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.data.ndim  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        """The number of entries."""
        return self.data.size  # type: ignore[no-any-return]

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))  # len refuses a tensor without axes

    def __bool__(self) -> bool:
        return bool(self.data)

    def __repr__(self) -> str:
        extra = (
            f", made by {self.operation.__name__}"
            if self._made
            else ", requires_grad=True"
            if self.requires_grad
            else ""
        )
        return f"{type(self).__name__}({np.array2string(self.numpy(), separator=', ', prefix='Tensor(')}{extra})"

    __hash__ = object.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        if self._made:
            raise TypeError("the result of an operation is not copied or pickled with its graph: take t.detach()")
        return type(self), (self.data, self.requires_grad)

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "a Tensor is not silently turned into an array, since that would lose its graph (and copy from the GPU); "
            "call .numpy() for a host array, or .data for the array itself"
        )

    # --- gradients ------------------------------------------------------------------------------------------------

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add d self / d leaf, applied to `gradient`, to ``.grad`` of every leaf that requires it; free the graph.

        Args:
            gradient: the gradient of the final quantity by this tensor, an array of its shape; 1 for a scalar.
            retain_graph: keep the graph, so that backward may be called again.

        Raises:
            RuntimeError: nothing here requires gradients; the graph was freed by an earlier call; or a tensor that
                the graph needs was written since (by an optimizer's step, ``load``, ``+=`` or item assignment).
                No gradient has been changed then.
            ValueError: this tensor is no scalar and no gradient was given, or the gradient's shape is another.
        """
        accumulate(self, gradient, retain_graph)

    def zero_grad(self) -> None:
        """Forget the gradient: ``.grad = None``."""
        self.grad = None

    def detach(self) -> Tensor:
        """Return the same value, in the same memory, that nothing is known of."""
        return result(self.data, self._written)

    # --- on the host ----------------------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the value as a NumPy array: the same memory on the CPU, a copy (and a wait) on a GPU."""
        return backend.to_host(self.data)

    def item(self) -> Any:
        """Return the only entry as a Python number. On a GPU this waits for it."""
        return self.data.item()

    # --- writing --------------------------------------------------------------------------------------------------

    def __setitem__(self, index: Any, value: Any) -> None:
        if self._made is not None:
            raise RuntimeError(
                "the result of an operation is a value and cannot be written; make a tensor of your own first: "
                "mg.tensor(x)"
            )
        self._write(value, lambda array: self.data.__setitem__(plain_index(index), array))

    def _in_place(self, other: Any, into: Callable[[Any], Any]) -> Tensor:
        if self._made is not None:
            return NotImplemented  # type: ignore[no-any-return]  # x += y on a result means x = x + y: the name gets a new value
        return self._write(other, into)

    def _write(self, value: Any, into: Callable[[Any], Any]) -> Tensor:
        if recording() and (self.requires_grad or getattr(value, "requires_grad", False)):
            raise RuntimeError(
                "a write is not differentiable: do it within `with mg.no_grad():`, or compute a new tensor (x = x + y)"
            )
        into(value.data if isinstance(value, Tensor) else value)
        wrote(self)
        if hasattr(self.data, "again"):  # in a step that is recorded
            self.data.again(lambda _: wrote(self))
        return self

    def __iadd__(self, other: Any) -> Tensor:
        return self._in_place(other, self.data.__iadd__)

    def __isub__(self, other: Any) -> Tensor:
        return self._in_place(other, self.data.__isub__)

    def __imul__(self, other: Any) -> Tensor:
        return self._in_place(other, self.data.__imul__)

    def __itruediv__(self, other: Any) -> Tensor:
        return self._in_place(other, self.data.__itruediv__)

    def __ipow__(self, other: Any) -> Tensor:
        return self._in_place(other, self.data.__ipow__)

    def __imatmul__(self, other: Any) -> Tensor:
        return self._in_place(other, self._product_in_place)

    def _product_in_place(self, array: Any) -> None:
        product = self.data @ array
        if product.shape != self.shape:
            raise ValueError(f"x @= y must keep the shape of x, {self.shape}, and x @ y has shape {product.shape}")
        backend.namespace(self.data).copyto(self.data, product)

    # --- operators and methods, attached by minigrad.ops.methods; declared here for readers and type checkers -----

    if TYPE_CHECKING:
        T: Tensor

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __rpow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...
        def sum(self, axis: Any = None, keepdims: bool = False) -> Tensor: ...
        def mean(self, axis: Any = None, keepdims: bool = False) -> Tensor: ...
        def var(self, axis: Any = None, keepdims: bool = False) -> Tensor: ...
        def max(self, axis: Any = None, keepdims: bool = False) -> Tensor: ...
        def min(self, axis: Any = None, keepdims: bool = False) -> Tensor: ...
        def reshape(self, *shape: Any) -> Tensor: ...
        def transpose(self, *axes: Any) -> Tensor: ...
        def swapaxes(self, axis1: int, axis2: int) -> Tensor: ...
        def squeeze(self, axis: Any = None) -> Tensor: ...
        def clip(self, min: Any = None, max: Any = None) -> Tensor: ...
        def astype(self, dtype: Any) -> Tensor: ...
        def sqrt(self) -> Tensor: ...
        def sign(self) -> Tensor: ...
        def maximum(self, other: Any) -> Tensor: ...


def plain_index(index: Any) -> Any:
    """Return an index with copies of its arrays, and of what its tensors hold: later writes do not reach it."""
    if isinstance(index, tuple):
        return tuple(map(plain_index, index))
    index = index.data if isinstance(index, Tensor) else index
    is_array = hasattr(index, "dtype") and not isinstance(index, np.generic)
    return index.copy() if is_array or isinstance(index, list) else index


def result(array: Any, written: list[int] = NEVER) -> Tensor:
    """Return `array` as the bare result of an operation: nothing recorded, and not to be written."""
    t = Tensor.__new__(Tensor)
    t.data = array
    t.grad = None
    t.requires_grad = False
    t._made = ()
    t._written = written
    return t


@contextmanager
def arrays_as(shown: Callable[[Any], Any], hidden: Callable[[Any], Any]) -> Iterator[None]:
    """Within this block, in all threads: values and gradients are read through `shown`, and set through `hidden`.

    Outside of such blocks tensors have plain slots, and this costs nothing.
    """

    def through(slot: Any) -> Any:
        return property(lambda t: shown(slot.__get__(t)), lambda t, x: slot.__set__(t, hidden(x)))

    for name in ("data", "grad"):
        setattr(Tensor, name, through(vars(Node)[name]))
    try:
        yield
    finally:
        for name in ("data", "grad"):
            delattr(Tensor, name)


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """Return a new tensor with a copy of `data`, on the current back end.

    Args:
        data: a number, nested sequence, array or tensor. An array that is on a GPU already stays there.
        requires_grad: record operations on it, so that `backward` reaches it.
        dtype: the dtype of the entries; without it, NumPy's choice for `data`.

    Raises:
        TypeError: gradients were asked of integers or booleans.
    """
    return Tensor(data, requires_grad, dtype)
