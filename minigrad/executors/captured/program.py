"""A step on NumPy written down as the calls that it makes, in order, to be made again without the step.

Each call writes to memory that is there already (`storage`).
"""

import operator
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.executors.captured.line import Line
from minigrad.executors.captured.names import Names, source
from minigrad.executors.captured.storage import Memory
from minigrad.executors.captured.value import MODULE, Value, arrays, each, hidden, recorder, refuse, shown
from minigrad.tensor import arrays_as

__all__ = ["Program"]

_one_at_a_time = threading.RLock()


class Program:
    """The calls of one step, in order; what writes them down, too (`minigrad.executors.captured.value.Recorder`).

    A step that is written down computes in memory of its own, but changes none that was there before: no weights, no
    gradients, no statistics. That is left to `run`.

    Attributes:
        lines: the `Line`s.
        run: makes all calls.
        names: of arrays in the listing.
        memory: where the arrays of the step lie.
    """

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.names = Names()
        self.run: Callable[[], None] = lambda: None
        self.memory = Memory(self.names.forget)
        self._constants: list[Line] = []  # what puts numbers of the source into arrays
        self._state = np.geterr()

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within this block, write down what is computed with tensors and with the current array module."""
        with _one_at_a_time, arrays_as(shown, hidden), backend.module(MODULE):
            token, self._state = recorder.set(self), np.geterr()
            try:
                yield
            finally:
                recorder.reset(token)
        writes = Counter(id(target.base) for line in self.lines for target in line.targets)
        self._constants = [line for line in self._constants if writes[id(line.targets[0].base)] == 1]
        once = set(map(id, self._constants))
        self.lines = [line for line in self.lines if id(line) not in once]
        self._move(self.memory.lay_out(self.lines))
        self.run = _compiled(self.lines)

    def _move(self, moved: Callable[[Any], Any]) -> None:
        """Put the arrays of all lines where they are to lie."""

        def place(x: Any) -> Any:
            return self._named(moved(x), x) if isinstance(x, np.ndarray) else x

        self.names.replace(place)
        for line in self.lines:
            line.replace(place)
        self.memory.forget()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within this block, nothing is written down, and arrays are arrays."""
        token = recorder.set(None)
        try:
            with backend.module(np):
                yield
        finally:
            recorder.reset(token)

    def listing(self) -> str:
        """Return the calls in Python, each under the line of source that asked for it.

        A name stands for one value; its memory may be that of another one, which nothing needs any more.
        """
        found = []
        for heading, lines in (("once", self._constants), ("in every call", self.lines)):
            found.append(f"# --- {heading} ---")
            before = ""
            for line in lines:
                if line.source != before:
                    found.append(f"# {line.source}")
                before = line.source
                found.append(line.listed(self.names))
        return "\n".join(found) + "\n"

    # --- what is written down -------------------------------------------------------------------------------------

    def do(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Write down that `function`, which returns nothing, is called with the arrays themselves."""
        self._write(function, arguments, {}, (), "inside")
        described = (getattr(function, "func", function).__doc__ or "").partition("\n")[0]
        self.lines[-1].source = described or self.lines[-1].source

    def ufunc(self, function: Any, method: str, inputs: Any, out: Any, keywords: dict[str, Any]) -> Any:
        """Write down a call of one of NumPy's functions of entries, or of its method; return its result."""
        called, way = (function, "last") if method == "__call__" else (getattr(function, method), "out")
        if method == "at":
            self._change(called, inputs, keywords, inputs[:1], "inside")
            return None
        if out is not None:
            self._change(called, inputs, keywords, out, way)
            return out[0] if len(out) == 1 else out
        found = _quietly(called, inputs, keywords)
        if method == "__call__" and not keywords and all(map(_plain, inputs)):
            inputs = _converted(function, inputs)
        new = [self._new(x) for x in (found if isinstance(found, tuple) else (found,))]
        self._write(called, inputs, keywords, tuple(new), way)
        return Value(new[0]) if len(new) == 1 else tuple(map(Value, new))

    def call(self, function: Callable[..., Any], given: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Write down a call of any other function of arrays, if it computes; return its result."""
        if function in _COUNT or (function is np.where and len(given) == 1):
            refuse(f"{function.__name__}(), whose result is as long as the numbers make it,")
        if function in _REDUCTIONS:
            return self._reduced(_REDUCTIONS[function], *given, **keywords)
        if keywords.get("out") is not None:
            out = keywords["out"]
            self._change(function, given, {key: x for key, x in keywords.items() if key != "out"}, (out,), "out")
            return out
        if function in _WRITE:
            self._change(function, given, keywords, given[:1], "inside")
            return None
        found = _quietly(function, given, keywords)
        if function in _TELL:
            return found
        if isinstance(found, list | tuple):
            parts = [self._result(x, _part_of(function, k), given, keywords) for k, x in enumerate(found)]
            return getattr(found, "_make", type(found))(parts)  # of a named tuple, as np.linalg's are
        return self._result(found, function, given, keywords)

    def _reduced(self, function: Any, x: Any, axis: Any = None, *, out: Any = None, **keywords: Any) -> Any:
        return self.ufunc(function, "reduce", (x,), None if out is None else (out,), {"axis": axis, **keywords})

    def _result(self, x: Any, function: Callable[..., Any], given: Any, keywords: Any) -> Value:
        """Return as a value what a function made of what it was given: a view, a constant, or a computed array."""
        if not isinstance(x, np.ndarray | np.generic):
            refuse(f"{getattr(function, '__name__', function)}()")
        sources = list(arrays(each(hidden, (given, keywords))))
        if any(x is a for a in sources):
            return Value(x)
        if any(np.may_share_memory(x, a) for a in sources):
            x = self.memory.view(x, sources)
            self.names.view(x, function, *each(self._kept, (given, keywords)))
            return Value(x)
        x = np.asarray(x)
        if not sources or function in _SHAPED:
            return Value(self._constant(function, x))
        new = self._new(x)
        if function in _COPIES:
            self._write(np.copyto, (new, sources[0]), {"casting": "unsafe"}, (new,), "inside")
        else:
            self._write(function, given, keywords, (new,), "out" if function in _TAKE_OUT else "assigned")
        return Value(new)

    def _constant(self, function: Any, found: Any) -> Any:
        """Return an array with the numbers `found`, which are the same in every run.

        Small ones keep their memory, and are filled only once if nothing else is written there.
        """
        if function in _EMPTY:
            return self._new(found)
        numbers = found.flat[0] if function in _UNIFORM and found.size else found
        if found.nbytes > _SMALL:
            new = self._new(found)
        else:
            new = self.memory.once(found)
            self.names.own(new)
        self._write(np.copyto, (new, numbers), {}, (new,), "inside")
        if found.nbytes <= _SMALL:
            self._constants.append(self.lines[-1])
        return new

    def _write(self, function: Any, arguments: Any, keywords: Any, targets: Any, way: str) -> Line:
        state = np.geterr()
        given, named, written = each(self._kept, (tuple(arguments), keywords, tuple(targets)))
        own = None if state == self._state else state
        self.lines.append(Line(function, given, named, written, way, own, source()))
        return self.lines[-1]

    def _new(self, found: Any) -> Any:
        """Return a copy of an array in memory of the step's."""
        new = self.memory.new(found)
        self.names.own(new)
        return new

    def _kept(self, x: Any) -> Any:
        """Return what a line keeps of an array."""
        x = hidden(x)
        return self._named(self.memory.kept(x), x) if isinstance(x, np.ndarray) else x

    def _named(self, array: Any, other: Any) -> Any:
        """Return `array`, called what `other` is called."""
        if array is not other:
            self.names.alias(array, other)
        return array

    def _change(self, *call: Any) -> None:
        """Write down a call that changes an array, and make it if that is the step's own."""
        line = self._write(*call)
        if all(map(self.memory.owns, line.targets)):
            _quietly(_compiled([line]), (), {})


_TELL: set[Any] = {np.shape, np.ndim, np.size, np.result_type, np.iscomplexobj, np.isrealobj, np.may_share_memory}
_WRITE: set[Any] = {
    np.copyto, np.put, np.place, np.putmask, operator.setitem, np.ndarray.fill, np.ndarray.sort, np.ndarray.put,
}  # fmt: skip
_COUNT: set[Any] = {np.nonzero, np.flatnonzero, np.argwhere, np.unique, np.extract, np.compress, np.ndarray.compress}
_EMPTY: set[Any] = {np.empty, np.empty_like}
_UNIFORM: set[Any] = {np.zeros, np.ones, np.full, np.zeros_like, np.ones_like}
_SHAPED: set[Any] = {np.empty_like, np.zeros_like, np.ones_like}  # which look at shape and dtype alone
_SMALL = 2**14  # bytes
_COPIES: set[Any] = {np.array, np.asarray, np.ascontiguousarray, np.copy, np.ndarray.copy, np.ndarray.astype}
_TAKE_OUT: set[Any] = {np.clip, np.take, np.stack, np.concatenate, np.ndarray.clip, np.ndarray.take}
_REDUCTIONS = {
    of: function
    for function, *several in (
        (np.add, np.sum, np.ndarray.sum),
        (np.multiply, np.prod, np.ndarray.prod),
        (np.maximum, np.max, np.ndarray.max),
        (np.minimum, np.min, np.ndarray.min),
        (np.logical_and, np.all, np.ndarray.all),
        (np.logical_or, np.any, np.ndarray.any),
    )
    for of in several
}


def _compiled(lines: list[Line]) -> Callable[[], None]:
    """Return a function that makes all calls, one statement after the other."""
    names: dict[int, str] = {}
    space: dict[str, Any] = {}

    def name(x: Any) -> str:
        if id(x) not in names:
            names[id(x)] = f"x{len(names)}"
            space[names[id(x)]] = x
        return names[id(x)]

    body = [line.statement(name) for line in lines] or ["pass"]
    local = ", ".join(f"{x}={x}" for x in space)
    exec(compile("\n    ".join([f"def run({local}):", *body]), "<minigrad program>", "exec"), space)
    return space["run"]  # type: ignore[no-any-return]


def _plain(x: Any) -> bool:
    return isinstance(x, Value | np.ndarray) or type(x) in (float, int)


def _converted(function: np.ufunc, inputs: Any) -> Any:
    """Return the operands of a function, plain numbers as the arrays that NumPy would make of them in every call."""
    plain = [type(x) if type(x) in (float, int) else hidden(x).dtype for x in inputs]
    kinds = function.resolve_dtypes((*plain, *[None] * function.nout))
    return [np.asarray(x, kind) if type(x) in (float, int) else x for x, kind in zip(inputs, kinds, strict=False)]


def _part_of(function: Any, k: int) -> Callable[..., Any]:
    def part_of(*arguments: Any, **keywords: Any) -> Any:
        return function(*arguments, **keywords)[k]

    return part_of


def _quietly(function: Any, arguments: Any, keywords: Any) -> Any:
    """Call a function for the shape and dtype of its result; it meets numbers that were never computed."""
    arguments, keywords = each(hidden, (arguments, keywords))
    with np.errstate(all="ignore"):
        return function(*arguments, **keywords)
