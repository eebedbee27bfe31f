"""Which parameters a regulariser acts on."""

from collections.abc import Callable
from typing import Any

__all__ = ["On", "selector"]

On = str | Callable[[Any], bool]


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
