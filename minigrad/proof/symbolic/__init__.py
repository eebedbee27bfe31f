"""Symbols: the rules that train, run on letters. What separates two doors is printed, and λ is solved for.

- `step`: any variant on symbols, ``step("adamw")``.
- `difference`: decay less L2 in one step of a rule; is it zero for all w, g and state?
- `solve_l2`: every λ for which it is.
- `momentum_gap`: how far the two are apart after a few steps of momentum.
- `scaled_penalty`: the penalty that is decay behind a fixed preconditioner, and `printed_penalty`, the paper's.
- `proximal_as_decay`: the proximal step as decay in other numbers.
- `loss_gap`, `prox_gap`: whether a penalty's three faces are faces of one function.

A zero is proved, by expansion; a difference is shown, by rational numbers; where neither is at hand, UndecidedError
is raised. `claims` lists what is claimed.
"""

from minigrad.proof.symbolic.decide import Verdict, decide
from minigrad.proof.symbolic.identity import AtRest, Difference, Solution, difference, solve_l2
from minigrad.proof.symbolic.letters import latex, letter, step, text
from minigrad.proof.symbolic.momentum import Gap, momentum_gap
from minigrad.proof.symbolic.penalties import loss_gap, prox_gap
from minigrad.proof.symbolic.proximal import Proximal, proximal_as_decay, solve_proximal
from minigrad.proof.symbolic.scaled import ScaledPenalty, printed_penalty, removed, scaled_penalty
from minigrad.proof.symbolic.statements import claims

__all__ = [
    "AtRest",
    "Difference",
    "Gap",
    "Proximal",
    "ScaledPenalty",
    "Solution",
    "Verdict",
    "claims",
    "decide",
    "difference",
    "latex",
    "letter",
    "loss_gap",
    "momentum_gap",
    "printed_penalty",
    "prox_gap",
    "proximal_as_decay",
    "removed",
    "scaled_penalty",
    "solve_l2",
    "solve_proximal",
    "step",
    "text",
]
