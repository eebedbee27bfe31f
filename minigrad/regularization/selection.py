"""Which parameters a regulariser acts on."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["EXPECTED", "On", "listed", "selector"]

On = str | Callable[[Any], bool]

EXPECTED = "expected an iterable of mg.nn.Parameter, such as model.parameters()"


def listed(params: Any, verb: str) -> list[Any]:
    """Return an iterable of parameters as a list; refuse what a loop over it would pass by without a word.

    Raises TypeError for a module, for one parameter or array, whose rows are none, for a dict, and for what is no
    iterable; ValueError if there is nothing to `verb`, as in a generator that was used before.
    """
    if hasattr(params, "parameters"):
        raise TypeError(f"{EXPECTED}, got the module itself; pass its .parameters()")
    if hasattr(params, "requires_grad") or hasattr(params, "dtype"):
        raise TypeError(f"{EXPECTED}, got one {type(params).__name__}; put it into a list")
    if isinstance(params, Mapping) or not isinstance(params, Iterable):
        raise TypeError(f"{EXPECTED}, got {type(params).__name__}")
    found = list(params)
    if not found:
        raise ValueError(f"there is nothing to {verb}: {EXPECTED}, got none (an exhausted generator?)")
    return found


def selector(on: On) -> Callable[[Any], bool]:
    """Return the predicate on a parameter that `on` stands for.

    ``"weights"``: parameters whose role is "weight". ``"all"``: every parameter, biases and scales too. A callable
    is used as it is. λ = η/α needs the same choice on both sides.

    Raises ValueError for any other word.
    """
    if on == "weights":
        return is_weight
    if on == "all":
        return is_any
    if callable(on):
        return on
    raise ValueError(f'on must be "weights", "all" or a predicate on a parameter, got {on!r}')


def is_weight(parameter: Any) -> bool:
    """True for a parameter whose role is "weight", and for a plain tensor, which has no role."""
    return getattr(parameter, "role", "weight") == "weight"


def is_any(parameter: Any) -> bool:
    """True."""
    return True
