"""How far two doors may drift apart by rounding alone: bounds that are derived, not tuned.

In exact arithmetic L2 in the gradient at λ = η/α and weight decay η are one algorithm,

    z = w − α(g + (η/α) w) = (1 − η) w − α g.

A computer evaluates the two sides in different orders,

    x = w − α(g + k w), k = fl(η/α)        door 2        y = (1 − η) w − α g        door 3

and rounds each operation. A derivation, line by line, with u the unit roundoff (2⁻⁵³, 2⁻²⁴, 2⁻¹¹ for float64, 32, 16),
fl(a∘b) = (a∘b)(1 + δ), |δ| ≤ u, 0 ≤ η < 1, no overflow, and no underflow until the last paragraph.

**Door 2**, in the order in which it is computed, and what the rounding of each line adds to |x − z|, to first order:

    k = fl(η/α)      relative u in k                 u η|w|
    a = fl(k w)      relative u in a                 u η|w|
    b = fl(g + a)    relative u in b, times α        u |αg + ηw| ≤ u(|αg| + η|w|)
    c = fl(α b)      relative u in c                 u |αg + ηw| ≤ u(|αg| + η|w|)
    x = fl(w − c)    relative u in x                 u |z|

    |x − z| ≤ u(|z| + 2|αg| + 4η|w|)

**Door 3:**

    s = fl(1 − η)    absolute u/2 (below)            ½ u|w|
    p = fl(s w)      relative u in p                 u (1 − η)|w|
    q = fl(α g)      relative u in q                 u |αg|
    y = fl(p − q)    relative u in y                 u |z|

    |y − z| ≤ u(|z| + |αg| + (3/2 − η)|w|)

s lies in [0, 1], where neighbouring floats are at most 2u·½ = u apart, so rounding to nearest moves it by at most u/2.
The sum is the bound of |x − y|:

    (1 + 8u) u (2|z| + 3|αg| + (3/2 + 3η)|w|)                                                                  float64

The factor 1 + 8u pays for second order. The longest chain is that of w in door 2, [(1 + u)⁴ − 1](1 + u) ≤ 4u(1 + 3u);
in door 3, (1 + u)². Both are below 1 + 8u, with room for what follows.

**float32 and float16.** Beside such an array a Python float is rounded to the array's dtype first (NEP 50), once:
α becomes α̂, k becomes k̂ = fl(fl₆₄(η/α)), 1 − η, computed in float64, becomes ŝ. Both doors multiply g by the same α̂, so
in `z` and in the bound α means α̂: its rounding changes the step of both doors alike, and is no difference between them.
But η is not rounded while k̂ α̂ is, so that k̂ α̂ = η(1 + δ₁)(1 + δ₂): one rounding more, another u η|w|:

    (1 + 8u) u (2|z| + 3|αg| + (3/2 + 4η)|w|)                                                          float32, float16

ŝ errs by u/2 as before and by u₆₄/2; k̂ by another relative u₆₄. Together at most (½ + η) u₆₄|w|, and since u² ≥ 2⁻⁴⁸
this too is within 1 + 8u (of which second order, now [(1 + u)⁵ − 1](1 + u) ≤ 5u(1 + 4u), takes half). NumPy computes
float16 in float32 and rounds back, which is rounding once, because 24 ≥ 2·11 + 2.

**Another coefficient.** With a schedule, λ = fl(η₀/α₀) may be kept while η_t = fl(s_t η₀) and α_t = fl(s_t α₀) are
rounded. Then the roundings of k (and α̂) above are replaced by what the product really misses, |α̂ λ̂ − η| |w|, which is
computed exactly: pass ``l2=``.

**Underflow.** A product below the smallest normal number errs by at most half the smallest subnormal σ instead; sums
and differences are exact there. Of the four products, that in a counts α-fold, those in c, p and q once: σ(α + 3)/2. If
k is itself below the normal numbers it errs by σ/2, hence x by ασ|w|/2; if α is, k̂ α̂ misses η by kσ/2, hence kσ|w|/2.
The code takes σ for each σ/2 (its own arithmetic rounds, too), and leaves out what cannot occur. Hardware that
flushes subnormals to zero is outside of this derivation.

There is no bound in units in the last place of the result: w and αg may cancel. And the bound is for a weight that the
data loss uses once; where it is used twice, door 1 adds the penalty's gradient between two others, and the error of
that sum is door 1's own.

**Many steps.** Let x_t and y_t be two runs, e_t = |x_t − y_t|, and z_t(·) the exact step. Then

    e_{t+1} ≤ |x_{t+1} − z_t(x_t)| + |z_t(x_t) − z_t(y_t)| + |z_t(y_t) − y_{t+1}| ≤ B_t + ρ_t e_t,

where B_t = `coupled_error` at x_t + `decoupled_error` at y_t, and ρ_t e_t is the middle term: ρ = 1 − η when both runs
are given the same gradients, ρ = |1 − η − αh| when the gradient is h·(w − c). (The gradient's own rounding, times α,
then belongs to B_t, on both sides.) With ρ_t ≤ ρ < 1, e_t ≤ max B/(1 − ρ) for all t.
"""

