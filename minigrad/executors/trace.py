"""The tracer: run a step once on symbols, and write down what it did, under the names its source gives to things.

A step (`minigrad.regularization.doors`) is a pure function of ``(w, g, *state, **hyper)``. Called on symbols instead
of arrays it computes expressions. While it runs, a local trace function looks, after every line, for local names that
were newly bound to an expression: each is one statement. So a trace has the source's own names, in the order of
execution, across rule and door, and no emitter (NumPy, CUDA, LaTeX, a flat listing) ever parses source.

Arrays and scalars are told apart: what depends on scalars alone can be computed once per step on the host, and may
branch: the trace then holds under the conditions that it met (`minigrad.executors.branches`). Between them stand
columns: hyperparameters of which each of many models, the rows of the arrays, has its own. What depends on scalars and
columns alone is computed on the host too, once per step and row, and does not branch.
"""

import operator
import sys
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import CodeType, FrameType
from typing import Any, Literal, NoReturn

from minigrad.rules import functions

__all__ = [
    "COMPARISONS", "OPERATIONS", "OPPOSITE", "Apply", "Condition", "Constant", "Decide", "Expression", "Kind",
    "Statement", "Symbol", "Trace", "UnlistableError", "UntraceableError", "evaluate", "trace",
]  # fmt: skip

