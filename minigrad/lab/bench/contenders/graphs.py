"""The graphs of tiny tensors, built with any library's operators."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.lab.bench.job import Job

__all__ = ["build", "job", "passes", "recorded", "resident"]

RECORDED = 6  # calls after which whatever is recorded is being replayed


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
    task: Mapping[str, Any],
    leaves: Sequence[Any],
    tanh: Any,
    raw: Any,
    facts: Mapping[str, Any],
    forget: Any = None,
    **more: Any,
) -> Job:
    """Return the job of building the graph and asking its sum for gradients.

    The memory of the graph is what the process grows by while it is built, the first time; it says little of graphs
    below 10⁵ nodes, and is not given for them.

    Args:
        task: the graph.
        leaves: the library's leaves, whose ``grad`` is written by ``backward()``.
        tanh: the library's.
        raw: turns a value or gradient into an array of the host.
        facts: passed on.
        forget: forgets the gradients of the leaves; None where ``grad = None`` does.
        more: further attributes of the job.
    """
    before = resident()
    y = build(task, leaves, tanh)
    held = resident()
    total = y.sum()
    total.backward()
    values = sums(raw, y, leaves)
    known = before and held and task["nodes"] >= 10**5 - 1
    memory = {"bytes_per_node": (held - before) / task["nodes"]} if known else {}
    del y, total
    one = passes(task, leaves, tanh, forget)

    def repeat() -> None:
        one()

    return Job(repeat, values, {**facts, **memory}, **more)


def recorded(
    task: Mapping[str, Any], leaves: Sequence[Any], raw: Any, one: Callable[[], Any], facts: Any, **more: Any
) -> Job:
    """Return the job of a recorded pass, whose first calls only prepare: what `one` returns is checked thereafter.

    `one` is the recorded `passes`, and `facts` is called when all is recorded; the others are those of `job`.
    """
    for _ in range(RECORDED):
        y = one()

    def repeat() -> None:
        one()

    return Job(repeat, sums(raw, y, leaves), facts(), **more)


def passes(task: Mapping[str, Any], leaves: Sequence[Any], tanh: Any, forget: Any = None) -> Callable[[], Any]:
    """Return a function that builds the graph, asks its sum for gradients and returns its last node."""

    def without() -> None:
        for leaf in leaves:
            leaf.grad = None

    forget = forget or without

    def one() -> Any:
        forget()
        y = build(task, leaves, tanh)
        y.sum().backward()
        return y

    return one


def sums(raw: Any, y: Any, leaves: Sequence[Any]) -> list[float]:
    """Return what is checked: the sum of the result, and those of the first and the last leaf's gradient."""
    return [float(np.sum(np.asarray(raw(a)))) for a in (y, leaves[0].grad, leaves[-1].grad)]


def resident() -> int:
    """Return how many bytes of memory this process holds, 0 where that cannot be known."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, AttributeError):
        return 0
