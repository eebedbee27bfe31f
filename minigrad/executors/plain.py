"""The plain executor: an update computed by the arrays' own operators, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["execute", "is_array"]


def execute(
    update: Callable[..., tuple[Any, ...]],
    weights: Any,
    gradients: Any,
    state: Sequence[Any],
    hyper: Mapping[str, Any],
) -> tuple[Any, ...]:
    """Apply the pure function `update` to flat slices and write what it returns in their place.

    Computes ``w, *state = update(w, g, *state, **hyper)``. Everything is computed before anything is written. This is
    the definition: every other executor must write the same bits.

    Args:
        update: a rule behind a door (`minigrad.regularization.doors`).
        weights: a flat array, overwritten.
        gradients: a flat array of the same length and dtype, read only.
        state: in the rule's order, flat arrays of the same length and dtype, overwritten, and numbers
            (`minigrad.rules.scalar_state`).
        hyper: plain numbers by name; `t` is among them where the rule asks for it. Where the arrays have a row for
            each of many models, some may be columns (`minigrad.regularization.column`), a number for each row.

    Returns:
        The next values of those states that are numbers, which cannot be overwritten.
    """
    given = (weights, gradients, *state)
    results: Sequence[Any] = update(*given, **hyper)
    if state:
        results = _apart(results, given)
    numbers = []
    for old, new in zip((weights, *state), results, strict=True):
        if is_array(old):
            old[...] = new
        else:
            numbers.append(new)
    return tuple(numbers)


def is_array(x: Any) -> bool:
    """Tell the state that is an array from the state that is one number."""
    return hasattr(x, "__setitem__")


def _apart(results: Sequence[Any], given: Sequence[Any]) -> Sequence[Any]:
    """Return results, copied where one is an array that was given, or a view, which may show one.

    An update may return one state as another, as momentum that looks two steps back does: a result must not change
    while the others are written.
    """
    known = set(map(id, given))
    return [
        x.copy() if (id(x) in known or getattr(x, "base", None) is not None) and is_array(x) else x for x in results
    ]
