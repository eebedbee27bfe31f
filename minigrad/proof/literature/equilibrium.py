"""Where weights under AdamW end when gradients are noise: a random walk that decay keeps in place.

Gradients carry no signal: independent, of mean 0 and equal variance. With v̂ = 1 in their units (see below), ε = 0,
0 < η < 1, 0 ≤ β₁ < 1 and the bias corrections faded, AdamW's door is linear in (w, m, g):

    m ← b m + (1 − b) g,    w ← (1 − η) w − α m,    b = β₁.

Its stationary covariance P solves P = A P Aᵀ + B Bᵀ (Lyapunov). A and B are found by running the door itself on
symbols; the solution's first entry is the equilibrium, with a = 1 − η,

    RMS(w)² = α² (1 − b)² (1 + a b) / ((1 − a²)(1 − b²)(1 − a b))  →  α²/(2η)  as η → 0, whatever b.

**Rotation.** In many dimensions the angle θ between w and its successor concentrates. From E[w' w] = (A P)_ww

    2(1 − cos θ) = 2η (1 − b)/(1 + b − bη)  →  2η (1 − b)/(1 + b)  as η → 0,

the rotation √(2η(1 − β₁)/(1 + β₁)) per step.

**Conditions.** v̂ is 1 exactly if every gradient is ±1 (times a constant), whatever β₂. For other distributions it
fluctuates: for normal gradients with variance 2(1 − β₂)/(1 + β₂), hence β₂ near 1. The limit of RMS² needs bη ≪ 1 − b
besides η ≪ 1 (at b = 0.9 and η = 0.2 it is nearly three times too large); that of θ needs η ≪ 1 alone.

Source: Kosson, Messmer and Jaggi, "Rotational equilibrium", arXiv 2305.17212, for the limits. The exact forms
are derived here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import acos, sqrt
from typing import Any

import numpy as np

from minigrad.proof.claims import Claim, Evidence, UndecidedError
from minigrad.proof.literature.symbols import latex, letter, positive, sympy, text, vanish
from minigrad.regularization.variants import variant

__all__ = ["Measured", "claims", "covariance", "linear_form", "mean_square", "rotation", "simulate", "turn"]

Step = Callable[..., tuple[Any, ...]]

ALPHA, ETA, B = letter("lr"), letter("decay"), positive("b")


def linear_form(step: Step) -> tuple[Any, Any]:
    """Return A (2 × 2) and B (2 × 1) of (w, m) ← A (w, m) + B g, found by running the step on symbols with v̂ = 1.

    The state v is chosen such that v̂ = 1 after the update, and β₁ᵗ, the bias correction's, is then set to 0.

    Raises ValueError if the step is not linear.
    """
    w, g, m, beta2, t = map(letter, ("w", "g", "m", "beta2", "t"))
    v = (1 - beta2**t - (1 - beta2) * g**2) / beta2
    found = step(w, g, m, v, lr=ALPHA, beta1=B, beta2=beta2, eps=0, t=t, decay=ETA)[:2]
    after = sympy.Matrix([sympy.expand(sympy.simplify(x).subs(B**t, 0)) for x in found])
    a, b = after.jacobian([w, m]), after.jacobian([g])
    linear, _ = vanish(after - a * sympy.Matrix([w, m]) - b * g)
    if not linear or (a.free_symbols | b.free_symbols) & {w, m, g}:
        raise ValueError(f"the step is not linear in w, m and g: {after.T.tolist()[0]}")
    return a, b


def covariance(step: Step) -> Any:
    """Return the stationary covariance of (w, m), a 2 × 2 matrix in α, η and b: the solution of P = A P Aᵀ + B Bᵀ."""
    a, b = linear_form(step)
    ww, wm, mm = sympy.symbols("P_ww P_wm P_mm")
    p = sympy.Matrix([[ww, wm], [wm, mm]])
    return p.subs(sympy.solve(list(p - a * p * a.T - b * b.T), [ww, wm, mm], dict=True)[0]).applyfunc(sympy.factor)


def mean_square() -> Any:
    """Return the literature's closed form of RMS(w)², to be compared with `covariance`."""
    a = 1 - ETA
    return ALPHA**2 * (1 - B) ** 2 * (1 + a * B) / ((1 - a**2) * (1 - B**2) * (1 - a * B))


def turn(step: Step) -> Any:
    """Return 2(1 − cos θ) of the angle between w and its successor, in η and b (α cancels)."""
    a, _ = linear_form(step)
    p = covariance(step)
    along = (a * p)[0, 0]  # E[w' w]: the new gradient is independent of w
    return sympy.factor(2 * (1 - along / p[0, 0]))


