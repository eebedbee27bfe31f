"""Exactly: the identity in rational numbers, through the whole engine, and as polynomials on a grid."""

from minigrad.proof.exact.claims import claims
from minigrad.proof.exact.entries import KINDS, LeakError, array, check, convert
from minigrad.proof.exact.grid import Grid, criterion_on_grid, degrees, identity_on_grid, vanishes
from minigrad.proof.exact.network import OPTIMIZERS, Run, first_difference, train

__all__ = [
    "KINDS",
    "OPTIMIZERS",
    "Grid",
    "LeakError",
    "Run",
    "array",
    "check",
    "claims",
    "convert",
    "criterion_on_grid",
    "degrees",
    "first_difference",
    "identity_on_grid",
    "train",
    "vanishes",
]
