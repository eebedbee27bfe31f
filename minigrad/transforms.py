"""Functions of functions: grad, value_and_grad, jacobian, hvp.

Each maps arrays to arrays and tensors to tensors. A tensor that requires gradients stays connected through the
transform, so transforms nest: ``mg.grad(lambda x: mg.grad(f)(x).sum())``.
"""

from collections.abc import Callable
from typing import Any

from minigrad import backend, ops
from minigrad.autodiff import backpropagate, foreign_leaves
from minigrad.tensor import Tensor, enable_grad, result

__all__ = ["grad", "hvp", "jacobian", "pullback", "value_and_grad"]


def grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return the function that computes the gradient of the scalar function `f` by its argument(s) `argnums`.

    The gradient has the shape and dtype of the argument: an array if that was one, a tensor if it was a tensor; a
    tuple if `argnums` is one. Raises ValueError if f's value is not a single number.
    """
    both = value_and_grad(f, argnums)
    return lambda *args: both(*args)[1]


def value_and_grad(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return the function that computes ``(f(*args), grad(f, argnums)(*args))`` in one pass."""

    def transformed(*args: Any) -> tuple[Any, Any]:
        y, pull = pullback(f, argnums, args)
        if y.data.size != 1:
            raise ValueError(f"grad needs a function whose value is a single number, got shape {y.shape}; see jacobian")
        gradients = pull(backend.namespace(y).ones_like(y.data))
        tensors = any(isinstance(x, Tensor) for x in args)
        return (y if tensors else y.data), gradients

    return transformed


def jacobian(f: Callable[..., Any], argnums: int | tuple[int, ...] = 0) -> Callable[..., Any]:
    """Return the function that computes all derivatives of `f`: an array of shape ``f(x).shape + x.shape``.

    One pass back per entry of f(x).
    """

    def transformed(*args: Any) -> Any:
        y, pull = pullback(f, argnums, args)
        xp = backend.namespace(y)
        basis = xp.eye(y.data.size, dtype=y.dtype).reshape(-1, *y.shape)
        rows = [pull(e) for e in basis]
        if isinstance(argnums, tuple):
            return tuple(_stacked(list(column), y.shape) for column in zip(*rows, strict=True))
        return _stacked(rows, y.shape)

    return transformed


def hvp(f: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function ``(x, v) -> H v``, with H the Hessian of the scalar function `f` at x, never formed.

    Raises NotImplementedError, naming the operation, where `f` uses one without a second derivative.
    """

    def transformed(x: Any, v: Any) -> Any:
        return grad(lambda x: ops.sum(grad(f)(x) * v))(x)

    return transformed


def pullback(f: Callable[..., Any], argnums: int | tuple[int, ...], args: tuple[Any, ...]) -> tuple[Tensor, Any]:
    """Return f's value as a tensor, and the function that takes a gradient by it to gradients by the arguments."""
    wanted = argnums if isinstance(argnums, tuple) else (argnums,)
    for i in wanted:
        if not -len(args) <= i < len(args):
            raise ValueError(f"argnums names argument {i}, but the function was called with {len(args)}")
    given = [args[i] for i in wanted]
    with enable_grad():
        leaves = [_alias(x) for x in given]
        called = list(args)
        for i, leaf in zip(wanted, leaves, strict=True):
            called[i] = leaf
        y = f(*called)
    y = y if isinstance(y, Tensor) else result(backend.namespace(y).asarray(y))
    # Where somebody differentiates what this was made of, the gradients stay connected to it.
    connected = any(isinstance(x, Tensor) for x in args) and foreign_leaves(y, leaves)

    def pull(g: Any) -> Any:
        if not y.requires_grad:
            found: dict[Any, Any] = {}
        elif connected:
            with enable_grad():
                found = backpropagate(y, result(g), retain=True, targets=leaves, ops=ops)
        else:
            found = backpropagate(y, g, retain=True, targets=leaves)
        gradients = tuple(_like(x, found.get(leaf), leaf) for x, leaf in zip(given, leaves, strict=True))
        return gradients if isinstance(argnums, tuple) else gradients[0]

    return y, pull


def _alias(x: Any) -> Tensor:
    """Return a tensor to differentiate by: the same value, and connected to x where x is differentiated itself."""
    return x * 1 if isinstance(x, Tensor) and x.requires_grad else Tensor(x, requires_grad=True)


def _like(x: Any, g: Any, leaf: Tensor) -> Any:
    """Return gradient `g` (None for zero) as what the argument `x` was: an array or a tensor."""
    if g is None:
        g = backend.namespace(leaf).zeros_like(leaf.data)
    if isinstance(x, Tensor):
        return g if isinstance(g, Tensor) else result(g)
    return g.data if isinstance(g, Tensor) else g


def _stacked(rows: list[Any], shape: tuple[int, ...]) -> Any:
    if isinstance(rows[0], Tensor):
        return ops.reshape(ops.stack(rows), (*shape, *rows[0].shape))
    return backend.namespace(rows[0]).stack(rows).reshape(*shape, *rows[0].shape)
