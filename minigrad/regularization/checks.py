"""Hyperparameters at the door of the library: what is a number, and which numbers are refused."""

import math
import operator
from abc import ABC
from collections.abc import Callable
from numbers import Real
from typing import Any

from minigrad.regularization.column import Vector, each

__all__ = ["Number", "Numbers", "as_number", "at_step", "called", "integer", "nonnegative", "scheduled"]

Numbers = float | Vector  # one number, or one for each of many models that are trained at once
Scheduled = Numbers | Callable[[int], float]


class Number(ABC):  # noqa: B024 -- a list of types, which grows by `register`
    """What a hyperparameter may be: Python's real numbers, and exact ones of other libraries that register here.

    Not `numbers.Real`, where Fractions look for what they may turn into a float.
    """


Number.register(Real)  # type: ignore[type-abstract]


def as_number(name: str, value: Any) -> Any:
    """Return `value` as a plain Python number; refuse what is not real and finite.

    A NumPy scalar becomes a Python number here, because an ``np.float64`` would silently promote float32 arrays.
    """
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Number):
        raise TypeError(f"{name} must be a real number, got {value!r}")
    try:
        finite = math.isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond the floats
        finite = False
    if not finite:
        raise ValueError(f"{name} must be finite, got {value!r}")
    return value


def nonnegative(name: str, value: Any) -> Any:
    """Return `value` as a plain Python number ≥ 0."""
    value = as_number(name, value)
    if value < 0:
        raise ValueError(f"{name} must be ≥ 0, got {value!r}")
    return value


def integer(name: str, value: Any, least: int = 1) -> int:
    """Return anything that counts, a NumPy integer too, as a Python integer ≥ `least`; no boolean, no float."""
    try:
        found = None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        found = None
    if found is None or found < least:
        raise ValueError(f"{name} must be an integer ≥ {least}, got {value!r}")
    return found


def scheduled(name: str, value: Any) -> Any:
    """Return a callable of the 0-based step as it is, a number as a plain number ≥ 0, a 1-d array as such a column."""
    return value if callable(value) else each(nonnegative, name, value)


def at_step(name: str, value: Any, step: int | None) -> Any:
    """Return a number or a column as it is (without a step too), or the value of a callable of the 0-based `step`."""
    return nonnegative(f"{name} at step {step}", called(name, value, step)) if callable(value) else value


def called(name: str, function: Callable[[Any], Any], step: int | None) -> Any:
    """Return ``function(step)``; what it raises becomes a ValueError, or stays a TypeError, that names it and the step.

    A table's ``__getitem__`` is a function of the step too, and ends with an IndexError that says neither.
    """
    try:
        return function(step)
    except Exception as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name} at step {step} raised {error!r}") from error
