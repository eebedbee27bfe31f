"""What was to be reached on a GPU, and what a run reached."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from minigrad.lab.bench.target import Target, seconds

__all__ = ["EAGER", "targets"]

EAGER = ("torch", "torch-foreach", "torch-fused", "torch-channels-last")
LARGEST = 10**8


def targets(works: Mapping[str, Sequence[Any]]) -> list[Target]:
    """Return the targets that the cases of `works` are about."""
    updates = [case for case in works.get("update", ()) if case["facts"]["tensors"] == 1]
    steps = works.get("step", ())
    found = [
        Target(
            "Update of 10⁸ parameters: share of the rate of a copy", 90, dict(_shares(updates, "copy")), above=True,
            unit=" %",
        ),
        Target(
            "Update of 10⁸ parameters: share of the rate of the same access", 90, dict(_shares(updates, "roofline")),
            above=True, unit=" %",
        ),
        Target("AdamW's update: time / torch's fused AdamW", 1.0, dict(_adamw(updates))),
        Target("Training step, eager: time / fastest of torch eager", 1.0, dict(_ratios(steps, "minigrad", EAGER))),
        Target(
            "Training step, captured: time / torch with a CUDA graph", 1.0,
            dict(_ratios(steps, "minigrad-captured", ("torch-graphs",))),
        ),
    ]  # fmt: skip
    return [target for target in found if target.found]


def _shares(updates: Sequence[Any], limit: str) -> Iterator[tuple[str, float]]:
    """Yield, in percent, how much of the limit's rate the kernel has; both move as many bytes."""
    for case in updates:
        s = seconds(case)
        if case["facts"]["parameters"] == LARGEST and {"minigrad", limit} <= s.keys():
            yield case["name"], 100 * s[limit] / s["minigrad"]


def _adamw(updates: Sequence[Any]) -> Iterator[tuple[str, float]]:
    return _ratios([c for c in updates if c["facts"]["variant"] == "adam_decay"], "minigrad", ("torch-fused",))


def _ratios(cases: Sequence[Any], own: str, others: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Yield the time of `own` beside that of the fastest of `others`, where both were timed."""
    for case in cases:
        s = seconds(case)
        theirs = [s[name] for name in others if name in s]
        if own in s and theirs:
            yield case["name"], s[own] / min(theirs)