def rotation() -> Any:
    """Return the literature's 2η(1 − b)/(1 + b), the limit of θ²."""
    return 2 * ETA * (1 - B) / (1 + B)


@dataclass(frozen=True)
class Measured:
    """What a simulation found: RMS(w)² and the mean angle per step in radians, each with its standard error."""

    mean_square: float
    mean_square_error: float
    angle: float
    angle_error: float


def signs(rng: np.random.Generator, weights: int) -> Iterator[Any]:
    """Yield gradients of ±1: v̂ = 1 exactly."""
    while True:
        yield 2.0 * rng.integers(0, 2, weights) - 1


def normals(rng: np.random.Generator, weights: int) -> Iterator[Any]:
    """Yield standard normal gradients: v̂ fluctuates around 1."""
    while True:
        yield rng.standard_normal(weights)


def simulate(
    step: Step,
    *,
    lr: float,
    decay: float,
    beta1: float,
    beta2: float,
    gradients: Callable[[np.random.Generator, int], Iterator[Any]],
    weights: int,
    burn: int,
    steps: int,
    seed: int,
) -> Measured:
    """Run `burn` + `steps` steps of AdamW from 0, each weight on its own noise, and measure in the last `steps`.

    The weights are independent, so the spread between them of their time averages of w² gives the standard error,
    however correlated a single weight's path is; likewise the spread of the angles of BLOCKS parts of w.

    Raises ValueError unless BLOCKS divides the number of weights and there is a step to measure.
    """
    if weights % BLOCKS or min(weights, steps) < 1:
        raise ValueError(f"weights must be a multiple of {BLOCKS}, steps at least 1, got {weights!r} and {steps!r}")
    w = np.zeros(weights)
    state = (w, w)
    squares, cosines = np.zeros(weights), np.zeros(1 + BLOCKS)
    source = gradients(np.random.default_rng(seed), weights)
    for t, g in zip(range(1, burn + steps + 1), source, strict=False):
        new, *state = step(w, g, *state, lr=lr, decay=decay, beta1=beta1, beta2=beta2, eps=0.0, t=t)  # type: ignore[assignment]
        if t > burn:
            cosines += _cosines(w, new)
            squares += new * new
        w = new
    means, angles = squares / steps, np.arccos(cosines / steps)
    return Measured(
        float(means.mean()),
        float(means.std() / sqrt(weights)),
        float(angles[0]),
        float(angles[1:].std() / sqrt(BLOCKS)),
    )


BLOCKS = 20


def _cosines(w: Any, new: Any) -> Any:
    """Return the cosine of the angle between two vectors, and between each of their BLOCKS parts."""
    products = [(x * y).reshape(BLOCKS, -1).sum(axis=1) for x, y in ((w, new), (w, w), (new, new))]
    along, one, other = (np.concatenate([[p.sum()], p]) for p in products)
    return along / np.sqrt(one * other)


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this file; `thorough` simulates four times as many weights."""
    more = 4 if thorough else 1
    return [
        Claim(
            "equilibrium.formula",
            "under noise AdamW's RMS(w)² is α²(1−b)²(1+ab)/((1−a²)(1−b²)(1−ab)), a = 1 − η, b = β₁",
            True,
            prove_formula,
        ),
        Claim(
            "equilibrium.limits",
            "as η → 0 RMS(w)² is α²/(2η) under noise, and the rotation per step √(2η(1−β₁)/(1+β₁))",
            True,
            prove_limits,
        ),
        Claim("equilibrium.signs", "AdamW itself on signs: RMS(w)² to 1 %", True, lambda: measure("signs", more)),
        Claim("equilibrium.normals", "AdamW itself on normals: RMS(w)² to 1 %", True, lambda: measure("normals", more)),
        Claim("equilibrium.rotation", "AdamW itself: the rotation's limit at η = 0.01, to 1 %", True, measure_rotation),
        Claim(
            "equilibrium.exact_rotation",
            "AdamW itself: 2(1 − cos θ) = 2η(1−b)/(1+b−bη) at η = 0.9, θ to 0.2 %",
            True,
            lambda: measure_exact_rotation(more),
        ),
        Claim("equilibrium.limit_at_large_decay", "RMS(w)² is α²/(2η) at η = 0.2 too, to 1 %", False, measure_limit),
        Claim("equilibrium.adam_l2", "Adam + L2 at λ = η/α has AdamW's RMS(w)², to 1 %", False, measure_coupled),
    ]


ADAMW: Step = variant("adamw").step


def prove_formula(step: Step = ADAMW) -> Evidence:
    """Decide by solving the Lyapunov equation of the door's own A and B."""
    a, b = linear_form(step)
    found = covariance(step)[0, 0]
    gap = found - mean_square()
    holds, left = vanish([gap])
    return Evidence(
        holds,
        f"P_ww = {text(found)}, less the form {left}, with A = {_rows(a)} and B = {_rows(b.T)}",
        rf"\mathrm{{RMS}}(w)^2 = {latex(found)}",
        {"A": _rows(a), "B": _rows(b.T), "P": _rows(covariance(step))},
    )


