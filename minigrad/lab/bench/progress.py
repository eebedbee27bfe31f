"""How far the bench has come: a live bar in a terminal, a plain line per case elsewhere, or nothing."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from minigrad.extras import need

__all__ = ["Tell", "telling"]

Tell = Callable[[int, str, str], None]  # cases done, the case, who is at work
INTERVAL = 10.0


@contextmanager
def telling(count: int, *, quiet: bool = False, file: TextIO | None = None) -> Iterator[Tell]:
    """Give a function that tells on `file` (standard error) of `count` cases, unless `quiet`."""
    file = sys.stderr if file is None else file
    if quiet:
        yield lambda done, case, what: None
    elif file.isatty():
        with _bar(count, file) as tell:
            yield tell
    else:
        yield _lines(count, file)


@contextmanager
def _bar(count: int, file: TextIO) -> Iterator[Tell]:
    rich = need("rich.progress", "lab")
    columns = (
        rich.BarColumn(bar_width=20), rich.MofNCompleteColumn(), rich.TimeElapsedColumn(),
        rich.TextColumn("{task.description}", markup=False),
    )  # fmt: skip
    with rich.Progress(*columns, console=need("rich.console", "lab").Console(file=file)) as bars:
        task: Any = bars.add_task("", total=count)
        yield lambda done, case, what: bars.update(task, completed=done, description=f"{case}: {what}")


def _lines(count: int, file: TextIO) -> Tell:
    last, told = time.monotonic(), 0

    def tell(done: int, case: str, what: str) -> None:
        nonlocal last, told
        if (done > told and done == count) or time.monotonic() - last >= INTERVAL:
            last, told = time.monotonic(), done
            print(f"[{done}/{count}] {case}: {what}", file=file, flush=True)

    return tell
