"""Executors that run what was emitted from a trace of the update, instead of the update."""

import itertools
import linecache
import operator
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.executors import blocked, cache, compiled, plain
from minigrad.executors.branches import branches, holds, trace_at
from minigrad.executors.cores import Cores
from minigrad.executors.kernel import Kernel, kernel
from minigrad.executors.trace import Trace
from minigrad.extras import need
from minigrad.regularization.column import Column

__all__ = ["BLOCK", "Blocked", "Compiled", "Emitted", "Update", "by_name", "columns"]

Update = Callable[..., tuple[Any, ...]]
Runner = Callable[[list[Any], list[Any]], None]
Ready = tuple[list[Any], dict[str, Any], tuple[Any, Runner]]  # arrays, numbers, and what runs on them

REMEMBERED = 64  # sets of arrays
BLOCK = 2**17  # bytes of each array in one block: the arrays of a rule, and its scratch, stay in the cache


class Emitted:
    """The base: traces an update once per branch that its scalars take, and runs what is emitted from the trace.

    Called as `plain.execute` is, and with the same results to the last bit, on contiguous NumPy arrays of float32 or
    float64 that do not overlap: flat, or with a row for each of many models, of which then each may have numbers of its
    own (`Column`). All else is left to `plain.execute`: other arrays and dtypes, numbers that are neither float nor
    int, and work under ``np.errstate(...="raise")`` or ``"call"``, which must stop before anything is written.

    A trace holds for every call: the update must be a pure function, which depends on its arguments alone.

    Args:
        names: of the update's state (`minigrad.rules.state_names`); they appear in what is emitted.
    """

    def __init__(self, names: Sequence[str]):
        self.names = tuple(names)
        self._known: dict[Any, list[tuple[Trace, Callable[..., Any], Runner]]] = {}
        self._fitting: dict[int, list[Any]] = {}  # arrays that were found to fit, by the identity of the first

    def prepare(self, update: Update, hyper: Sequence[str], scalars: Sequence[str] = ()) -> None:
        """Raise UntraceableError, naming the line, if `update` cannot be traced and emitted."""
        for traced in branches(update, self.names, hyper, scalars):
            kernel(traced)

    def __call__(
        self, update: Update, weights: Any, gradients: Any, state: Sequence[Any], hyper: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """Carry the update out in place; return the next values of the state that is numbers."""
        ready = self.ready(update, weights, gradients, state, hyper)
        return self.carry_out(ready, update, weights, gradients, state, hyper)

    def carry_out(
        self, ready: Ready | None, update: Update, weights: Any, gradients: Any, state: Sequence[Any],
        hyper: Mapping[str, Any],
    ) -> tuple[Any, ...]:  # fmt: skip
        """Carry the update out with what `ready` returned for the same arguments."""
        if ready is not None:
            arrays, numbers, (scalars, run) = ready
            constants, following = scalars(numbers)
            if _all_plain(constants):
                if weights.ndim == 2 and Column not in map(type, constants):
                    arrays = [a.reshape(-1) for a in arrays]
                number = weights.dtype.type
                run(arrays, [np.array(x.values, number) if type(x) is Column else number(x) for x in constants])
                return tuple(following)
        return self._plainly(update, weights, gradients, state, hyper)

    def _plainly(self, update: Update, *arguments: Any) -> tuple[Any, ...]:
        return plain.execute(update, *arguments)

    def ready(
        self, update: Update, weights: Any, gradients: Any, state: Sequence[Any], hyper: Mapping[str, Any]
    ) -> Ready | None:
        """Return arrays, numbers and what runs on them, or None where that is the plain update. Writes nothing.

        Raises UntraceableError, naming the line, if `update` cannot be traced and emitted; and what `update` itself
        raises where it refuses the numbers.
        """
        arrays, numbers = [weights, gradients], dict(hyper)
        for name, x in zip(self.names, state, strict=True):
            if plain.is_array(x):
                arrays.append(x)
            else:
                numbers[name] = x
        if not self._fit(arrays) or not _all_plain(numbers.values(), arrays[0]):
            return None
        return arrays, numbers, self._find(update, numbers, arrays[0])

    def _fit(self, arrays: list[Any]) -> bool:
        """Return whether what is emitted computes with these arrays as the plain update does.

        An optimizer comes with the same arrays at every step; what does not change about them is looked at once.
        """
        seen = self._fitting.get(id(arrays[0]), ())
        if len(seen) != len(arrays) or not all(map(operator.is_, seen, arrays)):
            if not self._alike_and_apart(arrays):
                return False
            if len(self._fitting) >= REMEMBERED:
                self._fitting.clear()
            self._fitting[id(arrays[0])] = arrays
        return not {"raise", "call"} & set(np.geterr().values())

    def _alike_and_apart(self, arrays: list[Any]) -> bool:
        """Return whether arrays are of this executor's kind, contiguous, alike in dtype and shape, and disjoint."""
        return _alike_and_apart(arrays)

    def _find(self, update: Update, numbers: Mapping[str, Any], first: Any) -> tuple[Any, Runner]:
        """Return what was emitted for the branches that `update` takes at these numbers, on arrays like the `first`."""
        of_rows = columns(numbers) if first.ndim == 2 else ()
        known = self._known.setdefault((update, *of_rows) if of_rows else update, [])
        for traced, scalars, run in known:
            if not traced.conditions or holds(traced, numbers):
                return scalars, run
        traced = trace_at(update, self.names, numbers, [name for name in self.names if name in numbers], of_rows)
        k = kernel(traced)
        found, run = self._make(k)
        known.append((traced, by_name(found, k, numbers), run))
        return known[-1][1], run

    def _make(self, k: Kernel) -> tuple[Callable[..., Any], Runner]:
        """Return the function of the host, and what runs the loop on arrays and constants of their dtype.

        Of a column there are as many constants as rows, in an array of the host; without one, the arrays are flat.
        """
        raise NotImplementedError


def by_name(scalars: Callable[..., Any], k: Kernel, numbers: Mapping[str, Any]) -> Callable[..., Any]:
    """Return `scalars`, which takes the kernel's names in order, as a function of numbers like these, by name."""
    known = {k.rename[s]: s.name for s in k.rename if s.version == 0 and s.kind != "array" and s.name in numbers}
    names = [known[name] for name in k.numbers]
    return lambda numbers: scalars(*[numbers[name] for name in names])


def columns(numbers: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the numbers of which each row has its own."""
    return tuple(name for name, x in numbers.items() if type(x) is Column)


class Blocked(Emitted):
    """NumPy in blocks that stay in the cache."""

    def __init__(self, names: Sequence[str]):
        super().__init__(names)
        self._blocks: dict[Runner, tuple[Callable[..., None], int]] = {}

    def _make(self, k: Kernel) -> tuple[Callable[..., Any], Runner]:
        source = blocked.source(k)
        name = f"<minigrad kernel {next(_serial)}>"
        linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)  # shown in tracebacks
        space: dict[str, Any] = {}
        exec(compile(source, name, "exec"), space)
        block, count, memory = space["block"], space["SCRATCH"], threading.local()

        def scratch(dtype: Any, length: int) -> list[Any]:
            """Return arrays of a length; those of each dtype share their memory."""
            known: dict[int, list[Any]] = memory.__dict__.setdefault(dtype.char, {})
            if length not in known:
                longest = known.setdefault(
                    BLOCK // dtype.itemsize, list(np.empty((count, BLOCK // dtype.itemsize), dtype))
                )
                known[length] = [a[:length] for a in longest]
            return known[length]

        def run(arrays: list[Any], constants: list[Any]) -> None:
            size, dtype = arrays[0].size, arrays[0].dtype
            length = BLOCK // dtype.itemsize
            if arrays[0].ndim == 2:
                for rows, part in _rectangles(arrays[0].shape, length):
                    own = [x[rows, None] if isinstance(x, np.ndarray) else x for x in constants]
                    parts = [a[rows, part] for a in arrays]
                    out = [a.reshape(parts[0].shape) for a in scratch(dtype, parts[0].size)]
                    block(*parts, *out, *own)
                return
            if size <= length:
                block(*arrays, *scratch(dtype, size), *constants)
                return
            for start in range(0, size, length):
                part = slice(start, min(start + length, size))
                block(*[a[part] for a in arrays], *scratch(dtype, part.stop - start), *constants)

        self._blocks[run] = block, count
        return space["scalars"], run

    def in_lines(self, update: Update, ready: Ready) -> tuple[Callable[..., Any], Callable[..., None], int] | None:
        """Return the function of the host, the block's, and how much scratch that takes; None if there are branches."""
        (traced, *more) = (traced for traced, _, run in self._known[update] if run is ready[2][1])
        return None if traced.conditions or more else (ready[2][0], *self._blocks[ready[2][1]])


class Compiled(Emitted):
    """numba, on one core or on all (`minigrad.executors.cores`); the user's cache directory keeps what it compiled.

    Where NumPy would warn of an overflow or of an invalid value it is silent; the values are the same.
    """

    def __init__(self, names: Sequence[str]):
        need("numba", "fast")
        super().__init__(names)

    def _make(self, k: Kernel) -> tuple[Callable[..., Any], Runner]:
        module = cache.module(compiled.source(k))
        loop = Cores(module.update)

        def rows(arrays: list[Any], constants: list[Any]) -> None:
            own = [x for x in constants if isinstance(x, np.ndarray)]
            loop([*arrays, np.stack(own, axis=1)], [x for x in constants if not isinstance(x, np.ndarray)])

        return module.scalars, rows if any(k.of_rows) else loop


_serial = itertools.count()


def _rectangles(shape: tuple[int, int], length: int) -> Iterator[tuple[slice, slice]]:
    """Yield parts of at most `length` entries that make up a matrix: whole rows, or parts of one that is longer."""
    rows, width = shape
    many = max(1, length // max(1, width))
    for top in range(0, rows, many):
        for left in range(0, width, length):
            yield slice(top, top + many), slice(left, left + length)


def _alike_and_apart(arrays: list[Any]) -> bool:
    """Return whether arrays are NumPy's own, of one dtype and shape, of one axis or two, and share no memory."""
    first = arrays[0]
    return (
        all(type(a) is np.ndarray and a.dtype == first.dtype and a.shape == first.shape for a in arrays)
        and first.dtype.char in "fd"
        and first.dtype.isnative
        and first.ndim in (1, 2)
        and all(a.flags.c_contiguous for a in arrays)
        and not any(np.may_share_memory(a, b) for a, b in itertools.combinations(arrays, 2))
    )


def _all_plain(numbers: Any, rows: Any = None) -> bool:
    """Return whether all is a float, an int, or a column of floats with as many as the array `rows` has rows."""
    kinds = set(map(type, numbers))
    if kinds <= _PLAIN:
        return True
    of_rows = [x for x in numbers if type(x) is Column]
    return (
        kinds <= {*_PLAIN, Column}
        and all(set(map(type, x.values)) <= _PLAIN for x in of_rows)
        and (rows is None or (rows.ndim == 2 and all(len(x) == len(rows) for x in of_rows)))
    )


_PLAIN = {float, int}
