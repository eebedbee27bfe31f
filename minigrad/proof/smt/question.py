"""One question to z3, and the two answers that are accepted: a proof with its assumptions, or numbers.

A `Question` holds Python functions, not formulas. They run twice: on z3's symbols, to ask, and on `Fraction`s, to check
what came back. z3 is believed when it says that a negation is unsatisfiable; numbers that it finds are believed only
after the rule and the doors, run on them exactly, meet every assumption and miss the conclusion. Numbers of which the
roots are rational are looked for; where none are found, the conclusion is missed in balls, which hold what is exact.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType, SimpleNamespace
from typing import Any

from minigrad.extras import need
from minigrad.proof.balls.ball import Ball, precision
from minigrad.proof.claims import UndecidedError
from minigrad.proof.smt.arithmetic import definitions, root_of

z3: Any = need("z3", "proof")

__all__ = [
    "ContradictionError",
    "CounterModel",
    "Proof",
    "Question",
    "UnconfirmedError",
    "not_all",
    "reals",
    "settle",
]

Values = dict[str, Any]

# Seconds for one check. The second is for tries that may fail: for small numbers, and for leaving an assumption out.
# What the claims ask takes milliseconds, so that no answer of theirs depends on the machine.
LIMIT = 10.0
LIMIT_OF_ONE_TRY = 1.0
GIVES_UP = 3  # values of a symbol of which nothing is known

BITS = 128
EMPTY: Mapping[str, Any] = MappingProxyType({})

# Numbers a reader can check by hand, tried in this order for every symbol.
SMALL = tuple(Fraction(x) for x in ("0", "1", "1/2", "2", "-1", "1/4", "3/4", "3", "4", "1/10", "-1/2", "-2"))
ROOTS = (Fraction(1), Fraction(5, 4))  # of 1 and 1 + (3/4)²


class ContradictionError(ValueError):
    """Assumptions that cannot all be true: anything would follow from them."""


class UnconfirmedError(RuntimeError):
    """Numbers from z3 that exact rational arithmetic does not confirm."""


@dataclass(frozen=True)
class Question:
    """Does the conclusion follow from the assumptions, whatever the symbols stand for?

    Attributes:
        name: what is asked, for messages.
        symbols: z3 constants and functions by name; `reals` makes them.
        assumptions: by name, functions of a namespace of values (``lambda v: v.lr > 0``) that return a condition, or a
            list of conditions that all must hold.
        conclusion: a function likewise.
        show: returns numbers, by name, that say what a counter-model means.
        terms: returns values of functions, by name, to be made readable and reported like symbols.
        prefer: by symbol or term, numbers to try first when a model is made readable.
    """

    name: str
    symbols: Mapping[str, Any]
    assumptions: Mapping[str, Callable[[Any], Any]]
    conclusion: Callable[[Any], Any]
    show: Callable[[Any], Mapping[str, Any]] | None = None
    terms: Callable[[Any], Mapping[str, Any]] = lambda _: {}
    prefer: Mapping[str, Sequence[Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Proof:
    """The conclusion follows: its negation is unsatisfiable together with the assumptions in `core`.

    Attributes:
        core: the names of the assumptions used. None can be left out, as far as z3 can tell.
        unused: the names of the others.
        model: values for which all assumptions are true, confirmed exactly: the proof speaks of something.
    """

    core: tuple[str, ...]
    unused: tuple[str, ...]
    model: Values


@dataclass(frozen=True)
class CounterModel:
    """The conclusion does not follow: values that meet every assumption and miss it, confirmed in exact arithmetic.

    Attributes:
        values: rational numbers by symbol; functions as text.
        shown: what the question's `show` returned for them.
    """

    values: Values
    shown: Values


def reals(names: str) -> dict[str, Any]:
    """Return z3 real constants by name: ``reals("w g lr")``."""
    return {name: z3.Real(name) for name in names.split()}


def not_all(*conditions: Any) -> Any:
    """Return whether at least one condition fails, for z3's conditions and for Python's."""
    if any(isinstance(c, z3.BoolRef) for c in conditions):
        return z3.Not(z3.And(*conditions))
    return not all(conditions)


def settle(question: Question, *, limit: float = LIMIT) -> Proof | CounterModel:
    """Decide a question: prove the conclusion, or show numbers for which it is false.

    Args:
        question: what is asked.
        limit: seconds that z3 may work on one check.

    Raises:
        ContradictionError: if the assumptions contradict each other; names a smallest set that does.
        UndecidedError: if z3 answers "unknown", or knows only irrational values.
        UnconfirmedError: if exact arithmetic contradicts z3's values. That is a defect, of z3 or of the question.
    """
    symbols = SimpleNamespace(**question.symbols)
    with definitions() as roots:
        assumptions = {name: _formula(f(symbols)) for name, f in question.assumptions.items()}
        conclusion = z3.simplify(_formula(question.conclusion(symbols)), som=True)  # what is equal looks equal
    given = [*roots, *assumptions.values()]

    status, model = _small_model(question, given, limit)
    if status == "unsat":
        clash = _needed(assumptions, roots)
        raise ContradictionError(
            f"{question.name}: no values meet all of: {'; '.join(clash)}. Anything would follow from them"
        )
    if status == "unknown":
        raise UndecidedError(f"{question.name}: z3 cannot tell whether the assumptions can all be true ({model})")
    witness, example = _confirmed(question, model, expected=True), model

    status, model = _small_model(question, [*given, z3.Not(conclusion)], limit)
    if status == "unknown":
        raise UndecidedError(f"{question.name}: z3 can neither prove it nor find a counter-model ({model})")
    if status == "sat":
        return _missed(question, model, roots, [*given, z3.Not(conclusion)], limit)
    if _contradicted(question, example):
        raise UnconfirmedError(f"{question.name}: z3 proved what is false at {witness.values}")
    core = _needed(assumptions, [*roots, z3.Not(conclusion)])
    return Proof(core, tuple(name for name in assumptions if name not in core), witness.values)


def _formula(conditions: Any) -> Any:
    """Return one z3 formula for a condition, or for a list of them."""
    if isinstance(conditions, list | tuple):
        return z3.And(*(_formula(c) for c in conditions))
    return conditions if isinstance(conditions, z3.BoolRef) else z3.BoolVal(bool(conditions))


def _true(conditions: Any) -> bool:
    return all(map(_true, conditions)) if isinstance(conditions, list | tuple) else bool(conditions)


def _check(formulas: list[Any], limit: float) -> tuple[str, Any]:
    """Return "sat" and a model, "unsat" and None, or "unknown" and z3's reason."""
    solver = z3.Solver()
    solver.set("timeout", round(1000 * limit))
    solver.add(*formulas)
    status = str(solver.check())
    return status, {"sat": solver.model, "unsat": lambda: None, "unknown": solver.reason_unknown}[status]()


