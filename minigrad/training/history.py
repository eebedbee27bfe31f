"""What a run leaves behind: records of plain Python numbers."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad import backend

__all__ = ["History", "Meter", "Record"]

Record = dict[str, Any]


@dataclass
class History:
    """The records of a run, made of Python numbers alone, so that JSON can hold them.

    Attributes:
        steps: one every ``log_every`` steps: step, epoch (in epochs and fractions of them), data_loss and accuracy
            (means over the examples since the record before, and over their labels), penalty (at the weights the last
            step began with) and norm (‖w‖ after it).
        epochs: one per epoch that this call completed by a step: epoch (from 1), step, seconds, data_loss and accuracy
            (means over the examples this call met in it, as they were met in training), penalty, norm, and test_loss
            and test_accuracy where there is test data.
        stopped: whether a callback ended the run.

    Both kinds have examples: how many their means cover. An epoch that was resumed in its middle has fewer than the
    others, since what came before the checkpoint is in the history of that call.

    The data loss never includes the penalty. accuracy and test_accuracy are None where the labels are no integers;
    nothing else is None.
    """

    steps: list[Record] = field(default_factory=list)
    epochs: list[Record] = field(default_factory=list)
    stopped: bool = False


class Meter:
    """Collects what steps compute where they compute it, and reads it in one transfer when asked."""

    def __init__(self) -> None:
        self._pending: list[tuple[Any, Any, Any, int, int]] = []
        self._since = np.zeros(4)  # sums of loss and hits, examples and labels, since the last step record
        self._epoch = np.zeros(4)
        self.penalty = 0.0
        self.norm = 0.0
        self._counts = True

    def add(self, loss: Any, hits: Any, penalty: Any, examples: int, labels: int) -> None:
        """Take one step's mean data loss, number of hits (or None) among the labels, and penalty; nothing is read."""
        self._pending.append((loss, hits, penalty, examples, labels))

    def record(self, norm: Any) -> Record:
        """Return the record of what came since the last one: at least one step."""
        self.read(norm)
        sums, self._since = self._since, np.zeros(4)
        return self._record(sums)

    def epoch_record(self, norm: Any) -> Record:
        """Return the record of the epoch, of which at least one step was added."""
        self.read(norm)
        sums, self._epoch = self._epoch, np.zeros(4)
        return self._record(sums)

    def read(self, norm: Any) -> None:
        """Bring everything that waits, and `norm`, to the host in one transfer."""
        xp = backend.namespace(norm)
        scalars = [norm]
        for loss, hits, penalty, *_ in self._pending:
            scalars += [loss, 0 if hits is None else hits, penalty]
        values = backend.to_host(xp.stack([xp.asarray(s, dtype=np.float64).reshape(()) for s in scalars]))
        self.norm = float(values[0])
        for i, (_, hits, _, examples, labels) in enumerate(self._pending):
            loss, hit, self.penalty = (float(v) for v in values[1 + 3 * i : 4 + 3 * i])
            met = np.array([loss * examples, hit, examples, labels])
            self._since += met
            self._epoch += met
            self._counts = hits is not None
        self._pending.clear()

    def _record(self, sums: Any) -> Record:
        loss, hits, examples, labels = (float(s) for s in sums)
        return {
            "examples": int(examples),
            "data_loss": loss / examples,
            "accuracy": hits / labels if self._counts else None,
            "penalty": self.penalty,
            "norm": self.norm,
        }
