"""Where the arrays of a recorded step lie.

While the step is recorded, memory that it drops is given to what it computes next. Afterwards it is known which line
reads an array last, which is often long before the step dropped it: a tensor keeps its value as long as a graph refers
to it, read again or not. So the lines are laid out anew: memory is free after the last line that needs it, and an
entrywise call writes over an operand that nothing needs any more.
"""

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

__all__ = ["Memory"]

ALIGNED = 64  # bytes: a line of the cache


class _Slot:
    """A place in memory, for one buffer after the other.

    Attributes:
        size: its bytes.
        first, last: the lines between which it is needed, by number.
        offset: where it begins.
    """

    def __init__(self, size: int, first: int, last: int):
        self.size = -(-size // ALIGNED) * ALIGNED
        self.first = first
        self.last = last
        self.offset = 0


class _Buffer:
    """The memory of one array of the step and of all its views.

    Attributes:
        recorded: where it lay while the step was recorded.
        first, last: the lines between which it is needed, by number.
        slot: where it lies, or None if that is where it lay.
    """

    def __init__(self, recorded: Any):
        self.recorded = recorded
        self.first = self.last = -1
        self.slot: _Slot | None = None


class Memory:
    """Gives memory to the arrays of one recorded step.

    Args:
        gone: called with the identity of an array that is there no more.

    Attributes:
        held: how many bytes the arrays of the step take.
    """

    def __init__(self, gone: Callable[[int], None]):
        self.held = 0
        self._gone = gone
        self._free: dict[int, list[Any]] = {}  # memory that nothing needs any more, by its size
        self._shown: dict[int, int] = {}  # of memory, by its identity: how many arrays of the step show it
        self._once: list[Any] = []  # memory that serves one array for ever
        self._buffers: dict[int, _Buffer] = {}  # by the identity of memory that is shown
        self._lines: dict[int, _Buffer] = {}  # by the identity of an array in a line
        self._kept: list[Any] = []  # those arrays, so that none takes the identity of another

    def new(self, found: Any) -> Any:
        """Return a copy of an array, in memory that nothing else needs as long as the copy is there."""
        free = self._free.get(found.nbytes)
        memory = free.pop() if free else np.empty(found.nbytes, np.uint8)
        self._shown[id(memory)] = 0
        self._buffers[id(memory)] = _Buffer(memory)
        return self._watched(_laid(memory, np.asarray(found)))

    def once(self, found: Any) -> Any:
        """Return a copy of an array, in memory that serves nothing else."""
        self._once.append(np.empty(found.nbytes, np.uint8))
        return _laid(self._once[-1], found)

    def owns(self, array: Any) -> bool:
        """Return whether an array is one of the step's own."""
        return id(array.base) in self._shown or any(array.base is memory for memory in self._once)

    def view(self, array: Any, sources: Sequence[Any]) -> Any:
        """Return a view of one of `sources`, whatever function made it, as a view that says whose memory it shows."""
        for a in sources:
            if self.owns(a) and not self.owns(array) and np.may_share_memory(a, array):
                within = _address(array) - _address(a.base)
                array = np.ndarray(array.shape, array.dtype, a.base, within, array.strides)
        return self._watched(array)

    def _watched(self, array: Any) -> Any:
        """Take the memory of an array of the step's back when it, and all others that show it, are gone."""
        if id(array.base) in self._shown:
            self._shown[id(array.base)] += 1
            weakref.finalize(array, self._dropped, array.base, id(array)).atexit = False
        return array

    def _dropped(self, memory: Any, array: int) -> None:
        self._gone(array)
        self._shown[id(memory)] -= 1
        if not self._shown[id(memory)]:
            del self._shown[id(memory)], self._buffers[id(memory)]
            self._free.setdefault(memory.nbytes, []).append(memory)

    def kept(self, array: Any) -> Any:
        """Return what a line keeps of an array: of the step's own another one in its place, which keeps no memory."""
        if id(array.base) not in self._shown:
            return array
        self._kept.append(array.view())
        self._lines[id(self._kept[-1])] = self._buffers[id(array.base)]
        return self._kept[-1]

    # --- once all lines are known ---------------------------------------------------------------------------------

    def lay_out(self, lines: Sequence[Any]) -> Callable[[Any], Any]:
        """Give every buffer of `lines` a place for as long as they need it; return what moves an array of theirs there.

        What the step left behind (results, gradients) stays where it is, and is not written over.
        """
        used = [[b for b in (self._lines.get(id(a)) for a in line.arrays()) if b is not None] for line in lines]
        for i, buffers in enumerate(used):
            for b in buffers:
                b.first, b.last = (i if b.first < 0 else b.first), i
        left = set(map(id, self._buffers.values()))
        slots = []
        for i, (line, buffers) in enumerate(zip(lines, used, strict=True)):
            for b in buffers:
                if b.slot is None and id(b) not in left:
                    over = self._overwritten(line, i, b)
                    b.slot = _Slot(b.recorded.nbytes, i, b.last) if over is None else over
                    b.slot.last = b.last
                    slots += [b.slot] * (over is None)
        size = _pack(slots)
        self.held = size + sum(m.nbytes for m in [*self._once, *(b.recorded for b in self._buffers.values())])
        return functools.partial(self._moved, np.empty(size, np.uint8))

    def forget(self) -> None:
        """Keep nothing of where the arrays lay while they were recorded."""
        self._lines.clear()
        self._kept.clear()
        self._free.clear()

    def _overwritten(self, line: Any, i: int, b: _Buffer) -> _Slot | None:
        """Return the slot of an operand that an entrywise call, line `i`, may write over: it is needed no more."""
        if not line.entrywise or len(line.targets) != 1 or self._lines.get(id(line.targets[0])) is not b:
            return None
        target = line.targets[0]
        for x in line.arguments:
            found = self._lines.get(id(x)) if isinstance(x, np.ndarray) else None
            if found is None or found is b or found.slot is None or found.last != i:
                continue
            alike = [a for a in line.arguments if self._lines.get(id(a)) is found]
            if found.recorded.nbytes == b.recorded.nbytes and all(_layout(a) == _layout(target) for a in alike):
                return found.slot
        return None

    def _moved(self, memory: Any, array: Any) -> Any:
        b = self._lines.get(id(array))
        if b is None or b.slot is None:
            return array
        within = _address(array) - _address(b.recorded)
        return np.ndarray(array.shape, array.dtype, memory, b.slot.offset + within, array.strides)


def _pack(slots: Sequence[_Slot]) -> int:
    """Place the slots, the largest first, each as low as those needed at the same time allow; return the size."""
    placed: list[_Slot] = []
    for slot in sorted(slots, key=lambda s: -s.size):
        beside = [s for s in placed if s.first <= slot.last and slot.first <= s.last]
        for s in sorted(beside, key=lambda s: s.offset):
            if slot.offset + slot.size <= s.offset:
                break
            slot.offset = max(slot.offset, s.offset + s.size)
        placed.append(slot)
    return max((s.offset + s.size for s in placed), default=0)


def _laid(memory: Any, found: Any) -> Any:
    if found.dtype.hasobject:
        raise TypeError(f"a captured step computes with numbers of NumPy's own dtypes, not with {found.dtype}")
    new = np.ndarray(found.shape, found.dtype, memory, strides=found.strides)
    new[...] = found
    return new


def _layout(a: Any) -> tuple[Any, ...]:
    """Return what must be equal for entries of two arrays to lie in the same places of their memory."""
    return a.shape, a.strides, a.itemsize, _address(a) - _address(a.base)


def _address(a: Any) -> int:
    return a.__array_interface__["data"][0]  # type: ignore[no-any-return]
