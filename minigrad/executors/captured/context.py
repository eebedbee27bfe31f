"""What a step has to know while it is recorded, and what goes into a captured step and comes out of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

import numpy as np

from minigrad import backend
from minigrad.executors.captured.value import Value
from minigrad.tensor import Tensor, result

__all__ = [
    "Kept",
    "check",
    "contents",
    "copied",
    "current",
    "data",
    "is_array",
    "like",
    "number",
    "on_device",
    "recording",
    "refuse",
]

Kept = Callable[[], Callable[[], Any]]  # keeps what a part of the host is about to change; returns what puts it back

_current: ContextVar[Any] = ContextVar("minigrad_captured", default=None)  # a `graphs.Recorded` or `replayed.OnTheHost`
current = _current.get


@contextmanager
def recording(recorded: Any) -> Iterator[None]:
    """Within this block, and this context only, `current` is what was given."""
    token = _current.set(recorded)
    try:
        yield
    finally:
        _current.reset(token)


def number(following: Callable[[], Any], dtype: Any, kept: Kept) -> Any:
    """Return ``following()``; in a captured step, a 0-d array on the device that holds the next one at each replay.

    `kept` is for what `following` changes, as in `Recorded.again`.
    """
    recorded = _current.get()
    return following() if recorded is None else recorded.number(following, dtype, kept)


def refuse() -> NoReturn:
    """Raise RuntimeError: an update whose numbers would be frozen was asked for while a step is captured."""
    raise RuntimeError(
        'a captured step needs updates that take their numbers from the device: executor="auto" (or "cuda") on float32 '
        "or float64 parameters that are on the GPU, with a rule that can be traced"
    )


def check(owned: list[Any], arguments: tuple[Any, ...]) -> None:
    """Raise ValueError unless the arguments are like those that were captured."""
    if len(arguments) != len(owned):
        raise ValueError(f"the step was captured with {len(owned)} arguments, got {len(arguments)}")
    for i, (own, x) in enumerate(zip(owned, arguments, strict=True)):
        if type(own) is type(x) is np.ndarray and own.shape == x.shape and own.dtype == x.dtype:
            continue
        if is_array(own) != is_array(x) or (not is_array(own) and own != x):
            raise ValueError(f"argument {i} was {own!r} when the step was captured, got {x!r}")
        if is_array(own) and (own.shape, own.dtype) != (x.shape, x.dtype):
            raise ValueError(
                f"argument {i} had shape {own.shape} and dtype {own.dtype} when the step was captured, got "
                f"{x.shape} and {x.dtype}: a captured step repeats its launches. For a last batch that is shorter, "
                "call the step itself, or another capture of it"
            )


def is_array(x: Any) -> bool:
    """Tell arrays and tensors from numbers."""
    return hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, np.generic)


def data(x: Any) -> Any:
    """Return the array of a tensor, an array as it is."""
    return x.data if isinstance(x, Tensor) else x


def on_device(x: Any) -> Any:
    """Return the array of an argument where the current back end has its own. Raises ValueError if it has gradients."""
    if isinstance(x, Tensor) and x.requires_grad:
        raise ValueError("a captured step takes tensors without gradients: pass x.detach(), or compute it within")
    return backend.current().asarray(data(x)) if is_array(x) else x


def like(x: Any, array: Any) -> Any:
    """Return `array` as a tensor if `x` is one."""
    return result(array) if isinstance(x, Tensor) else array


def contents(found: Any) -> Any:
    """Return what a recorded step returned with the arrays behind it."""
    if isinstance(found, dict):
        return {key: contents(x) for key, x in found.items()}
    if isinstance(found, list | tuple):
        return type(found)(map(contents, found))
    if isinstance(found, Tensor):
        return result(contents(found.data))
    return found.array if isinstance(found, Value) else found


def copied(found: Any) -> Any:
    """Return what a captured step returned, which the next call overwrites, as copies without graph."""
    if type(found) is Tensor:
        return result(found.data.copy())
    if isinstance(found, dict):
        return {key: copied(x) for key, x in found.items()}
    if isinstance(found, list | tuple):
        return type(found)(map(copied, found))
    return like(found, data(found).copy()) if is_array(found) else found
