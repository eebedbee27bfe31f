"""Optimizers: a rule behind a door, on parameters that lie in flat buffers; and schedules."""

from minigrad.optim import schedules
from minigrad.optim.flat import Group
from minigrad.optim.optimizer import Optimizer
from minigrad.optim.optimizers import SGD, SGDW, Adagrad, Adam, AdamW, AMSGrad, Lion, RMSprop

__all__ = [
    "SGD",
    "SGDW",
    "AMSGrad",
    "Adagrad",
    "Adam",
    "AdamW",
    "Group",
    "Lion",
    "Optimizer",
    "RMSprop",
    "schedules",
]
