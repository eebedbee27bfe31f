"""Base rules: each turns a gradient into a step, as the textbook prints it.

``delta, *state = rule(g, *state, **hyper)``: the gradient and the state come first, numbers after, by name. A rule
knows no weights, no array library and no regularisation; it runs unchanged on floats, rationals, symbols and arrays
on any device. A step is subtracted: w ← w − δ. State starts at zero, and `t` is 1 at the first step. A state with a
default is one number, the same for all weights, and starts there.
"""

import inspect
from collections.abc import Callable
from typing import Any

from minigrad.rules.adadelta import adadelta
from minigrad.rules.adagrad import adagrad
from minigrad.rules.adam import adam, amsgrad
from minigrad.rules.adamax import adamax
from minigrad.rules.functions import exp, maximum, sign, sqrt
from minigrad.rules.lion import lion
from minigrad.rules.nadam import nadam
from minigrad.rules.preconditioned import preconditioned
from minigrad.rules.radam import radam
from minigrad.rules.rmsprop import rmsprop
from minigrad.rules.sgd import heavy_ball, heavy_ball_inside, nesterov, sgd

__all__ = [
    "RULES",
    "adadelta",
    "adagrad",
    "adam",
    "adamax",
    "amsgrad",
    "exp",
    "heavy_ball",
    "heavy_ball_inside",
    "hyper_names",
    "lion",
    "maximum",
    "nadam",
    "nesterov",
    "preconditioned",
    "radam",
    "rmsprop",
    "scalar_state",
    "sgd",
    "sign",
    "sqrt",
    "state_names",
]

Rule = Callable[..., tuple[Any, ...]]

RULES: dict[str, Rule] = {
    rule.__name__: rule
    for rule in (
        sgd, heavy_ball, heavy_ball_inside, nesterov, adagrad, rmsprop, adadelta, adam, amsgrad, adamax, nadam, radam,
        lion,
    )
}  # fmt: skip


def state_names(rule: Rule) -> tuple[str, ...]:
    """Return the names of the state a rule carries from step to step: its positional arguments after ``g``."""
    positional = [p.name for p in inspect.signature(rule).parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    return tuple(positional[1:])


def scalar_state(rule: Rule) -> dict[str, Any]:
    """Return the states of a rule that are one number for all weights, the last ones, each with its start value."""
    last = inspect.signature(rule).parameters.values()
    return {p.name: p.default for p in last if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty}


def hyper_names(function: Callable[..., Any]) -> tuple[str, ...]:
    """Return the names of a function's hyperparameters: its keyword-only arguments."""
    return tuple(p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY)
