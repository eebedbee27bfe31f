"""The plain executor: an update computed by the arrays' own operators, one after the other."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["execute"]


def execute(
    update: Callable[..., tuple[Any, ...]],
    weights: Any,
    gradients: Any,
    state: Sequence[Any],
    hyper: Mapping[str, Any],
) -> None:
    """Apply the pure function `update` to flat slices and write what it returns in their place.

    Computes ``w, *state = update(w, g, *state, **hyper)``. Everything is computed before anything is written. This is
    the one place where an update is carried out, and every other executor must write the same bits.

    Args:
        update: a rule behind a door (`minigrad.regularization.doors`).
        weights: a flat array, overwritten.
        gradients: a flat array of the same length and dtype, read only.
        state: flat arrays of the same length and dtype, in the rule's order, overwritten.
        hyper: plain numbers by name; `t` is among them where the rule asks for it.
    """
    results = update(weights, gradients, *state, **hyper)
    for array, value in zip((weights, *state), results, strict=True):
        array[...] = value
