"""An update whose lines stand among those of a recorded step, on NumPy."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.executors.captured.value import Value
from minigrad.executors.emitted import BLOCK, Blocked, Update
from minigrad.regularization.column import Column

__all__ = ["Inlined"]


class Inlined:
    """Writes updates down, and is then the executor that puts their numbers where the lines read them.

    Args:
        names: of the update's state.
    """

    def __init__(self, names: Sequence[str]):
        self._names = tuple(names)
        self._blocked = Blocked(names)
        self._known: dict[int, tuple[Update, Callable[..., Any], list[Any], list[Any]]] = {}
        self._blocks: list[tuple[Callable[..., None], list[Any]]] = []

    def takes(
        self, update: Update, weights: Any, gradients: Any, state: Sequence[Any], hyper: Mapping[str, Any]
    ) -> bool:
        """Return whether this is an update that can be written down: traced, without branches, in one block."""
        if weights.size > BLOCK // weights.itemsize or Column in map(type, hyper.values()):
            return False
        try:
            ready = self._blocked.ready(update, weights, gradients, state, hyper)
        except (TypeError, ValueError):  # the trace's refusals
            return False
        found = None if ready is None else self._blocked.in_lines(update, ready)
        if found is None:
            return False
        scalars, block, count = found
        arrays, numbers, _ = ready  # type: ignore[misc]
        cells = [np.zeros((), weights.dtype) for _ in scalars(numbers)[0]]
        scratch = [np.empty(weights.shape, weights.dtype) for _ in range(count)]
        self._known[id(weights)] = update, scalars, cells, [None] * len(cells)
        self._blocks.append((block, [*arrays, *scratch, *cells]))
        return True

    def write_down(self, name: Callable[[Any, str], None]) -> None:
        """Write down all updates that were taken, and call ``name(array, name)`` for every array."""
        for k, (block, arrays) in enumerate(self._blocks):
            for array, known in zip(arrays, inspect.signature(block).parameters, strict=True):
                name(array, f"{known}_{k}" if k else known)
            block(*map(Value, arrays))

    def __call__(
        self, update: Update, weights: Any, gradients: Any, state: Sequence[Any], hyper: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """Put the numbers of an update in place; return the next values of the state that is numbers."""
        known = self._known.get(id(weights))
        if known is None or known[0] is not update:
            raise RuntimeError(
                "the update of the captured step is not what it was: other parameters have gradients, or other counts "
                "of steps; capture the step anew"
            )
        _, scalars, cells, before = known
        for name, x in zip(self._names, state, strict=True):
            if not isinstance(x, np.ndarray):
                hyper = {**hyper, name: x}
        constants, following = scalars(hyper)
        for k, number in enumerate(constants):
            if number != before[k] or number == 0:  # of which there are two
                cells[k][...] = before[k] = number
        return following  # type: ignore[no-any-return]
