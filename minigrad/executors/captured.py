"""A step recorded once and replayed: forward, backward and update as one graph on a GPU, or as one list of calls.

What a recorded launch was given by value is frozen. So what changes from step to step (the optimizer's t, its
schedules and numbers, the place in a sequence of dropout masks) is taken from a small array on the device, which the
host fills anew before each replay: it runs its own part of the step again, and nothing else of it.
"""

import inspect
from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NoReturn

import numpy as np

from minigrad import backend
from minigrad.executors.program import Program
from minigrad.executors.value import Value
from minigrad.tensor import Tensor, result

__all__ = ["Kept", "OnTheHost", "Recorded", "capture", "current", "number", "refuse"]

Kept = Callable[[], Callable[[], Any]]  # keeps what a part of the host is about to change; returns what puts it back

LARGEST = 4096  # bytes that a step may take from the host
_ALIGNED = 16


class Recorded:
    """What a recorded step takes from the host.

    Attributes:
        recording: whether the step itself runs, to be recorded; otherwise its host part runs again.
    """

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
        token = _current.set(self)
        try:
            for part, kept in self._again:
                self._undo.append(kept())
                part()
        finally:
            _current.reset(token)
        if self._used != self._expected:
            raise RuntimeError(
                "the host's part of the captured step is not what it was: other parameters have gradients, or other "
                "counts of steps; capture the step anew"
            )

    def send(self) -> None:
        """Send what was taken to the device: one copy, for which nobody waits."""
        if self._used:
            self._ring.send(self._host[: self._used], self._device)


class OnTheHost:
    """What a step on NumPy takes from the host while it is recorded: parts of it, in their places in the program."""

    recording = True

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
            held[...] = following()

        self._program.do(next_number)
        return Value(held)


_current: ContextVar[Recorded | OnTheHost | None] = ContextVar("minigrad_captured", default=None)
current = _current.get


def number(following: Callable[[], Any], dtype: Any, kept: Kept) -> Any:
    """Return ``following()``; in a captured step, a 0-d array on the device that holds the next one at each replay.

    `kept` is for what `following` changes, as in `Recorded.again`.
    """
    recorded = _current.get()
    return following() if recorded is None else recorded.number(following, dtype, kept)


def refuse() -> NoReturn:
    """Raise RuntimeError: an update whose numbers would be frozen was asked for while a step is captured."""
    raise RuntimeError(
        'a captured step needs updates that take their numbers from the device: executor="auto" (or "cuda") on float32 '
        "or float64 parameters that are on the GPU, with a rule that can be traced"
    )