import math
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import numpy as np

from minigrad.regularization.checks import nonnegative
from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2
from minigrad.rules.sgd import sgd

__all__ = [
    "asymptotic_bound",
    "checked",
    "contraction",
    "coupled_error",
    "decoupled_error",
    "many_step_bound",
    "one_step_bound",
    "unit_roundoff",
]

DTYPES = ("float64", "float32", "float16")
DOOR2, DOOR3 = coupled(sgd, L2.gradient), decoupled(sgd)  # the doors of which all of this speaks

# The bounds themselves are evaluated in float64, in fewer than 2⁵ operations on positive numbers, each off by 2⁻⁵³.
_OUTWARD = 1 + 2.0**-47

Bound = np.ndarray[Any, np.dtype[np.float64]]


def unit_roundoff(dtype: Any) -> float:
    """Return u, half the distance from 1 to the next number of `dtype`: the relative error of one rounding."""
    return float(np.finfo(checked(dtype)).eps) / 2


def one_step_bound(w: Any, g: Any, lr: float, decay: float, dtype: Any = None, *, l2: float | None = None) -> Bound:
    """Return, per weight, a bound on |x − y| after one step from equal weights; the module derives it.

    x = w − α(g + λw) is door 2, y = (1 − η)w − αg door 3, both computed in `dtype` with Python numbers for α = `lr`,
    η = `decay` and λ = `l2`. It also holds for door 1, if the data loss uses each weight once.

    Args:
        w: weights, a host array, taken as exact.
        g: gradients, likewise, of a shape that broadcasts.
        lr: α > 0.
        decay: η, the fraction removed in this step, 0 ≤ η < 1.
        dtype: float64, float32 or float16; that of `w` if not given.
        l2: λ, if it was not computed as ``decay / lr`` (as happens under a schedule).

    Returns:
        A float64 array, never below the derived bound.

    Raises:
        ValueError: for a condition of the derivation that does not hold: η outside [0, 1), α ≤ 0, α or λ beyond the
            dtype, entries that are not finite, a step that might overflow.
        TypeError: for any other dtype.
    """
    return coupled_error(w, g, lr, decay, dtype, l2=l2) + decoupled_error(w, g, lr, decay, dtype)


def coupled_error(w: Any, g: Any, lr: float, decay: float, dtype: Any = None, *, l2: float | None = None) -> Bound:
    """Return, per weight, a bound on |x − z|: door 2 as computed, against the exact step. As `one_step_bound`."""
    s = _Step(w, g, lr, decay, dtype, l2)
    if l2 is None:
        times_w = (4 if s.dtype == np.float64 else 5) * s.u * s.decay
    else:
        missed = s.missed()
        times_w = 3 * s.u * (s.decay + missed) + missed
    rounding = (1 + 8 * s.u) * (s.u * (s.z + 2 * s.ag) + times_w * s.w)
    return np.asarray(_OUTWARD * rounding + s.underflow_coupled(given=l2 is not None))


def decoupled_error(w: Any, g: Any, lr: float, decay: float, dtype: Any = None) -> Bound:
    """Return, per weight, a bound on |y − z|: door 3 as computed, against the exact step. As `one_step_bound`."""
    s = _Step(w, g, lr, decay, dtype, None)
    rounding = (1 + 8 * s.u) * s.u * (s.z + s.ag + (1.5 - s.decay) * s.w)
    return np.asarray(_OUTWARD * rounding + 3 * s.smallest)


def contraction(lr: float, decay: float, *, curvature: Any = 0.0, dtype: Any = np.float64) -> Any:
    """Return ρ = |1 − η − αh|, by which the exact step changes the distance of two runs; rounded upwards.

    h = `curvature` is 0 if both runs are given the same gradients, and the second derivative, a number or one per
    weight, if the gradient is h·(w − c). α is rounded to `dtype`, as the step's is.
    """
    dtype = checked(dtype)
    alpha, eta = Fraction(_rounded(lr, dtype)), Fraction(nonnegative("decay", decay))
    rho = np.vectorize(lambda h: _up(abs(1 - eta - alpha * Fraction(float(h)))), otypes=[float])(curvature)
    return rho if rho.ndim else float(rho)


def many_step_bound(bounds: Iterable[Any], rho: Any, start: Any = 0.0) -> Bound:
    """Return e_1, …, e_T of e_{t+1} = ρ_t e_t + B_t, stacked along a new first axis.

    Args:
        bounds: B_0, …, B_{T−1}, each per weight: `coupled_error` of one run plus `decoupled_error` of the other.
        rho: ρ, one number or array for all steps, or a list of one per step (`contraction`).
        start: e_0, the distance at the start.
    """
    bounds = list(bounds)
    rhos = rho if isinstance(rho, list | tuple) else [rho] * len(bounds)
    if len(rhos) != len(bounds):
        raise ValueError(f"rho must be one for all steps, or one per step: got {len(rhos)} for {len(bounds)} steps")
    e, found = start, []
    for b, r in zip(bounds, rhos, strict=True):
        e = _OUTWARD * (r * e + b)
        found.append(e)
    return np.asarray(np.stack(found), dtype=np.float64) if found else np.empty(0)


