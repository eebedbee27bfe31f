"""The value of an expression at rational numbers: exact where its roots are rational, in a ball where they are not."""

import operator
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

from minigrad.extras import need
from minigrad.proof.balls.ball import Ball, precision
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic.letters import Expr, fraction
from minigrad.rules.functions import maximum, sign, sqrt

sympy: Any = need("sympy", "proof")

__all__ = ["ball", "met", "number"]

At = Mapping[Expr, Fraction]

BITS = 128

_ORDER = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}


def number(x: Expr, at: At, kind: Callable[[Fraction], Any] = Fraction) -> Any:
    """Return the value of an expression in the arithmetic of `kind`, into which every number is turned.

    Raises ValueError where a root is irrational, TypeError for a function that numbers do not have.
    """
    if x.is_Symbol:
        return kind(at[x])
    if x.is_Rational:
        return kind(fraction(x))
    if x.is_Pow:
        exponent = number(x.exp, at)
        base = number(x.base, at, kind)
        if exponent.denominator == 1:
            return base ** int(exponent)
        if exponent.denominator == 2:
            return sqrt(base) ** int(2 * exponent)
        raise ValueError(f"{x.base} to the power of {exponent} is not rational")
    parts = [number(a, at, kind) for a in x.args]
    if x.is_Add:
        return sum(parts[1:], parts[0])
    if x.is_Mul:
        return reduce(operator.mul, parts)
    if isinstance(x, sympy.Max):
        return reduce(maximum, parts)
    if isinstance(x, sympy.Abs):
        return abs(parts[0])
    if isinstance(x, sympy.sign):
        return sign(parts[0])
    raise TypeError(f"no arithmetic for {x}")


def ball(x: Expr, at: At) -> Ball:
    """Return a ball that holds the value of an expression. Raises UndecidedError where a sign in it is not certain."""
    with precision(BITS):
        return Ball(number(x, at, Ball))


def met(relations: Sequence[Expr], at: At) -> bool:
    """Return whether relations of order, as SymPy writes them, are true of numbers. False where one makes no sense."""
    try:
        return all(_true(r, at) for r in relations)
    except (ZeroDivisionError, UndecidedError):
        return False


def _true(r: Expr, at: At) -> bool:
    if r in (sympy.true, sympy.false):
        return bool(r)
    try:
        left, right = number(r.lhs, at), number(r.rhs, at)
    except ValueError:  # an irrational root
        left, right = ball(r.lhs, at), ball(r.rhs, at)
    return bool(_ORDER[r.rel_op](left, right))