def prove_limits(step: Step = ADAMW) -> Evidence:
    """Decide by SymPy's limits of the ratios."""
    square = sympy.limit(sympy.simplify(covariance(step)[0, 0] * 2 * ETA / ALPHA**2), ETA, 0)
    angle = sympy.limit(sympy.simplify(turn(step) / rotation()), ETA, 0)
    return Evidence(
        vanish([square - 1, angle - 1])[0],
        f"RMS²/(α²/2η) → {text(sympy.simplify(square))}; 2(1 − cos θ) = {text(turn(step))}, which over its limit → "
        f"{text(sympy.simplify(angle))}",
        rf"2(1-\cos\theta) = {latex(turn(step))}",
        {"turn": text(turn(step))},
    )


def _rows(matrix: Any) -> str:
    return "[" + "; ".join(", ".join(map(text, row)) for row in matrix.tolist()) + "]"


NUMBERS = {"lr": 0.01, "decay": 0.2, "beta1": 0.9, "beta2": 0.999}
SOURCES = {"signs": (signs, 200), "normals": (normals, 2000)}
TOLERANCE = 0.01


def _value(expression: Any, numbers: dict[str, float]) -> float:
    return float(expression.subs({ALPHA: numbers["lr"], ETA: numbers["decay"], B: numbers["beta1"]}))


def _compared(what: str, found: float, error: float, expected: float, tolerance: float = TOLERANCE) -> Evidence:
    """Return what a measurement says: yes within the tolerance, no beyond it by five standard errors.

    Raises UndecidedError for what decides neither: a yes wants a tolerance of at least five standard errors.
    """
    off, wide = found / expected - 1, error / expected
    if 5 * wide > (tolerance if abs(off) <= tolerance else abs(off) - tolerance):
        raise UndecidedError(f"{what} is off by {off:+.3%}, standard error {wide:.3%}: no decision at {tolerance:.1%}")
    shown = f"{what} is off by {off:+.3%}, standard error {wide:.3%}"
    data = {"measured": found, "standard error": error, "expected": expected, "tolerance": tolerance}
    return Evidence(abs(off) <= tolerance, shown, data=data)


def measure(source: str, more: int = 1, step: Step = ADAMW, expected: Any = None) -> Evidence:
    """Decide by a run of AdamW at η = 0.2, against the exact form (or another expression)."""
    gradients, burn = SOURCES[source]
    m = simulate(step, **NUMBERS, gradients=gradients, weights=20_000 * more, burn=burn, steps=1000, seed=0)
    exact = _value(mean_square() if expected is None else expected, NUMBERS)
    return _compared("RMS²", m.mean_square, m.mean_square_error, exact)


def measure_limit() -> Evidence:
    """Decide against the limit, where η is not small."""
    return measure("signs", expected=ALPHA**2 / (2 * ETA))


def measure_coupled() -> Evidence:
    """Decide with the penalty in the gradient, at λ = η/α."""
    adam_l2 = variant("adam_l2").step

    def step(*arrays: Any, lr: Any, decay: Any, **hyper: Any) -> tuple[Any, ...]:
        return adam_l2(*arrays, lr=lr, l2=decay / lr, **hyper)

    return measure("signs", step=step)


def measure_rotation(step: Step = ADAMW) -> Evidence:
    """Decide at η = 0.01 against the limit."""
    numbers = NUMBERS | {"decay": 0.01}
    m = simulate(step, **numbers, gradients=signs, weights=20_000, burn=1000, steps=1000, seed=0)
    return _compared("the angle", m.angle, m.angle_error, sqrt(_value(rotation(), numbers)))


def measure_exact_rotation(more: int = 1, step: Step = ADAMW, expected: Any = None) -> Evidence:
    """Decide at η = 0.9 against the exact form (or another expression of θ²)."""
    numbers = NUMBERS | {"decay": 0.9}
    m = simulate(step, **numbers, gradients=signs, weights=40_000 * more, burn=200, steps=1000, seed=0)
    theta = acos(1 - _value(turn(ADAMW), numbers) / 2) if expected is None else sqrt(_value(expected, numbers))
    return _compared("the angle", m.angle, m.angle_error, theta, 0.002)