Kind = Literal["array", "column", "scalar"]


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that stands in the source."""

    value: Any

    @property
    def kind(self) -> Kind:
        """A number is a scalar."""
        return "scalar"


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name: an input of the step (version 0), or what the statement of that name and version computed."""

    name: str
    kind: Kind
    version: int = 0


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of `OPERATIONS` applied to operands."""

    operation: str
    operands: "tuple[Expression, ...]"

    @property
    def kind(self) -> Kind:
        """What is computed from any array is an array, and else from any column a column."""
        kinds = {x.kind for x in self.operands}
        return "array" if "array" in kinds else "column" if "column" in kinds else "scalar"


Expression = Constant | Symbol | Apply


@dataclass(frozen=True, slots=True)
class Statement:
    """``target ← expression``, and where in the source it stands."""

    target: Symbol
    expression: Expression
    file: str
    line: int

    @property
    def name(self) -> str:
        """The local name that the source gives to the value."""
        return self.target.name


@dataclass(frozen=True, slots=True)
class Condition:
    """What the step asked of scalars, a function of `COMPARISONS` applied to operands, and the answer it was given."""

    comparison: str
    operands: tuple[Expression, ...]
    answer: bool


@dataclass(frozen=True, slots=True)
class Trace:
    """What a step does: statements to be executed in order, and the symbols of ``(w, *state)`` afterwards.

    It does so where the conditions hold, in the order in which the step asked: a later one may make no sense where an
    earlier one fails.
    """

    inputs: tuple[Symbol, ...]
    statements: tuple[Statement, ...]
    results: tuple[Symbol, ...]
    conditions: tuple[Condition, ...] = ()


class UntraceableError(TypeError):
    """A step does what no trace can say; the message names the line."""


class UnlistableError(UntraceableError, ValueError):
    """What a step computes is no flat list of statements that ends with ``(w, *state)``."""


# Answers a condition: given the comparison, its operands, and the statements made so far.
Decide = Callable[[str, tuple[Expression, ...], list[Statement]], bool]


# What a step may use. The names are those of Python's `operator`, and of `minigrad.rules.functions`.
OPERATIONS: dict[str, Callable[..., Any]] = {
    name: getattr(operator, name) for name in ("add", "sub", "mul", "truediv", "neg", "abs")
} | {name: getattr(functions, name) for name in ("sqrt", "sign", "maximum")}
OPERATIONS["pow"] = lambda base, x: functions.exp(x, base)

# What may be asked of scalars, and which question has the opposite answer.
COMPARISONS: dict[str, Callable[..., bool]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge", "truth")
}
OPPOSITE = {"eq": "ne", "ne": "eq", "lt": "ge", "ge": "lt", "gt": "le", "le": "gt"}


def trace(
    step: Callable[..., Any],
    state: Iterable[str],
    hyper: Iterable[str] | Mapping[str, Any],
    scalars: Collection[str] = (),
    decide: Decide | None = None,
    columns: Collection[str] = (),
) -> Trace:
    """Run `step` once on symbols and return what it did.

    Args:
        step: called as ``step(w, g, *state, **hyper)``, to return ``(new w, *new state)``.
        state: names of the state arrays (`minigrad.rules.state_names`).
        hyper: names of the hyperparameters. In a mapping, a name may be given a number, with which it is traced: a
            step that branches on a scalar is traced for one value of it. None stands for a symbol.
        scalars: those of the state that are one number (`minigrad.rules.scalar_state`).
        decide: answers what the step asks of scalars. Without it, a step that branches on a symbol is refused.
        columns: those of the hyperparameters of which each row of the arrays has its own (`Column`).

    Raises:
        UntraceableError: (a TypeError that names the line) the step branches on what depends on an array or a column,
            branches on a scalar that has no value, writes in place, or applies a function that is not in `OPERATIONS`;
            or a scalar state depends on a column.
        UnlistableError: (a ValueError too) it uses a value whose name has since been given to another one, so that no
            flat list of statements can say what it does; or its results are not ``(w, *state)``.

    The trace function of the thread (a debugger's, or coverage's) is suspended meanwhile, and restored.
    """
    tracer = _Tracer()
    names = ("w", *state)
    given: Mapping[str, Any] = hyper if isinstance(hyper, Mapping) else dict.fromkeys(hyper)
    w, *states = [tracer.input(name, "scalar" if name in scalars else "array") for name in names]
    g = tracer.input("g", "array")
    numbers = {k: tracer.input(k, "column" if k in columns else "scalar") if x is None else x for k, x in given.items()}
    with _answering(tracer, decide):
        returned = tracer.run(step, (w, g, *states), numbers)
    if not isinstance(returned, tuple) or len(returned) != len(names):
        raise UnlistableError(f"a step returns a tuple of {', '.join(names)}, got {returned!r}")
    for name, value in zip(names, returned, strict=True):
        if not isinstance(value, _Value):
            raise UnlistableError(f"the step's result {name} does not depend on its arguments: {value!r}")
        if not value.named:
            tracer.bind(name, value, *tracer.end)
    results = tuple(value.called({name}) for name, value in zip(names, returned, strict=True))
    for name, result in zip(names, results, strict=True):
        if name in scalars and result.kind == "array":
            raise UnlistableError(f"the state {name} is one number, but the step computes it from arrays")
        if name in scalars and result.kind == "column":
            found = _columns((result,), tracer.statements)
            raise UntraceableError(f"the state {name} is one number for all models, but it would depend on {found}")
    kept = _without_idle_names(tracer.statements, results, tracer.conditions)
    done = Trace(tuple(tracer.inputs), kept, results, tuple(tracer.conditions))
    _check_order(done)
    return done


def evaluate(trace: Trace, values: Mapping[str, Any]) -> tuple[Any, ...]:
    """Execute a trace on numbers or arrays, one operation at a time, in the order and grouping of the source.

    Hence the results equal those of the step itself to the last bit. `values` holds ``w``, ``g``, the state and the
    hyperparameters by name; the new ``(w, *state)`` are returned.
    """
    known: dict[Symbol, Any] = {symbol: values[symbol.name] for symbol in trace.inputs}

    def value(x: Expression) -> Any:
        match x:
            case Constant(number):
                return number
            case Symbol():
                return known[x]
            case Apply(operation, operands):
                return OPERATIONS[operation](*map(value, operands))

    for statement in trace.statements:
        known[statement.target] = value(statement.expression)
    return tuple(known[symbol] for symbol in trace.results)


class _Value:
    """What a step computes with while it is traced: an expression and, once the source has named it, its names."""

    __slots__ = ("_symbols", "expression")

    __array_ufunc__ = None  # NumPy's functions are refused, an array on the left defers
    __hash__ = object.__hash__

    def __init__(self, expression: Expression):
        self.expression = expression
        self._symbols: list[Symbol] = []

    @property
    def named(self) -> bool:
        """Whether the source has given this value a name."""
        return bool(self._symbols)

    def name(self, symbol: Symbol) -> None:
        """Give this value a name, its first or one more."""
        self._symbols.append(symbol)

    def called(self, names: Container[str]) -> Symbol:
        """Return the newest symbol of this value that has one of the `names`, or else its first."""
        return next((s for s in reversed(self._symbols) if s.name in names), self._symbols[0])

    def __repr__(self) -> str:
        return str(self._symbols[0] if self.named else self.expression)

    def _in_place(self, _: object) -> Any:
        raise UntraceableError(
            f"{_place()}: a step is a pure function, and x += y would write into an array; say x = x + y"
        )

    __iadd__ = __isub__ = __imul__ = __itruediv__ = __ipow__ = _in_place


def _expressions(operands: Iterable[Any]) -> tuple[Expression, ...] | None:
    """Return operands as a line of the source reads them, or None if one is neither a value nor a number."""
    found: list[Expression] = []
    for x in operands:
        if isinstance(x, _Value):
            found.append(x.called(_names_of(x)) if x.named else x.expression)
        elif isinstance(x, int | float) or hasattr(x, "numerator"):
            found.append(Constant(x))
        else:
            return None
    return tuple(found)


def _apply(operation: str, *operands: Any) -> Any:
    """Return the value of an operation, or NotImplemented for an operand that is neither a value nor a number."""
    expressions = _expressions(operands)
    return NotImplemented if expressions is None else _Value(Apply(operation, expressions))


# Answers what the step that is traced in this context asks of scalars.
_answer: ContextVar[Callable[[str, tuple[Expression, ...]], bool] | None] = ContextVar("answer", default=None)


def _compare(comparison: str, *operands: Any) -> Any:
    """Return the answer to a comparison of scalars, which is a plain boolean; refuse to compare arrays."""
    expressions = _expressions(operands)
    if expressions is None:
        return NotImplemented
    if any(x.kind == "array" for x in expressions):
        raise UntraceableError(
            f"{_place()}: what depends on arrays may not branch; use maximum, sign or abs, which act on each entry"
        )
    answer = _answer.get()
    return _unknown() if answer is None else answer(comparison, expressions)


def _unknown() -> NoReturn:
    raise UntraceableError(
        f"{_place()}: the step branches on a scalar whose value is not known while it is traced; give the "
        'number, e.g. hyper={"t": 1}'
    )


@contextmanager
def _answering(tracer: "_Tracer", decide: Decide | None) -> Iterator[None]:
    """Let `decide` answer what is asked while `tracer` runs, the same question once."""

    def answer(comparison: str, operands: tuple[Expression, ...]) -> bool:
        for known in tracer.conditions:
            if (known.comparison, known.operands) == (comparison, operands):
                return known.answer
        if any(x.kind == "column" for x in operands):
            on = _columns(operands, tracer.statements)
            raise UntraceableError(f"{_place()}: all models take one branch, and it would depend on {on}")
        if decide is None:
            _unknown()
        found = decide(comparison, operands, tracer.statements)
        tracer.conditions.append(Condition(comparison, operands, found))
        return found

    token = _answer.set(answer)
    try:
        yield
    finally:
        _answer.reset(token)


def _method(operation: str, *, reflected: bool = False) -> Callable[..., Any]:
    if reflected:
        return lambda x, y: _apply(operation, y, x)
    return lambda *operands: _apply(operation, *operands)


def _question(comparison: str) -> Callable[..., Any]:
    return lambda *operands: _compare(comparison, *operands)


for _name in ("add", "sub", "mul", "truediv", "pow"):
    setattr(_Value, f"__{_name}__", _method(_name))
    setattr(_Value, f"__r{_name}__", _method(_name, reflected=True))
for _name in ("neg", "abs"):
    setattr(_Value, f"__{_name}__", _method(_name))
for _name in COMPARISONS:
    setattr(_Value, "__bool__" if _name == "truth" else f"__{_name}__", _question(_name))
functions.sqrt.register(_Value, _method("sqrt"))
functions.sign.register(_Value, _method("sign"))
functions.maximum.register(_Value, _method("maximum"))
functions.exp.register(_Value, _method("pow", reflected=True))


class _Tracer:
    """Watches the frames of a step, and collects the statements."""

    def __init__(self) -> None:
        self.inputs: list[Symbol] = []
        self.statements: list[Statement] = []
        self.conditions: list[Condition] = []
        self.end = ("", 0)  # where the step returned
        self._latest: dict[str, _Value] = {}  # what each name was last given to
        self._versions: dict[str, int] = {}

    def input(self, name: str, kind: Kind) -> _Value:
        if name in self._latest:
            raise UnlistableError(f"two arguments of the step are called {name}")
        symbol = Symbol(name, kind)
        self.inputs.append(symbol)
        return self._name(symbol, _Value(symbol))

    def bind(self, name: str, value: _Value, file: str, line: int) -> None:
        """Record that `name` was given to `value` in that line."""
        version = self._versions.get(name, 0) + 1
        symbol = Symbol(name, value.expression.kind, version)
        expression = value.called(()) if value.named else value.expression
        self.statements.append(Statement(symbol, expression, file, line))
        self._name(symbol, value)

    def _name(self, symbol: Symbol, value: _Value) -> _Value:
        value.name(symbol)
        self._latest[symbol.name] = value
        self._versions[symbol.name] = symbol.version
        return value

    def run(self, step: Callable[..., Any], arguments: tuple[Any, ...], numbers: Mapping[str, Any]) -> Any:
        """Call `step` with the trace function in place."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            return step(*arguments, **numbers)
        except UntraceableError:
            raise
        except (TypeError, AttributeError) as error:  # from a function that cannot compute with values
            raise UntraceableError(
                f"{_origin(error)}: {error}. While a step is traced it computes with symbols, which know "
                "+ - * / **, abs, and sqrt, sign, maximum and exp of minigrad.rules"
            ) from error
        finally:
            sys.settrace(before)

    def _called(self, frame: FrameType, event: str, argument: Any) -> Any:
        """Look at a new frame: an argument that has no name yet takes the parameter's, one that has one passes by."""
        caller = frame.f_back
        if _is_machinery(frame.f_globals) or caller is None:
            return None
        seen = {name: value for name, value in frame.f_locals.items() if isinstance(value, _Value)}
        for name, value in seen.items():
            if not value.named:
                self.bind(name, value, caller.f_code.co_filename, caller.f_lineno)
        return self._watcher(frame.f_code, seen, frame.f_lineno)

    def _watcher(self, code: CodeType, seen: dict[str, _Value], line: int) -> Callable[..., Any]:
        """Return the local trace function of a frame, called before each of its lines and when it returns."""

        def watch(frame: FrameType, event: str, argument: Any) -> Any:
            nonlocal line
            for name, value in frame.f_locals.items():
                if isinstance(value, _Value) and seen.get(name) is not value:
                    seen[name] = value
                    if self._latest.get(name) is not value:
                        self.bind(name, value, code.co_filename, line)
            line = frame.f_lineno
            if event == "return":
                self.end = (code.co_filename, line)  # the outermost frame returns last
            return watch

        return watch


