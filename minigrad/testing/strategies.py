"""Hypothesis strategies for whoever tests an optimizer: numbers, arrays, hyperparameters, histories, trees, schedules.

Hyperparameters are drawn in log space, because 10⁻⁵ and 10⁻⁴ are as far apart as 0.1 and 1. Nothing is subnormal,
infinite or NaN unless a strategy says so: what a test of a rule should vary is the rule's arithmetic.
"""

from fractions import Fraction
from math import exp, log
from typing import Any

import numpy as np

from minigrad.extras import need

need("hypothesis", "proof")
from hypothesis import strategies as st  # noqa: E402 -- after the line that says what to install
from hypothesis.extra import numpy as hnp  # noqa: E402

__all__ = [
    "RANGES",
    "arrays",
    "exact_arrays",
    "fractions_below_one",
    "gradient_histories",
    "hyperparameters",
    "leaves",
    "log_uniform",
    "numbers",
    "parameter_trees",
    "powers_of_two",
    "rationals",
    "schedules",
    "shapes",
]

# Where each hyperparameter is drawn, in log space; of those that remember (NEAR_ONE) it is 1 − x that is drawn there.
RANGES: dict[str, tuple[float, float]] = {
    "lr": (1e-5, 1.0),
    "decay": (1e-6, 0.5),
    "l2": (1e-6, 10.0),
    "l1": (1e-6, 1.0),
    "momentum": (1e-3, 0.5),
    "beta1": (1e-3, 0.5),
    "beta2": (1e-4, 0.5),
    "rho": (1e-4, 0.5),
    "eps": (1e-10, 1e-3),
}
NEAR_ONE = frozenset({"momentum", "beta1", "beta2", "rho"})


# --- numbers ----------------------------------------------------------------------------------------------------------


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    """Draw positive floats, low ≤ x ≤ high, whose logarithm is drawn evenly. ValueError unless 0 < low ≤ high."""
    if not 0 < low <= high:
        raise ValueError(f"log_uniform takes 0 < low <= high, got low={low!r}, high={high!r}")
    return st.floats(log(low), log(high)).map(exp).map(lambda x: min(max(x, low), high))


def powers_of_two(low: int, high: int) -> st.SearchStrategy[float]:
    """Draw 2^k for low ≤ k ≤ high: log space in which products are exact, and a counterexample is checked by hand."""
    return st.integers(low, high).map(lambda k: 2.0**k)


def numbers(dtype: Any, low: float = 2.0**-4, high: float = 2.0**4, zero: bool = False) -> st.SearchStrategy[float]:
    """Draw floats of `dtype`, none subnormal, low ≤ |x| ≤ high (powers of two), or 0 where `zero` allows it."""
    width: Any = np.dtype(dtype).itemsize * 8
    up = st.floats(low, high, width=width, allow_subnormal=False)
    down = st.floats(-high, -low, width=width, allow_subnormal=False)
    return st.one_of(up, down, *([st.just(0.0)] if zero else []))


def rationals(low: int = -4, high: int = 4, max_denominator: int = 50) -> st.SearchStrategy[Fraction]:
    """Draw Fractions, low ≤ x ≤ high."""
    return st.fractions(low, high, max_denominator=max_denominator)


@st.composite
def fractions_below_one(draw: Any) -> Fraction:
    """Draw rational numbers, 0 < η < 1."""
    denominator = draw(st.integers(2, 60))
    return Fraction(draw(st.integers(1, denominator - 1)), denominator)


def hyperparameters(*names: str, **ranges: tuple[float, float]) -> st.SearchStrategy[dict[str, float]]:
    """Draw hyperparameters by name, as Python floats, in log space.

    ``hyperparameters("lr", "beta1", decay=(1e-3, 0.1))`` draws a dictionary of the three; those without a range of
    their own have that of `RANGES`. Of a momentum, β₁, β₂ or ρ it is 1 − x whose logarithm is drawn evenly: from 0.9
    to 0.99 is as far as from 0.99 to 0.999. Such a range is one of 1 − x.

    Raises ValueError for a name without a range.
    """
    for name in names:
        if name not in RANGES:
            raise ValueError(f"no range is known for {name!r}, only for {', '.join(RANGES)}; give {name}=(low, high)")
    wanted = {name: RANGES[name] for name in names} | ranges
    return st.fixed_dictionaries(
        {n: log_uniform(*r).map(lambda x: 1 - x) if n in NEAR_ONE else log_uniform(*r) for n, r in wanted.items()}
    )


