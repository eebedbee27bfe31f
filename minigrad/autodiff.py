"""Reverse mode: from a result back to everything it was made of.

A `Node` knows the operation that made it and its operands. `backpropagate` walks a graph from its root, in an order
in which every consumer comes before what it consumed, and hands gradients down by each operation's vector–Jacobian
products. It is a loop, not a recursion: a graph may be a million nodes deep.

A graph must refuse gradients if a value that it needs was overwritten. So there is one clock: every result is born, and
all memory is written, at a moment of it, and an operand that was written after the result was born is out of date. A
graph that is younger than the last write anywhere need not be looked at. Moments mean nothing in another process.
"""

import itertools
import threading
from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import numpy as np

from minigrad import backend

__all__ = ["Node", "accumulate", "backpropagate", "foreign_leaves", "now", "sum_rows", "unbroadcast", "wrote"]

now = itertools.count(1).__next__  # the next moment of the clock
_last_write = [0]
_writing = threading.Lock()


class Node:
    """What the engine sees of a tensor: a value and how it was made."""

    __slots__ = ("__weakref__", "_born", "_made", "_written", "data", "grad", "requires_grad")

    data: Any
    grad: Any
    requires_grad: bool
    # (operation, options, more, *operands): one plain tuple for every result. `more` is what the vjps want besides
    # operands and result (`Operation.save`); of an entrywise operation, True if its two operands have one shape and
    # dtype, so that neither was broadcast or cast. (operation,) once that was freed; () if nothing was recorded; None
    # if the user made it.
    _made: Any
    _born: int  # when, of what is recorded: no operand is younger than its result
    _written: list[int]  # when this memory was last written; views share it

    @property
    def operation(self) -> Any:
        """The operation that made this node, if that was recorded, or None."""
        return self._made[0] if self._made else None

    @property
    def operands(self) -> tuple[Any, ...]:
        """What the operation was applied to (nodes, arrays and numbers), as long as it is kept."""
        return self._made[3:] if self._made else ()


def wrote(*nodes: Any) -> None:
    """Note that the memory of `nodes`, none of them the result of an operation, was written now."""
    with _writing:
        _last_write[0] = moment = now()
        for node in nodes:
            node._written[0] = moment


def accumulate(root: Node, gradient: Any, retain_graph: bool) -> None:
    """Add the gradients of `root` to ``.grad`` of its leaves: `Tensor.backward`."""
    if not root.requires_grad:
        raise RuntimeError(
            "nothing that made this tensor requires gradients: make a leaf with requires_grad=True, and compute "
            "outside of no_grad"
        )
    gradients = {root: _seed(root, gradient)}
    _pass_down(_oldest_first(root), gradients, retain_graph)
    for leaf, g in gradients.items():
        deposit(leaf, g)


def deposit(leaf: Any, g: Any) -> None:
    """Add `g` to the gradient of a leaf. The first gradient is copied: it may share memory with another leaf's."""
    home = _home(leaf)
    if leaf.grad is not None:
        leaf.grad += g
    elif home is not None:
        if g is not home:
            _write(home, g)
        leaf.grad = home
    else:
        leaf.grad = backend.namespace(leaf.data).array(g, dtype=leaf.data.dtype)


def _write(home: Any, g: Any) -> None:
    if isinstance(home, np.ndarray) and not isinstance(g, np.ndarray):
        np.copyto(home, g)  # an assignment is not seen by a step that is recorded
    else:
        home[...] = g


def _home(leaf: Any) -> Any:
    """Return the array where a parameter's first gradient belongs, or None."""
    return getattr(leaf, "grad_home", None)


