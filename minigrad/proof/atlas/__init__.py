"""The atlas: where two doors are one algorithm and where they are not, decided cell by cell.

A *cell* compares a named pair (`PAIRS`) for a rule in a situation (`SITUATIONS`), and keeps three relations apart
(`RELATIONS`): the same step, the same trajectory, the same stationary points. Each is *equal*, with its proof;
*equal with other hyperparameters*, which are given; *different*, with the smallest counterexample that Hypothesis
shrinks to; or *not applicable*, with the reason. What was neither proved nor refuted is *undecided*, and its claim
fails.

Nothing of this is written in the source. One model of a training step (`.model`) runs the real doors, rules and
penalties, and the engine for the gradient of what stands in the loss. On SymPy's symbols it gives proofs (`.equal`,
`.rest`), on Fractions counterexamples (`.search`).
"""

from minigrad.proof.atlas.claims import claims
from minigrad.proof.atlas.decide import atlas, cells, decide
from minigrad.proof.atlas.pairs import PAIRS
from minigrad.proof.atlas.render import as_json, from_json, render_page, render_terminal
from minigrad.proof.atlas.situations import SITUATIONS
from minigrad.proof.atlas.verdict import KINDS, RELATIONS, Cell, Verdict

__all__ = [
    "KINDS",
    "PAIRS",
    "RELATIONS",
    "SITUATIONS",
    "Cell",
    "Verdict",
    "as_json",
    "atlas",
    "cells",
    "claims",
    "decide",
    "from_json",
    "render_page",
    "render_terminal",
]
