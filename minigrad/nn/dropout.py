"""Dropout, whose masks can be drawn again."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.executors import captured
from minigrad.nn.module import Module
from minigrad.ops.dropout import dropout
from minigrad.regularization.checks import as_number

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, set each entry to 0 with probability `rate` and divide the others by 1 − rate; else do nothing.

    A mask is a pure function of (key, step, index of the entry): the key is drawn once, when the layer is made, and
    the step counts this layer's forward passes in training. Both are buffers, so a resumed run draws the masks that
    the uninterrupted run would have drawn, on any back end.

    Args:
        rate: share of entries to drop, in [0, 1).
        rng: draws the key, on the host.

    Source: Srivastava et al., "Dropout", JMLR 15, 2014; the scaling in training is "inverted dropout".
    """

    def __init__(self, rate: float, *, rng: np.random.Generator):
        self.rate = as_number("rate", rate)
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate must lie in [0, 1), got {rate!r}")
        self.key = rng.integers(0, 2**32, size=2, dtype=np.uint32)
        self.step = np.zeros((), np.int64)

    def forward(self, x: Any) -> Any:
        """Return x with entries dropped in training, x itself in evaluation."""
        if not self.training:
            return x
        key = (int(self.key[0]), int(self.key[1]))
        return dropout(x, self.rate, key, captured.number(self._next, np.uint32, self._kept))

    def _next(self) -> int:
        step = int(self.step)
        self.step += 1
        return step

    def _kept(self) -> Callable[[], None]:
        step = int(self.step)
        return lambda: self.step.fill(step)

    def options(self) -> str:
        """Return the rate."""
        return repr(self.rate)
