"""Where full-batch AdamW ends: at the minimiser of the loss in the box ‖w‖_∞ ≤ α/η, not at a ridge's.

Under a steady gradient AdamW's step is α per weight, and decay pulls by η|w|: at |w| = α/η they balance. The theorem:
**if** L is continuously differentiable and full-batch AdamW converges, with ε = 0, β₁ ≤ β₂ < 1, η_t/α_t constant, α_t
never rising and Σα_t = ∞, **then** it has converged to a Karush–Kuhn–Tucker point of

    minimise L(w) subject to |w_i| ≤ α/η for all i.

On a convex L that is the constrained minimiser. On a separable quadratic it is the unconstrained one, *clipped*; on
another quadratic it may not be, since a weight at the wall moves what is best for the others. L2, door 1, ends
elsewhere: at the ridge (H + λI)⁻¹Hc, λ = η/α, which shrinks even weights far inside of the box.

**What is shown here.** The two minimisers are exact (`constrained_minimiser` enumerates the cases of the KKT conditions
over the rationals). That AdamW converges is *measured*, as the theorem assumes it and does not promise it: with
α_t = α₀/(1 + t/τ), from several starts inside and outside of the box, the largest distance of the last weights from
each candidate.

Source: Xie and Li, "Implicit bias of AdamW: ℓ∞-norm constrained optimization", arXiv 2404.04454.
"""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.literature.symbols import sympy
from minigrad.regularization.variants import variant

__all__ = ["Quadratic", "claims", "clipped", "constrained_minimiser", "end", "ridge"]

Step = Callable[..., tuple[Any, ...]]

ADAMW = variant("adamw").step


class Quadratic:
    """L(w) = ½ (w − c)ᵀ H (w − c), H positive definite, in exact numbers."""

    def __init__(self, h: Sequence[Sequence[Any]], c: Sequence[Any]):
        self.h, self.c = sympy.Matrix(h), sympy.Matrix(c)
        if not (self.h.is_symmetric() and self.h.is_positive_definite):
            raise ValueError(f"H must be symmetric and positive definite, got {h!r}")

    def gradient(self, w: Any) -> Any:
        """Return H (w − c) in float64 for rows w."""
        h, c = np.array(self.h, dtype=float), np.array(self.c, dtype=float).ravel()
        return ((w - c)[:, None, :] * h).sum(axis=-1)


def clipped(loss: Quadratic, radius: Any) -> list[Fraction]:
    """Return the unconstrained minimiser c, each entry clipped to the box."""
    return _fractions(sympy.Max(-radius, sympy.Min(radius, c)) for c in loss.c)


def ridge(loss: Quadratic, l2: Any) -> list[Fraction]:
    """Return the minimiser of L + (λ/2)‖w‖²: (H + λI)⁻¹ H c."""
    return _fractions((loss.h + l2 * sympy.eye(len(loss.c))).LUsolve(loss.h * loss.c))


def constrained_minimiser(loss: Quadratic, radius: Any) -> list[Fraction]:
    """Return the minimiser of L in |w_i| ≤ radius, exactly.

    Raises ValueError unless radius > 0.

    Each weight is at one wall, at the other, or free. Of the 3ⁿ cases the one is right in which the free weights lie
    inside with zero slope and L slopes outwards at the walls (KKT); L is strictly convex, so there is one point.
    """
    if not radius > 0:
        raise ValueError(f"radius must be > 0, got {radius!r}")
    n = len(loss.c)
    for walls in product((0, 1, -1), repeat=n):
        free = [i for i in range(n) if walls[i] == 0]
        symbols = sympy.symbols(f"w:{n}")
        w = sympy.Matrix([symbols[i] if walls[i] == 0 else walls[i] * radius for i in range(n)])
        slope = loss.h * (w - loss.c)
        at = sympy.solve([slope[i] for i in free], [symbols[i] for i in free], dict=True)[0] if free else {}
        w, slope = w.subs(at), slope.subs(at)
        if all(abs(w[i]) <= radius for i in free) and all(walls[i] * slope[i] <= 0 for i in range(n)):
            return _fractions(w)
    raise AssertionError("a convex problem on a box has a minimiser")


