"""``minigrad atlas``: cells decided in worker processes, in the order in which they were asked."""

import multiprocessing
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TextIO

from minigrad.extras import need
from minigrad.proof.atlas import Cell, decide

__all__ = ["decided", "watched"]

Names = tuple[str, str, str]
INTERVAL = 10.0


def decided(asked: Sequence[Names], workers: int | None = None) -> Iterator[Cell]:
    """Yield the cells (pair, rule, situation) in order, decided in `workers` processes (one per processor)."""
    workers = workers or min(os.cpu_count() or 1, len(asked))
    if workers == 1:
        yield from (decide(*names) for names in asked)
        return
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            yield from pool.map(decide, *zip(*asked, strict=True))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def watched(asked: Sequence[Names], workers: int | None = None, *, quiet: bool = False) -> Iterator[Cell]:
    """Yield what `decided` does and tell of it on standard error: a live bar in a terminal, a line now and then."""
    cells = decided(asked, workers)
    if quiet:
        return cells
    if sys.stderr.isatty():
        console = need("rich.console", "proof").Console(stderr=True)
        return iter(need("rich.progress", "proof").track(cells, "deciding", total=len(asked), console=console))
    return _lines(cells, len(asked), sys.stderr)


def _lines(cells: Iterator[Cell], count: int, file: TextIO) -> Iterator[Cell]:
    last = time.monotonic()
    for done, cell in enumerate(cells, 1):
        if done == count or time.monotonic() - last >= INTERVAL:
            last = time.monotonic()
            print(f"[{done}/{count}] {cell.pair} {cell.rule} {cell.situation} {cell.marks}", file=file, flush=True)
        yield cell
