"""Independent work in several processes: what comes back, as it comes, and how far it has come."""

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TextIO, TypeVar

from minigrad.extras import need

__all__ = ["completed", "watched"]

T = TypeVar("T")
R = TypeVar("R")
INTERVAL = 10.0
SPAWN = multiprocessing.get_context("spawn")


def completed(
    function: Callable[[T], R], todo: Sequence[T], workers: int | None = None, *, lost: Callable[[T], R]
) -> Iterator[tuple[int, R]]:
    """Call `function` on every task in `workers` processes (one per processor); yield its index and the result.

    If a process dies (of memory, of a fault in a library), whatever is left is done once more, each task in a process
    of its own; for one whose own process dies, `lost` says what to yield.
    """
    left = dict(enumerate(todo))
    with ProcessPoolExecutor(workers or min(os.cpu_count() or 1, len(todo) or 1), mp_context=SPAWN) as pool:
        waiting = {pool.submit(function, task): i for i, task in left.items()}
        try:
            for done in as_completed(waiting):
                try:
                    result = done.result()
                except BrokenProcessPool:
                    break
                del left[waiting[done]]
                yield waiting[done], result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    for i, task in left.items():
        with ProcessPoolExecutor(1, mp_context=SPAWN) as alone:
            try:
                result = alone.submit(function, task).result()
            except BrokenProcessPool:
                result = lost(task)
        yield i, result


def watched(
    results: Iterator[tuple[int, R]],
    count: int,
    name: Callable[[R], str],
    *,
    wrong: Callable[[R], str] = lambda _: "",
    quiet: bool = False,
    file: TextIO | None = None,
) -> list[R]:
    """Return all `count` results in order, and tell on `file` (standard error) of each one that came.

    In a terminal a live bar, elsewhere a line now and then, nothing if `quiet`. What `wrong` says of a result is told
    at once.
    """
    file = sys.stderr if file is None else file
    tell = _silent if quiet else _bar if file.isatty() else _lines
    found = dict(tell(results, count, name, wrong, file))
    return [found[i] for i in range(count)]


def _silent(results: Iterator[tuple[int, Any]], *_: Any) -> Iterator[tuple[int, Any]]:
    return results


def _bar(
    results: Iterator[tuple[int, Any]], count: int, name: Callable[..., str], wrong: Callable[..., str], file: TextIO
) -> Iterator[tuple[int, Any]]:
    rich = need("rich.progress", "proof")
    columns = (
        rich.BarColumn(bar_width=30), rich.MofNCompleteColumn(), rich.TimeElapsedColumn(),
        rich.TextColumn("{task.description}"),
    )  # fmt: skip
    with rich.Progress(*columns, console=need("rich.console", "proof").Console(file=file)) as bars:
        task = bars.add_task("", total=count)
        for i, result in results:
            bars.update(task, advance=1, description=name(result))
            if wrong(result):
                bars.console.print(wrong(result), markup=False)
            yield i, result


def _lines(
    results: Iterator[tuple[int, Any]], count: int, name: Callable[..., str], wrong: Callable[..., str], file: TextIO
) -> Iterator[tuple[int, Any]]:
    last = time.monotonic()
    for done, (i, result) in enumerate(results, 1):
        if wrong(result):
            print(wrong(result), file=file, flush=True)
        if done == count or time.monotonic() - last >= INTERVAL:
            last = time.monotonic()
            print(f"[{done}/{count}] {name(result)}", file=file, flush=True)
        yield i, result
