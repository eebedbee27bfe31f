"""How far a comparison has come: live bars in a terminal, plain lines elsewhere, or nothing."""

import sys
import time
from types import TracebackType
from typing import Any, Protocol, Self, TextIO

from minigrad.extras import need
from minigrad.lab.variants import Entry

__all__ = ["Bars", "Lines", "Progress", "Silent", "progress_for"]

FAMILY_NAMES = {"sgd": "SGD", "momentum": "momentum", "adam": "Adam"}


class Progress(Protocol):
    """What `compare` tells while it works. It is entered before the first entry and left after the last."""

    def __enter__(self) -> Any: ...

    def __exit__(self, *_: Any) -> None: ...

    def begin(self, entry: Entry, index: int, count: int, epochs: int) -> None:
        """Start `entry`, the `index`-th of `count`, which will see `epochs` epochs."""

    def watch(self, epoch: int, measure: Any) -> None:
        """Note that `epoch` epochs are done, and what was measured."""

    def end(self) -> None:
        """Finish the entry."""


class Silent:
    """No progress."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        return None

    def begin(self, entry: Entry, index: int, count: int, epochs: int) -> None:
        """Do nothing."""

    def watch(self, epoch: int, measure: Any) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


class Lines(Silent):
    """A plain line for each entry when it is done, and every ten seconds while it is not."""

    interval = 10.0

    def __init__(self, file: TextIO):
        self.file = file

    def begin(self, entry: Entry, index: int, count: int, epochs: int) -> None:
        """Remember what is trained."""
        self.title = f"[{index:>{len(str(count))}}/{count}] {_title(entry):<36}"
        self.epochs = epochs
        self.last = time.monotonic()

    def watch(self, epoch: int, measure: Any) -> None:
        """Print a line at the last epoch, or if the last line is long ago."""
        if epoch == self.epochs or time.monotonic() - self.last >= self.interval:
            self.last = time.monotonic()
            print(f"{self.title} epoch {epoch}/{self.epochs}  {_numbers(measure)}", file=self.file, flush=True)


class Bars(Silent):
    """A live bar for each entry, with the numbers of its last epoch; finished bars stay."""

    def __init__(self, file: TextIO):
        rich = need("rich.progress", "lab")
        console = need("rich.console", "lab").Console(file=file)
        one_line = need("rich.table", "lab").Column
        self.bars = rich.Progress(
            rich.TextColumn("{task.description}", table_column=one_line(no_wrap=True)),
            rich.BarColumn(bar_width=10),
            rich.TextColumn(
                "{task.completed:.0f}/{task.total:.0f} {task.fields[numbers]}", table_column=one_line(no_wrap=True)
            ),
            console=console,
        )

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.bars.stop()

    def begin(self, entry: Entry, index: int, count: int, epochs: int) -> None:
        """Add a bar."""
        self.task = self.bars.add_task(f"{index:>{len(str(count))}}/{count} {_title(entry)}", total=epochs, numbers="")

    def watch(self, epoch: int, measure: Any) -> None:
        """Move it."""
        numbers = f"loss {measure.data_loss:.4f} acc {measure.accuracy:.1%} ‖w‖ {measure.norm:.2f}"
        self.bars.update(self.task, completed=epoch, numbers=numbers)


def progress_for(file: TextIO | None = None, quiet: bool = False) -> Progress:
    """Return bars where `file` (standard error) is a terminal, lines where it is not, nothing if `quiet`."""
    file = sys.stderr if file is None else file
    if quiet:
        return Silent()
    return Bars(file) if file.isatty() else Lines(file)


def _title(entry: Entry) -> str:
    return f"{FAMILY_NAMES[entry.family]}: {entry.label}"


def _numbers(measure: Any) -> str:
    return f"data loss {measure.data_loss:.4f}  accuracy {measure.accuracy:6.1%}  ‖w‖ {measure.norm:.3f}"
