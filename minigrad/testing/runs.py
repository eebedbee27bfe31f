"""One form for every optimizer: ``step = make(w, **hyper)``, then ``w = step(g)``, step after step.

`make` is given the first weights and the hyperparameters by name, and returns a function that is given a gradient and
returns the new weights. That can be written in a few lines around anything that trains, in NumPy, torch or JAX:
arrays go in as NumPy arrays, which are the callee's to keep, and what comes out is read by ``np.asarray``.
`functional` makes one of a pure function, `reference` of a variant of this package.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from minigrad.regularization.variants import variant
from minigrad.rules import scalar_state, state_names

__all__ = ["Make", "PropertyError", "VacuousError", "functional", "outcomes", "positional", "reference", "trajectory"]

Make = Callable[..., Callable[[Any], Any]]


class PropertyError(AssertionError):
    """An optimizer is not what it is said to be; the message has the numbers."""


class VacuousError(PropertyError):
    """A property could not be seen to hold: its effect would be too small beside its tolerance."""


def functional(step: Callable[..., tuple[Any, ...]], **fixed: Any) -> Make:
    """Return the form of this module of a pure ``w, state = step(w, g, state, *, t, **hyper)``.

    The first `state` is None and the first `t` is 1. Hyperparameters that are always the same go into `fixed`. Where
    the state is a tuple or list, ``step(g)`` returns it behind the weights.
    """

    def make(w: Any, **hyper: Any) -> Callable[[Any], Any]:
        state, t = None, 0

        def call(g: Any) -> Any:
            nonlocal w, state, t
            t += 1
            w, state = step(w, g, state, t=t, **{**fixed, **hyper})
            return (w, *state) if isinstance(state, tuple | list) else w

        return call

    return make


def positional(
    step: Callable[..., tuple[Any, ...]],
    *,
    states: int = 0,
    scalars: Sequence[Any] = (),
    counts: bool = False,
    **fixed: Any,
) -> Make:
    """Return the form of this module of a pure ``w, *state = step(w, g, *state, **hyper)``, as this package has them.

    `states` is the number of arrays in the state, which start at zero; `scalars` are what follows them, numbers that
    all weights share, where they start. With `counts` the step is given ``t=``, from 1.
    """

    def pure(w: Any, g: Any, state: Any, *, t: int, **hyper: Any) -> tuple[Any, Any]:
        state = [*(np.zeros_like(w) for _ in range(states)), *scalars] if state is None else state
        w, *state = step(w, g, *state, **hyper, **({"t": t} if counts else {}))
        return w, state

    return functional(pure, **fixed)


def reference(name: str, **fixed: Any) -> Make:
    """Return the form of this module of a variant of this package: ``reference("adamw", beta1=0.9, …)``.

    Raises ValueError for a name that no variant has; the step raises TypeError for a hyperparameter too many or few.
    """
    v = variant(name)
    scalars = scalar_state(v.rule)
    arrays = len(state_names(v.rule)) - len(scalars)
    return positional(v.step, states=arrays, scalars=list(scalars.values()), counts="t" in v.hyper, **fixed)


def trajectory(make: Make, w: Any, gradients: Iterable[Any], **hyper: Any) -> list[Any]:
    """Return the weights before the first step and after every one, as NumPy arrays of their own.

    Gradients may be functions of the weights. Raises as `outcomes` does.
    """
    return [np.array(w), *(after[0] for after in outcomes(make, w, gradients, **hyper))]


def outcomes(make: Make, w: Any, gradients: Iterable[Any], **hyper: Any) -> Iterator[tuple[Any, ...]]:
    """Yield ``(w, *state)`` after every step, as NumPy arrays of their own; the state where ``step(g)`` returns it.

    A state that is one number for all weights is an array without axes, of whatever kind of float.

    Raises:
        TypeError: `make` returns no function, or a step something that is no array of floats.
        ValueError: weights of another shape, or of another dtype than they were given in.
    """
    w = np.array(w)
    step = make(w.copy(), **hyper)
    if not callable(step):
        raise TypeError(f"make(w, **hyper) must return a function step(g), got {type(step).__name__}")
    for g in gradients:
        after = step(np.array(g(w) if callable(g) else g, dtype=w.dtype))
        first, *state = after if isinstance(after, tuple) else (after,)
        found = (_array(first, w), *(np.array(float(x)) if np.ndim(x) == 0 < w.ndim else _array(x, w) for x in state))
        yield found
        w = found[0]


def _array(x: Any, like: Any) -> Any:
    try:
        found = np.array(np.asarray(x))  # in two: not every array's __array__ knows of copies
    except Exception as error:
        raise TypeError(f"step(g) must return the new weights as an array, got {type(x).__name__}: {error}") from error
    if found.dtype.kind != "f":
        raise TypeError(f"step(g) must return the new weights as an array of floats, got {type(x).__name__}: {x!r}")
    if found.shape != like.shape:
        raise ValueError(f"step(g) returned weights of shape {found.shape}; they were given as {like.shape}")
    if found.dtype != like.dtype:
        raise ValueError(
            f"step(g) returned {found.dtype} weights where {like.dtype} were given; pass dtype={found.dtype.name!r} "
            "if the optimizer computes in that"
        )
    return found
