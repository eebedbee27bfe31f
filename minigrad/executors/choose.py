"""Executors by name."""

import difflib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.executors import captured, plain
from minigrad.executors.emitted import Blocked, Compiled, Emitted, Update
from minigrad.executors.fused import Fused
from minigrad.executors.trace import UntraceableError

__all__ = ["LARGE", "NAMES", "SMALL", "Auto", "executor"]

NAMES = ("auto", "plain", "numpy", "numba", "cuda")

SMALL = 50_000  # entries below which NumPy's plain expressions are the faster ones
LARGE = 200_000  # entries from which some thousand steps pay for importing numba (and, once on a machine, compiling)

Executor = Callable[..., tuple[Any, ...] | None]


def executor(name: str, names: Sequence[str], most: int | None = None) -> Executor:
    """Return the executor called `name` for updates whose state has these `names`: called as `plain.execute` is.

    `most` is how many entries, of NumPy's arrays, a slice can have; None if that is not known.

    - "plain": the update itself, on the arrays' own operators.
    - "numpy": emitted from its trace, in blocks that stay in the cache.
    - "numba": emitted from its trace and compiled, on one core or on all. Needs the extra "fast".
    - "cuda": emitted from its trace and compiled for the GPU that CuPy's arrays are on, one launch for each slice.
    - "auto": the fastest of these for each slice, by its kind and size (`Auto`); "plain" if none can be large.

    All write the same bits. What one of them cannot run ("numpy" and "numba" CuPy's arrays, "cuda" NumPy's, all three
    float16, exact and complex numbers) it leaves to "plain".

    Raises ValueError for another name, ImportError for "numba" where it is not installed.
    """
    if name == "plain" or (name == "auto" and most is not None and most < SMALL):
        return plain.execute
    kinds: dict[str, type[Emitted] | type[Auto]] = {"auto": Auto, "numpy": Blocked, "numba": Compiled, "cuda": Fused}
    if name not in kinds:
        near = difflib.get_close_matches(str(name), NAMES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(NAMES)}"
        raise ValueError(f"unknown executor {name!r}; {hint}")
    return kinds[name](names)


class Auto:
    """Plain for slices of fewer than `SMALL` entries, blocked for larger ones, numba from `LARGE` on if it is there.

    On a GPU, one launch for a slice of any size.

    numba is imported, and the kernel compiled, when the first such slice is updated: seconds once, and less than one
    where the kernel is in the user's cache already. An update that cannot be traced is executed plainly at every size.
    Numbers that it refuses are left to it too, since it says best what is wrong with them; others may follow.
    """

    def __init__(self, names: Sequence[str]):
        self._names = names
        self._blocked = Blocked(names)
        self._compiled: Compiled | None = None
        self._fused = Fused(names)
        self._with_numba = importlib.util.find_spec("numba") is not None
        self._untraceable: set[Update] = set()

    def __call__(
        self, update: Update, weights: Any, gradients: Any, state: Sequence[Any], hyper: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """Carry the update out in place; return the next values of the state that is numbers."""
        large_enough = weights.size >= SMALL and weights.dtype.char in "fd"
        if (large_enough or not isinstance(weights, np.ndarray)) and update not in self._untraceable:
            chosen = self._chosen(weights)
            try:
                ready = chosen.ready(update, weights, gradients, state, hyper)
            except UntraceableError:
                self._untraceable.add(update)
            except (TypeError, ValueError):  # what the update itself raises it raises again below
                pass
            else:
                return chosen.carry_out(ready, update, weights, gradients, state, hyper)
        if captured.current() is not None:
            captured.refuse()
        return plain.execute(update, weights, gradients, state, hyper)

    def _chosen(self, weights: Any) -> Emitted:
        if not isinstance(weights, np.ndarray):
            return self._fused
        return self._for_large() if weights.size >= LARGE else self._blocked

    def _for_large(self) -> Emitted:
        if self._compiled is None and self._with_numba:
            try:
                self._compiled = Compiled(self._names)
            except ImportError:  # a numba that does not fit this NumPy
                self._with_numba = False
        return self._compiled or self._blocked
