"""Proof: what is claimed of the doors, shown in symbols, in exact numbers, or within bounds that are derived.

`residues` is the criterion on which all of it rests; the rounding bounds need NumPy alone and are here. The means of
proof that need the extra "proof" are modules of their own: `symbolic` (SymPy), `smt` (z3), `exact` and `balls`
(python-flint), `atlas`, `literature`; `floating` and `bitwise` need NumPy. ``minigrad prove`` runs them all.
"""

from minigrad.proof.claims import Claim, Evidence, UndecidedError
from minigrad.proof.criterion import residues
from minigrad.proof.rounding import (
    asymptotic_bound,
    contraction,
    coupled_error,
    decoupled_error,
    many_step_bound,
    one_step_bound,
)

__all__ = [
    "Claim",
    "Evidence",
    "UndecidedError",
    "asymptotic_bound",
    "contraction",
    "coupled_error",
    "decoupled_error",
    "many_step_bound",
    "one_step_bound",
    "residues",
]
