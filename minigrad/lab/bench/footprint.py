"""The memory of a training step: what the way back must find, and what is held at the peak."""

import dis
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.autodiff import Node

__all__ = ["measure", "must_be_kept"]


def measure(forward: Callable[[], Any], backward: Callable[[Any], None]) -> dict[str, int]:
    """Return the bytes of a step beyond what is there before it and after it: ``held_bytes`` and ``peak_bytes``.

    Args:
        forward: returns the loss.
        backward: takes it, and does the rest of the step.
    """
    backward(forward())
    held = must_be_kept(forward())
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        backward(forward())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return {"held_bytes": held, "peak_bytes": peak - before}


def must_be_kept(root: Node) -> int:
    """Return the bytes of all arrays that the vjps of a graph read, each counted once, without those of its leaves.

    An operand's value is read if the operation says so (`Operation.reads`), a result if some vjp names it.
    """
    kept: dict[int, int] = {}

    def keep(x: Any) -> None:
        for part in x if isinstance(x, tuple) else (x,):
            if isinstance(part, np.ndarray):
                whole = part if part.base is None else part.base
                kept[id(whole)] = whole.nbytes if isinstance(whole, np.ndarray) else part.nbytes

    seen, stack = set(), [root]
    while stack:
        node = stack.pop()
        if node in seen or not node._made:
            continue
        seen.add(node)
        operation, _, saved, *operands = node._made
        keep(saved)
        if any(f is not None and _reads(f, "y") for f in operation.vjps[: len(operands)]):
            keep(node.data)
        for i, p in enumerate(operands):
            if isinstance(p, Node) and p._made:
                stack.append(p)
                if i in operation.read(operands):
                    keep(p.data)
    return sum(kept.values())


def _reads(function: Any, name: str) -> bool:
    return any(i.opname.startswith("LOAD_FAST") and i.argval == name for i in dis.get_instructions(function))
