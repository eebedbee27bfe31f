"""Branches: a step may ask what depends on scalars alone, and each sequence of answers is a trace of its own."""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from minigrad.executors.trace import (
    COMPARISONS,
    OPERATIONS,
    OPPOSITE,
    Apply,
    Constant,
    Expression,
    Statement,
    Symbol,
    Trace,
    UntraceableError,
    trace,
)

__all__ = ["MOST", "branches", "holds", "relations", "trace_at"]

MOST = 64  # traces of one step


def trace_at(
    step: Callable[..., Any],
    state: Iterable[str],
    numbers: Mapping[str, Any],
    scalars: Collection[str] = (),
    columns: Collection[str] = (),
) -> Trace:
    """Trace `step` along the branches that it takes at `numbers`: hyperparameters and scalar state by name.

    The numbers decide the branches and do not enter the trace, in which they are symbols; the `columns` decide none.
    """

    def decide(comparison: str, operands: tuple[Expression, ...], statements: list[Statement]) -> bool:
        return bool(_answered(comparison, operands, _Scalars(statements, numbers)))

    return trace(step, state, [name for name in numbers if name not in scalars], scalars, decide, columns)


def holds(traced: Trace, numbers: Mapping[str, Any]) -> bool:
    """Return whether the step takes the branches of `traced` at `numbers`; no scalar is computed that it would not."""
    scalars = _Scalars(traced.statements, numbers)
    return all(_answered(c.comparison, c.operands, scalars) == c.answer for c in traced.conditions)


def relations(traced: Trace, numbers: Mapping[str, Any]) -> list[Any]:
    """Return what must be true for the step to take the branches of `traced`, in the arithmetic of `numbers`.

    On numbers these are booleans, on symbols whatever their comparisons are: a no is the opposite comparison.

    Raises UntraceableError unless all comparisons are of order: of symbols, ``==`` is seldom what it looks like.
    """
    scalars = _Scalars(traced.statements, numbers)
    if other := [c.comparison for c in traced.conditions if c.comparison not in ("lt", "le", "gt", "ge")]:
        raise UntraceableError(f"the step asks {other[0]!r} of scalars, of which symbols know too little")
    asked = [(c.comparison if c.answer else OPPOSITE[c.comparison], c.operands) for c in traced.conditions]
    return [_answered(comparison, operands, scalars) for comparison, operands in asked]


def branches(
    step: Callable[..., Any],
    state: Iterable[str],
    hyper: Iterable[str],
    scalars: Collection[str] = (),
    columns: Collection[str] = (),
) -> tuple[Trace, ...]:
    """Return the traces of `step` for all answers to what it asks of scalars, with the answer yes first.

    A sequence of answers under which the step itself raises (because it refuses a number) has no trace.

    Raises:
        UntraceableError: as `minigrad.executors.trace.trace`, or there are more than `MOST` sequences.
    """
    state, hyper = tuple(state), tuple(hyper)
    found: list[Trace] = []
    path: list[bool] = []
    for _ in range(MOST):
        told = _Told(path)
        try:
            found.append(trace(step, state, hyper, scalars, told, columns))
        except UntraceableError:
            raise
        except (ArithmeticError, ValueError):
            if not told.answers:
                raise
        following = told.next()
        if following is None:
            return tuple(found)
        path = following
    raise UntraceableError(f"the step branches on scalars in more than {MOST} ways")


class _Told:
    """Answers as it was told, and yes to what goes beyond."""

    def __init__(self, answers: list[bool]):
        self.answers = list(answers)
        self._asked = 0

    def __call__(self, comparison: str, operands: tuple[Expression, ...], statements: list[Statement]) -> bool:
        if self._asked == len(self.answers):
            if self._asked == MOST:
                raise UntraceableError(f"the step asks more than {MOST} questions about scalars: {comparison}")
            self.answers.append(True)
        self._asked += 1
        return self.answers[self._asked - 1]

    def next(self) -> list[bool] | None:
        """Return the next sequence of answers to try: the last yes becomes a no."""
        if True not in self.answers:
            return None
        last = len(self.answers) - self.answers[::-1].index(True) - 1
        return [*self.answers[:last], False]


class _Scalars:
    """Values of scalar symbols, each computed when it is first asked for."""

    def __init__(self, statements: Iterable[Statement], numbers: Mapping[str, Any]):
        self._source = {s.target: s.expression for s in statements}
        self._numbers = numbers
        self._known: dict[Symbol, Any] = {}

    def value(self, x: Expression) -> Any:
        match x:
            case Constant(number):
                return number
            case Symbol(name):
                if x not in self._known:
                    self._known[x] = self.value(self._source[x]) if x in self._source else self._numbers[name]
                return self._known[x]
            case Apply(operation, operands):
                return OPERATIONS[operation](*map(self.value, operands))


def _answered(comparison: str, operands: tuple[Expression, ...], scalars: _Scalars) -> Any:
    return COMPARISONS[comparison](*map(scalars.value, operands))
