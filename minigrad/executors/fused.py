"""The update of a group as one launch on a GPU, its numbers read from the device.

The kernel is emitted from the trace (`minigrad.executors.cuda`) with all branches that its scalars may take, compiled
without what changes bits, and kept (`minigrad.executors.binaries`). What depends on scalars alone is computed on the
host and sent ahead of the launch: nothing is read and nobody waits. In a captured step the launch was recorded, and
only the numbers are new.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.executors import binaries, captured, cuda
from minigrad.executors.branches import branches, holds
from minigrad.executors.emitted import Emitted, Update, by_name, columns
from minigrad.executors.kernel import Kernel, host, kernel
from minigrad.executors.trace import Trace

__all__ = ["Fused"]


class Fused(Emitted):
    """One launch per slice, on contiguous CuPy arrays of float32 or float64 that do not overlap; else `plain.execute`.

    The bits are those of the rule on NumPy: each operation is rounded as IEEE 754 asks, subnormal numbers are kept.
    Where each row has numbers of its own they travel as the others do, and a kernel is made for each shape.
    """

    def __init__(self, names: Sequence[str]):
        super().__init__(names)
        self._made: dict[Any, list[tuple[Trace, Callable[..., Any], Callable[..., None]]]] = {}

    def _plainly(self, update: Update, *arguments: Any) -> tuple[Any, ...]:
        if captured.current() is not None:
            captured.refuse()
        return super()._plainly(update, *arguments)

    def _alike_and_apart(self, arrays: list[Any]) -> bool:
        first = arrays[0]
        places = sorted((a.data.ptr, a.nbytes) for a in arrays) if backend.namespace(first) is not np else []
        return (
            bool(places)
            and all(type(a) is type(first) and a.dtype == first.dtype and a.shape == first.shape for a in arrays)
            and first.dtype.char in "fd"
            and first.ndim in (1, 2)
            and all(a.flags.c_contiguous for a in arrays)
            and all(a + size <= b for (a, size), (b, _) in pairwise(places))
        )

    def _find(self, update: Update, numbers: Mapping[str, Any], first: Any) -> tuple[Any, Any]:
        of_rows = columns(numbers) if first.ndim == 2 else ()
        shape = first.shape if of_rows else None
        key = (update, shape, *of_rows) if of_rows else update
        if key not in self._made:
            self._made[key] = self._all(update, numbers, of_rows, shape)
        for traced, scalars, run in self._made[key]:
            if not traced.conditions or holds(traced, numbers):
                return scalars, run
        raise ValueError(f"the update refuses these numbers: {dict(numbers)}")

    def _all(
        self, update: Update, numbers: Mapping[str, Any], of_rows: Sequence[str], shape: tuple[int, int] | None
    ) -> list[tuple[Trace, Any, Any]]:
        """Return every branch of `update`: its trace, its part on the host, and what launches it."""
        scalars = [name for name in self.names if name in numbers]
        traces = branches(update, self.names, [name for name in numbers if name not in scalars], scalars, of_rows)
        kernels = [kernel(traced) for traced in traces]
        launch = self._launcher(kernels, shape)

        def one(branch: int) -> Callable[..., None]:
            chosen = [branch] if len(kernels) > 1 else []
            return lambda arrays, constants: launch(arrays, [*chosen, *constants])

        return [
            (traced, by_name(_on_the_host(k), k, numbers), one(j))
            for j, (traced, k) in enumerate(zip(traces, kernels, strict=True))
        ]

    def _launcher(self, kernels: list[Kernel], shape: tuple[int, int] | None) -> Callable[[list[Any], list[Any]], None]:
        sources = {dtype: cuda.source(kernels, dtype, shape) for dtype in ("float32", "float64")}
        room = (
            max(cuda.length(k, shape) for k in kernels) + 1
        )  # another branch may need more numbers at the next replay

        rings: list[backend.Ring] = []

        def launch(arrays: list[Any], numbers: list[Any]) -> None:
            first, recorded = arrays[0], captured.current()
            values = np.zeros(room, first.dtype)
            given = numbers if shape is None else np.hstack(numbers)
            values[: len(given)] = given
            if recorded is None:
                if not rings:
                    rings.append(backend.Ring(8 * room))
                at = rings[0].send(values)
            else:
                at = recorded.take(values)
            if recorded is None or recorded.recording:
                backend.launch(sources[first.dtype.name], cuda.NAME, first.size, [*arrays, at], binaries.binary)

        return launch


def _on_the_host(k: Kernel) -> Callable[..., Any]:
    function, imports = host(k)
    space: dict[str, Any] = {}
    exec(compile(f"{imports}\n{function}", "<minigrad scalars>", "exec"), space)
    return space["scalars"]  # type: ignore[no-any-return]
