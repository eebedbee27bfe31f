"""Composed Hypothesis strategies: numbers, arrays, steps and histories of gradients.

A tolerance above the size of an effect makes a test of that effect worthless. So the identity's draws are made such
that the effect, η|w|, is at least `VISIBLE` times the bound it is tested against; a draw for which there is no such η
is rejected, and counted in `DRAWS`, for a test to assert that few are.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from math import exp, log
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigrad.proof.rounding import unit_roundoff

VISIBLE = 100
DRAWS: Counter[str] = Counter()


def log_uniform(low: float, high: float) -> st.SearchStrategy[float]:
    """Positive floats whose logarithm is drawn evenly."""
    return st.floats(log(low), log(high)).map(exp).map(lambda x: min(max(x, low), high))


def shapes(min_dims: int = 0, max_dims: int = 3, min_side: int = 1, max_side: int = 4) -> st.SearchStrategy[Any]:
    return hnp.array_shapes(min_dims=min_dims, max_dims=max_dims, min_side=min_side, max_side=max_side)


def numbers(dtype: Any, low: float = 2.0**-4, high: float = 2.0**4, zero: bool = False) -> st.SearchStrategy[float]:
    """Floats of `dtype`, none subnormal, low ≤ |x| ≤ high (powers of two), or 0 where `zero` allows it."""
    width = np.dtype(dtype).itemsize * 8
    up = st.floats(low, high, width=width, allow_subnormal=False)
    down = st.floats(-high, -low, width=width, allow_subnormal=False)
    return st.one_of(up, down, *([st.just(0.0)] if zero else []))


def arrays(dtype: Any, shape: Any, low: float = 2.0**-4, high: float = 2.0**4, zero: bool = False) -> Any:
    """Arrays of `numbers`; `shape` may be a strategy."""
    return hnp.arrays(dtype, shape, elements=numbers(dtype, low, high, zero), fill=st.nothing())


def rationals(low: int = -4, high: int = 4, max_denominator: int = 50) -> st.SearchStrategy[Fraction]:
    return st.fractions(low, high, max_denominator=max_denominator)


@st.composite
def exact_arrays(draw: Any, shape: Any) -> Any:
    """Object arrays of Fractions."""
    found = np.empty(shape, dtype=object)
    for i in np.ndindex(found.shape):
        found[i] = draw(rationals())
    return found


@st.composite
def fractions_below_one(draw: Any) -> Fraction:
    """0 < η < 1, rational."""
    denominator = draw(st.integers(2, 60))
    return Fraction(draw(st.integers(1, denominator - 1)), denominator)


@dataclass(frozen=True)
class Step:
    """One step's numbers: weights, gradients, α and η."""

    w: Any
    g: Any
    lr: float
    decay: float


def needed_decay(w: Any, g: Any, lr: float) -> float:
    """Return an η from which on η|w| ≥ VISIBLE · bound on every weight: the bound with |z| ≤ |w| + |αg| and η ≤ 1."""
    relative = 2 + 5 * lr * np.abs(g.astype(np.float64)) / np.abs(w.astype(np.float64)) + 1.5 + 4
    return 1.02 * VISIBLE * unit_roundoff(w.dtype) * float(np.max(relative, initial=0))


@st.composite
def steps(draw: Any, dtype: Any, shape: Any = None, *, times: float = 1, aligned: bool = False) -> Step:
    """A step in which decay is visible: η|w| ≥ `times` · VISIBLE · bound on every weight.

    `aligned`: every gradient has its weight's sign, and none is 0.
    """
    shape = draw(shapes() if shape is None else shape)
    w = draw(arrays(dtype, shape))
    g = draw(arrays(dtype, shape, zero=not aligned))
    g = np.copysign(g, w) if aligned else g
    lr = draw(log_uniform(1e-4, 1))
    return Step(w, g, lr, draw(visible_decays(w, g, lr, times)))


@st.composite
def visible_decays(draw: Any, w: Any, g: Any, lr: float, times: float = 1) -> float:
    """η in log space, between what is needed to be visible and 0.9; rejected, and counted, if there is none."""
    least = times * needed_decay(w, g, lr)
    DRAWS["drawn"] += 1
    if least >= 0.5:
        DRAWS["rejected"] += 1
        assume(False)
    return float(draw(log_uniform(least, 0.9)))


def schedules(length: int) -> st.SearchStrategy[list[float]]:
    """Multipliers s_t, one per step: any positive numbers up to 1, constant and falling ones among them."""
    several = st.lists(log_uniform(0.05, 1), min_size=length, max_size=length)
    return st.one_of(st.just([1.0] * length), several, several.map(lambda s: sorted(s, reverse=True)))


@dataclass(frozen=True)
class History:
    """A run's numbers: first weights, a gradient per step, α, η, and a schedule that multiplies both."""

    w: Any
    gradients: Any
    lr: float
    decay: float
    schedule: list[float]


@st.composite
def histories(draw: Any, dtype: Any, *, visible: bool = True, max_steps: int = 12) -> History:
    """A run of a few steps.

    If it is to be `visible`, Σ α|g| ≤ |w|/2 on every weight (no gradient hides the decay), and η is 40 times what one
    step needs: a schedule may weaken it twentyfold, and gradients halve its effect.
    """
    length = draw(st.integers(1, max_steps))
    shape = draw(shapes())
    w = draw(arrays(dtype, shape))
    gradients = draw(arrays(dtype, (length, *shape), 2.0**-4, 2.0**2, zero=True))
    if visible:
        lr = draw(log_uniform(1e-5, 2.0**-5 / (max_steps * 2**2)))
        decay = draw(visible_decays(w, np.max(np.abs(gradients), axis=0), lr, times=40))
    else:
        lr, decay = draw(log_uniform(1e-3, 2)), draw(log_uniform(1e-4, 0.9))
    return History(w, gradients, lr, decay, draw(schedules(length)))
