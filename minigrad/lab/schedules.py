"""The schedules that `minigrad compare` knows by name, fitted to the length of the run."""

from typing import Any

from minigrad.optim import schedules

__all__ = ["NAMES", "make"]

NAMES = ("constant", "cosine", "step", "warmup", "restarts")


def make(name: str, epochs: int, steps_per_epoch: int) -> Any:
    """Return the schedule called `name` for a run of that length; None for "constant".

    "cosine": to zero at the end. "step": ÷ 10 after each third. "warmup": linear over the first tenth, then constant.
    "restarts": cosine with warm restarts, three of them, each twice as long as the one before.
    """
    total = epochs * steps_per_epoch
    if name == "cosine":
        return schedules.cosine(total)
    if name == "step":
        return schedules.step(max(1, -(-total // 3)))
    if name == "warmup":
        return schedules.linear_warmup(max(1, total // 10))
    if name == "restarts":
        return schedules.cosine_restarts(max(1, -(-total // 7)), t_mult=2)
    return None
