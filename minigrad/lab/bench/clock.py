"""How repeats are timed: one by one by the host's clock, or many between two marks among a device's work.

A device works behind the host, which only queues: a single repeat says little of either. So many are queued between
marks, and the queue is empty before the first and after the last. What the host has to do is timed apart, where no full
queue makes it wait.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Any, Protocol

from minigrad.lab.bench.job import Job

__all__ = ["Clock", "Timed", "Waiting", "timed"]

PARTS = 10  # stretches between marks in a turn
ALONE = 5  # repeats into an empty queue


class Clock(Protocol):
    """Marks among the work of a device (`minigrad.backend.Stopwatch`)."""

    def mark(self) -> Any:
        """Return a mark behind all work that was queued."""

    def between(self, first: Any, last: Any) -> float:
        """Return the seconds from one mark to another."""

    def wait(self) -> None:
        """Wait until all work is done."""


class Waiting:
    """The host's clock, for a library that has no events to offer: a mark is where all work has been waited for."""

    def __init__(self, wait: Callable[[], Any]):
        self.wait = wait

    def mark(self) -> float:
        """Wait, and return the time."""
        self.wait()
        return time.perf_counter()

    def between(self, first: float, last: float) -> float:
        """Return the seconds from one mark to another."""
        return last - first


@dataclass(frozen=True)
class Timed:
    """What repeats took.

    Attributes:
        seconds: of one repeat; on a device, for each stretch between two marks, the mean.
        each: how many repeats lie in a stretch.
        wall: by the host's clock, the seconds of a repeat, from the first to the end of the last; of devices alone.
        host: the seconds that the host needs to queue a repeat, with an empty queue before it; of devices alone.
    """

    seconds: list[float]
    each: int = 1
    wall: float | None = None
    host: float | None = None


def timed(job: Job, repeats: int, warm: int) -> Timed:
    """Return what about `repeats` repeats of `job` took; `warm` repeats before are not timed."""
    for _ in range(warm):
        job.repeat()
    return _one_by_one(job.repeat, repeats) if job.clock is None else _between_marks(job.repeat, repeats, job.clock)


def _one_by_one(repeat: Callable[[], float | None], repeats: int) -> Timed:
    clock, seconds = time.perf_counter, []
    for _ in range(repeats):
        start = clock()
        own = repeat()
        seconds.append(clock() - start if own is None else own)
    return Timed(seconds)


def _between_marks(repeat: Callable[[], float | None], repeats: int, clock: Clock) -> Timed:
    parts = min(PARTS, repeats)
    each = repeats // parts
    host = median(_queued(repeat, clock) for _ in range(min(ALONE, repeats)))
    clock.wait()
    start = time.perf_counter()
    marks = [clock.mark()]
    for _ in range(parts):
        for _ in range(each):
            repeat()
        marks.append(clock.mark())
    clock.wait()
    wall = (time.perf_counter() - start) / (parts * each)
    return Timed([clock.between(*two) / each for two in pairwise(marks)], each, wall, host)


def _queued(repeat: Callable[[], float | None], clock: Clock) -> float:
    clock.wait()
    start = time.perf_counter()
    repeat()
    return time.perf_counter() - start
