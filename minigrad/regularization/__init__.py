"""Regularisation: penalties, weight decay, and the doors through which they enter training."""

from minigrad.regularization.decay import Decay, normalized
from minigrad.regularization.doors import coupled, decoupled, plain, proximal, shrink
from minigrad.regularization.penalties import L1, L2, ElasticNet, Penalty
from minigrad.regularization.variants import VARIANTS, Variant, variant

__all__ = [
    "L1",
    "L2",
    "VARIANTS",
    "Decay",
    "ElasticNet",
    "Penalty",
    "Variant",
    "coupled",
    "decoupled",
    "normalized",
    "plain",
    "proximal",
    "shrink",
    "variant",
]
