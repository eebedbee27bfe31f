"""A number that was to be reached, beside what was measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Target", "seconds"]


@dataclass(frozen=True)
class Target:
    """A number that was to be reached.

    Attributes:
        claim: what it is, in words.
        bound: the target.
        found: by case, what was measured.
        above: whether the target is a least value, not a largest.
        unit: written behind the numbers.
    """

    claim: str
    bound: float
    found: Mapping[str, float]
    above: bool = False
    unit: str = ""

    def reached(self, value: float) -> bool:
        """Tell whether a value is on the right side of the bound."""
        return value >= self.bound if self.above else value <= self.bound

    @property
    def count(self) -> int:
        """In how many cases the target was reached."""
        return sum(map(self.reached, self.found.values()))

    @property
    def worst(self) -> tuple[str, float]:
        """The case that is farthest from the target, and its value."""
        return (min if self.above else max)(self.found.items(), key=lambda item: item[1])


def seconds(case: Mapping[str, Any]) -> dict[str, float]:
    """Return the median seconds of every contender that was timed in a case."""
    return {e["name"]: e["seconds"]["median"] for e in case["contenders"] if e["status"] == "timed"}
