"""Proof: what is claimed of the doors, shown in exact numbers, or within bounds that are derived."""

from minigrad.proof.rounding import (
    asymptotic_bound,
    contraction,
    coupled_error,
    decoupled_error,
    many_step_bound,
    one_step_bound,
)

__all__ = [
    "asymptotic_bound",
    "contraction",
    "coupled_error",
    "decoupled_error",
    "many_step_bound",
    "one_step_bound",
]
