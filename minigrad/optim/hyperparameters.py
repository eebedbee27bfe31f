"""The numbers in force at a step, all checked before anything is written."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np

from minigrad.regularization.checks import as_number, at_step, called, nonnegative, scheduled
from minigrad.regularization.column import Column, each, entries, largest
from minigrad.regularization.decay import Decay

__all__ = ["Hyperparameters", "check_fit", "check_second_moment"]

BELOW_ONE = ("momentum", "beta1", "beta2", "rho")  # factors that forget: 1 would forget nothing
MAY_BE_SCHEDULED = ("momentum",)
FORGET_SQUARES = ("beta2", "rho")


class Hyperparameters:
    """A rule's own numbers, the learning rate with its schedule, and the regulariser's: each one number or a column.

    Attributes:
        fixed: whether all are the same at every step.
    """

    def __init__(
        self,
        lr: Any,
        own: Mapping[str, Any],
        schedule: Callable[[int], float] | None,
        decay_schedule: Callable[[int], float] | None,
        regularizer: Any,
    ):
        for name, function in (("schedule", schedule), ("decay_schedule", decay_schedule)):
            if function is not None and not callable(function):
                raise TypeError(f"{name} must be a function of the 0-based step, got {function!r}")
        self.lr = scheduled("lr", lr)
        self.own = {
            name: x if callable(x) and name in MAY_BE_SCHEDULED else each(partial(in_range, name), name, x)
            for name, x in own.items()
        }
        self.schedule = schedule
        self.decay_schedule = decay_schedule
        self.regularizer = regularizer
        given = [self.lr, schedule, *self.own.values(), getattr(regularizer, "rate", None)]
        given += getattr(regularizer, "coefficients", {}).values()
        self.fixed = decay_schedule is None and not any(map(callable, given))
        self._in_force: tuple[dict[str, Any], dict[str, Any]] | None = None

    def at(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the rule's numbers at the 0-based `step`, and the regulariser's; not to be changed.

        Raises ValueError or TypeError, naming the number and the step, for one that is out of its range.
        """
        if self._in_force is None or not self.fixed:
            self._in_force = self._at(step)
        return self._in_force

    def _at(self, step: int) -> tuple[dict[str, Any], dict[str, Any]]:
        multiplier = 1 if self.schedule is None else at_step("schedule", self.schedule, step)
        lr = at_step("lr", self.lr, step) * multiplier
        rule = {"lr": _finite(lr, step) if type(lr) is Column else nonnegative(f"lr at step {step}", lr)}
        for name, x in self.own.items():
            rule[name] = in_range(name, f"{name} at step {step}", called(name, x, step)) if callable(x) else x
        if self.regularizer is None:
            return rule, {}
        if isinstance(self.regularizer, Decay):
            if self.decay_schedule is not None:
                multiplier = at_step("decay_schedule", self.decay_schedule, step)
            return rule, {"decay": self.regularizer.fraction(step, rule["lr"], multiplier)}
        return rule, self.regularizer.at(step)

    def constants(self) -> dict[str, Any]:
        """Return the numbers that no step changes, as the user gave them."""
        found = {"lr": self.lr, **self.own, **getattr(self.regularizer, "coefficients", {})}
        return {name: x for name, x in found.items() if not callable(x)}

    def columns(self) -> dict[str, Column]:
        """Return the numbers that were given as arrays, one for each model."""
        decay = {"decay": self.regularizer.rate} if isinstance(self.regularizer, Decay) else {}
        found = {"lr": self.lr, **self.own, **getattr(self.regularizer, "coefficients", {}), **decay}
        return {name: x for name, x in found.items() if isinstance(x, Column)}


def _finite(lr: Column, step: int) -> Column:
    """Return learning rates that are ≥ 0; raise ValueError, naming the first, if a schedule made one infinite."""
    if not largest(lr) < np.inf:
        each(lambda shown, x: nonnegative(f"{shown} at step {step}", x), "lr", lr)
    return lr


def in_range(name: str, shown: str, value: Any) -> Any:
    """Return `value` as a plain number in the range of the hyperparameter `name`."""
    if name not in BELOW_ONE:
        return nonnegative(shown, value)
    value = as_number(shown, value)
    if not 0 <= value < 1:
        raise ValueError(f"{shown} must be in [0, 1), got {value!r}")
    return value


def check_fit(numbers: Mapping[str, Any], dtype: Any) -> None:
    """Raise unless arrays of `dtype` can be computed with each of `numbers`."""
    if dtype.kind not in "fc":
        return
    limit = float(np.finfo(dtype).max)
    for name, x in numbers.items():
        if isinstance(x, int | float):
            if abs(x) > limit:
                raise ValueError(f"{name} = {x!r} is beyond {dtype}, whose largest number is {limit:g}")
        elif not isinstance(x, Column):
            raise TypeError(f"{name} must be a float or an integer for parameters of dtype {dtype}, got {x!r}")
        elif not largest(x) <= limit:
            check_fit(dict(entries(name, x)), dtype)


def check_second_moment(rule: str, numbers: Mapping[str, Any], dtypes: Iterable[Any]) -> None:
    """Raise ValueError where eps or a factor that forgets squared gradients does not survive rounding to a dtype.

    In float16 the usual eps = 1e-8 is 0, so that a zero gradient divides zero by zero, and 0.9999 is 1.
    """
    if "eps" not in numbers:
        return
    for dtype in dtypes:
        if dtype.kind != "f":
            continue
        for shown, eps in entries("eps", numbers["eps"]):
            if dtype.type(eps) == 0 and (eps != 0 or dtype == np.float16):
                least = float(np.finfo(dtype).tiny)
                raise ValueError(f"{rule}: {shown}={eps!r} is 0 in {dtype}; choose eps ≥ {least:.1e}")
        for name in FORGET_SQUARES:
            for shown, x in entries(name, numbers.get(name)):
                if x is not None and dtype.type(x) == 1:
                    raise ValueError(
                        f"{rule}: {shown}={x!r} is 1 in {dtype}: squared gradients would never be forgotten"
                    )