def _is_machinery(module: Mapping[str, Any]) -> bool:
    """True for modules whose local names are not mathematics: this one, the generic functions, libraries."""
    name = str(module.get("__name__", ""))
    return name in (__name__, functions.__name__) or name.partition(".")[0] in {"numpy", *sys.stdlib_module_names}


def _own_frame() -> FrameType | None:
    """Return the innermost frame that is the step's own."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and _is_machinery(frame.f_globals):
        frame = frame.f_back
    return frame


def _place() -> str:
    """Return ``file:line`` of the line that the step is at."""
    frame = _own_frame()
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else "in the step"


def _origin(error: BaseException) -> str:
    """Return ``file:line`` of the step's own line, the last one that led to `error`."""
    at, found = error.__traceback__, "in the step"
    while at is not None:
        if not _is_machinery(at.tb_frame.f_globals):
            found = f"{at.tb_frame.f_code.co_filename}:{at.tb_lineno}"
        at = at.tb_next
    return found


def _names_of(value: _Value) -> set[str]:
    """Return what the line that the step is at may call `value`."""
    frame = _own_frame()
    return {name for name, x in frame.f_locals.items() if x is value} if frame else set()


def _read(x: Expression) -> set[Symbol]:
    """Return the symbols that an expression reads."""
    return set().union(*map(_read, x.operands)) if isinstance(x, Apply) else {x} if isinstance(x, Symbol) else set()


