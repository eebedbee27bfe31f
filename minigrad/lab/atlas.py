"""``minigrad atlas``: cells decided in worker processes."""

from collections.abc import Sequence

from minigrad.lab import workers
from minigrad.proof.atlas import Cell, Verdict, decide

__all__ = ["run"]

Names = tuple[str, str, str]


def run(asked: Sequence[Names], count: int | None = None, *, quiet: bool = True) -> list[Cell]:
    """Decide the cells (pair, rule, situation) in `count` processes (one per processor); tell of it unless `quiet`."""
    decided = workers.completed(_decide, asked, count, lost=_lost)
    return workers.watched(decided, len(asked), _said, quiet=quiet)


def _decide(names: Names) -> Cell:
    return decide(*names)


def _lost(names: Names) -> Cell:
    verdict = Verdict("undecided", "the process that decided it died")
    return Cell(*names, verdict, verdict, verdict)


def _said(cell: Cell) -> str:
    return f"{cell.pair} {cell.rule} {cell.situation} {cell.marks}"
