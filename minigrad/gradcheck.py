"""gradcheck: compare the engine's derivatives with derivatives found another way."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.exceptions import ComplexWarning

from minigrad import backend, ops
from minigrad.autodiff import Node
from minigrad.tensor import Tensor, no_grad
from minigrad.transforms import pullback

__all__ = ["GradientError", "Report", "gradcheck"]

COMPLEX_STEP = "complex step"
REAL_PARTS = "complex step, compared through real parts at kinks"
DIFFERENCES = "random-projection differences"

# A complex step has no truncation or cancellation error: what is left is rounding, here allowed 10⁷ units of it.
# A central difference of width ∛ε is good to about ε^(2/3) = 4·10⁻¹¹ of the function's scale.
_STEP, _TOLERANCE = 2.0**-100, 1e-9
_EPS = float(np.finfo(float).eps)
_WIDTH, _LOOSE = float(np.cbrt(_EPS)), 1e-6


class GradientError(AssertionError):
    """A derivative of the engine disagrees with its oracle."""


@dataclass(frozen=True)
class Report:
    """What was compared: the oracle of each operation, by name, and the largest error found, by order."""

    oracles: dict[str, str]
    errors: dict[int, float]


def gradcheck(f: Callable[..., Any], *args: Any, order: int = 2, seed: int = 0) -> Report:
    """Check the derivatives of `f` by each floating-point argument, in float64, up to `order` (1 or 2).

    The function's values are projected on a random direction, and so is each argument, so that one number is
    compared per argument: ⟨u, J v⟩ by the engine (one pass back) with the same number by an oracle that uses the
    function's values only. Second order compares the engine's derivative of its own gradient with the oracle applied
    to the first-order gradient.

    The oracle is the complex step, Im f(x + ihv)/h, exact to rounding; where a function does not run on complex
    numbers, central differences. Kinks are compared where the real parts lie.

    Arguments on a GPU are checked there, and NumPy's go to the current back end, as in `minigrad.tensor`. Directions
    are drawn on the host, so that they are the same, and every comparison waits for the device.

    Args:
        f: a function of tensors whose value is a tensor.
        args: arrays; those of floating dtype are checked, in float64, others are passed on as they are.
        order: 1 for gradients, 2 for gradients of gradients too.
        seed: of the random directions.

    Raises:
        GradientError: names the argument and the order, and gives both numbers.
        NotImplementedError: second order was asked of an operation that has none (it is named).
    """
    if order not in (1, 2):
        raise ValueError(f"order must be 1 or 2, got {order!r}")
    rng = np.random.default_rng(seed)
    points = [_as_float64(x) for x in args]
    checked = tuple(i for i, x in enumerate(points) if getattr(x, "dtype", None) == np.float64)
    if not checked:
        raise ValueError("gradcheck needs at least one argument of floating dtype")
    y, pull = pullback(f, checked, tuple(points))
    u = _drawn(rng, y.data)
    gradients = pull(u)

    def projected(*xs: Any) -> Any:
        with no_grad():
            return (u * _plain(f(*[Tensor(x) if i in checked else x for i, x in enumerate(xs)]))).sum()

    complex_step = _runs_on_complex(projected, points, checked)
    oracle = _by_complex_step if complex_step else _by_differences
    noise = _EPS * float(abs(u * y.data).sum())
    errors = {1: _compare(1, projected, gradients, points, checked, oracle, noise, rng)}

    if order == 2:
        w = {i: _drawn(rng, points[i]) for i in checked}

        def slope(*xs: Any) -> Any:
            _, pull = pullback(f, checked, xs)
            return sum((w[i] * g).sum() for i, g in zip(checked, pull(u), strict=True))

        def slope_on_tensors(*xs: Any) -> Any:
            _, pull = pullback(f, checked, xs)
            return sum(ops.sum(w[i] * g) for i, g in zip(checked, pull(u), strict=True))

        z, pull_twice = pullback(slope_on_tensors, checked, tuple(points))
        gradients = pull_twice(backend.ones_like(z.data))
        noise = _EPS * float(abs(z.data))
        errors[2] = _compare(2, slope, gradients, points, checked, oracle, noise, rng)
    kinks = _operations(f(*[Tensor(x, requires_grad=True) if i in checked else x for i, x in enumerate(points)]))
    return Report(
        {n: (REAL_PARTS if kinks[n] else COMPLEX_STEP) if complex_step else DIFFERENCES for n in sorted(kinks)}, errors
    )


def _compare(
    order: int,
    function: Callable[..., Any],
    gradients: tuple[Any, ...],
    points: list[Any],
    checked: tuple[int, ...],
    oracle: Callable[..., Any],
    noise: float,
    rng: np.random.Generator,
) -> float:
    """Return the largest relative error over the arguments; raise GradientError if one is too large."""
    worst = 0.0
    for i, g in zip(checked, gradients, strict=True):
        for _ in range(2):
            v = _drawn(rng, points[i])
            found, expected = float((g * v).sum()), oracle(function, points, i, checked, v)
            scale = float(abs(g * v).sum()) + abs(expected)
            tolerance = _TOLERANCE if oracle is _by_complex_step else _LOOSE
            floor = 64 * noise / (1 if oracle is _by_complex_step else _WIDTH)
            error = abs(found - expected)
            if not error <= tolerance * scale + floor:
                raise GradientError(
                    f"order {order}, argument {i} of shape {points[i].shape}: the engine gives {found!r}, the oracle "
                    f"{expected!r}, an error of {error / (scale or 1):.1e} of their scale where {tolerance:.0e} is "
                    "allowed"
                )
            worst = max(worst, error / scale if scale else 0.0)
    return worst


def _by_complex_step(f: Callable[..., Any], points: list[Any], i: int, checked: tuple[int, ...], v: Any) -> float:
    xs = [x + (1j * _STEP * v if j == i else 0j) if j in checked else x for j, x in enumerate(points)]
    return float(f(*xs).imag) / _STEP


def _by_differences(f: Callable[..., Any], points: list[Any], i: int, checked: tuple[int, ...], v: Any) -> float:
    right, left = ([x + s * _WIDTH * v if j == i else x for j, x in enumerate(points)] for s in (1, -1))
    return float(f(*right) - f(*left)) / (2 * _WIDTH)


def _runs_on_complex(f: Callable[..., Any], points: list[Any], checked: tuple[int, ...]) -> bool:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ComplexWarning)  # an imaginary part was dropped, and the step with it
            value = f(*[x + 0j if i in checked else x for i, x in enumerate(points)])
    except (TypeError, ComplexWarning):
        return False
    return bool(value.dtype.kind == "c")


def _operations(y: Tensor) -> dict[str, bool]:
    """Return the names of the operations that made `y`, and whether each has kinks."""
    found: dict[str, bool] = {}
    seen: set[Node] = set()
    stack: list[Any] = [y]
    while stack:
        node = stack.pop()
        if isinstance(node, Node) and node._made and node not in seen:
            seen.add(node)
            found[node.operation.__name__] = node.operation.kinks
            stack += node.operands
    return found


def _as_float64(x: Any) -> Any:
    x = x.data if isinstance(x, Tensor) else x
    if isinstance(x, float) or (hasattr(x, "dtype") and x.dtype.kind == "f"):
        xp = backend.namespace(x)
        return (backend.current() if xp is np else xp).asarray(x, dtype=np.float64)
    return x


def _drawn(rng: np.random.Generator, x: Any) -> Any:
    """Return a random direction of the shape of `x`, where `x` is."""
    return backend.namespace(x).asarray(rng.standard_normal(x.shape))


def _plain(y: Any) -> Any:
    return y.data if isinstance(y, Tensor) else y
