"""The graphs of tiny tensors, built with any library's operators."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.lab.bench.job import Job

__all__ = ["build", "job", "resident"]


def build(task: Mapping[str, Any], leaves: Sequence[Any], tanh: Callable[[Any], Any]) -> Any:
    """Return the last node of the graph that `task` describes on `leaves`."""
    x, n = leaves[0], task["nodes"]
    if task["graph"] == "tanh chain":
        for _ in range(n):
            x = tanh(x)
    elif task["graph"] == "multiply chain":
        w = leaves[1]
        for _ in range(n):
            x = x * w
    elif task["graph"] == "add chain":
        w = leaves[1]
        for _ in range(n):
            x = x + w
    else:
        level = list(leaves)
        while len(level) > 1:
            level = [a * b for a, b in zip(level[::2], level[1::2], strict=False)] + level[len(level) & ~1 :]
        x = level[0]
    return x


def job(
    task: Mapping[str, Any], leaves: Sequence[Any], tanh: Any, raw: Any, facts: Mapping[str, Any], forget: Any = None
) -> Job:
    """Return the job of building the graph and asking its sum for gradients.

    The memory of the graph is what the process grows by while it is built, the first time; it says little of graphs
    below 10⁵ nodes, and is not given for them.

    Args:
        task: the graph.
        leaves: the library's leaves, whose ``grad`` is written by ``backward()``.
        tanh: the library's.
        raw: turns a value or gradient into an array.
        facts: passed on.
        forget: forgets the gradients of the leaves; None where ``grad = None`` does.
    """
    before = resident()
    y = build(task, leaves, tanh)
    held = resident()
    total = y.sum()
    total.backward()
    values = [float(np.sum(np.asarray(raw(a)))) for a in (y, leaves[0].grad, leaves[-1].grad)]
    known = before and held and task["nodes"] >= 10**5 - 1
    more = {"bytes_per_node": (held - before) / task["nodes"]} if known else {}
    del y, total

    def without() -> None:
        for leaf in leaves:
            leaf.grad = None

    forget = forget or without

    def repeat() -> None:
        forget()
        build(task, leaves, tanh).sum().backward()

    return Job(repeat, values, {**facts, **more})


def resident() -> int:
    """Return how many bytes of memory this process holds, 0 where that cannot be known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, AttributeError):
        return 0
