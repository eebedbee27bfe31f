"""z3: the identity for every number at once, for all T, and where it breaks, the numbers.

The rule and door functions that train run on z3's real numbers. A claim is proved when its negation has no solution;
the proof says which assumptions it used, and at which numbers they are all true. A claim that breaks comes with
rational numbers, on which the same functions have been run again in exact arithmetic.

These are theorems about real numbers: what rounding adds is in `minigrad.proof.rounding`.
"""

from minigrad.proof.claims import Claim
from minigrad.proof.smt import histories, induction, momentum, onestep, preconditioner
from minigrad.proof.smt.induction import all_steps
from minigrad.proof.smt.onestep import admits_only, criterion_as_a_theorem, same_state, same_step
from minigrad.proof.smt.question import (
    ContradictionError,
    CounterModel,
    Proof,
    Question,
    UnconfirmedError,
    not_all,
    reals,
    settle,
)
from minigrad.proof.smt.runs import same_run

__all__ = [
    "ContradictionError",
    "CounterModel",
    "Proof",
    "Question",
    "UnconfirmedError",
    "admits_only",
    "all_steps",
    "claims",
    "criterion_as_a_theorem",
    "not_all",
    "reals",
    "same_run",
    "same_state",
    "same_step",
    "settle",
]


def claims(thorough: bool = False) -> list[Claim]:
    """Return the section's claims; the thorough ones add runs and histories, not kinds of statement."""
    return [
        claim for part in (onestep, induction, momentum, preconditioner, histories) for claim in part.claims(thorough)
    ]
