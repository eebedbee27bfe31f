"""What the identity's tests draw: steps and histories of gradients in which decay can be seen.

A tolerance above the size of an effect makes a test of that effect worthless. So the identity's draws are made such
that the effect, η|w|, is at least `VISIBLE` times the bound it is tested against; a draw for which there is no such η
is rejected, and counted in `DRAWS`, for a test to assert that few are. The parts they are made of are the package's
own (`minigrad.testing.strategies`), and can be had from here too.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from minigrad.proof.rounding import unit_roundoff
from minigrad.testing.properties import VISIBLE
from minigrad.testing.strategies import (
    arrays,
    exact_arrays,
    fractions_below_one,
    log_uniform,
    numbers,
    rationals,
    schedules,
    shapes,
)

__all__ = [
    "DRAWS",
    "VISIBLE",
    "History",
    "Step",
    "arrays",
    "exact_arrays",
    "fractions_below_one",
    "histories",
    "log_uniform",
    "needed_decay",
    "numbers",
    "rationals",
    "schedules",
    "shapes",
    "steps",
    "visible_decays",
]

DRAWS: Counter[str] = Counter()


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


def leg(x, other=Fraction(1)):
    """A rational number of the sign of x, growing with it, with which `other` spans a triangle of rational sides.

    For rules that take the root of a sum: √(leg² + other²) is rational.
    """
    k = x / (abs(x) + 1)
    return other * 2 * k / (1 - k * k)
