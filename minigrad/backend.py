"""The switch between NumPy and CuPy, and the only file that knows both.

Code that computes asks `namespace` for the array module that belongs to its operands; code that creates asks
`current`, the default back end of this context. Nothing else in minigrad imports CuPy, and nothing but `to_host`
brings an array back to the host.
"""

import importlib
from contextvars import ContextVar, Token
from typing import Any

import numpy as np

from minigrad.rules import functions

__all__ = ["constant", "current", "describe_devices", "namespace", "ones_like", "to_host", "use_backend", "zeros"]

_NAMES = ("numpy", "cupy")
_OBJECT = np.dtype(object)
_current: ContextVar[Any] = ContextVar("minigrad_backend", default=np)


def current() -> Any:
    """Return the array module in which new tensors are made: ``numpy``, unless `use_backend` chose another."""
    return _current.get()


class use_backend:  # noqa: N801 -- reads as a function: mg.use_backend("cupy")
    """Make ``"numpy"`` or ``"cupy"`` the back end of new tensors.

    ``use_backend("cupy")`` switches from here on; ``with use_backend("cupy"):`` switches back at the end of the
    block. The choice belongs to the current context (thread or task). Existing tensors stay where they are.

    Raises ValueError for another name, ImportError where CuPy is not installed, and RuntimeError where it finds no
    usable GPU; the back end is then unchanged.
    """

    def __init__(self, name: str):
        self._token: Token[Any] | None = _current.set(_load(name))

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None


def namespace(x: Any) -> Any:
    """Return the array module that computes with `x`: an array, or a tensor around one. Plain numbers are NumPy's."""
    return np if type(x) is np.ndarray else _module(type(_array(x))) or np


def to_host(x: Any) -> np.ndarray[Any, Any]:
    """Return `x` as a NumPy array on the host. On a GPU this copies, and waits for the work that makes `x`."""
    x = _array(x)
    return np.asarray(x.get() if _module(type(x)) not in (None, np) else x)


def describe_devices() -> list[str]:
    """Return a line for each GPU that CuPy finds, with its memory and the CUDA version; none without CuPy or GPU."""
    try:
        cupy = _load("cupy")
    except (ImportError, RuntimeError):
        return []
    found = []
    for device in range(cupy.cuda.runtime.getDeviceCount()):
        properties = cupy.cuda.runtime.getDeviceProperties(device)
        name, memory = properties["name"].decode(), properties["totalGlobalMem"] / 2**30
        capability = f"{properties['major']}.{properties['minor']}"
        version = cupy.cuda.runtime.runtimeGetVersion()
        cuda = f"{version // 1000}.{version % 1000 // 10}"
        found.append(f"{name}, {memory:.0f} GiB, compute capability {capability}, CUDA {cuda}, CuPy {cupy.__version__}")
    return found


# --- exact numbers: NumPy's object arrays, whose entries have a type of their own -------------------------------------


def constant(x: Any, number: Any) -> Any:
    """Return a number in the arithmetic of `x`: itself, or the array 0 · x + number where x has exact entries.

    Beside an object array a bare 0 or 1 would become an entry, and at the first division a float.
    """
    return 0 * x + number if getattr(x, "dtype", _OBJECT) == _OBJECT else number


def ones_like(x: Any) -> Any:
    """Return ones of the shape and dtype of the array `x`; where that is object, of the type of its entries."""
    return np.asarray(constant(x, 1)) if x.dtype == object else namespace(x).ones_like(x)


def zeros(shape: Any, x: Any) -> Any:
    """Return zeros of the dtype of `x`; where that is object, of the type of its entries."""
    x = x if hasattr(x, "dtype") else np.asarray(x)  # of 0-d object arrays NumPy makes bare numbers
    found = namespace(x).zeros(shape, x.dtype)
    if x.dtype == object and x.size:
        found[...] = 0 * x.flat[0]
    return found


# NumPy orders and roots exact numbers by what Python makes of their operators, in which an int or a float passes
# unseen. On object arrays the rules' own functions are taken entry by entry. A comparison is what the entries make of
# it: minigrad's balls raise where it is undecided, a bare flint.arb answers False. sign, relu, maximum and minimum
# refuse one, since it has no such method; abs, leaky_relu, clip, max and min take that answer.
for _function, _array_function in (
    (functions.sqrt, np.sqrt),
    (functions.sign, np.sign),
    (functions.maximum, np.maximum),
):
    _entry_function = np.frompyfunc(_function, _array_function.nin, 1)
    _function.register(
        np.ndarray,
        lambda x, *y, entry=_entry_function, array=_array_function: (entry if x.dtype == object else array)(x, *y),
    )


def _array(x: Any) -> Any:
    """Return the array of a tensor; anything else as it is (arrays, too, have an attribute named ``data``)."""
    return x if _module(type(x)) else getattr(x, "data", x)


def _module(kind: type) -> Any:
    """Return the array module that owns an array type, or None if `kind` is no array type."""
    if issubclass(kind, (np.ndarray, np.generic)):
        return np
    if kind.__module__.partition(".")[0] == "cupy":
        return _cupy()
    return None


def _cupy() -> Any:
    """Return CuPy. Its arrays have neither ``__array_namespace__`` nor a ``sqrt``: the rules' functions learn them."""
    cupy = importlib.import_module("cupy")
    kind = getattr(cupy, "ndarray", None)
    if kind not in _taught:
        _taught.add(kind)
        for name in ("sqrt", "sign", "maximum"):
            getattr(functions, name).register(kind, getattr(cupy, name))
    return cupy


_taught: set[Any] = {None}


def _load(name: str) -> Any:
    if name == "numpy":
        return np
    if name != "cupy":
        raise ValueError(f"backend must be one of {', '.join(_NAMES)}, got {name!r}")
    try:
        cupy = _cupy()
    except ImportError as error:
        raise ImportError(
            'the cupy back end needs CuPy: install the extra of your CUDA version, pip install -e ".[cuda12]" '
            'or ".[cuda13]"'
        ) from error
    if not cupy.is_available():
        raise RuntimeError("CuPy is installed but finds no usable GPU: check the NVIDIA driver (nvidia-smi)")
    return cupy