def _fractions(point: Iterable[Any]) -> list[Fraction]:
    return [Fraction(int(x.p), int(x.q)) for x in point]


STARTS = [[0.3, -0.2], [-0.9, 0.8], [2.5, 1.7], [-3.0, -2.2]]  # inside of the unit box and outside


def end(
    step: Step,
    loss: Quadratic,
    radius: float,
    *,
    lr: float = 0.1,
    tau: float = 100.0,
    beta1: float = 0.9,
    beta2: float = 0.95,
    eps: float = 0.0,
    steps: int = 20_000,
    starts: Any = STARTS,
) -> Any:
    """Return where AdamW is after `steps` steps, a row per start; α_t = lr/(1 + t/tau), η_t = α_t/radius."""
    w = np.array(starts, dtype=float)
    state: Any = (np.zeros_like(w), np.zeros_like(w))
    for t in range(1, steps + 1):
        now = lr / (1 + t / tau)
        w, *state = step(
            w, loss.gradient(w), *state, lr=now, beta1=beta1, beta2=beta2, eps=eps, t=t, decay=now / radius
        )
    return w


SEPARABLE = Quadratic([[2, 0], [0, 5]], [3, sympy.Rational(2, 5)])
MIXED = Quadratic([[2, 1], [1, 4]], [3, 0])
LR, TAU = 0.1, 100.0


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this file; `thorough` runs four times as long, which makes the tolerance a quarter."""
    steps = 20_000 if thorough else 5_000

    def claim(name: str, statement: str, expected: bool, loss: Quadratic, candidate: Callable[..., Any]) -> Claim:
        return Claim(f"box.{name}", statement, expected, lambda: measure(loss, candidate, steps))

    where = "in the box ‖w‖_∞ ≤ α/η"
    return [
        Claim(
            "box.clip_is_minimiser",
            f"a separable quadratic's minimiser {where} is its target clipped",
            True,
            lambda: compare(SEPARABLE),
        ),
        Claim(
            "box.clip_is_not",
            f"a quadratic's minimiser {where} is its target clipped though H is not diagonal",
            False,
            lambda: compare(MIXED),
        ),
        claim(
            "separable",
            f"AdamW ends at a separable quadratic's minimiser {where}",
            True,
            SEPARABLE,
            constrained_minimiser,
        ),
        claim("mixed", f"AdamW ends at another quadratic's minimiser {where}", True, MIXED, constrained_minimiser),
        claim("mixed_clipped", "AdamW ends at another quadratic's target clipped", False, MIXED, clipped),
        claim("ridge", "AdamW ends at a separable quadratic's ridge at λ = η/α", False, SEPARABLE, ridge),
    ]


def compare(loss: Quadratic, radius: int = 1) -> Evidence:
    """Decide, exactly, whether the constrained minimiser is the target clipped."""
    inside, clip = constrained_minimiser(loss, radius), clipped(loss, radius)
    data = {"minimiser in the box": list(map(str, inside)), "target clipped": list(map(str, clip))}
    shown = f"radius {radius}, target {_told(loss.c)}: {_told(inside)} against {_told(clip)}"
    return Evidence(inside == clip, shown, data=data)


def measure(loss: Quadratic, candidate: Callable[[Quadratic, Any], Any], steps: int, step: Step = ADAMW) -> Evidence:
    """Decide whether every start ended within the last learning rate of the candidate, at α/η = 1.

    The last learning rate is the size of the last step, and so the accuracy that a run may be asked for.
    """
    tolerance = LR / (1 + steps / TAU)
    last = end(step, loss, 1.0, lr=LR, tau=TAU, steps=steps)
    goal = candidate(loss, 1)
    distance = float(np.abs(last - np.array(goal, dtype=float)).max())
    return Evidence(
        distance <= tolerance,
        f"after {steps} steps the worst of {len(last)} is {distance:.1e} from {_told(goal)}; last α {tolerance:.1e}",
        data={"candidate": list(map(str, goal)), "distance": distance, "last lr": tolerance, "ends": last.tolist()},
    )


def _told(point: Any) -> str:
    return f"({', '.join(map(str, point))})"
