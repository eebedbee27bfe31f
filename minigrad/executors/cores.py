"""A loop over entries on one core or on all of them, whichever is the faster.

Two cores double the speed of what waits for memory, and cost more than they bring where the arrays are short, or where
the other core is not free: after a matrix product a BLAS's threads keep their cores busy for a while, in case another
one comes. No rule foresees that, so both ways are tried at each size, `TRIALS` times in turns, and the one with the
smaller median stays. The results are the same: every entry is computed by itself.
"""

import os
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

__all__ = ["LEAST", "TRIALS", "Cores"]

LEAST = 100_000  # entries below which to wake another core takes longer than the loop
TRIALS = 5

Loop = Callable[..., Any]

_pools: list[Any] = []  # one at most; none in a process that was just forked

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)


class Cores:
    """Calls ``loop(*parts, *constants)`` on parts of arrays of equal length; `loop` must release the GIL."""

    def __init__(self, loop: Loop):
        self._loop = loop
        self._tried: dict[int, tuple[list[float], list[float]]] = {}  # by size, the seconds on one core and on all

    def __call__(self, arrays: list[Any], constants: list[Any]) -> None:
        """Run the loop over all entries."""
        size = arrays[0].size
        if size < LEAST or _count() == 1:
            self._loop(*arrays, *constants)
            return
        one, all_ = self._tried.setdefault(size, ([], []))
        if len(all_) == TRIALS:
            way = self._alone if sorted(one)[TRIALS // 2] <= sorted(all_)[TRIALS // 2] else self._together
            way(arrays, constants)
            return
        way, times = (self._alone, one) if len(one) <= len(all_) else (self._together, all_)
        begun = time.perf_counter()
        way(arrays, constants)
        times.append(time.perf_counter() - begun)

    def _alone(self, arrays: list[Any], constants: list[Any]) -> None:
        self._loop(*arrays, *constants)

    def _together(self, arrays: list[Any], constants: list[Any]) -> None:
        length, cores = len(arrays[0]), _count()
        bounds = [length * i // cores for i in range(cores + 1)]
        first, *others = ([a[i:j] for a in arrays] for i, j in pairwise(bounds))
        waiting = [_pool().submit(self._loop, *part, *constants) for part in others]
        self._loop(*first, *constants)
        for part in waiting:
            part.result()


def _count() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _pool() -> Any:
    if not _pools:
        from concurrent.futures import ThreadPoolExecutor  # here, since `import minigrad` would take noticeably longer

        _pools.append(ThreadPoolExecutor(max(1, _count() - 1), "minigrad"))
    return _pools[0]
