"""SymPy's symbols for the files of this package, and what decides that an expression is zero, or positive."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from minigrad.extras import need
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic.decide import Verdict, decide
from minigrad.proof.symbolic.letters import latex, letter, text  # which teaches the rules SymPy's numbers

__all__ = ["array", "latex", "letter", "positive", "positive_everywhere", "real", "sympy", "text", "vanish"]

sympy: Any = need("sympy", "proof")
_Opaque: Any = need("sympy.core.function", "proof").AppliedUndef


def positive(names: str) -> Any:
    """Return positive symbols: ``positive("a b")``."""
    return sympy.symbols(names, positive=True)


def real(names: str) -> Any:
    """Return real symbols."""
    return sympy.symbols(names, real=True)


def array(entries: Any) -> Any:
    """Return an object array of SymPy numbers, which the engine takes as it takes floats."""
    return np.array(sympy.sympify(entries), dtype=object)


def vanish(expressions: Iterable[Any]) -> tuple[bool, str]:
    """Return whether every expression is 0, and what is left of each, up to the first that is not, in numbers.

    Zero is proved by `decide`. A difference is shown by its value at a point, to forty digits: what stands under a root
    need not be a square there. UndecidedError where neither is found.
    """
    told: list[str] = []
    for x in map(sympy.sympify, expressions):
        found = _somewhere(x) or decide(x)
        if not (isinstance(found, Verdict) and found.zero):
            at, value = (found.witness, found.value) if isinstance(found, Verdict) else found
            where = ", ".join(f"{text(s)} = {text(v)}" for s, v in at.items())
            number = text(value) if value.is_Rational else f"{float(value):.6g}"
            return False, ", ".join([*told, f"{number} at {where}" if where else number])
        told.append("0")
    return True, ", ".join(told)


def _somewhere(x: Any) -> tuple[dict[Any, Any], Any] | None:
    """Return a point at which `x` is not 0, and the value, if one of two tried is such.

    An uninterpreted function is taken for the sum of its arguments: what holds for all functions holds for it. Of the
    forty digits that SymPy gives none is in doubt, so a number above 10⁻³⁰ is no rounding of 0.
    """
    x = x.replace(lambda e: isinstance(e, _Opaque), lambda e: sympy.Add(*e.args))
    symbols = sorted(x.free_symbols, key=lambda s: s.name)
    for below in (7, 0):
        at = {s: sympy.Rational(n, 1 if s.is_integer or not below else n + below) for n, s in enumerate(symbols, 2)}
        value = x.subs(at)
        size = abs(value.evalf(40)) if value.is_number else sympy.nan
        if size.is_comparable and size > sympy.Float("1e-30"):
            return at, value
    return None


def positive_everywhere(x: Any) -> bool:
    """Return whether `x` is > 0 for all values of its symbols. UndecidedError if SymPy does not know."""
    known = sympy.sympify(x).is_positive
    if known is None:
        raise UndecidedError(f"not known whether it is positive: {text(x)}")
    return bool(known)