def _pass_down(order: list[Node], gradients: dict[Any, Any], retain: bool) -> None:
    """Replace the gradient by the last node of `order` with the gradients by all leaves, on bare arrays.

    Unless the graph is kept, each node is freed as soon as it has been passed. This is the loop in which small graphs
    spend their time: what `_hand_down` does is written out for entrywise operations (`Operation.entrywise`).
    """
    pending = gradients.get
    while order:
        node = order.pop()
        made = node._made
        operation = made[0]
        if not retain:
            node._made = operation.freed
        g = gradients.pop(node, None)
        if g is None:
            continue
        y = node.data
        xp: Any = np if type(y) is np.ndarray else backend.namespace(y)
        if operation.unary:
            p = made[3]
            if p.requires_grad:
                found = operation.unary(xp, g, y, p.data)
                before = pending(p)
                gradients[p] = found if before is None else before + found
        elif operation.binary:
            _, _, alike, a, b = made
            by_a, by_b = operation.binary
            u, v = a.data if isinstance(a, Node) else a, b.data if isinstance(b, Node) else b
            if isinstance(a, Node) and a.requires_grad:
                found = by_a(xp, g, y, u, v)
                if not alike or type(found) is not np.ndarray:
                    found = unbroadcast(xp, found, u)
                before = pending(a)
                gradients[a] = found if before is None else before + found
            if isinstance(b, Node) and b.requires_grad:
                found = by_b(xp, g, y, u, v)
                if not alike or type(found) is not np.ndarray:
                    found = unbroadcast(xp, found, v)
                before = pending(b)
                gradients[b] = found if before is None else before + found
        else:
            _hand_down(xp, g, y, made, gradients)


def _hand_down(xp: Any, g: Any, y: Any, made: Any, gradients: dict[Any, Any]) -> None:
    """Add what the operands of one node get of its gradient `g`. What lands where it belongs is not copied."""
    operation, options, saved, *operands = made
    values = [p.data if isinstance(p, Node) else p for p in operands]
    given = (xp, g, y, saved, *values) if operation.save else (xp, g, y, *values)
    for vjp, p, x in zip(operation.vjps, operands, values):  # noqa: B905 -- of a variadic operation, they never end
        if not isinstance(p, Node) or not p.requires_grad or vjp is None:
            continue
        before = gradients.get(p)
        if vjp in operation.lands and before is None and p.grad is None and _home(p) is not None:
            found = vjp(*given, **options, out=_home(p))
        else:
            found = vjp(*given, **options)
        if type(found) is not np.ndarray or found.shape != x.shape or found.dtype is not x.dtype:
            found = unbroadcast(xp, found, x)
        gradients[p] = found if before is None else before + found


def backpropagate(root: Node, seed: Any, targets: Iterable[Node], ops: Any = None) -> dict[Any, Any]:
    """Return the gradient of ⟨seed, root⟩ by each of the leaves `targets` that it was made of; keep the graph.

    Args:
        root: where to start.
        seed: the gradient by `root`: an array, or a tensor where `ops` is given.
        targets: leaves to reach; paths that lead to none of them are not walked.
        ops: minigrad's own operations. With them the vjps are computed on tensors, which makes the gradients
            differentiable again; without, on bare arrays by their own namespace.
    """
    order, goals = _oldest_first(root), set(targets)
    reach = _reach(order, goals)
    gradients = {root: seed}
    for node in reversed(order):
        if node in goals:
            continue
        operation, options, saved, *operands = node._made
        g = gradients.pop(node, None)
        if g is None:
            continue
        if ops is None:
            xp, y = backend.namespace(node.data), node.data
            values = [p.data if isinstance(p, Node) else p for p in operands]
        else:
            xp, y, values = ops, node, list(operands)
            saved = operation.save(ops, *values, **options) if operation.save and operation.twice else None
        given = (xp, g, y, saved, *values) if operation.save else (xp, g, y, *values)
        for vjp, p, x in zip(operation.vjps, operands, values, strict=False):
            if vjp is None or not isinstance(p, Node) or p not in reach:
                continue
            if ops is None or operation.twice:
                found = unbroadcast(xp, vjp(*given, **options), x)
            else:
                found = operation.once(vjp, g, node, operands, options, p.data)
            before = gradients.get(p)
            gradients[p] = found if before is None else before + found
    return gradients


