"""A step recorded once and replayed on NumPy: forward, backward and update as one list of calls."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.executors.captured.context import (
    Kept,
    check,
    contents,
    copied,
    current,
    data,
    is_array,
    like,
    on_device,
    recording,
)  # fmt: skip
from minigrad.executors.captured.program import Program
from minigrad.executors.captured.value import Value

__all__ = ["OnTheHost", "Replayed"]


class OnTheHost:
    """What a step on NumPy takes from the host while it is recorded: parts of it, in their places in the program."""

    recording = True
    in_lines = True

    def __init__(self, program: Program):
        self.paused = program.paused
        self.do = program.do
        self.name = program.names.given
        self._program = program

    def write(self, array: Any, value: Any) -> None:
        """Write down that `value` becomes the contents of `array`."""
        Value(array)[...] = value

    def number(self, following: Callable[[], Any], dtype: Any, kept: Kept) -> Any:
        """Return a 0-d array that holds the next ``following()`` at each replay."""
        held = np.zeros((), dtype)

        def next_number() -> None:
            """Go on by one: the next mask, for example."""
            held[...] = following()

        self._program.do(next_number)
        return Value(held)


class Replayed:
    """A step, and the program that was written down of it: `minigrad.capture`.

    Attributes:
        program: what was written down, or None.
    """

    def __init__(self, step: Callable[..., Any]):
        self._step = step
        self._warm = False
        self.program: Program | None = None
        self._own: list[Any] = []  # the arguments of the recorded step
        self._results: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Make one step, with these arguments."""
        if current() is not None:
            return self._step(*arguments)  # a part of another step, which is recorded
        if not self._warm:
            found = self._step(*(like(x, on_device(x)) for x in arguments))
            self._warm = True
            return copied(found)
        if self.program is None:
            self.program = self._record(arguments)
        else:
            self._take(arguments)
        self.program.run()
        return copied(self._results)

    def _take(self, arguments: tuple[Any, ...]) -> None:
        """Copy the arguments to where the recorded ones lie. Raises ValueError unless they are like those."""
        if len(arguments) != len(self._own):
            check(self._own, arguments)
        for own, x in zip(self._own, arguments, strict=True):
            if type(own) is type(x) is np.ndarray and own.shape == x.shape and own.dtype is x.dtype:
                own[...] = x
            else:
                check(self._own, arguments)
                if is_array(own):
                    data(own)[...] = on_device(x)

    def launches(self) -> int | None:
        """Return how many calls of NumPy's were recorded; None before."""
        return None if self.program is None else len(self.program.lines)

    def listing(self) -> str:
        """Return the recorded calls as a listing in Python."""
        return "" if self.program is None else self.program.listing()

    def _record(self, arguments: tuple[Any, ...]) -> Program:
        self._own = [like(x, np.array(on_device(x)) if is_array(x) else x) for x in arguments]
        program = Program()
        for name, own in zip(inspect.signature(self._step).parameters, self._own, strict=False):
            program.names.given(data(own), name)
        with recording(OnTheHost(program)), program.recording():
            found = self._step(*(Value(x) if isinstance(x, np.ndarray) else x for x in self._own))
            self._results = contents(found)
        return program
