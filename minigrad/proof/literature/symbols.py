"""SymPy's symbols for the files of this package, and how they decide that an expression is zero."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.extras import need
from minigrad.proof.symbolic.letters import latex, letter, text  # which teaches the rules SymPy's numbers

__all__ = ["all_zero", "array", "latex", "letter", "listed", "positive", "real", "sympy", "text"]

sympy: Any = need("sympy", "proof")


def positive(names: str) -> Any:
    """Return positive symbols: ``positive("a b")``."""
    return sympy.symbols(names, positive=True)


def real(names: str) -> Any:
    """Return real symbols."""
    return sympy.symbols(names, real=True)


def array(entries: Any) -> Any:
    """Return an object array of SymPy numbers, which the engine takes as it takes floats."""
    return np.array(sympy.sympify(entries), dtype=object)


def all_zero(expressions: Iterable[Any]) -> bool:
    """Return whether every expression is 0. True is a proof, by SymPy; False may only mean that none was found."""
    return all(_value_somewhere(x) is None and sympy.simplify(x) == 0 for x in map(sympy.sympify, expressions))


def listed(expressions: Iterable[Any]) -> str:
    """Return expressions on one line; one that is not 0 somewhere and long is told by its value there."""
    found = []
    for x in map(sympy.sympify, expressions):
        somewhere = _value_somewhere(x)
        if somewhere is None or len(str(x)) < 100:
            found.append(text(sympy.simplify(x)))
        else:
            at = ", ".join(f"{text(s)} = {v}" for s, v in somewhere[0].items())
            found.append(f"{float(somewhere[1]):.6g} at {at}")
    return ", ".join(found)


def _value_somewhere(x: Any) -> tuple[dict[Any, Any], Any] | None:
    """Return a point at which x is not 0, and the value, if the one tried is; it spares many a simplification."""
    symbols = sorted(x.free_symbols, key=lambda s: s.name)
    at = {s: sympy.Integer(n) if s.is_integer else sympy.Rational(n, n + 7) for n, s in enumerate(symbols, 2)}
    value = x.subs(at)
    if not value.is_number or not value.is_finite:
        return None
    value = value.evalf(40)  # of which a hundred operations leave more than the 30 digits that are asked for
    return (at, value) if value.is_comparable and abs(value) > sympy.Float("1e-30") else None