def asymptotic_bound(bounds: Iterable[Any], rho: Any) -> Bound:
    """Return max B/(1 − ρ), which `many_step_bound` from 0 never exceeds, whatever T; for ρ take the largest.

    `many_step_bound` rounds outwards in every step, which acts as a larger ρ and B; they are enlarged by twice as much
    here. With ρ near 1 this shows: at 1 − ρ = 2⁻⁴⁰ it is a sixty-third more than the quotient.

    Raises:
        ValueError: unless ρ < 1 after that, which any ρ < 1 − 2⁻⁴⁶ is.
    """
    enlarged = np.asarray(rho, dtype=np.float64) * _OUTWARD**2
    if not np.all(enlarged < 1):
        raise ValueError(f"the gap of two runs stays bounded only if rho < 1, got {rho!r} (rounded outwards by 2⁻⁴⁶)")
    worst = np.max(np.stack(list(bounds)), axis=0)
    return np.asarray(_OUTWARD**2 * worst / (1 - enlarged), dtype=np.float64)


class _Step:
    """One step's numbers, checked: |w|, |αg|, |z| in float64, α as rounded to the dtype, and the dtype's constants."""

    def __init__(self, w: Any, g: Any, lr: float, decay: float, dtype: Any, l2: float | None):
        w = np.asarray(w)
        g = np.asarray(g)
        self.dtype = checked(w.dtype if dtype is None else dtype)
        info = np.finfo(self.dtype)
        self.u, self.tiny, self.smallest = float(info.eps) / 2, float(info.tiny), float(info.smallest_subnormal)
        self.decay = float(nonnegative("decay", decay))
        if self.decay >= 1:
            raise ValueError(f"decay must be below 1, got {decay!r}")
        if nonnegative("lr", lr) == 0:
            raise ValueError("lr must be > 0: decay / lr is the coefficient of door 2")
        self.lr = _rounded(lr, self.dtype)
        if self.lr > float(info.max):
            raise ValueError(f"lr = {lr!r} is beyond the largest {self.dtype}, {info.max}")
        self.l2 = float(self.decay) / float(lr) if l2 is None else nonnegative("l2", l2)
        if not _rounded(self.l2, self.dtype) <= float(info.max):
            name = f"decay / lr = {self.decay!r} / {lr!r}" if l2 is None else f"l2 = {l2!r}"
            raise ValueError(f"{name} is beyond the largest {self.dtype}, {info.max}")
        self.k = _rounded(self.l2, self.dtype)
        with np.errstate(all="ignore"):
            w, g = w.astype(np.float64), g.astype(np.float64)
            self.w, self.ag = np.abs(w), np.abs(self.lr * g)
            self.z = np.abs((1 - self.decay) * w - self.lr * g)
            inner = np.abs(g) + self.k * self.w
            largest = np.maximum(np.maximum(inner, self.lr * inner), 2 * self.w + self.lr * inner)
        if not (np.all(np.isfinite(w)) and np.all(np.isfinite(g))):
            raise ValueError("weights and gradients must be finite")
        if not np.all(largest <= float(info.max) / (1 + 16 * self.u)):
            raise ValueError(f"the step may overflow {self.dtype}: |g| + λ|w|, α times it, or |w| nears {info.max}")

    def missed(self) -> float:
        """Return |α̂ λ̂ − η|, exact but for one rounding upwards."""
        return _up(abs(Fraction(self.lr) * Fraction(self.k) - Fraction(self.decay)))

    def underflow_coupled(self, given: bool) -> Any:
        """Return what the products of door 2 may add when they, or its coefficients, are below the normal numbers."""
        lost = self.smallest * (1 + np.where(self.k * self.w < 2 * self.tiny, np.ceil(self.lr), 0))
        if not given and 0 < self.k < 2 * self.tiny:
            lost = lost + self.smallest * np.ceil(self.lr * self.w)
        if not given and self.lr < 2 * self.tiny and self.dtype != np.float64:
            lost = lost + self.smallest * np.ceil(self.k * self.w)
        return lost


def checked(dtype: Any) -> np.dtype[Any]:
    """Return `dtype`, if it is one of `DTYPES`; TypeError otherwise."""
    found: np.dtype[Any] = np.dtype(dtype)
    if found.name not in DTYPES:
        raise TypeError(f"dtype must be one of {', '.join(DTYPES)}, got {found.name}")
    return found


def _rounded(x: float, dtype: np.dtype[Any]) -> float:
    """Return `x` as it enters an operation with an array of `dtype`."""
    with np.errstate(all="ignore"):
        return float(dtype.type(float(x)))


def _up(x: Fraction) -> float:
    """Return a float64 that is not below `x`."""
    found = float(x)
    return found if Fraction(found) >= x else math.nextafter(found, math.inf)
