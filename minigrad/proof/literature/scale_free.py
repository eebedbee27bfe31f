"""AdamW is scale-free: rescaling the gradient, each coordinate by its own c > 0, changes no weight.

Rescaling a coordinate of the gradient is what another unit of the loss, or a fixed diagonal preconditioner, does.
**Conditions.** ε = 0; c_i > 0 and the same at every step; v̂ > 0 (else 0/0), which it is if β₂ > 0 and each coordinate
has had a gradient other than 0; state from zero.

**Proof**, by induction over steps, with any gradients and schedules. Let a second run see c g_t. Its zero state is the
first run's. If its state is (c m, c² v) and its weights are w, then after one step, by `residues`, it is again: the new
weights are equal and the new state is (c m', c² v'). If gradients are functions of the weights, they stay c times the
first run's, since the weights are equal.

Adam + L2 is not scale-free: c g + λw is not c (g + λw), unless λw = 0 or c = 1. Already the first step,
α sign(g + λw), may turn. Nor is AdamW with ε > 0.

Source: Zhuang, Liu, Cutkosky and Orabona, "Understanding AdamW through proximal methods and scale-freeness",
arXiv 2202.00089.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.literature.symbols import letter, positive, text, vanish
from minigrad.regularization.variants import variant

__all__ = ["bitwise_differences", "claims", "first_weights", "residues"]

Step = Callable[..., tuple[Any, ...]]

ADAMW = variant("adamw").step
ADAM_L2 = variant("adam_l2").step


def residues(step: Step, *, coefficient: str = "decay", eps: Any = 0) -> tuple[Any, ...]:
    """Return what separates one step of a run from one of its rescaled copy, as SymPy expressions.

    They are w'(c g; c m, c² v) − w'(g; m, v), and likewise m'(…) − c m' and v'(…) − c² v'. All zero: scale-free.

    Args:
        step: an update with Adam's state, of the form that doors make.
        coefficient: what the door calls its own hyperparameter.
        eps: ε, 0 or a symbol.
    """
    c, (w, g, m, v) = positive("c"), map(letter, ("w", "g", "m", "v"))
    hyper = {name: letter(name) for name in ("lr", "beta1", "beta2", "t", coefficient)} | {"eps": eps}
    first = step(w, g, m, v, **hyper)
    second = step(w, c * g, c * m, c**2 * v, **hyper)
    return tuple(b - scale * a for a, b, scale in zip(first, second, (1, c, c**2), strict=True))


def bitwise_differences(step: Step, *, steps: int = 40, weights: int = 256, seed: int = 0, **hyper: Any) -> int:
    """Return how many of the float64 weights ever differ between a run and its copy rescaled by powers of two.

    Between 2⁻³⁰ and 2³⁰, one for each weight: such factors pass through every product, sum, quotient and root without
    rounding, short of under- and overflow, so that what is equal in exact arithmetic is equal bit for bit.
    """
    rng = np.random.default_rng(seed)
    c = 2.0 ** rng.integers(-30, 31, weights)
    w = u = rng.normal(size=weights)
    state, scaled = (np.zeros(weights),) * 2, (np.zeros(weights),) * 2
    differ = np.zeros(weights, dtype=bool)
    for t, g in enumerate(rng.normal(size=(steps, weights)), 1):
        w, *state = step(w, g, *state, t=t, **hyper)  # type: ignore[assignment]
        u, *scaled = step(u, c * g, *scaled, t=t, **hyper)  # type: ignore[assignment]
        differ |= w != u
    return int(differ.sum())


def first_weights(step: Step, w: Any, g: Any, c: Any, **hyper: Any) -> tuple[Any, Any]:
    """Return the weight after a first step with g, and with c g; exactly, if the numbers are Fractions."""
    return step(w, g, 0 * g, 0 * g, t=1, **hyper)[0], step(w, c * g, 0 * g, 0 * g, t=1, **hyper)[0]


ADAM = {"lr": Fraction(1, 10), "beta1": Fraction(9, 10), "beta2": Fraction(99, 100)}


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this file."""
    return [
        Claim("scale_free.adamw", "AdamW at ε = 0 is scale-free, at every step", True, prove_induction),
        Claim(
            "scale_free.adamw_bitwise",
            "AdamW at ε = 0 is scale-free in float64, bit for bit, for c = 2ᵏ",
            True,
            prove_bitwise,
        ),
        Claim("scale_free.adam_l2", "Adam + L2 at ε = 0 is scale-free", False, find_coupled),
        Claim("scale_free.adamw_with_eps", "AdamW with ε > 0 is scale-free", False, find_eps),
    ]


def prove_induction(step: Step = ADAMW) -> Evidence:
    """Decide the induction step by SymPy."""
    found = residues(step)
    holds, left = vanish(found)
    shown = "with state (c m, c² v) and gradient c g: the same weights, and state (c m', c² v') again"
    return Evidence(
        holds,
        shown if holds else f"left over: {left}",
        r"w'(cg;\, cm, c^2v) = w'(g;\, m, v)",
        {"residues": [text(x) for x in found]},
    )


def prove_bitwise(step: Step = ADAMW) -> Evidence:
    """Decide by running it."""
    differ = bitwise_differences(step, lr=0.1, beta1=0.9, beta2=0.999, eps=0.0, decay=0.01)
    return Evidence(differ == 0, f"{differ} of 256 weights differ within 40 steps", data={"differ": differ})


def find_coupled(step: Step = ADAM_L2) -> Evidence:
    """Decide by an example in exact rationals."""
    return _example(step, w=Fraction(1), g=Fraction(-1), c=Fraction(4), eps=Fraction(0), l2=Fraction(2))


def find_eps(step: Step = ADAMW) -> Evidence:
    """Decide by an example in exact rationals."""
    return _example(step, w=Fraction(1), g=Fraction(1), c=Fraction(3), eps=Fraction(1), decay=Fraction(1, 10))


def _example(step: Step, w: Any, g: Any, c: Any, **hyper: Any) -> Evidence:
    one, other = first_weights(step, w, g, c, **ADAM, **hyper)
    given = ", ".join(f"{k} = {x}" for k, x in ({"w": w, "g": g, "c": c} | ADAM | hyper).items())
    return Evidence(
        one == other,
        f"{given}: the first step leads to {one} with g and to {other} with c g",
        data={"with g": str(one), "with c g": str(other)},
    )
