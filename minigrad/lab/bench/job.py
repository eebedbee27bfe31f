"""What a contender hands to its process: something that can be checked once and repeated often."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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
        close: gives back what the job holds beside memory.
    """

    repeat: Callable[[], float | None]
    values: list[float] = field(default_factory=list)
    facts: Mapping[str, Any] = field(default_factory=dict)
    close: Callable[[], None] = _nothing
