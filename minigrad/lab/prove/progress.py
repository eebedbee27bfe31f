"""How far the proofs have come: a live bar in a terminal, plain lines elsewhere, or nothing."""

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO

from minigrad.extras import need
from minigrad.lab.prove.run import Outcome, Task

__all__ = ["watched"]

INTERVAL = 10.0


def watched(
    decided: Iterable[tuple[int, Outcome]], todo: Sequence[Task], *, quiet: bool = False, file: TextIO | None = None
) -> Iterator[tuple[int, Outcome]]:
    """Pass on what `decided` yields, and tell of it on `file` (standard error) unless `quiet`."""
    file = sys.stderr if file is None else file
    if quiet:
        return iter(decided)
    return _bar(decided, len(todo), file) if file.isatty() else _lines(decided, len(todo), file)


def _bar(decided: Iterable[tuple[int, Outcome]], count: int, file: TextIO) -> Iterator[tuple[int, Outcome]]:
    rich = need("rich.progress", "proof")
    columns = (
        rich.TextColumn("proving"), rich.BarColumn(bar_width=30), rich.MofNCompleteColumn(),
        rich.TimeElapsedColumn(), rich.TextColumn("{task.description}"),
    )  # fmt: skip
    with rich.Progress(*columns, console=need("rich.console", "proof").Console(file=file)) as bars:
        task = bars.add_task("", total=count)
        for i, outcome in decided:
            bars.update(task, advance=1, description=f"{outcome.section}.{outcome.name}")
            if not outcome.ok:
                bars.console.print(_wrong(outcome), markup=False)
            yield i, outcome


def _lines(decided: Iterable[tuple[int, Outcome]], count: int, file: TextIO) -> Iterator[tuple[int, Outcome]]:
    last = time.monotonic()
    for done, (i, outcome) in enumerate(decided, 1):
        if not outcome.ok:
            print(_wrong(outcome), file=file, flush=True)
        if done == count or time.monotonic() - last >= INTERVAL:
            last = time.monotonic()
            print(f"[{done}/{count}] {outcome.section}.{outcome.name}", file=file, flush=True)
        yield i, outcome


def _wrong(outcome: Outcome) -> str:
    return f"not as expected: {outcome.section}.{outcome.name} {outcome.found}"
