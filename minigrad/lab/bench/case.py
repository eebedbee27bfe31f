"""One thing to be timed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["UNIT", "Case"]

UNIT = {"float32": 2.0**-24, "float64": 2.0**-53}


@dataclass(frozen=True)
class Case:
    """One thing to be timed.

    Attributes:
        name: unique within its work.
        task: what a contender is told, made of what JSON knows.
        tolerance: how far each of the contender's values may be from the judge's, relative to max(floor, |value|).
        floor: 1 where rounding errors are those of numbers about 1; 0 where every error is relative.
        memory: bytes that each contender holds, roughly; 0 if it does not matter.
        only: the contenders that can do it, by name; all if empty.
        without: the contenders that are left out, and why.
        facts: for the reader: parameters, floating-point operations, bytes moved, nodes.
    """

    name: str
    task: Mapping[str, Any]
    tolerance: tuple[float, ...] = ()
    floor: float = 1.0
    memory: int = 0
    only: tuple[str, ...] = ()
    without: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def on(self, backend: str) -> "Case":
        """Return the same case for another back end than NumPy."""
        return replace(self, task={**self.task, "backend": backend})
