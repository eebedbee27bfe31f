"""The fixed preconditioner: which penalty, added to the loss, is its weight decay? Derived, and laid beside the paper.

Gradient descent in units of its own per weight, δ = α g / s, admits no one λ. But some penalty Ω does what decay η
does, and it is found in two lines: the gradient that door 2 would have to add is solved for, and integrated.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.extras import need
from minigrad.proof.symbolic.letters import Expr, letter
from minigrad.regularization.doors import coupled, decoupled, plain
from minigrad.rules import preconditioned

sympy: Any = need("sympy", "proof")

__all__ = ["ScaledPenalty", "printed_penalty", "removed", "scaled_penalty"]

_LR, _DECAY = letter("lr"), letter("decay")


@dataclass(frozen=True)
class ScaledPenalty:
    """The penalty of one weight, with which door 1 is decay η behind a fixed preconditioner.

    Attributes:
        gradient: what must be added to g, the only solution.
        value: Ω(w), its integral from 0.
    """

    gradient: Expr
    value: Expr

    def __call__(self, w: Sequence[Expr], scale: Sequence[Expr]) -> Expr:
        """Return Ω summed over weights, each with its own s."""
        old_w, old_s = letter("w"), letter("scale")
        pairs = zip(w, scale, strict=True)
        return sympy.Add(*(self.value.subs({old_w: x, old_s: s}, simultaneous=True) for x, s in pairs))


def scaled_penalty() -> ScaledPenalty:
    """Solve for the gradient p with rule(g + p) = rule(g) + ηw, and integrate it over w."""
    w, g, p, scale = letter("w"), letter("g"), sympy.Symbol("p", real=True), letter("scale")
    (x,) = coupled(preconditioned, lambda w: p)(w, g, lr=_LR, scale=scale)
    (y,) = decoupled(preconditioned)(w, g, lr=_LR, scale=scale, decay=_DECAY)
    (gradient,) = sympy.solve(sympy.expand(y - x), p)
    return ScaledPenalty(gradient, sympy.integrate(gradient, (w, 0, w)))


def printed_penalty(w: Sequence[Expr], scale: Sequence[Expr]) -> Expr:
    """Return the penalty as the paper prints it: λ'/(2α) ‖w ⊙ √s‖² with λ' = λ/α, where its λ is the decay η.

    Source: Loshchilov and Hutter, arXiv 1711.05101, Proposition 3, Equation 2.
    """
    l2 = _DECAY / _LR
    return l2 / (2 * _LR) * sympy.Add(*((x * sympy.sqrt(s)) ** 2 for x, s in zip(w, scale, strict=True)))


def removed(penalty: Callable[[Sequence[Expr], Sequence[Expr]], Expr], weights: int = 2) -> list[Expr]:
    """Return, per weight, the share of w that `penalty` in the loss takes away in one step of `preconditioned`.

    Weight decay takes away η of every weight.
    """
    w = [letter("w", i) for i in range(1, weights + 1)]
    scale = [letter("scale", i) for i in range(1, weights + 1)]
    value = penalty(w, scale)
    shares = []
    for x, s in zip(w, scale, strict=True):
        slope = sympy.diff(value, x)
        (after,) = coupled(preconditioned, lambda w, slope=slope: slope)(x, letter("g"), lr=_LR, scale=s)
        (without,) = plain(preconditioned)(x, letter("g"), lr=_LR, scale=s)
        shares.append(sympy.cancel((without - after) / x))
    return shares
