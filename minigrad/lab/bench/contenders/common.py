"""What the modules of the contenders share."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigrad import backend
from minigrad.extras import need
from minigrad.lab.bench import step
from minigrad.lab.bench.clock import Clock
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["clock", "library", "on_device", "place", "release", "training"]


def on_device(task: Mapping[str, Any]) -> bool:
    """Tell whether a task is to be done on a GPU."""
    return bool(task.get("backend", "numpy") != "numpy")


def place(task: Mapping[str, Any]) -> Any:
    """Make the back end of a task that of this process; return its array module."""
    backend.use_backend(task.get("backend", "numpy"))
    return backend.current()


def clock(task: Mapping[str, Any]) -> Clock | None:
    """Return the clock for what CuPy does, or None on the host."""
    return backend.Stopwatch() if on_device(task) else None


def release(task: Mapping[str, Any]) -> Callable[[], None]:
    """Return what gives CuPy's memory back at the end of a job."""
    return backend.release if on_device(task) else lambda: None


def library(module: str) -> Any:
    """Return an imported library of the extra "oracle"; SkippedError where it is not installed."""
    try:
        return need(module, "oracle")
    except ImportError as error:
        raise SkippedError(f"{module.partition('.')[0]} is not installed") from error


def training(
    one: Callable[[Any, Any], Any],
    batches: Sequence[tuple[Any, Any]],
    facts: Mapping[str, Any],
    loss: Any = float,
    clock: Clock | None = None,
    close: Callable[[], None] = lambda: None,
) -> Job:
    """Return the job whose repeat is ``one(x, labels)``, a training step that returns its loss, batch after batch.

    The first steps, whose losses are checked, are taken here; ``loss`` makes a number of what they return.
    """
    turn = itertools.cycle(batches)
    values = [loss(one(*next(turn))) for _ in range(step.CHECKED)]

    def repeat() -> None:
        one(*next(turn))

    return Job(repeat, values, facts, close, clock)
