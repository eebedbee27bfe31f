"""NumPy by hand, and the same calls on CuPy."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.lab.bench import engine, step
from minigrad.lab.bench.contenders import by_hand, common, fresh
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["make"]


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare `task`."""
    if task["kind"] == "cold":
        return fresh.job(name, task)
    if task["kind"] not in ("step", "engine"):
        raise SkippedError("nothing is written by hand for this")
    xp, clock, close = common.place(task), common.clock(task), common.release(task)
    facts = {"numpy": np.__version__, **({} if xp is np else {name: xp.__version__})}
    if task["kind"] == "step":
        batches = [(xp.asarray(x), xp.asarray(labels)) for x, labels in step.batches(task)]
        return common.training(by_hand.Network(task, np.float32, xp).step, batches, facts, clock=clock, close=close)
    passes = graph(task, xp)

    def repeat() -> None:
        passes()

    return Job(repeat, [float(x) for x in passes()], facts, close, clock)


def graph(task: Mapping[str, Any], xp: Any = np) -> Any:
    """Return a function that makes the array module's calls of a graph, forward and backward, and nothing else.

    It returns the sum of the result, and the sums of the first and the last leaf's gradient, where they are computed.
    """
    leaves, n = [xp.asarray(a) for a in engine.leaves(task["graph"], task["nodes"])], task["nodes"]
    kind = task["graph"]

    def tanh_chain() -> list[Any]:
        x, kept = leaves[0], []
        for _ in range(n):
            x = xp.tanh(x)
            kept.append(x)
        g = xp.ones_like(x)
        for y in reversed(kept):
            g = g * (1 - y * y)
        return _sums(x, g, g)

    def multiply_chain() -> list[Any]:
        (x, w), kept = leaves, []
        for _ in range(n):
            kept.append(x)
            x = x * w
        g, gw = xp.ones_like(x), xp.zeros_like(x)
        for y in reversed(kept):
            gw = gw + g * y
            g = g * w
        return _sums(x, g, gw)

    def add_chain() -> list[Any]:
        x, w = leaves
        for _ in range(n):
            x = x + w
        g, gw = xp.ones_like(x), xp.zeros_like(x)
        for _ in range(n):
            gw = gw + g
        return _sums(x, g, gw)

    def multiply_tree() -> list[Any]:
        level, kept = leaves, []
        while len(level) > 1:
            kept.append(level)
            level = [a * b for a, b in zip(level[::2], level[1::2], strict=False)] + level[len(level) & ~1 :]
        gradients = [xp.ones_like(level[0])]
        for below in reversed(kept):
            pairs = zip(gradients, below[::2], below[1::2], strict=False)
            gradients = [v for g, a, b in pairs for v in (g * b, g * a)] + gradients[len(below) // 2 :]
        return _sums(level[0], gradients[0], gradients[-1])

    return {
        "tanh chain": tanh_chain, "multiply chain": multiply_chain, "add chain": add_chain,
        "multiply tree": multiply_tree,
    }[kind]  # fmt: skip


def _sums(*arrays: Any) -> list[Any]:
    return [a.sum() for a in arrays]