# --- arrays -----------------------------------------------------------------------------------------------------------


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4) -> st.SearchStrategy[Any]:
    """Draw shapes of small arrays."""
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def arrays(
    dtype: Any, shape: Any, low: float = 2.0**-4, high: float = 2.0**4, zero: bool = False
) -> st.SearchStrategy[Any]:
    """Draw arrays of `numbers`; `shape` may be a strategy."""
    return hnp.arrays(dtype, shape, elements=numbers(dtype, low, high, zero), fill=st.nothing())


@st.composite
def exact_arrays(draw: Any, shape: Any) -> Any:
    """Draw object arrays of Fractions."""
    found = np.empty(shape, dtype=object)
    for i in np.ndindex(found.shape):
        found[i] = draw(rationals())
    return found


# --- runs -------------------------------------------------------------------------------------------------------------


def schedules(length: int) -> st.SearchStrategy[list[float]]:
    """Draw multipliers s_t, one per step: any positive numbers up to 1, constant and falling ones among them."""
    several = st.lists(log_uniform(0.05, 1), min_size=length, max_size=length)
    return st.one_of(st.just([1.0] * length), several, several.map(lambda s: sorted(s, reverse=True)))


@st.composite
def gradient_histories(
    draw: Any, dtype: Any, shape: Any, steps: int, low: float = 2.0**-4, high: float = 2.0**4, zero: bool = True
) -> Any:
    """Draw the gradients of a run: an array (steps, *shape), low ≤ |g| ≤ high.

    Some histories are of independent gradients (with entries of 0, if `zero`), some of one sign per weight, some of
    one gradient repeated, some of a gradient and then none (if `zero`): what momentum and second moments tell apart.
    """
    shape = draw(shape) if isinstance(shape, st.SearchStrategy) else tuple(shape)
    kind = draw(st.sampled_from(["independent", "one sign", "constant"] + ["then none"] * zero))
    found = draw(arrays(dtype, (steps, *shape), low, high, zero and kind == "independent"))
    if kind == "one sign":
        return np.copysign(found, found[:1])
    if kind == "constant":
        return np.repeat(found[:1], steps, axis=0)
    if kind == "then none":
        found[1:] = 0
    return found


# --- trees ------------------------------------------------------------------------------------------------------------


@st.composite
def parameter_trees(draw: Any, dtype: Any, max_depth: int = 3, low: float = 2.0**-4, high: float = 2.0**4) -> Any:
    """Draw the parameters of a model: dictionaries and lists, nested, with layers at the ends.

    A layer is a dictionary of arrays by role, as networks have them: a matrix "weight" with or without a vector
    "bias", or a normalisation's vectors "scale" and "bias". `leaves` lists them.
    """
    if max_depth <= 1 or draw(st.booleans()):
        out, into = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
        layer = draw(st.sampled_from(["linear", "linear without bias", "normalisation"]))
        sizes: dict[str, tuple[int, ...]]
        sizes = {"scale": (out,), "bias": (out,)} if layer == "normalisation" else {"weight": (into, out)}
        sizes |= {"bias": (out,)} if layer == "linear" else {}
        return {role: draw(arrays(dtype, shape, low, high)) for role, shape in sizes.items()}
    below = parameter_trees(dtype, max_depth - 1, low, high)
    if draw(st.booleans()):
        return draw(st.lists(below, min_size=1, max_size=3))
    return draw(st.dictionaries(st.sampled_from(["encoder", "head", "block"]), below, min_size=1, max_size=3))


def leaves(tree: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str, Any]]:
    """Return the arrays of a tree as (path, role, array), in order; the role is the last name on the path."""
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        return [leaf for key, below in items for leaf in leaves(below, (*path, key))]
    role = next((key for key in reversed(path) if isinstance(key, str)), "weight")
    return [(path, role, tree)]