def _columns(read: Iterable[Expression], statements: list[Statement]) -> str:
    """Return which columns expressions depend on, in words."""
    source = {s.target: s.expression for s in statements}
    left, found = set().union(*map(_read, read)), set()
    while left:
        x = left.pop()
        if x in source:
            left |= _read(source[x])
        elif x.kind == "column":
            found.add(x.name)
    return f"{' and '.join(sorted(found))}, of which each model has its own"


def _without_idle_names(
    statements: list[Statement], results: tuple[Symbol, ...], conditions: list[Condition]
) -> tuple[Statement, ...]:
    """Leave out second names for a value, ``x ← y``, by which nothing ever calls it."""
    read = set(results).union(*(_read(s.expression) for s in statements))
    read = read.union(*(_read(x) for c in conditions for x in c.operands))
    return tuple(s for s in statements if s.target in read or not isinstance(s.expression, Symbol))


def _check_order(trace: Trace) -> None:
    """Refuse a trace in which a name is read after it was given to another value."""
    current = {symbol.name: symbol for symbol in trace.inputs}

    def check(read: Iterable[Symbol], where: str) -> None:
        for x in read:
            if current[x.name] != x:
                raise UnlistableError(f"{where}: uses an earlier {x.name}, whose name was since given to another value")

    for statement in trace.statements:
        check(_read(statement.expression), f"{statement.file}:{statement.line}")
        current[statement.name] = statement.target
    check(trace.results, "the results")
