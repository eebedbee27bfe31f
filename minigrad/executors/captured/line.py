"""A call of NumPy's in a recorded step."""

import operator
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minigrad.executors.captured.names import Names
from minigrad.executors.captured.value import arrays, each, item

__all__ = ["Line"]

_OUT_BY_NAME = {np.maximum, np.minimum}  # which may mean something else by a third argument


class Line:
    """A call, and the arrays that it writes.

    Attributes:
        function, arguments, keywords: of the call.
        targets: the arrays that are written; () where only the function knows.
        way: how the targets get the result: as the last arguments ("last"), as ``out=`` ("out"), by an assignment of
            what the function returns ("assigned"), or within the call ("inside").
        state: how floating-point errors are treated, where the step said so itself, or None.
        source: the line of source that asked for it.
    """

    def __init__(
        self, function: Callable[..., Any], arguments: Any, keywords: Any, targets: Any, way: str, state: Any,
        source: str,
    ):  # fmt: skip
        self.function = function
        self.arguments = arguments
        self.keywords = keywords
        self.targets = targets
        self.way = way
        self.state = state
        self.source = source

    @property
    def entrywise(self) -> bool:
        """Whether each entry of the target is made of entries that lie in the same place of the operands."""
        return isinstance(self.function, np.ufunc) and self.function.signature is None and self.way == "last"

    def arrays(self) -> Iterator[Any]:
        """Yield all arrays that are read or written."""
        return arrays((self.arguments, self.keywords, self.targets))

    def replace(self, function: Callable[[Any], Any]) -> None:
        """Put ``function(x)`` in the place of every x in the call."""
        self.arguments, self.keywords, self.targets = each(function, (self.arguments, self.keywords, self.targets))

    def listed(self, names: Names) -> str:
        """Return the call as a reader wants it."""
        target = ", ".join(map(names.text, self.targets))
        if self.function is operator.setitem:
            array, index, x = self.arguments
            text = f"{names.call(item, (array, index), {})} = {names.text(x)}"
        elif self.function is np.copyto and len(self.arguments) == 2:
            text = f"{target}[...] = {names.text(self.arguments[1])}"
        elif self.way == "assigned":
            text = f"{target}[...] = {names.call(self.function, self.arguments, self.keywords)}"
        else:
            last = f"out={target}" if self.way in ("last", "out") else ""
            text = names.call(self.function, self.arguments, self.keywords, last)
        if self.state is None:
            return text
        usual = dict(np.geterr())
        own = ", ".join(f"{kind}={how!r}" for kind, how in self.state.items() if how != usual[kind])
        return f"with np.errstate({own}):\n    {text}"

    def statement(self, name: Callable[[Any], str]) -> str:
        """Return the call as it is fastest, with everything in it called as `name` says."""
        given = [name(x) for x in self.arguments]
        more = [f"{key}={name(x)}" for key, x in self.keywords.items()]
        targets = [name(x) for x in self.targets]
        if self.way == "out" or (self.way == "last" and self.function in _OUT_BY_NAME):
            more.append(f"out={targets[0]}")
        elif self.way == "last":
            given += targets
        call = f"{name(self.function)}({', '.join(given + more)})"
        if self.way == "assigned":
            call = f"{targets[0]}[...] = " + (f"{given[0]}[{given[1]}]" if self.function is item else call)
        return call if self.state is None else f"with {name(np.errstate)}(**{name(self.state)}): {call}"
