"""NumPy by hand."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.lab.bench import engine, step
from minigrad.lab.bench.contenders import by_hand, common, fresh
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["make"]


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare `task`."""
    facts = {"numpy": np.__version__}
    if task["kind"] == "step":
        return common.training(by_hand.Network(task, np.float32).step, step.batches(task), facts)
    if task["kind"] == "engine":
        passes = graph(task)
        return Job(lambda: passes() and None, passes(), facts)
    if task["kind"] == "cold":
        return fresh.job(name, task)
    raise SkippedError("nothing is written by hand for this")


def graph(task: Mapping[str, Any]) -> Any:
    """Return a function that makes the NumPy calls of a graph, forward and backward, and nothing else.

    It returns the sum of the result, and the sums of the first and the last leaf's gradient.
    """
    leaves, n = engine.leaves(task["graph"], task["nodes"]), task["nodes"]
    kind = task["graph"]

    def tanh_chain() -> list[float]:
        x, kept = leaves[0], []
        for _ in range(n):
            x = np.tanh(x)
            kept.append(x)
        g = np.ones_like(x)
        for y in reversed(kept):
            g = g * (1 - y * y)
        return _sums(x, g, g)

    def multiply_chain() -> list[float]:
        (x, w), kept = leaves, []
        for _ in range(n):
            kept.append(x)
            x = x * w
        g, gw = np.ones_like(x), np.zeros_like(x)
        for y in reversed(kept):
            gw = gw + g * y
            g = g * w
        return _sums(x, g, gw)

    def add_chain() -> list[float]:
        x, w = leaves
        for _ in range(n):
            x = x + w
        g, gw = np.ones_like(x), np.zeros_like(x)
        for _ in range(n):
            gw = gw + g
        return _sums(x, g, gw)

    def multiply_tree() -> list[float]:
        level, kept = leaves, []
        while len(level) > 1:
            kept.append(level)
            level = [a * b for a, b in zip(level[::2], level[1::2], strict=False)] + level[len(level) & ~1 :]
        gradients = [np.ones_like(level[0])]
        for below in reversed(kept):
            pairs = zip(gradients, below[::2], below[1::2], strict=False)
            gradients = [v for g, a, b in pairs for v in (g * b, g * a)] + gradients[len(below) // 2 :]
        return _sums(level[0], gradients[0], gradients[-1])

    return {
        "tanh chain": tanh_chain, "multiply chain": multiply_chain, "add chain": add_chain,
        "multiply tree": multiply_tree,
    }[kind]  # fmt: skip


def _sums(*arrays: Any) -> list[float]:
    return [float(np.sum(a)) for a in arrays]
