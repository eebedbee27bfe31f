"""The engine's overhead: long chains and trees of tiny tensors, forward and backward."""

from typing import Any

import numpy as np

from minigrad.lab.bench.case import UNIT, Case

__all__ = ["GRAPHS", "LENGTH", "cases", "leaves", "on_a_device"]

GRAPHS = ("tanh chain", "multiply chain", "add chain", "multiply tree")
SIZES = (10**3, 10**4, 10**5, 10**6)
LENGTH = 8  # entries of every tensor, float64


def cases(quick: bool) -> list[Case]:
    """Return every graph at every size; quick: 10³ nodes alone."""
    return [_case(graph, n) for graph in GRAPHS for n in SIZES[: 1 if quick else None]]


def on_a_device(quick: bool) -> list[Case]:
    """Return the graphs of 10³ and 10⁴ nodes, for a device; quick: two of 10³."""
    if quick:
        return [_case(graph, SIZES[0]).on("cupy") for graph in GRAPHS[:2]]
    return [_case(graph, n).on("cupy") for graph in GRAPHS for n in SIZES[:2]]


def _case(graph: str, nodes: int) -> Case:
    nodes = nodes - 1 if graph == "multiply tree" else nodes  # a tree of n leaves joins them n − 1 times
    tolerance = 8 * UNIT["float64"] * nodes  # every node rounds a few times, relative errors add
    name = f"{graph} {nodes:.0e}".replace("e+0", "e")
    task = {"kind": "engine", "graph": graph, "nodes": nodes}
    facts = {"graph": graph, "nodes": nodes}
    return Case(name, task, (tolerance,) * 3, floor=0.0, without=_without(graph, nodes), facts=facts)


def _without(graph: str, nodes: int) -> dict[str, str]:
    """Return who would take minutes or hours for a single pass."""
    found = {}
    if nodes > 10**4 or (graph == "multiply tree" and nodes > 10**3):
        found["autograd"] = "it would take too long; with many leaves its time grows as their square"
    if nodes > 10**5:
        found["mygrad"] = "it would take too long"
    return found


def leaves(graph: str, nodes: int) -> list[Any]:
    """Return the leaves of a graph: x; or x and the factor or summand w; or as many as the tree has.

    Factors are near 1, so that a million of them neither overflow nor vanish.
    """
    rng = np.random.default_rng(0)
    x = 1 + 0.1 * rng.standard_normal(LENGTH)
    if graph == "tanh chain":
        return [x]
    if graph == "multiply tree":
        return list(1 + 1e-3 * rng.standard_normal((nodes + 1, LENGTH)))
    return [x, 1 + 1e-7 * rng.standard_normal(LENGTH)]
