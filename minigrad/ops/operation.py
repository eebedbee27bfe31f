"""What an operation is: a forward function and, beside it, one vector–Jacobian product per operand.

    @op(reads=())
    def tanh(xp, x):
        \"\"\"The hyperbolic tangent.\"\"\"
        return xp.tanh(x)

    tanh.vjp(lambda xp, g, y, x: g * (1 - y * y))

``xp`` is the array module of the operands; in higher order it is minigrad's own operations, and then g, y and x are
tensors. So each line is written once, against a namespace, and can itself be differentiated. ``g`` is the gradient by
the result ``y``; a vjp uses g, the operands and y only, besides what `save` computes from the operands, which is
computed again where gradients are to be differentiated. Of an operand that was broadcast against another, or cast to
its dtype, it may return the gradient as it is: the engine sums it over the axes that were stretched, and casts it back.
"""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, overload

import numpy as np

from minigrad import backend
from minigrad.autodiff import Node, now, unbroadcast
from minigrad.tensor import NEVER, Tensor, recording, result

__all__ = ["Differentiable", "Operation", "op", "run"]

P = ParamSpec("P")


class Operation:
    """The record behind a differentiable function; every node it makes points to it.

    Attributes:
        forward: the value, from the array module, the operands and the options.
        vjps: one per operand; None where there is nothing to give (labels, conditions, functions flat everywhere).
        save: computes what the vjps want besides operands and result, or None.
        reads: which operands' values (not just shapes and dtypes) the vjps read; None for all.
        view: the result may share memory with its first operand.
        twice: whether the vjps can themselves be differentiated.
        kinks: whether the function is only piecewise smooth; `minigrad.gradcheck` then compares through real parts.
        entrywise: each entry of the result is made of one entry of x, or of one of a and one of b: it has the shape and
            the dtype that these are broadcast and cast to. Most nodes of small graphs are such, and take a short way.
        unary, binary: the one vjp, or both, of an entrywise operation; None for others.
        lands: the vjps that take ``out=``, an array to write the gradient to.
        freed: what a node of this operation keeps once it was freed.
    """

    def __init__(self, forward: Callable[..., Any], save: Callable[..., Any] | None, reads: tuple[int, ...] | None,
                 view: bool, twice: bool, kinks: bool, variadic: bool, entrywise: bool):  # fmt: skip
        self.__name__: str = forward.__name__
        self.forward = forward
        self.save = save
        self.reads = reads
        self.view = view
        self.twice = twice
        self.kinks = kinks
        self.variadic = variadic
        self.entrywise = entrywise
        self.plain = -1  # how many operands are all that may be passed; -1 if there are options too
        self.unary: Any = None
        self.binary: Any = None
        self.freed = (self,)
        self.lands: set[Any] = set()
        self.vjps: Any = ()
        names = inspect.signature(forward).parameters.values()
        self.names = [p.name for p in names][2 if save else 1 :]
        self.defaults = {p.name: p.default for p in names if p.default is not p.empty}

    @property
    def arity(self) -> int:
        """The number of operands; options follow them."""
        return len(self.vjps)

    def complete(self, *vjps: Callable[..., Any] | None) -> None:
        """Take the vjps, one per operand, in order: `Differentiable.vjp`."""
        self.vjps = _Each(vjps[0]) if self.variadic else vjps
        self.plain = len(self.vjps) if len(self.vjps) == len(self.names) else -1
        self.lands = {f for f in vjps if f is not None and "out" in inspect.signature(f).parameters}
        if self.entrywise and None not in vjps:
            self.unary = vjps[0] if len(vjps) == 1 else None
            self.binary = vjps if len(vjps) == 2 else None

    def read(self, operands: Any) -> Any:
        """Return the indices of the operands whose values the vjps read."""
        return range(len(operands)) if self.reads is None else self.reads

    def bind(self, given: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Sort arguments into operands and options, whichever way they were passed."""
        if len(given) > len(self.names):
            raise TypeError(f"{self.__name__} takes at most {len(self.names)} arguments, got {len(given)}")
        arguments = self.defaults | options
        for name, x in zip(self.names, given, strict=False):
            if name in options:
                raise TypeError(f"{self.__name__} got {name} twice")
            arguments[name] = x
        for name in self.names:
            if name not in arguments:
                raise TypeError(f"{self.__name__} misses its argument {name}")
        operands = tuple([arguments.pop(name) for name in self.names[: self.arity]])
        for name, option in arguments.items():
            if isinstance(option, np.generic):  # an np.float64 among the options would promote float32 arrays
                arguments[name] = option.item()
        return operands, arguments

    def once(self, vjp: Any, g: Any, node: Node, operands: tuple[Any, ...], options: dict[str, Any], x: Any) -> Tensor:
        """Return what `vjp` gives for the operand `x` as a tensor whose own derivative is refused by name."""
        values = [p.data if isinstance(p, Node) else p for p in operands]
        xp = backend.namespace(node.data)
        given = [self.save(xp, *values, **options), *values] if self.save else values
        gradient = result(unbroadcast(xp, vjp(xp, g.data, node.data, *given, **options), x))
        gradient.requires_grad = True
        gradient._made = (Refusal(self.__name__), {}, None, g, *operands)
        gradient._born = now()
        return gradient


class Refusal:
    """Stands where a second derivative would be asked for, and says that there is none."""

    twice = True
    save = unary = binary = None
    lands = ()

    def __init__(self, name: str):
        self.__name__ = f"the gradient of {name}"
        self.vjps = self
        self.freed = (self,)

    def read(self, operands: Any) -> Any:
        """Return which operands' values are read: none."""
        return ()

    def __iter__(self) -> Any:
        raise NotImplementedError(f"{self.__name__} cannot itself be differentiated: it has no second derivative here")


class Differentiable(Protocol, Generic[P]):
    """A differentiable function: call it on tensors, arrays and numbers; `vjp` completes its definition."""

    __name__: str
    operation: Operation

    def __call__(self, *operands: P.args, **options: P.kwargs) -> Tensor:
        """Return the value as a tensor."""
        ...

    def vjp(self, *vjps: Callable[..., Any] | None) -> None:
        """Give the vector–Jacobian products ``(xp, g, y, *operands, **options)``, one per operand, in order.

        With `save`, what it returned comes before the operands. A variadic operation gives one function, which
        takes the operand's index after y. One that also takes ``out=None`` writes the gradient there if it is given.
        """
        ...


@overload
def op(
    *,
    save: Callable[..., Any],
    reads: tuple[int, ...] | None = None,
    twice: bool = True,
    kinks: bool = False,
) -> Callable[[Callable[Concatenate[Any, Any, P], Any]], Differentiable[P]]: ...


@overload
def op(
    *,
    reads: tuple[int, ...] | None = None,
    view: bool = False,
    twice: bool = True,
    kinks: bool = False,
    variadic: bool = False,
    entrywise: bool = False,
) -> Callable[[Callable[Concatenate[Any, P], Any]], Differentiable[P]]: ...


def op(
    *,
    save: Callable[..., Any] | None = None,
    reads: tuple[int, ...] | None = None,
    view: bool = False,
    twice: bool = True,
    kinks: bool = False,
    variadic: bool = False,
    entrywise: bool = False,
) -> Callable[..., Any]:
    """Make a forward function ``(xp, *operands, **options)`` differentiable; see `Operation` for the options.

    The decorated function takes tensors, arrays and numbers and returns a tensor. The parameters for which a vjp is
    given are its operands; those after them are options.
    """

    def decorate(forward: Callable[..., Any]) -> Any:
        operation = Operation(forward, save, reads, view, twice, kinks, variadic, entrywise)
        call = functools.wraps(forward)(_caller(operation))
        signature = inspect.signature(forward)
        shown = list(signature.parameters.values())[2 if save else 1 :]
        call.__signature__ = signature.replace(parameters=shown, return_annotation=Tensor)  # type: ignore[attr-defined]
        call.operation = operation  # type: ignore[attr-defined]
        call.vjp = operation.complete  # type: ignore[attr-defined]
        return call

    return decorate


class _Each:
    """The vjps of an operation with any number of operands: one function of the operand's index."""

    def __init__(self, vjp: Any):
        self.vjp = vjp

    def __getitem__(self, i: int) -> Any:
        return lambda xp, g, y, *operands, **options: self.vjp(xp, g, y, i, *operands, **options)

    def __iter__(self) -> Iterator[Any]:
        return map(self.__getitem__, itertools.count())

    def __len__(self) -> int:
        return 0


# --- calls ------------------------------------------------------------------------------------------------------------


def _caller(operation: Operation) -> Callable[..., Tensor]:
    """Return the function that applies `operation` and records it."""
    general = general_call(operation)
    if not operation.entrywise:
        return general
    short = {("x",): _of_one, ("a", "b"): _of_two}.get(tuple(operation.names))
    if short is None or operation.save or operation.view or operation.defaults:
        raise TypeError(f"the entrywise operation {operation.__name__} must be a function of x, or of a and b, alone")
    return short(operation, general)


def _of_one(operation: Operation, general: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the call of a function of one tensor, on NumPy; all else is left to `general`."""
    forward, new = operation.forward, Tensor.__new__

    def call(x: Any) -> Tensor:
        if not isinstance(x, Node) or type(x.data) is not np.ndarray:
            return general(x)
        try:
            array = forward(np, x.data)
        except (TypeError, ValueError):
            return general(x)  # which explains it
        t = new(Tensor)
        t.data = array if type(array) is np.ndarray else _array(np, array)
        t.grad = None
        t._written = NEVER
        if x.requires_grad and recording():
            t.requires_grad = True
            t._made = (operation, _NO_OPTIONS, None, x)
            t._born = now()
        else:
            t.requires_grad = False
            t._made = ()
        return t

    return call


def _of_two(operation: Operation, general: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the call of a function of two tensors, or of one and a number, on NumPy; all else is left to `general`."""
    forward, new = operation.forward, Tensor.__new__

    def call(a: Any, b: Any) -> Tensor:
        recorded = False
        u, v = a, b
        if isinstance(a, Node):
            u, recorded = a.data, a.requires_grad
        if isinstance(b, Node):
            v, recorded = b.data, recorded or b.requires_grad
        if type(u) is np.ndarray:
            if type(v) is not np.ndarray and type(v) not in _PLAIN:
                return general(a, b)
        elif type(v) is not np.ndarray or type(u) not in _PLAIN:
            return general(a, b)
        try:
            array = forward(np, u, v)
        except (TypeError, ValueError):
            return general(a, b)  # which explains it
        t = new(Tensor)
        t.data = array if type(array) is np.ndarray else _array(np, array)
        t.grad = None
        t._written = NEVER
        if recorded and recording():
            t.requires_grad = True
            alike = type(u) is not type(v) or (u.shape == v.shape and u.dtype is v.dtype)
            t._made = (operation, _NO_OPTIONS, alike, a, b)
            t._born = now()
        else:
            t.requires_grad = False
            t._made = ()
        return t

    return call


def general_call(operation: Operation) -> Callable[..., Tensor]:
    """Return the call of any operation, on any operands."""
    forward, save, new = operation.forward, operation.save, Tensor.__new__

    def call(*operands: Any, **options: Any) -> Tensor:
        if len(operands) != operation.plain and not operation.variadic:
            operands, options = operation.bind(operands, options)
        recorded = found = odd = False
        values: list[Any] = []
        for x in operands:
            if isinstance(x, Node):
                if x.requires_grad:
                    recorded = True
                x = x.data  # noqa: PLW2901
                found = True
            kind = type(x)
            if kind is np.ndarray:
                pass
            elif kind not in _PLAIN:
                odd = True
            values.append(x)
        xp: Any = np
        if odd or not found:
            xp, values = _placed(values)
            operands = tuple(_input(x, v) for x, v in zip(operands, values, strict=True))
        try:
            saved = save(xp, *values, **options) if save else None
            array = forward(xp, saved, *values, **options) if save else forward(xp, *values, **options)
        except (TypeError, ValueError, IndexError) as error:
            raise _explained(error, operation, values) from error
        t = new(Tensor)
        t.data = array if type(array) is np.ndarray else _array(xp, array)
        t.grad = None
        t._written = operands[0]._written if operation.view and isinstance(operands[0], Node) else NEVER
        if recorded and t.data.dtype.kind in "fcO" and recording():
            t.requires_grad = True
            t._made = (operation, options, saved, *operands)
            t._born = now()
        else:
            t.requires_grad = False
            t._made = ()
        return t

    return call


_NO_OPTIONS: dict[str, Any] = {}
_PLAIN = {float, int, type(None)}  # what stays as it is beside an array


def _array(xp: Any, value: Any) -> Any:
    """Return the result of a forward function as an array.

    Of 0-d object arrays NumPy makes bare numbers; an int among them stays exact, and differentiable.
    """
    return xp.asarray(value, dtype=None if hasattr(value, "dtype") else object)


def _placed(values: list[Any]) -> tuple[Any, list[Any]]:
    """Return the array module of `values`, and the values so that they keep each other's dtypes.

    Beside an array, a NumPy scalar becomes a Python number: an ``np.float64`` hyperparameter must not turn a float32
    array into float64. Where there is no array at all, one is made on the current back end.
    """
    arrays = [v for v in values if hasattr(v, "shape") and not isinstance(v, np.generic)]
    xp = next((m for m in map(backend.namespace, arrays) if m is not np), np)
    if not arrays or (xp is np and backend.current().__name__ == "numpy"):  # which may be one that writes down
        xp = backend.current()
    if not arrays:
        return xp, [v if v is None else xp.asarray(v) for v in values]
    values = [v.item() if isinstance(v, np.generic) else v for v in values]
    several = list | tuple | np.ndarray if xp.__name__ == "numpy" else list | tuple
    return xp, [xp.asarray(v) if isinstance(v, several) else v for v in values]


def _input(x: Any, value: Any) -> Any:
    """Return what a node keeps of an operand: the tensor itself, or the value a constant was taken for."""
    return x if isinstance(x, Node) else value


def _explained(error: Exception, operation: Operation, values: list[Any]) -> Exception:
    kind = next(k for k in (IndexError, ValueError, TypeError) if isinstance(error, k))
    shapes = ", ".join(str(v.shape) if hasattr(v, "shape") else repr(v) for v in values)
    return kind(f"{operation.__name__} of {shapes}: {error}")


def run(xp: Any, function: Any, *operands: Any, **options: Any) -> Any:
    """Call minigrad's `function` within a vjp: on arrays its bare forward, in higher order the operation itself."""
    for x in operands:
        if isinstance(x, Tensor):
            return function(*operands, **options)
    return function.operation.forward(xp, *operands, **options)
