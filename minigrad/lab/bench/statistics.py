"""From seconds to medians, spreads and ratios."""

from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

from minigrad.lab.bench.turns import Outcome
from minigrad.lab.bench.work import Work

__all__ = ["of_case", "ratio", "spread"]


def spread(turns: Sequence[Sequence[float]], each: int = 1) -> dict[str, Any]:
    """Return the median over rounds of each round's median, and how widely single repeats scatter.

    Seconds: ``median``, the quartiles ``q1`` and ``q3`` and the extremes of all repeats, the medians of the ``rounds``,
    and the number of ``repeats``, `each` for each of the seconds.
    """
    every = [seconds for turn in turns for seconds in turn]
    q1, _, q3 = quantiles(every, n=4, method="inclusive") if len(every) > 1 else every * 3
    rounds = [median(turn) for turn in turns]
    return {
        "median": median(rounds), "q1": q1, "q3": q3, "min": min(every), "max": max(every), "rounds": rounds,
        "repeats": len(every) * each,
    }  # fmt: skip


def ratio(turns: Sequence[Sequence[float]], reference: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return the ratio to a reference: the median over rounds of the ratio within a round, its least and its largest.

    What slows the machine for a while slows both turns of a round, and drops out. ``best`` is the ratio of the fastest
    repeats: a disturbance only ever adds time, so that it is the steadiest of the four on a busy machine.
    """
    found = [median(a) / median(b) for a, b in zip(turns, reference, strict=True)]
    best = min(map(min, turns)) / min(map(min, reference))
    return {"median": median(found), "min": min(found), "max": max(found), "best": best}


def of_case(work: Work, outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the outcomes as they go into JSON, each with its ratios.

    ``reference``: to the work's reference. ``peer``: to the fastest of the others that are neither minigrad nor a
    limit. ``limit``: to the fastest limit.
    """
    timed = {o.contender: o for o in outcomes if o.status == "timed"}
    peers = [o for o in timed.values() if o.contender not in work.limits and not o.contender.startswith("minigrad")]
    limits = [o for o in timed.values() if o.contender in work.limits]
    found = []
    for outcome in outcomes:
        entry: dict[str, Any] = {"name": outcome.contender, "status": outcome.status}
        if outcome.reason:
            entry["reason"] = outcome.reason
        if outcome.off is not None and outcome.off < float("inf"):
            entry["off"] = outcome.off
        if outcome.facts:
            entry["facts"] = dict(outcome.facts)
        if outcome.status == "timed":
            entry["seconds"] = spread(outcome.turns, outcome.each)
            entry |= {word: median(values) for word, values in outcome.beside.items()}
            others = [o for o in peers if o is not outcome]
            against = {
                "reference": timed.get(work.reference),
                "peer": _fastest(others),
                "limit": _fastest([o for o in limits if o is not outcome]),
            }
            entry["ratio"] = {
                word: {"to": other.contender, **ratio(outcome.turns, other.turns)}
                for word, other in against.items()
                if other is not None
            }
        found.append(entry)
    return found


def _fastest(outcomes: Sequence[Outcome]) -> Outcome | None:
    return min(outcomes, key=lambda o: spread(o.turns)["median"]) if outcomes else None
