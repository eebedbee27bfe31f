"""Many models trained at once: every parameter has a leading axis, the model, and a number may be an array over it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from minigrad.executors.branches import branches
from minigrad.executors.trace import UntraceableError
from minigrad.nn.parameter import Parameter
from minigrad.regularization.column import Column
from minigrad.rules import scalar_state, state_names

__all__ = ["check_update", "count"]


def count(columns: Mapping[str, Column], params: Sequence[Parameter]) -> int | None:
    """Return how many models are trained at once, or None where every number is one number.

    Args:
        columns: the hyperparameters of which each model has its own.
        params: the parameters.

    Raises ValueError where the columns are not of one length, or a parameter has no leading axis of that length.
    """
    if not columns:
        return None
    (first, models), *others = ((name, len(column)) for name, column in columns.items())
    for name, length in others:
        if length != models:
            raise ValueError(f"{first} has {models} numbers and {name} has {length}: each has one for every model")
    for i, p in enumerate(params):
        if p.shape[:1] != (models,):
            raise ValueError(
                f"{first} has {models} numbers, one for each of as many models, so every parameter must have a leading "
                f"axis of length {models}; the one at position {i} has shape {p.shape}"
            )
    return models


def check_update(
    rule: Callable[..., Any], update: Callable[..., Any], names: Sequence[str], columns: Mapping[str, Column]
) -> None:
    """Raise TypeError, naming rule, line and hyperparameter, unless `update` treats every model by itself.

    Its numbers have these `names`, of which each model has its own of those in `columns`.

    A rule that branches on a number, or keeps a state that is one number, does so for all models: what decides that
    cannot be a column. The tracer knows.
    """
    try:
        branches(update, state_names(rule), names, tuple(scalar_state(rule)), tuple(columns))
    except UntraceableError as error:
        raise TypeError(f"{rule.__name__} cannot take an array for {', '.join(columns)}: {error}") from error
