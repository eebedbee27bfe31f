"""Has anything become slower? Ratios of a new run beside recorded ones; never times.

The ratios are those of the fastest repeats, which other work on the machine disturbs least.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["SLACK", "Comparison", "best", "compare", "compared", "ratios"]

SLACK = 0.3  # of a ratio: short runs scatter by a tenth or two, and a lost optimisation costs more


@dataclass(frozen=True)
class Comparison:
    """One contender in one case, then and now.

    Attributes:
        case: work and case.
        contender: its name.
        recorded: the recorded ratio to the work's reference, of the fastest repeats.
        found: the new one, or None where the contender was not timed.
        reason: why it was not timed.
        slack: by what fraction a ratio may have grown.
    """

    case: str
    contender: str
    recorded: float
    found: float | None
    reason: str = ""
    slack: float = SLACK

    @property
    def ok(self) -> bool:
        """Whether the contender was timed, and is not slower than the slack allows."""
        return self.found is not None and self.found <= self.recorded * (1 + self.slack)


def compared(name: str) -> bool:
    """Tell whether a contender is watched: minigrad is, whatever its executor."""
    return name.startswith("minigrad")


def compare(recorded: Mapping[str, Any], found: Mapping[str, Any], slack: float = SLACK) -> list[Comparison]:
    """Return every ratio of minigrad that both runs have, or the new one should have.

    Raises ValueError where the two runs have nothing in common, or `recorded` is no result of the bench.
    """
    try:
        old = {(case, entry["name"]): entry for case, entry in _entries(recorded)}
        new = {(case, entry["name"]): entry for case, entry in _entries(found)}
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no result of the bench: {error}") from error
    made = [
        _one(case, name, old[case, name], entry, slack) for (case, name), entry in new.items() if (case, name) in old
    ]
    comparisons = [comparison for comparison in made if comparison is not None]
    if not comparisons:
        raise ValueError("the recorded run and the new one have no ratio of minigrad in common")
    return comparisons


def ratios(results: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Return of which case, as "work, case", and contender the results have a ratio that can be compared."""
    return {(case, entry["name"]) for case, entry in _entries(results) if _ratio(entry) is not None}


def best(first: Sequence[Comparison], second: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons of `first`, those that failed replaced by what a second measurement found."""
    again = {(c.case, c.contender): c for c in second}
    return [c if c.ok else again.get((c.case, c.contender), c) for c in first]


def _entries(results: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for work in results["works"]:
        for case in work["cases"]:
            for entry in case["contenders"]:
                if compared(entry["name"]):
                    yield f"{work['name']}, {case['name']}", entry


def _one(case: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any], slack: float) -> Comparison | None:
    before, now = _ratio(old), _ratio(new)
    if before is None:
        return None
    reason = f"{new['status']}: {new.get('reason', 'there is no reference')}" if now is None else ""
    return Comparison(case, name, before, now, reason, slack)


def _ratio(entry: Mapping[str, Any]) -> float | None:
    """Return the ratio of the fastest repeats, or None where the contender or the reference was not timed."""
    to_reference = entry.get("ratio", {}).get("reference")
    return None if to_reference is None else to_reference["best"]
