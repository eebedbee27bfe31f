"""What arrays are called in the listing of a recorded step, and which line of source asked for a call."""

import itertools
import linecache
import os
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad.executors.captured import value

__all__ = ["Names", "source"]


class Names:
    """Names of arrays, by their identity: whoever asks keeps the arrays."""

    def __init__(self) -> None:
        self._names: dict[int, str | list[Any]] = {}  # of a view what made it: a function, arguments, keywords
        self._count = {letter: itertools.count() for letter in "ac"}

    def own(self, array: Any) -> None:
        """Give a name to an array of the step's own."""
        self._names[id(array)] = f"a{next(self._count['a'])}"

    def given(self, array: Any, name: str) -> None:
        """Call an array by this name, unless it has one."""
        self._names.setdefault(id(array), name)

    def alias(self, array: Any, other: Any) -> None:
        """Call `array` what `other` is called."""
        self._names[id(array)] = self._names[id(other)]

    def forget(self, identity: int) -> None:
        """An array of this identity is gone."""
        del self._names[identity]

    def view(self, array: Any, function: Callable[..., Any], arguments: Any, keywords: Any) -> None:
        """Call a view by what made it, of arrays that are kept here."""
        self._names[id(array)] = [function, arguments, keywords]

    def replace(self, function: Callable[[Any], Any]) -> None:
        """Put ``function(x)`` in the place of every array that is kept here."""
        for made in [x for x in self._names.values() if not isinstance(x, str)]:
            made[1:] = value.each(function, tuple(made[1:]))

    def call(self, function: Callable[..., Any], arguments: Any, keywords: Any, last: str = "") -> str:
        """Return a call as it is written in Python; `last` stands behind its arguments."""
        texts = [*map(self.text, arguments)]
        more = [f"{key}={self.text(x)}" for key, x in keywords.items()] + ([last] if last else [])
        if function is getattr:
            return f"{texts[0]}.{arguments[1]}"
        if function is value.item:
            return f"{texts[0]}[{_inside(texts[1])}]"
        if getattr(np.ndarray, self.text(function), None) is function:
            return f"{texts[0]}.{self.text(function)}({', '.join([*texts[1:], *more])})"
        return f"{self.text(function)}({', '.join([*texts, *more])})"

    def text(self, x: Any) -> str:
        """Return what stands for `x` in a listing."""
        if isinstance(x, np.ndarray):
            if id(x) not in self._names and x.ndim == 0:
                return repr(x.item())
            if id(x) not in self._names:
                self._names[id(x)] = f"c{next(self._count['c'])}"
            name = self._names[id(x)]
            return name if isinstance(name, str) else self.call(*name)
        if isinstance(x, tuple):
            return f"({', '.join(map(self.text, x))}{',' * (len(x) == 1)})"
        if isinstance(x, list):
            return f"[{', '.join(map(self.text, x))}]"
        if isinstance(x, slice):
            ends = (x.start, x.stop) if x.step is None else (x.start, x.stop, x.step)
            return ":".join("" if end is None else str(end) for end in ends)
        if x is Ellipsis:
            return "..."
        if isinstance(x, np.generic):
            return repr(x.item())
        return _function(x) if callable(x) and not isinstance(x, type) else repr(x)


def _inside(index: str) -> str:
    return index[1:-1].removesuffix(",") if index.startswith("(") else index


def _function(x: Any) -> str:
    x = getattr(x, "func", x)  # what a partial calls
    of = getattr(x, "__self__", None)
    name = f"{of.__name__}.{x.__name__}" if isinstance(of, np.ufunc) else getattr(x, "__name__", repr(x))
    return f"np.{name}" if isinstance(of, np.ufunc) or getattr(np, name, None) is x else name


def source() -> str:
    """Return the line of source that is executed, outside of NumPy and of what records; of a kernel, the rule's."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_INNER):
        frame = frame.f_back
    file, number = frame.f_code.co_filename, frame.f_lineno
    text = linecache.getline(file, number).strip()
    while file.startswith("<") and not text.startswith("#") and number > 1:
        number -= 1
        text = linecache.getline(file, number).strip()
    return text.removeprefix("# ")


_HERE = os.path.dirname(__file__)
_INNER = (os.path.dirname(np.__file__), _HERE, os.path.join(os.path.dirname(os.path.dirname(_HERE)), "backend.py"))
