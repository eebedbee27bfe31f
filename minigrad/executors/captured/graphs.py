"""A step recorded once and replayed on a GPU: forward, backward and update as one graph.

What a recorded launch was given by value is frozen. So what changes from step to step (the optimizer's t, its
schedules and numbers, the place in a sequence of dropout masks) is taken from a small array on the device, which the
host fills anew before each replay: it runs its own part of the step again, and nothing else of it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.executors.captured.context import Kept, check, copied, current, data, is_array, like, on_device, recording

__all__ = ["Captured", "Recorded"]

LARGEST = 4096  # bytes that a step may take from the host
_ALIGNED = 16


class Recorded:
    """What a recorded step takes from the host.

    Attributes:
        recording: whether the step itself runs, to be recorded; otherwise its host part runs again.
        in_lines: whether an update is written down line by line: no.
    """

    in_lines = False

    def __init__(self) -> None:
        self.recording = True
        self._again: list[tuple[Callable[[], Any], Kept]] = []
        self._undo: list[Callable[[], Any]] = []  # of the parts that ran since the last launch
        self._host = np.zeros(LARGEST, np.uint8)
        self._device = backend.current().zeros(LARGEST, np.uint8)
        self._ring = backend.Ring(LARGEST, slots=8)
        self._used = 0
        self._expected = 0

    def again(self, part: Callable[[], Any], kept: Kept) -> None:
        """Run `part`, a part of the step on the host, before each replay; in the order of these calls.

        Called before `part` runs for the first time. Each time that nothing is launched afterwards, what ``kept()``
        returned before is called.
        """
        self._undo.append(kept())
        self._again.append((part, kept))

    def number(self, following: Callable[[], Any], dtype: Any, kept: Kept) -> Any:
        """Return a 0-d array on the device that holds ``following()``, and the next one at each replay."""
        self.again(lambda: self.take(np.array(following(), dtype)), kept)
        return self.take(np.array(following(), dtype))

    def undo(self) -> None:
        """Put back what the host's parts of the step have changed since the last launch."""
        while self._undo:
            self._undo.pop()()

    def launched(self) -> None:
        """Note that the step was made: there is nothing to put back any more."""
        self._undo.clear()

    def take(self, values: Any) -> Any:
        """Return the array on the device in which `values`, of the host, will stand. Every replay asks in this order.

        Raises ValueError if a step takes more than `LARGEST` bytes.
        """
        start = -(-self._used // _ALIGNED) * _ALIGNED
        self._used = start + values.nbytes
        if self._used > LARGEST:
            raise ValueError(
                f"a captured step takes at most {LARGEST} bytes of numbers from the host, and this one needs more: "
                "train fewer models at once, or do not capture the step"
            )
        self._host[start : self._used].view(values.dtype)[...] = values.ravel()
        return self._device[start : self._used].view(values.dtype).reshape(values.shape)

    def finish(self) -> None:
        """End the recording."""
        self.recording, self._expected = False, self._used

    def replay(self) -> None:
        """Run the host's part of the step again. Raises RuntimeError if it takes fewer numbers or more than before."""
        self._used = 0
        with recording(self):
            for part, kept in self._again:
                self._undo.append(kept())
                part()
        if self._used != self._expected:
            raise RuntimeError(
                "the host's part of the captured step is not what it was: other parameters have gradients, or other "
                "counts of steps; capture the step anew"
            )

    def send(self) -> None:
        """Send what was taken to the device: one copy, for which nobody waits."""
        if self._used:
            self._ring.send(self._host[: self._used], self._device)


class Captured:
    """A step, and the graph that was recorded of it: `minigrad.capture`."""

    def __init__(self, step: Callable[..., Any]):
        self._step = step
        self._graph = backend.Graph()
        self._warm = False
        self._recorded: Recorded | None = None
        self._own: list[Any] = []  # the arguments of the recorded step
        self._results: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Make one step, with these arguments."""
        if current() is not None:
            return self._step(*arguments)  # a part of another step, which is recorded
        if not self._warm:
            with self._graph.place():
                found = self._step(*(like(x, on_device(x)) for x in arguments))
            self._warm = True
            return copied(found)
        recorded = self._recorded or self._prepare(arguments)
        try:
            if recorded.recording:
                self._record(recorded)
            else:
                check(self._own, arguments)
                recorded.replay()
            with self._graph.order():
                for own, x in zip(self._own, arguments, strict=True):
                    if is_array(own):
                        data(own)[...] = on_device(x)
                recorded.send()
                self._graph.launch()
                recorded.launched()
                return copied(self._results)
        except BaseException:
            recorded.undo()
            raise

    def launches(self) -> int | None:
        """Return how many kernels and copies were recorded; None before, and where CUDA does not show them."""
        return None if self._recorded is None else self._graph.count()

    def _prepare(self, arguments: tuple[Any, ...]) -> Recorded:
        with self._graph.place():
            self._own = [like(x, backend.current().array(on_device(x)) if is_array(x) else x) for x in arguments]
            return Recorded()

    def _record(self, recorded: Recorded) -> None:
        with recording(recorded):
            self._results = self._graph.record(lambda: self._step(*self._own))
        recorded.finish()
        self._recorded = recorded