def unbroadcast(xp: Any, g: Any, x: Any) -> Any:
    """Return gradient `g`, of the shape of a result, as a gradient of the operand `x` that was broadcast to it."""
    g = g if hasattr(g, "shape") else xp.asarray(g)  # of 0-d object arrays NumPy makes bare numbers
    if g.shape != x.shape and x.shape == g.shape[-1:] and not isinstance(g, Node):
        g = sum_rows(xp, g)
    elif g.shape != x.shape:
        added = g.ndim - x.ndim
        stretched = tuple(i + added for i, n in enumerate(x.shape) if n == 1 and g.shape[i + added] != 1)
        axes = tuple(range(added)) + stretched
        g = xp.reshape(xp.sum(g, axis=axes) if isinstance(g, Node) else _sum(g, axes), x.shape)
    return g if g.dtype == x.dtype else g.astype(x.dtype)


def _sum(x: Any, axis: Any) -> Any:
    """Return the sum of an array; of float16 in float32, since row by row its own sums of ones stop at 2048."""
    return x.sum(axis=axis, dtype=np.float32).astype(x.dtype) if x.dtype.char == "e" else x.sum(axis=axis)


_LARGE = 1000  # entries from which a product with ones is the faster sum


def sum_rows(xp: Any, x: Any) -> Any:
    """Return the sum of the array `x` over all axes but the last.

    Of large arrays as a product with ones: a BLAS adds rows on all cores and several at a time, NumPy one by one.
    """
    if x.size < _LARGE or x.dtype.char not in "fd" or not x.flags.c_contiguous:
        return _sum(x, 0 if x.ndim == 2 else tuple(range(x.ndim - 1)))
    rows = x.reshape(-1, x.shape[-1])
    return xp.matmul(xp.ones(len(rows), x.dtype), rows)


_born = attrgetter("_born")


def _oldest_first(root: Node) -> list[Node]:
    """Return the recorded nodes below and including `root`, operands before consumers; check that all can be used."""
    if not root._made:
        return []
    found = [root]
    seen = {root}
    last_write = _last_write[0]
    for node in found:  # which grows meanwhile
        made = node._made
        if len(made) == 1:
            raise RuntimeError(
                "the graph was freed by an earlier backward(); compute the result again, or keep the graph with "
                "backward(retain_graph=True)"
            )
        if node._born < last_write:
            _check_unwritten(node)
        for p in made[3:]:
            if isinstance(p, Node) and p._made and p not in seen:
                seen.add(p)
                found.append(p)
    found.sort(key=_born)
    return found


def _check_unwritten(node: Node) -> None:
    """Raise RuntimeError if an operand whose value the vjps of `node` read was written since."""
    operands = node.operands
    read = [operands[i] for i in node.operation.read(operands)]
    late = [p for p in read if isinstance(p, Node) and p._written[0] > node._born]
    if late:
        shapes = " and ".join(dict.fromkeys(str(p.data.shape) for p in late))
        raise RuntimeError(
            f"an operand of {node.operation.__name__}, of shape {shapes}, was written after it was used, so its "
            "gradient can no longer be computed; call backward() before the write (an optimizer's step, load, += "
            "or item assignment)"
        )


def _reach(order: list[Node], targets: set[Node]) -> set[Node]:
    """Return the targets and every node made of them, directly or not; `order` lists operands first."""
    reach = set(targets)
    for node in order:
        if any(isinstance(p, Node) and p in reach for p in node.operands):
            reach.add(node)
    return reach


def foreign_leaves(root: Node, own: Iterable[Node]) -> set[Node]:
    """Return the leaves that require gradients and that `root` was made of, without those in `own`."""
    nodes = _oldest_first(root)
    leaves = {p for node in nodes for p in node.operands if isinstance(p, Node) and p.requires_grad and not p._made}
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