def _needed(assumptions: Mapping[str, Any], others: list[Any]) -> tuple[str, ...]:
    """Return names of assumptions that contradict `others`, none of which can be left out (as far as z3 can tell)."""
    core = dict(assumptions)
    for name in assumptions:
        rest = [formula for other, formula in core.items() if other != name]
        if _check([*others, *rest], LIMIT_OF_ONE_TRY)[0] == "unsat":
            del core[name]
    return tuple(core)


def _missed(question: Question, model: Any, roots: list[Any], formulas: list[Any], limit: float) -> CounterModel:
    """Return the counter-model confirmed: this one, or one of small roots, or this one in balls."""
    try:
        return _confirmed(question, model, expected=False)
    except UndecidedError as error:
        if not roots:
            raise
        unconfirmed = error
    hyper = {n: s for n, s in question.symbols.items() if n in question.prefer and n not in ("w", "g")}
    named = {str(r): r for r in map(root_of, roots)}
    asked = replace(question, prefer={**question.prefer, **dict.fromkeys(named, ROOTS)})
    status, other = _small_model(asked, formulas, limit, hyper | named)
    if status == "sat":
        with suppress(UndecidedError):
            return _confirmed(question, other, expected=False)
    with precision(BITS), suppress(UndecidedError):
        return _confirmed(question, model, expected=False, kind=Ball)
    raise unconfirmed


