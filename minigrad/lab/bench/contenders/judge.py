"""The judge, never timed: every task computed in float64, the plainest way there is."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.lab.bench import step, update
from minigrad.lab.bench.contenders import by_hand, common, of_numpy
from minigrad.lab.bench.job import Job, SkippedError
from minigrad.regularization import VARIANTS
from minigrad.rules import scalar_state, state_names

__all__ = ["first", "make"]


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Compute what every contender must agree with."""
    if task["kind"] == "step":
        batches = [(x.astype(np.float64), labels) for x, labels in step.batches(task)]
        return common.training(by_hand.Network(task, np.float64).step, batches, {})
    if task["kind"] == "engine":
        return Job(lambda: None, [float(x) for x in of_numpy.graph(task)()])
    return Job(lambda: None, _weights(task))


def first(task: Mapping[str, Any], count: int) -> tuple[Any, Any]:
    """Return the first `count` weights and gradients, float32; the same ones whatever `count` is."""
    rng = np.random.default_rng(2)
    return tuple(np.resize(rng.standard_normal(1000).astype(np.float32), count) for _ in range(2))  # type: ignore[return-value]


def _weights(task: Mapping[str, Any]) -> list[float]:
    """Return the first weights after the checked steps with a constant gradient: entries do not know of each other."""
    variant = VARIANTS[task["variant"]]
    w, g = (a.astype(np.float64) for a in first(task, update.PLACES))
    numbers = scalar_state(variant.rule)
    state: list[Any] = [numbers.get(name, np.zeros_like(w)) for name in state_names(variant.rule)]
    try:
        hyper = {name: update.NUMBERS[name] for name in variant.hyper if name not in ("lr", "t")}
    except KeyError as missing:
        raise SkippedError(f"no value is chosen for {missing}") from missing
    for t in range(1, update.CHECKED + 1):
        more = {"t": t} if "t" in variant.hyper else {}
        w, *state = variant.step(w, g, *state, lr=task["lr"], **hyper, **more)
    return [float(v) for v in w]
