"""What a person sees while a model trains: a live bar in a terminal, plain lines elsewhere."""

import sys
from types import TracebackType
from typing import Any, Self

from minigrad.extras import need
from minigrad.training.history import Record

__all__ = ["LiveBar", "PlainLines", "Quiet", "describe", "reporter"]


class Quiet:
    """Shows nothing; also the interface of the others, and a base to write one's own."""

    def start(self, total: int, done: int, epochs: int) -> None:
        """A run of `total` steps begins, or goes on after `done` of them."""

    def advance(self, epoch: int) -> None:
        """One step of the 1-based `epoch` is done. Called at every step, so it must not read from a device."""

    def step(self, record: Record) -> None:
        """A step record was made."""

    def epoch(self, record: Record) -> None:
        """An epoch record was made."""

    def close(self) -> None:
        """The run is over, however it ended."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class PlainLines(Quiet):
    """One line per epoch on standard output; `unit` is what is counted, where it is not epochs."""

    def __init__(self, label: str = "", unit: str = "epoch"):
        self.label = label
        self.unit = unit
        self.epochs = 0

    def start(self, total: int, done: int, epochs: int) -> None:
        """Remember how many epochs there are."""
        self.epochs = epochs

    def epoch(self, record: Record) -> None:
        """Print the line."""
        label = f"{self.label}  " if self.label else ""
        count = f"{record['epoch']:>{len(str(self.epochs))}}/{self.epochs}"
        print(f"{label}{self.unit} {count}  {describe(record)}", flush=True)


class LiveBar(Quiet):
    """A bar drawn by rich: epoch (or another `unit`), data loss, accuracy, ‖w‖ and the time that is left."""

    def __init__(self, label: str = "", console: Any = None, unit: str = "epoch"):
        progress = need("rich.progress", "lab")
        self.label = label
        self.unit = unit
        self.epochs = 0
        self._bar = progress.Progress(
            progress.TextColumn("{task.description}"),
            progress.BarColumn(bar_width=24),
            progress.TextColumn("{task.fields[numbers]}"),
            progress.TimeRemainingColumn(),
            console=console,
        )
        self._task: Any = None

    def start(self, total: int, done: int, epochs: int) -> None:
        """Show the bar."""
        self.epochs = epochs
        self._task = self._bar.add_task(self.label, total=total, completed=done, numbers="")
        self._bar.start()

    def advance(self, epoch: int) -> None:
        """Move the bar by one step."""
        label = f"{self.label}  " if self.label else ""
        self._bar.update(self._task, advance=1, description=f"{label}{self.unit} {epoch}/{self.epochs}")

    def step(self, record: Record) -> None:
        """Show the newest numbers."""
        self._bar.update(self._task, numbers=describe(record))

    def epoch(self, record: Record) -> None:
        """Show the epoch's numbers."""
        self._bar.update(self._task, numbers=describe(record))

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._bar.stop()


def describe(record: Record) -> str:
    """Return the numbers of a record in words."""
    parts = []
    if record.get("data_loss") is not None:
        parts.append(f"data loss {record['data_loss']:.4f}")
    if record.get("accuracy") is not None:
        parts.append(f"accuracy {100 * record['accuracy']:.1f} %")
    if record.get("test_accuracy") is not None:
        parts.append(f"test {100 * record['test_accuracy']:.1f} %")
    parts.append(f"‖w‖ {record['norm']:.3f}")
    return "  ".join(parts)


def reporter(progress: Any, label: str = "", unit: str = "epoch") -> Quiet:
    """Return who reports: a `Quiet` as given, nothing for False; else a bar in a terminal, plain lines without one.

    Without rich the lines are plain in a terminal too. A loop that counts something else than epochs names its `unit`.
    """
    if isinstance(progress, Quiet):
        return progress
    if not progress:
        return Quiet()
    if sys.stdout.isatty():
        try:
            return LiveBar(label, unit=unit)
        except ImportError:
            pass
    return PlainLines(label, unit)
