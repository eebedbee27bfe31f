"""In balls: what cannot be exact in rationals (roots, tanh) is enclosed, and floats are certified against it."""

from minigrad.proof.balls.ball import Ball, precision
from minigrad.proof.balls.claims import claims
from minigrad.proof.balls.trajectories import LOSSES, OPTIMIZERS, Gap, gap, rounding, train

__all__ = [
    "LOSSES",
    "OPTIMIZERS",
    "Ball",
    "Gap",
    "claims",
    "gap",
    "precision",
    "rounding",
    "train",
]