def capture(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return `step` as a function that records it on a GPU and replays it; on NumPy, `step` itself.

        @mg.capture
        def step(x, y):
            optimizer.zero_grad()
            loss = mg.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    Calls have the effect of as many calls of `step`. The first runs it as it is, the second records it, and from then
    on a call runs the host's part of it (the optimizer's t, schedules and numbers, the steps of dropout), copies the
    new arguments to where the recorded ones lie, and launches everything at once. Whatever else `step` does on the
    host (printing, counting, a coefficient of a penalty that changes) is done twice and then never again.

    Arguments are arrays, on the device or on the host, and tensors without gradients, always of the same shapes and
    dtypes; anything else must stay equal. Results are copies: they are not overwritten by the next call, and have no
    graph. The graph has a memory pool of its own, which keeps what the step needs. On a GPU, once the step is
    recorded, the method ``launches()`` says how many kernels and copies a call launches.

    Raises (when called):
        ValueError: an argument has another shape or dtype than when the step was recorded, or is not the same number;
            or so many models are trained at once that their numbers do not fit.
        RuntimeError: an optimizer within cannot take its numbers from the device, or `step` reads the device.

    Whatever is raised from the second call on, by `step` or by minigrad, before the work is launched, the step was not
    made: weights, optimizers and the steps of dropout are as before, and the function can be called again. Gradients
    may be set, and must be forgotten (`zero_grad`), as after any step that was broken off.
    """
    return _Replayed(step) if backend.current() is np else _Captured(step)


class _Captured:
    def __init__(self, step: Callable[..., Any]):
        self._step = step
        self._graph = backend.Graph()
        self._warm = False
        self._recorded: Recorded | None = None
        self._own: list[Any] = []  # the arguments of the recorded step
        self._results: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if not self._warm:
            with self._graph.place():
                found = self._step(*(_like(x, _on_device(x)) for x in arguments))
            self._warm = True
            return _copied(found)
        recorded = self._recorded or self._prepare(arguments)
        try:
            if recorded.recording:
                self._record(recorded)
            else:
                _check(self._own, arguments)
                recorded.replay()
            with self._graph.order():
                for own, x in zip(self._own, arguments, strict=True):
                    if _is_array(own):
                        _data(own)[...] = _on_device(x)
                recorded.send()
                self._graph.launch()
                recorded.launched()
                return _copied(self._results)
        except BaseException:
            recorded.undo()
            raise

    def launches(self) -> int | None:
        """Return how many kernels and copies were recorded; None before, and where CUDA does not show them."""
        return None if self._recorded is None else self._graph.count()

    def _prepare(self, arguments: tuple[Any, ...]) -> Recorded:
        with self._graph.place():
            self._own = [_like(x, backend.current().array(_on_device(x)) if _is_array(x) else x) for x in arguments]
            return Recorded()

    def _record(self, recorded: Recorded) -> None:
        with _recording(recorded):
            self._results = self._graph.record(lambda: self._step(*self._own))
        recorded.finish()
        self._recorded = recorded


class _Replayed:
    def __init__(self, step: Callable[..., Any]):
        self._step = step
        self._warm = False
        self.program: Program | None = None
        self._own: list[Any] = []
        self._results: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if not self._warm:
            found = self._step(*(_like(x, _on_device(x)) for x in arguments))
            self._warm = True
            return _copied(found)
        if self.program is None:
            self.program = self._record(arguments)
        else:
            _check(self._own, arguments)
            for own, x in zip(self._own, arguments, strict=True):
                if type(own) is np.ndarray:
                    own[...] = x
                elif isinstance(own, Tensor):
                    own.data[...] = _on_device(x)
        self.program.run()
        return _copied(self._results)

    def launches(self) -> int | None:
        """Return how many calls of NumPy's were recorded; None before."""
        return None if self.program is None else len(self.program.lines)

    def listing(self) -> str:
        """Return the recorded calls as a listing in Python."""
        return "" if self.program is None else self.program.listing()

    def _record(self, arguments: tuple[Any, ...]) -> Program:
        self._own = [_like(x, np.array(_on_device(x)) if _is_array(x) else x) for x in arguments]
        program = Program()
        for name, own in zip(inspect.signature(self._step).parameters, self._own, strict=False):
            program.names.given(_data(own), name)
        with _recording(OnTheHost(program)), program.recording():
            found = self._step(*(Value(x) if isinstance(x, np.ndarray) else x for x in self._own))
            self._results = _contents(found)
        return program


def _check(owned: list[Any], arguments: tuple[Any, ...]) -> None:
    if len(arguments) != len(owned):
        raise ValueError(f"the step was captured with {len(owned)} arguments, got {len(arguments)}")
    for i, (own, x) in enumerate(zip(owned, arguments, strict=True)):
        if type(own) is type(x) is np.ndarray and own.shape == x.shape and own.dtype == x.dtype:
            continue
        if _is_array(own) != _is_array(x) or (not _is_array(own) and own != x):
            raise ValueError(f"argument {i} was {own!r} when the step was captured, got {x!r}")
        if _is_array(own) and (own.shape, own.dtype) != (x.shape, x.dtype):
            raise ValueError(
                f"argument {i} had shape {own.shape} and dtype {own.dtype} when the step was captured, got "
                f"{x.shape} and {x.dtype}: a captured step repeats its launches. For a last batch that is shorter, "
                "call the step itself, or another capture of it"
            )


@contextmanager
def _recording(recorded: Any) -> Any:
    token = _current.set(recorded)
    try:
        yield
    finally:
        _current.reset(token)


def _is_array(x: Any) -> bool:
    return hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, np.generic)


def _data(x: Any) -> Any:
    return x.data if isinstance(x, Tensor) else x


def _on_device(x: Any) -> Any:
    if isinstance(x, Tensor) and x.requires_grad:
        raise ValueError("a captured step takes tensors without gradients: pass x.detach(), or compute it within")
    return backend.current().asarray(_data(x)) if _is_array(x) else x


def _like(x: Any, array: Any) -> Any:
    """Return `array` as a tensor if `x` is one."""
    return result(array) if isinstance(x, Tensor) else array


def _contents(found: Any) -> Any:
    """Return what a recorded step returned with the arrays behind it."""
    if isinstance(found, dict):
        return {key: _contents(x) for key, x in found.items()}
    if isinstance(found, list | tuple):
        return type(found)(map(_contents, found))
    if isinstance(found, Tensor):
        return result(_contents(found.data))
    return found.array if isinstance(found, Value) else found


def _copied(found: Any) -> Any:
    if isinstance(found, dict):
        return {key: _copied(x) for key, x in found.items()}
    if isinstance(found, list | tuple):
        return type(found)(map(_copied, found))
    return _like(found, _data(found).copy()) if _is_array(found) else found
