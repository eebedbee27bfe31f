"""What the modules of the contenders share."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigrad.extras import need
from minigrad.lab.bench import step
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["library", "training"]


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
) -> Job:
    """Return the job whose repeat is ``one(x, labels)``, a training step that returns its loss, batch after batch.

    The first steps, whose losses are checked, are taken here; ``loss`` makes a number of what they return.
    """
    turn = itertools.cycle(batches)
    values = [loss(one(*next(turn))) for _ in range(step.CHECKED)]

    def repeat() -> None:
        one(*next(turn))

    return Job(repeat, values, facts)
