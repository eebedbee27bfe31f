"""The rules' square root, sign and maximum, for z3's real numbers.

A root is a new symbol r with its definition beside it: x ≥ 0 ⇒ r ≥ 0 and r·r = x. For every x there is such an r, so a
definition never narrows what is assumed; of a negative number it says nothing, and a proof that needs it fails.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from minigrad.extras import need
from minigrad.rules.functions import exp, maximum, sign, sqrt

z3: Any = need("z3", "proof")

__all__ = ["definitions", "root_of"]

_collected: ContextVar[list[Any] | None] = ContextVar("definitions of roots", default=None)


@contextmanager
def definitions() -> Iterator[list[Any]]:
    """Collect the definitions of the roots taken inside; they belong to every formula that was built there."""
    found: list[Any] = []
    token = _collected.set(found)
    try:
        yield found
    finally:
        _collected.reset(token)


def root_of(definition: Any) -> Any:
    """Return the root that a definition defines."""
    return definition.arg(1).arg(0).arg(0)


@sqrt.register(z3.ArithRef)
def _(x: Any) -> Any:
    collected = _collected.get()
    if collected is None:
        raise RuntimeError("the root of a z3 number needs its definition: take it inside `with definitions() as found`")
    root = z3.Real(f"root {len(collected) + 1}")
    collected.append(z3.Implies(x >= 0, z3.And(root >= 0, root * root == x)))
    return root


@sign.register(z3.ArithRef)
def _(x: Any) -> Any:
    return z3.If(x > 0, z3.RealVal(1), z3.If(x < 0, z3.RealVal(-1), z3.RealVal(0)))


@maximum.register(z3.ArithRef)
def _(x: Any, y: Any) -> Any:
    return z3.If(x >= y, x, y)


@exp.register(z3.ArithRef)
def _(x: Any, base: Any) -> Any:
    return z3.RealVal(base) ** x
