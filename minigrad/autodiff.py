"""Reverse mode: from a result back to everything it was made of.

A `Node` knows the operation that made it and its operands. `backpropagate` walks a graph from its root, in an order
in which every consumer comes before what it consumed, and hands gradients down by each operation's vector–Jacobian
products. It is a loop, not a recursion: a graph may be a million nodes deep.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad import backend

__all__ = ["Node", "accumulate", "backpropagate", "foreign_leaves"]


class Node:
    """What the engine sees of a tensor: a value and how it was made."""

    __slots__ = ("__weakref__", "_expected", "_inputs", "_op", "_saved", "_static", "_version", "data", "grad",
                 "requires_grad")  # fmt: skip

    data: Any
    grad: Any
    requires_grad: bool
    _op: Any  # the operation that made it, or None
    _inputs: Any  # its operands (nodes, arrays and numbers), () if unrecorded, None if freed or made by the user
    _static: dict[str, Any]  # the operation's options
    _saved: Any  # what the vjp wants besides operands and result
    _version: list[int]  # how often this memory was written; views share it
    _expected: int  # the sum of the versions of the operands that the vjps read, when it was made


def accumulate(root: Node, gradient: Any, retain_graph: bool) -> None:
    """Add the gradients of `root` to ``.grad`` of its leaves: `Tensor.backward`."""
    if not root.requires_grad:
        raise RuntimeError(
            "nothing that made this tensor requires gradients: make a leaf with requires_grad=True, and compute "
            "outside of no_grad"
        )
    seed = _seed(root, gradient)
    found = backpropagate(root, seed, retain=retain_graph)
    for leaf, g in found.items():
        deposit(leaf, g)


def deposit(leaf: Any, g: Any) -> None:
    """Add `g` to the gradient of a leaf. The first gradient is copied: it may share memory with another leaf's."""
    home = getattr(leaf, "grad_home", None)
    if leaf.grad is not None:
        leaf.grad += g
    elif home is not None:
        home[...] = g
        leaf.grad = home
    else:
        leaf.grad = backend.namespace(leaf.data).array(g, dtype=leaf.data.dtype)


def backpropagate(
    root: Node,
    seed: Any,
    *,
    retain: bool = False,
    targets: Iterable[Node] | None = None,
    ops: Any = None,
) -> dict[Any, Any]:
    """Return the gradient of ⟨seed, root⟩ by each leaf, or by each of `targets` alone.

    Args:
        root: where to start.
        seed: the gradient by `root`: an array, or a tensor where `ops` is given.
        retain: keep the graph. Otherwise each node is freed as soon as it has been passed.
        targets: leaves to reach; paths that lead to none of them are not walked.
        ops: minigrad's own operations. With them the vjps are computed on tensors, which makes the gradients
            differentiable again; without, on bare arrays by their own namespace.
    """
    order = _inputs_first(root)
    goals = set(targets or ())
    reach = None if targets is None else _reach(order, goals)
    gradients = {root: seed}
    while order:
        node = order.pop()
        if node in goals:
            continue
        g = gradients.pop(node, None)
        if g is not None:
            for operand, vjp in _vjps(node, g, reach, ops):
                previous = gradients.get(operand)
                gradients[operand] = vjp if previous is None else previous + vjp
        if not retain:
            node._inputs = node._saved = None
    return gradients


def _vjps(node: Node, g: Any, reach: set[Node] | None, ops: Any) -> list[tuple[Node, Any]]:
    """Return each operand of `node` that wants a gradient, with its gradient."""
    operation, options = node._op, node._static
    wanted: list[Any] = []
    values: list[Any] = []
    for p in node._inputs:
        if isinstance(p, Node):
            if p.requires_grad and (reach is None or p in reach):
                wanted.append((len(values), p))
            values.append(p.data if ops is None else p)
        else:
            values.append(p)
    y: Any
    if ops is None:
        y = node.data
        xp = np if type(y) is np.ndarray else backend.namespace(y)
        saved = node._saved
    elif operation.twice:
        xp, y = ops, node
        saved = operation.save(xp, *values, **options) if operation.save else None
    else:
        return [(p, operation.once(i, g, node)) for i, p in wanted if operation.vjps[i] is not None]
    if operation.save:
        values = [saved, *values]
    found = []
    for i, p in wanted:
        vjp = operation.vjps[i]
        if vjp is not None:
            found.append((p, vjp(xp, g, y, *values, **options) if options else vjp(xp, g, y, *values)))
    return found


def _inputs_first(root: Node) -> list[Node]:
    """Return the recorded nodes below and including `root`, operands before consumers; check that all can be used."""
    order: list[Node] = []
    seen: set[Node] = set()
    stack: list[Any] = [root] if root._op is not None else []
    while stack:
        node = stack.pop()
        if node is None:  # everything above this mark has been listed
            order.append(stack.pop())
            continue
        if node in seen:
            continue
        seen.add(node)
        if node._inputs is None:
            raise RuntimeError(
                "the graph was freed by an earlier backward(); compute the result again, or keep the graph with "
                "backward(retain_graph=True)"
            )
        if node._expected != node._op.version(node._inputs):
            raise RuntimeError(
                f"an operand of {node._op.__name__}, of shape {_written(node)}, was written after it was used, so its "
                "gradient can no longer be computed; call backward() before the write (an optimizer's step, load, += "
                "or item assignment)"
            )
        stack += (node, None)
        for p in node._inputs:
            if isinstance(p, Node) and p.requires_grad and p._op is not None and p not in seen:
                stack.append(p)
    return order


def _written(node: Node) -> str:
    """Return the shape of the operand that was written; of those that may have been, where there are several."""
    read = [node._inputs[i] for i in node._op.read(node._inputs)]
    return " or ".join(dict.fromkeys(str(p.data.shape) for p in read if isinstance(p, Node) and p._version[0]))


def _reach(order: list[Node], targets: set[Node]) -> set[Node]:
    """Return the targets and every node made of them, directly or not; `order` lists operands first."""
    reach = set(targets)
    for node in order:
        if any(isinstance(p, Node) and p in reach for p in node._inputs):
            reach.add(node)
    return reach


def foreign_leaves(root: Node, own: Iterable[Node]) -> set[Node]:
    """Return the leaves that require gradients and that `root` was made of, without those in `own`."""
    nodes = _inputs_first(root)
    leaves = {p for node in nodes for p in node._inputs if isinstance(p, Node) and p.requires_grad and p._op is None}
    return leaves - set(own)


def _seed(root: Node, gradient: Any) -> Any:
    xp = backend.namespace(root.data)
    if gradient is None:
        if root.data.size != 1:
            raise ValueError(
                f"backward() of a tensor of shape {root.data.shape} needs a gradient of that shape; only a single "
                "number has the gradient 1 by default"
            )
        return backend.ones_like(root.data)
    gradient = xp.asarray(getattr(gradient, "data", gradient) if isinstance(gradient, Node) else gradient)
    if gradient.shape != root.data.shape:
        raise ValueError(f"gradient must have the tensor's shape {root.data.shape}, got {gradient.shape}")
    return gradient.astype(root.data.dtype)
