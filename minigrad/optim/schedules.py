"""Schedules: multipliers of the learning rate (and of the decay), functions of the 0-based step.

``schedule(0)`` multiplies the first step. A step is one update, one batch: where an epoch is meant, multiply by the
number of batches. Any function from an integer to a number ≥ 0 is a schedule; these are the common ones, with their
formulas, a readable repr, and arguments that are checked.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from minigrad.regularization.checks import integer, nonnegative

__all__ = ["constant", "cosine", "cosine_restarts", "exponential", "joined", "linear_warmup", "step"]


class Schedule:
    """The base of the schedules here: called with the 0-based step, it returns the multiplier."""

    def __call__(self, step: int) -> float:
        """Return the multiplier of the 0-based `step`."""
        return self._multiplier(step)

    def _multiplier(self, step: int) -> float:
        raise NotImplementedError

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def _count(self, name: str) -> None:
        self._set(name, integer(name, getattr(self, name)))

    def _number(self, name: str, largest: float = math.inf) -> None:
        value = nonnegative(name, getattr(self, name))
        if value > largest:
            raise ValueError(f"{name} must be ≤ {largest}, got {value!r}")
        self._set(name, value)


@dataclass(frozen=True)
class constant(Schedule):  # noqa: N801 -- schedules read as functions: schedule=schedules.cosine(1000)
    """s_k = value."""

    value: float = 1.0

    def __post_init__(self) -> None:
        self._number("value")

    def _multiplier(self, step: int) -> float:
        return self.value


@dataclass(frozen=True)
class step(Schedule):  # noqa: N801
    """s_k = factor^⌊k / every⌋. ``torch.optim.lr_scheduler.StepLR``."""

    every: int
    factor: float = 0.1

    def __post_init__(self) -> None:
        self._count("every")
        self._number("factor")

    def _multiplier(self, step: int) -> float:
        return self.factor ** (step // self.every)


@dataclass(frozen=True)
class exponential(Schedule):  # noqa: N801
    """s_k = factor^k. ``torch.optim.lr_scheduler.ExponentialLR``."""

    factor: float

    def __post_init__(self) -> None:
        self._number("factor")

    def _multiplier(self, step: int) -> float:
        return self.factor**step


@dataclass(frozen=True)
class cosine(Schedule):  # noqa: N801
    """s_k = m + (1 − m) (1 + cos(π k / steps)) / 2 with m = `minimum`, and m from k = `steps` on.

    ``torch.optim.lr_scheduler.CosineAnnealingLR`` up to there (it rises again), and the paper's warm restarts
    (arXiv 1608.03983, Eq. 5) without the restarts.
    """

    steps: int
    minimum: float = 0.0

    def __post_init__(self) -> None:
        self._count("steps")
        self._number("minimum", 1)

    def _multiplier(self, step: int) -> float:
        return _half_wave(min(step, self.steps), self.steps, self.minimum)


@dataclass(frozen=True)
class linear_warmup(Schedule):  # noqa: N801
    """s_k = (k + 1) / steps, and 1 from k = steps − 1 on: the first step is small and not zero."""

    steps: int

    def __post_init__(self) -> None:
        self._count("steps")

    def _multiplier(self, step: int) -> float:
        return min(step + 1, self.steps) / self.steps


@dataclass(frozen=True)
class cosine_restarts(Schedule):  # noqa: N801
    """s_k = m + (1 − m) (1 + cos(π j / T)) / 2, j steps after the last of restarts that last T = t_0, t_0·t_mult, ….

    Counted in steps, so that the rate changes with every batch. The first step after a restart has s = 1, and m =
    `minimum` is approached and never reached. ``torch.optim.lr_scheduler.CosineAnnealingWarmRestarts``.

    Source: Loshchilov and Hutter, "SGDR", arXiv 1608.03983, Eq. 5; AdamWR and SGDWR use it for lr and decay alike.
    """

    t_0: int
    t_mult: int = 1
    minimum: float = 0.0

    def __post_init__(self) -> None:
        self._count("t_0")
        self._count("t_mult")
        self._number("minimum", 1)

    def _multiplier(self, step: int) -> float:
        since, length = self.position(step)
        return _half_wave(since, length, self.minimum)

    def position(self, step: int) -> tuple[int, int]:
        """Return how many steps ago the current restart began, and how many it lasts (`normalized` decay needs it)."""
        length = self.t_0
        if self.t_mult == 1:
            return step % length, length
        while step >= length:
            step -= length
            length *= self.t_mult
        return step, length


@dataclass(frozen=True)
class joined(Schedule):  # noqa: N801
    """One schedule after the other: the first until step ``at[0]``, the next, counted from there, until ``at[1]``, ….

    ``joined((linear_warmup(100), cosine(900)), at=(100,))``. ``optax.join_schedules``.
    """

    schedules: Sequence[Callable[[int], float]]
    at: Sequence[int]

    def __post_init__(self) -> None:
        for name, value in (("schedules", self.schedules), ("at", self.at)):
            if not isinstance(value, Iterable):
                raise TypeError(f"{name} must be a sequence, such as (value,), got {value!r}")
            self._set(name, tuple(value))
        for schedule in self.schedules:
            if not callable(schedule):
                raise TypeError(f"schedules must be functions of the step, got {schedule!r}")
        if len(self.schedules) != len(self.at) + 1:
            raise ValueError(
                f"{len(self.schedules)} schedules need {max(len(self.schedules) - 1, 0)} steps at which to change, "
                f"got at={self.at!r}"
            )
        self._set("at", tuple(integer("every step in at", k) for k in self.at))
        if any(a >= b for a, b in pairwise(self.at)):
            raise ValueError(f"at must be integers that increase, from 1 on, got {self.at!r}")

    def _multiplier(self, step: int) -> float:
        past = [k for k in self.at if k <= step]
        return self.schedules[len(past)](step - (past[-1] if past else 0))


def _half_wave(k: int, length: int, minimum: float) -> float:
    return minimum + (1 - minimum) * (1 + math.cos(math.pi * k / length)) / 2
