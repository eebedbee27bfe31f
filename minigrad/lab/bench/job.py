"""What a contender hands to its process: something that can be checked once and repeated often."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minigrad.lab.bench.clock import Clock

__all__ = ["Job", "SkippedError"]


class SkippedError(Exception):
    """A contender that cannot take part, and why: it is not installed, or has no such operation."""


def _nothing() -> None:
    pass


@dataclass
class Job:
    """A case, ready to be timed.

    Attributes:
        repeat: does the work once. It returns nothing, or how many seconds it took where it has its own clock.
        values: what came out while it was prepared, to be held against the judge's.
        facts: what else was found: versions, bytes per node.
        close: called when the job is no longer used, and its memory is free: gives back what else there is.
        clock: the clock of the device on which the work is done; None where the host does it.
    """

    repeat: Callable[[], float | None]
    values: list[float] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)
    close: Callable[[], None] = _nothing
    clock: "Clock | None" = None