def _small_model(
    question: Question, formulas: list[Any], limit: float, first: Mapping[str, Any] = EMPTY
) -> tuple[str, Any]:
    """Return as `_check`, with a model of small numbers: symbol by symbol, the first that leaves the rest possible.

    Symbols that are not the question's may come `first`.
    """
    status, model = _check(formulas, limit)
    if status == "unsat":
        return status, model
    named = {**first, **question.symbols, **question.terms(SimpleNamespace(**question.symbols))}
    for name, symbol in named.items():
        unknown = 0
        for value in (*question.prefer.get(name, ()), *SMALL):
            if (
                unknown == GIVES_UP
                or not isinstance(symbol, z3.ArithRef)
                or (symbol.is_int() and Fraction(value).denominator != 1)
            ):
                continue
            found, tried = _check([*formulas, symbol == value], LIMIT_OF_ONE_TRY)
            unknown += found == "unknown"
            if found == "sat":
                status, model, formulas = found, tried, [*formulas, symbol == value]
                break
    return status, model


def _confirmed(
    question: Question, model: Any, expected: bool, kind: Callable[[Fraction], Any] = Fraction
) -> CounterModel:
    """Run the question's functions on the model's values: every assumption true, and the conclusion false.

    Of a model of the assumptions alone (`expected`), nothing is asked of the conclusion. The conclusion is computed in
    the arithmetic of `kind`.
    """
    numbers = _values(question, model)
    turned = {name: kind(x) if isinstance(x, Fraction) else x for name, x in vars(numbers).items()}
    inexact = SimpleNamespace(**turned)
    told = {name: str(value) if callable(value) else value for name, value in vars(numbers).items()}
    try:
        failed = [name for name, f in question.assumptions.items() if not _true(f(numbers))]
        missed = expected or not _true(question.conclusion(inexact))
        shown = dict(question.show(inexact)) if question.show and not expected else {}
        told.update(question.terms(numbers))
    except ZeroDivisionError as error:
        raise UnconfirmedError(f"{question.name}: z3 divides by zero at {told}; assume that it is none") from error
    except ValueError as error:  # a root that is not rational
        raise UndecidedError(f"{question.name}: no rational example was found: at {told}, {error}") from error
    if failed or not missed:
        raise UnconfirmedError(f"{question.name}: exact arithmetic contradicts z3 at {told} (not met: {failed})")
    return CounterModel(told, shown)


def _contradicted(question: Question, model: Any) -> bool:
    """Return whether a proved conclusion is false at a model of its assumptions, where it has exact values there."""
    try:
        return not _true(question.conclusion(_values(question, model)))
    except (ValueError, ZeroDivisionError):
        return False


def _values(question: Question, model: Any) -> SimpleNamespace:
    return SimpleNamespace(**{name: _value(question.name, model, s) for name, s in question.symbols.items()})


class _Table:
    """A function of z3's model: finitely many values, and one for all other arguments."""

    def __init__(self, name: str, entries: dict[Any, Any], otherwise: Any):
        self.name, self.entries, self.otherwise = name, entries, otherwise

    def __call__(self, *arguments: Any) -> Any:
        return self.entries.get(arguments, self.otherwise)

    def __str__(self) -> str:
        entries = [f"({', '.join(map(str, a))}) ↦ {value}" for a, value in self.entries.items()]
        return ", ".join([*entries, f"else {self.otherwise}"]) if entries else f"{self.otherwise} everywhere"


def _value(question: str, model: Any, symbol: Any) -> Any:
    """Return what a symbol stands for in a model: a Fraction, an int, a name, or a `_Table`."""
    if not isinstance(symbol, z3.FuncDeclRef):
        return _number(question, symbol, model.eval(symbol, model_completion=True))
    if not any(symbol.eq(known) for known in model.decls()):  # the formulas do not depend on it
        otherwise = (
            z3.RealVal(0) if symbol.range() == z3.RealSort() else model.eval(z3.FreshConst(symbol.range()), True)
        )
        return _Table(symbol.name(), {}, _number(question, symbol, otherwise))
    found = model[symbol]
    *entries, otherwise = [
        [_number(question, symbol, x) for x in entry] if isinstance(entry, list) else _number(question, symbol, entry)
        for entry in found.as_list()
    ]
    return _Table(symbol.name(), {tuple(entry[:-1]): entry[-1] for entry in entries}, otherwise)


def _number(question: str, symbol: Any, value: Any) -> Any:
    if z3.is_rational_value(value):
        return Fraction(value.numerator_as_long(), value.denominator_as_long())
    if z3.is_int_value(value):
        return value.as_long()
    if z3.is_algebraic_value(value):
        raise UndecidedError(f"{question}: z3 knows only an irrational {symbol}, near {value.as_decimal(6)}")
    return str(value)
