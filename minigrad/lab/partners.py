"""Two forms of one regularisation, held against each other for a single step.

At every step of a run the partner's form is applied to the same weights, gradient and state as the run's own, and the
results are compared: the new weights, and the new state. Where λ = η/α makes the two one algorithm, their difference
must stay within the rounding bound on every weight, or the run is stopped.
"""

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.lab.variants import Entry, Numbers
from minigrad.proof.rounding import one_step_bound, unit_roundoff
from minigrad.regularization import plain
from minigrad.rules import hyper_names

__all__ = ["BoundExceededError", "DivergenceError", "Form", "OneStep", "Point", "flat", "point"]

Arrays = list[Any]


class BoundExceededError(ArithmeticError):
    """Two forms that are one algorithm on paper differ by more than rounding explains."""


class DivergenceError(ArithmeticError):
    """Training left the finite numbers."""


@dataclass(frozen=True)
class Point:
    """Where an optimizer stands: for each parameter its weights, and its state, flattened copies."""

    weights: Arrays
    state: list[Arrays]


def point(optimizer: Any, params: list[Any]) -> Point:
    """Return where `optimizer` stands, parameter by parameter in the order of `params`."""
    state: dict[int, Arrays] = {}
    for group in optimizer.groups:
        start = 0
        for p in group.params:
            stop = start + p.data.size
            state[id(p)] = [s[start:stop].copy() for s in group.state]
            start = stop
    return Point([p.data.ravel().copy() for p in params], [state[id(p)] for p in params])


def flat(arrays: Arrays) -> np.ndarray[Any, Any]:
    """Return arrays as one flat array on the host; no arrays as an empty one."""
    return np.concatenate([backend.to_host(a).ravel() for a in arrays]) if arrays else np.empty(0)


class Form:
    """One step of an entry from any point. Its optimizer belongs to a model of its own, and trains nothing."""

    def __init__(self, entry: Entry, numbers: Numbers, params: list[Any]):
        self.entry = entry
        self.optimizer = entry.make(params, numbers)
        self.regularised = _regularised(self.optimizer, params)
        self._alone = plain(self.optimizer.rule)
        self._names = hyper_names(self.optimizer.rule)

    def hyper(self, step: int) -> dict[str, Any]:
        """Return the numbers in force at the 0-based `step`, among them t, which is 1 at the first."""
        hyper = dict(self.optimizer.hyper(step))
        return {**hyper, "t": step + 1} if "t" in self._names else hyper

    def step(self, step: int, at: Point, gradients: Arrays) -> Point:
        """Return where the 0-based `step` leads from `at`."""
        hyper = self.hyper(step)
        own = {name: hyper[name] for name in self._names}
        weights, states = [], []
        for w, g, state, regularised in zip(at.weights, gradients, at.state, self.regularised, strict=True):
            update, numbers = (self.optimizer.update, hyper) if regularised else (self._alone, own)
            weight, *after = update(w, g, *state, **numbers)
            weights.append(weight)
            states.append(after)
        return Point(weights, states)


def _rounding(*points: Point) -> float:
    weights = [flat(at.weights) for at in points]
    return unit_roundoff(weights[0].dtype) * max(float(np.max(np.abs(w))) for w in weights)


def _regularised(optimizer: Any, params: list[Any]) -> list[bool]:
    chosen = {id(p) for group in optimizer.groups if group.regularised for p in group.params}
    return [id(p) in chosen for p in params]


class OneStep:
    """The largest one-step differences of an entry and its partner met in a run.

    Attributes:
        weights: largest |difference| of a weight after one step.
        roundings: the same, in units of u·M: u is the unit roundoff, M the largest weight before or after that step.
        state: the same of the optimizer's state; None where there is none.
        bound_ratio: largest |difference| / rounding bound; None unless the two are one algorithm.
        state_off_l2w: heavy ball at λ = η/α: the largest distance between the buffers' difference and λw.
    """

    def __init__(self, entry: Entry, partner: Form, numbers: Numbers):
        self.entry, self.partner, self.numbers = entry, partner, numbers
        self.weights = 0.0
        self.roundings = 0.0
        self.state: float | None = None
        self.bound_ratio: float | None = 0.0 if entry.identical else None
        self.state_off_l2w: float | None = None
        self._differs_by_l2w = {entry.name, partner.entry.name} == {"heavy_ball_l2", "heavy_ball_decay"}

    def observe(self, step: int, before: Point, data_gradient: Arrays, own: Point, other: Point) -> None:
        """Compare where the 0-based `step` led, here (`own`) and through the partner's form (`other`)."""
        difference = flat(own.weights).astype(np.float64) - flat(other.weights)
        largest = float(np.max(np.abs(difference)))
        self.weights = max(self.weights, largest)
        if largest > 0:
            self.roundings = max(self.roundings, largest / _rounding(before, own, other))
        if own.state[0]:
            of_state = flat([*chain(*own.state)]).astype(np.float64) - flat([*chain(*other.state)])
            self.state = max(self.state or 0.0, float(np.max(np.abs(of_state))))
            if self._differs_by_l2w:
                self._observe_buffers(before, of_state)
        if self.bound_ratio is not None:
            self._assert_bound(step, before, data_gradient, difference)

    def as_dict(self) -> dict[str, float | None]:
        """Return the differences as they go into JSON."""
        return {
            "weights": self.weights,
            "state": self.state,
            "bound_ratio": self.bound_ratio,
            "state_off_l2w": self.state_off_l2w,
        }

    def _observe_buffers(self, before: Point, of_state: np.ndarray[Any, Any]) -> None:
        sign = 1 if self.entry.name == "heavy_ball_l2" else -1
        l2w = flat([w * r for w, r in zip(before.weights, self.partner.regularised, strict=True)]) * self.numbers.l2
        off = float(np.max(np.abs(sign * of_state - l2w)))
        self.state_off_l2w = max(self.state_off_l2w or 0.0, off)

    def _assert_bound(self, step: int, before: Point, gradient: Arrays, difference: np.ndarray[Any, Any]) -> None:
        hyper = self.partner.hyper(step)
        s = 1.0 if self.numbers.schedule is None else self.numbers.schedule(step)
        bound = np.zeros_like(difference)
        if hyper["lr"] > 0:
            chosen = np.repeat(self.partner.regularised, [w.size for w in before.weights])
            w, g = flat(before.weights)[chosen], flat(gradient)[chosen]
            l2 = None if self.numbers.schedule is None else self.numbers.l2
            try:
                bound[chosen] = one_step_bound(w, g, hyper["lr"], s * self.numbers.decay, l2=l2)
            except (ValueError, OverflowError) as error:  # w and g are finite, but the step may not be
                raise DivergenceError(f"{self.entry.name} diverged at step {step}: {error}") from error
        ratios = np.divide(np.abs(difference), bound, out=np.where(difference == 0, 0.0, np.inf), where=bound > 0)
        worst = float(np.max(ratios))
        self.bound_ratio = max(self.bound_ratio or 0.0, worst)
        if not worst <= 1:
            raise BoundExceededError(
                f"{self.entry.name} and {self.partner.entry.name} differ by {np.max(np.abs(difference)):.3g} after "
                f"step {step}, {worst:.3g} times the rounding bound: this is not λ = η/α"
            )
