"""The three faces of a penalty are one function's: its derivative is the gradient face, its proximal map the prox."""

from typing import Any

import numpy as np

from minigrad.extras import need
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic.letters import Expr, letter
from minigrad.regularization.penalties import Penalty
from minigrad.rules import hyper_names

sympy: Any = need("sympy", "proof")

__all__ = ["loss_gap", "prox_gap"]


def loss_gap(penalty: type[Penalty]) -> dict[Expr, Expr]:
    """Return ∂Ω/∂wᵢ less entry i of the penalty's gradient, for two weights, by wᵢ: zero if doors 1 and 2 add the same.

    For L1, with sign(0) = 0 on both sides, which is door 2's choice of subgradient and SymPy's of a derivative.
    """
    w = np.array([letter("w", 1), letter("w", 2)], dtype=object)
    coefficients = _coefficients(penalty)
    value, gradient = penalty.value(w, **coefficients), penalty.gradient(w, **coefficients)
    return {x: sympy.diff(value, x) - added for x, added in zip(w, gradient, strict=True)}


def prox_gap(penalty: type[Penalty]) -> Expr:
    """Return the penalty's proximal step less the stationary point of Ω(x) + (x − w)²/(2α), for one weight.

    Raises UndecidedError if that point is not the only one, or cannot be solved for (as with L1, which has a kink).
    """
    x, w, lr = sympy.Symbol("x", real=True), letter("w"), letter("lr")
    coefficients = _coefficients(penalty)
    objective = penalty.value(np.array([x], dtype=object), **coefficients) + (x - w) ** 2 / (2 * lr)
    if not objective.is_polynomial(x):
        raise UndecidedError(f"{penalty.__name__} is no polynomial in w; its minimum need not be a stationary point")
    points = sympy.solve(sympy.diff(objective, x), x)
    if len(points) != 1:
        raise UndecidedError(f"{penalty.__name__}: {len(points)} stationary points")
    return penalty.prox(w, lr=lr, **coefficients) - points[0]


def _coefficients(penalty: type[Penalty]) -> dict[str, Expr]:
    return {name: letter(name) for name in hyper_names(penalty.value)}
