"""Exact entries: which types they have, how they are made, and how a float among them is found.

A float that meets a Fraction silently makes a float of it; `flint.fmpq` refuses to meet one. So every proof runs on
flint's rationals first, where a leak raises on the spot, and then on Fractions, where the type of every entry is read.
"""

from fractions import Fraction
from typing import Any

import numpy as np

from minigrad.extras import need
from minigrad.regularization.checks import Number
from minigrad.rules import functions

__all__ = ["KINDS", "LeakError", "array", "check", "convert"]

flint: Any = need("flint", "proof")
fmpq: Any = flint.fmpq

KINDS: dict[str, Any] = {"fmpq": fmpq, "Fraction": Fraction}  # in the order in which proofs run on them


class LeakError(TypeError):
    """An entry that should be exact has another type."""


def convert(x: Any, kind: Any) -> Any:
    """Return the rational number `x` (an int or Fraction) as a `kind`; TypeError for a float, which may be rounded."""
    if isinstance(x, kind):
        return x
    if isinstance(x, bool) or not isinstance(x, int | Fraction):
        raise TypeError(f"exact numbers are made of integers and Fractions, got {type(x).__name__} {x!r}")
    return kind(x.numerator, x.denominator)


def array(values: Any, kind: Any) -> Any:
    """Return nested lists (or an array) of integers and Fractions as an object array of `kind`."""
    given = np.asarray(values, dtype=object)
    found = np.empty(given.shape, dtype=object)
    for place in np.ndindex(given.shape):
        found[place] = convert(given[place], kind)
    return found


def check(kind: Any, **named: Any) -> int:
    """Return how many entries the named arrays have, each of which has the type `kind`.

    Raises LeakError for the first that has not, naming the array, the place, the type and the value.
    """
    count = 0
    for name, values in named.items():
        entries = np.asarray(values)
        for place in np.ndindex(entries.shape):
            entry = entries[place]
            if type(entry) is not kind:
                where = f"{name}[{', '.join(map(str, place))}]" if place else name
                raise LeakError(f"{where} is {type(entry).__name__} {entry!r}, expected {kind.__name__}")
        count += entries.size
    return count


# --- what flint's rationals are taught --------------------------------------------------------------------------------

Number.register(fmpq)


@functions.maximum.register(fmpq)
def _(x: Any, y: Any) -> Any:
    return max(fmpq(y), x)


@functions.sign.register(fmpq)
def _(x: Any) -> Any:
    return fmpq(int(x > 0) - int(x < 0))


@functions.sqrt.register(fmpq)
def _(x: Any) -> Any:
    if x < 0 or not (x.p.is_square() and x.q.is_square()):
        raise ValueError(f"sqrt of {x} is not rational; choose numbers whose roots are, or use floats")
    return fmpq(x.p.isqrt(), x.q.isqrt())
