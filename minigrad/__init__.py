"""minigrad: weight decay and L2 regularisation, line for line.

An update rule is written once, as the textbook prints it; a door turns it into an optimizer; a small autodiff engine
on NumPy or CuPy supplies the gradients. Needs NumPy alone.
"""

from minigrad import backend, data, nn, optim, regularization, rules, training
from minigrad.backend import use_backend
from minigrad.gradcheck import gradcheck
from minigrad.ops import *  # noqa: F403
from minigrad.ops import __all__ as _operations
from minigrad.tensor import Tensor, no_grad, tensor
from minigrad.training.weights import load, save
from minigrad.transforms import grad, hvp, jacobian, value_and_grad

__version__ = "0.1.0"

__all__ = [  # noqa: PLE0604
    *_operations,
    "Tensor",
    "backend",
    "data",
    "grad",
    "gradcheck",
    "hvp",
    "jacobian",
    "load",
    "nn",
    "no_grad",
    "optim",
    "regularization",
    "rules",
    "save",
    "tensor",
    "training",
    "use_backend",
    "value_and_grad",
]
