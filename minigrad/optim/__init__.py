"""Optimizers: a rule behind a door, on parameters that lie in flat buffers; and schedules."""

from minigrad.optim import schedules
from minigrad.optim.flat import Group
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.optimizers import (
    SGD,
    SGDW,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    AMSGrad,
    Lion,
    NAdam,
    RAdam,
    RMSprop,
)

__all__ = [
    "SGD",
    "SGDW",
    "AMSGrad",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Group",
    "Lion",
    "NAdam",
    "Optimizer",
    "RAdam",
    "RMSprop",
    "schedules",
]
