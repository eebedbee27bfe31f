"""A number of its own for each of many models that are trained at once."""

import operator
from collections.abc import Callable, Iterable, Iterator
from functools import singledispatch
from numbers import Real
from typing import Any, Protocol

from minigrad.rules import functions

__all__ = ["Column", "Vector", "each", "entries", "largest", "placed"]


class Vector(Protocol):
    """An array of NumPy or CuPy, as far as a hyperparameter is concerned."""

    @property
    def ndim(self) -> int:
        """How many axes it has."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each."""

    def tolist(self) -> Any:
        """Return the entries as Python's numbers."""


class Column:
    """Numbers on the host, one for each model: what a hyperparameter is to a rule where N models are trained at once.

    Beside numbers and other columns it is computed with entry by entry, in Python's floats: what depends on scalars
    alone is, for each model, what it is for one. Beside an array of shape (N, …) each entry is rounded to the array's
    dtype, once, as one number would be (NEP 50), and acts on its row. So row i of an update is the update with the
    number i, to the last bit.

    It has no order and no truth value: no rule can branch on it (`minigrad.executors.trace` says so, and where).
    """

    __slots__ = ("values",)

    __array_ufunc__ = None  # an array on the left defers

    def __init__(self, values: Iterable[float]):
        self.values = tuple(values)

    def __len__(self) -> int:
        return len(self.values)

    def __bool__(self) -> bool:
        raise TypeError("the numbers of many models have no truth value: nothing can branch on them")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Column):
            raise TypeError(f"the numbers of many models are neither equal to {other!r} nor not: each may be")
        return self.values == other.values

    def __hash__(self) -> int:
        return hash(self.values)

    def __iter__(self) -> Iterator[float]:
        return iter(self.values)

    def __repr__(self) -> str:
        return f"Column({min(self.values)!r} … {max(self.values)!r}, {len(self)} numbers)"

    def sqrt(self) -> "Column":
        """Return the roots."""
        return Column(map(functions.sqrt, self.values))

    def sign(self) -> "Column":
        """Return the signs."""
        return Column(map(functions.sign, self.values))


@singledispatch
def placed(array: Any, numbers: tuple[float, ...]) -> Any:
    """Return numbers of the host as a 1-d array of the dtype of `array`, where that lies; NotImplemented if it is none.

    By the array's own namespace; for arrays that have none, by what was registered for them.
    """
    if not hasattr(array, "__array_namespace__"):
        return NotImplemented
    xp, inexact = array.__array_namespace__(), array.dtype.kind in "fcO"
    return xp.asarray(numbers, dtype=array.dtype if inexact else xp.result_type(array.dtype, float))


def _applied(function: Callable[..., Any], x: Any, y: Any) -> Any:
    """Return ``function(x, y)``, in which one of the two is a column; NotImplemented for what is no number."""
    own, other = (x, y) if isinstance(x, Column) else (y, x)
    if isinstance(other, Column):
        return Column(function(v, u) for v, u in zip(x.values, y.values, strict=True))
    if isinstance(other, Real):
        number = other.item() if hasattr(other, "item") else other  # a NumPy scalar as a Python number
        return Column(function(v, number) if own is x else function(number, v) for v in own.values)
    column = placed(other, own.values)
    if column is NotImplemented:
        return column
    column = column.reshape(-1, *[1] * (other.ndim - 1))
    return function(column, y) if own is x else function(x, column)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: _applied(function, self, other)


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: _applied(function, other, self)


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: Column(map(function, self.values))


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(Column, f"__{_name}__", _method(getattr(operator, _name)))
    setattr(Column, f"__r{_name}__", _reflected(getattr(operator, _name)))
for _name in ("neg", "abs"):
    setattr(Column, f"__{_name}__", _unary(getattr(operator, _name)))
functions.maximum.register(Column, _method(functions.maximum))


def each(check: Callable[[str, Any], Any], name: str, value: Any) -> Any:
    """Return ``check(name, value)`` of a number; of a 1-d array, a `Column` of floats, each checked under its index.

    Raises ValueError for an array of another number of axes or without entries, and what `check` raises.
    """
    if not isinstance(value, Column) and hasattr(value, "tolist") and getattr(value, "ndim", None):
        if value.ndim != 1 or not value.shape[0]:
            raise ValueError(
                f"{name} must be a number, or a 1-d array with one number for each model, got shape {value.shape}"
            )
        value = Column(value.tolist())
    if not isinstance(value, Column):
        return check(name, value)
    return Column(float(check(shown, x)) for shown, x in entries(name, value))


def entries(name: str, x: Any) -> Iterator[tuple[str, Any]]:
    """Yield a number with its name, or each number of a column, called ``name[i]``."""
    if isinstance(x, Column):
        yield from ((f"{name}[{i}]", v) for i, v in enumerate(x.values))
    else:
        yield name, x


def largest(x: Any) -> Any:
    """Return a number as it is, and the largest one of a column, in which none is NaN."""
    return max(x.values) if isinstance(x, Column) else x
