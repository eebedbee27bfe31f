"""Weight decay as a user states it: a rate, and what the rate is multiplied by."""

import math
from typing import Any

from minigrad.regularization.checks import Scheduled, at_step, integer, nonnegative, scheduled
from minigrad.regularization.column import Column, entries, largest
from minigrad.regularization.selection import On, selector

__all__ = ["TIMES", "Decay", "normalized"]

TIMES = (None, "schedule", "lr")


class Decay:
    """Weight decay: ``Decay(rate, times="schedule", on="all")``. η_t is always the fraction removed in step t.

    With α the base learning rate, s_t the schedule's multiplier and lr_t = s_t α, the factor on w is 1 − η_t and

    - ``times=None``: η_t = rate. TF-addons. λ_t = rate / lr_t.
    - ``times="schedule"``: η_t = s_t · rate. The paper (arXiv 1711.05101), Composer. λ = rate / α, at every step.
    - ``times="lr"``: η_t = lr_t · rate. PyTorch, Keras, optax. λ = rate itself, at every step.

    where λ (or λ_t) is the L2 coefficient that gives plain SGD the same steps. By default decay acts on every
    parameter, biases and scales too, as in PyTorch and in the paper; an L2 penalty does not (``on="weights"``).

    The rate may be a 1-d array with one rate for each of many models that are trained at once (`Optimizer`).

    Raises ValueError for a rate that is negative or not finite, and for any other `times`.
    """

    def __init__(self, rate: Scheduled, times: str | None = "schedule", on: On = "all"):
        if times not in TIMES:
            raise ValueError(f'times must be None, "schedule" or "lr", got {times!r}')
        self.rate = scheduled("decay", rate)
        self.times = times
        self.on = on
        self.selects = selector(on)

    def fraction(self, step: int, lr: Any, schedule: float) -> Any:
        """Return η for the 0-based `step`, whose learning rate is `lr` (schedule included), multiplier `schedule`.

        It is a `Column` where the rate is one, or an lr that multiplies it.

        Raises ValueError if η reaches 1: such a step would remove the weight, or turn its sign.
        """
        rate = at_step("decay", self.rate, step)
        eta = rate if self.times is None else rate * (schedule if self.times == "schedule" else lr)
        if (largest(eta) if type(eta) is Column else eta) >= 1:
            shown, first = next((shown, x) for shown, x in entries("decay", eta) if x >= 1)
            raise ValueError(
                f"{shown} would remove the fraction {first!r} of every weight at step {step} (rate {rate!r}, "
                f"times={self.times!r}); it must stay below 1"
            )
        return eta

    def __repr__(self) -> str:
        return f"Decay({self.rate!r}, times={self.times!r}, on={self.on!r})"


def normalized(decay_norm: float, *, batch_size: int, examples: int, epochs: int) -> float:
    """Return η per step = decay_norm / √updates, with updates = epochs · ⌈examples / batch_size⌉.

    Longer runs and larger training sets want a smaller decay per step; a normalised decay is to be nearly independent
    of both. With warm restarts, `epochs` is the length of the current restart.

    Source: Loshchilov and Hutter, arXiv 1711.05101, Appendix B.1, where updates is written B·T/b, without the ceiling.
    """
    decay_norm = nonnegative("decay_norm", decay_norm)
    batches = -(-integer("examples", examples) // integer("batch_size", batch_size))
    return float(decay_norm / math.sqrt(integer("epochs", epochs) * batches))
