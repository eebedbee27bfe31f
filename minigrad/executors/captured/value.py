"""Arrays of a step that is being recorded: their shapes and dtypes are those of every run, their numbers are not.

They answer to all that NumPy's arrays answer to; whatever computes is handed to the recorder of this context. What
would read a number is refused, since it would be another one in the next run.
"""

import functools
import operator
import types
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from minigrad.rules import functions

__all__ = ["MODULE", "Recorder", "Value", "arrays", "each", "hidden", "item", "part", "recorder", "refuse", "shown"]


class Recorder(Protocol):
    """Who writes down what is computed."""

    def ufunc(self, function: Any, method: str, inputs: Any, out: Any, keywords: dict[str, Any]) -> Any:
        """Write down a call of one of NumPy's functions of entries, or of its method; return its result."""
        ...

    def call(self, function: Callable[..., Any], given: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Write down a call of any other function of arrays, if it computes; return its result."""
        ...

    def do(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Write down that `function`, which returns nothing, is called with the arrays themselves."""
        ...


recorder: ContextVar[Recorder | None] = ContextVar("minigrad_recorder", default=None)


class _Module:
    """NumPy, whose functions are written down."""

    __name__ = "numpy"

    def __init__(self, module: Any):
        self._module = module

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._module, name)
        if isinstance(found, types.ModuleType):
            found = _Module(found)
        elif isinstance(found, np.ufunc):
            found = _Ufunc(found)
        elif callable(found) and not isinstance(found, type):
            found = functools.partial(_ask, found)
        setattr(self, name, found)
        return found


class _Ufunc:
    """A function of entries, with its methods."""

    def __init__(self, function: np.ufunc):
        self._function = function

    def __call__(self, *arguments: Any, out: Any = None, **keywords: Any) -> Any:
        inputs, last = arguments[: self._function.nin], arguments[self._function.nin :]
        return _current().ufunc(self._function, "__call__", inputs, last or _several(out), keywords)

    def __getattr__(self, method: str) -> Any:
        return lambda *inputs, out=None, **keywords: _current().ufunc(
            self._function, method, inputs, _several(out), keywords
        )


MODULE = _Module(np)


class Value(NDArrayOperatorsMixin):
    """An array in a step that is being recorded.

    Attributes:
        array: one of its shape, dtype and place in memory.
    """

    __slots__ = ("array",)

    array_module = MODULE

    def __init__(self, array: Any):
        self.array = array

    def __array_ufunc__(self, function: Any, method: str, *inputs: Any, out: Any = None, **keywords: Any) -> Any:
        return _current().ufunc(function, method, inputs, out, keywords)

    def __array_function__(self, function: Any, _: Any, arguments: Any, keywords: Any) -> Any:
        return _current().call(function, arguments, keywords)

    def __getitem__(self, index: Any) -> Any:
        several = index if isinstance(index, tuple) else (index,)
        if any(type(i) is Value and i.dtype == bool for i in several):
            refuse("a mask as an index, of which the result is as long as the mask is true,")
        return _current().call(item, (self, index), {})

    def __setitem__(self, index: Any, value: Any) -> None:
        found = part(self.array, each(hidden, index))
        if found is None:
            _current().call(operator.setitem, (self, index, value), {})
        elif not _same(found, hidden(value)):  # as after x[i] += 1, which has written there
            _current().call(np.copyto, (self[index], value), {"casting": "unsafe"})

    def __getattr__(self, name: str) -> Any:
        if name in _ABOUT:
            return getattr(self.array, name)
        if name in _VIEWS:
            return _current().call(getattr, (self, name), {})
        if name in _READ:
            refuse(_READ[name])
        method = getattr(np.ndarray, name, None)
        if not callable(method) or name.startswith("__"):
            raise AttributeError(f"an array in a step that is captured has no attribute {name!r}")
        return lambda *arguments, **keywords: _current().call(method, (self, *arguments), keywords)

    def __len__(self) -> int:
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        return f"Value(shape={self.array.shape}, dtype={self.array.dtype})"

    def __array__(self, *_: Any, **__: Any) -> NoReturn:
        refuse("to assign it to an array that is not the step's, or to convert it,")

    def __bool__(self) -> bool:  # noqa: PLE0304
        refuse("bool()")

    def __float__(self) -> NoReturn:
        refuse("float()")

    def __int__(self) -> NoReturn:
        refuse("int()")

    def __index__(self) -> int:  # noqa: PLE0305
        refuse("to use it as an index of a sequence")

    def again(self, at: Callable[[Any], Any]) -> None:
        """Call ``at(array)`` whenever the record is run, when it gets here."""
        _current().do(at, self)


for _function, _array_function in (
    (functions.sqrt, np.sqrt),
    (functions.sign, np.sign),
    (functions.maximum, np.maximum),
):
    _function.register(Value, _array_function)

_ABOUT = {"shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides", "flags"}
_VIEWS = {"T", "mT", "real"}
_READ = {name: f"{name}()" for name in ("item", "tolist", "tobytes", "tofile", "nonzero")} | {"get": "numpy()"}


def _ask(function: Any, *arguments: Any, **keywords: Any) -> Any:
    """Call a function of `MODULE`: arrays of all kinds may have other numbers in the next run."""
    return _current().call(function, arguments, keywords)


def _several(out: Any) -> Any:
    return out if out is None or isinstance(out, tuple) else (out,)


def _current() -> Recorder:
    found = recorder.get()
    if found is None:
        raise RuntimeError("this array belongs to a step that was captured, and has numbers only while that is run")
    return found


def shown(x: Any) -> Any:
    """Return what is seen of an array of a tensor's."""
    return Value(x) if isinstance(x, np.ndarray) and recorder.get() is not None else x


def hidden(x: Any) -> Any:
    """Return the array behind what is seen."""
    return x.array if type(x) is Value else x


def each(function: Callable[[Any], Any], x: Any) -> Any:
    """Return `x` with ``function`` of what is in its tuples, lists and dicts."""
    if isinstance(x, tuple | list):
        return type(x)(each(function, y) for y in x)
    if isinstance(x, dict):
        return {key: each(function, y) for key, y in x.items()}
    return function(x)


def arrays(x: Any) -> Iterator[Any]:
    """Yield the arrays in tuples, lists and dicts."""
    if isinstance(x, np.ndarray):
        yield x
    elif isinstance(x, tuple | list):
        for y in x:
            yield from arrays(y)
    elif isinstance(x, dict):
        yield from arrays(list(x.values()))


def item(array: Any, index: Any) -> Any:
    """Return ``array[index]``; of a single entry not its number but a view."""
    found = part(array, index)
    return array[index] if found is None else found


def part(array: Any, index: Any) -> Any:
    """Return ``array[index]`` if that is a view, or else None."""
    several = index if isinstance(index, tuple) else (index,)
    if any(isinstance(i, list | np.ndarray | bool | np.bool_) for i in several):
        return None
    return array[index] if any(i is Ellipsis for i in several) else array[(*several, Ellipsis)]


def _same(a: Any, b: Any) -> bool:
    """Return whether `b` is the array `a`, in the same memory."""
    return isinstance(b, np.ndarray) and a.__array_interface__ == b.__array_interface__


def refuse(what: str) -> NoReturn:
    """Raise RuntimeError: a number was asked for."""
    raise RuntimeError(
        f"{what} reads numbers in a step that is captured, before it is run: return the array from the step instead, "
        "or do not capture it"
    )
