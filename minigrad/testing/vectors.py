"""Test vectors: ten steps of every rule behind every door, for an author in any language.

``vectors/*.json`` holds one file per variant (`names`). Numbers are hexadecimal floating constants of C and C++
("0x3p-2" is 0.75), which Python reads by ``float.fromhex`` and which are exact. A file holds

- ``step``: what one step computes, line for line, in the symbols of the book; ``symbols``: the names they stand for.
  Where a rule branches on its scalars, the lines of each branch stand under one that says where it is taken;
- ``hyper``, ``weights``, ``state`` (at the start; a list of one is one number for all weights), and ``first_t``, the t
  of the first step, or null;
- ``steps``: for each step its gradient ``g``, and for ``w`` and each entry of the state

  - ``float64``: what this library computes,
  - ``exact``: the value in exact arithmetic: a fraction "p/q", or [m, r] where the value is within r of m,
  - ``error``: a bound on |float64 − exact|,
  - ``tolerance``: what a float64 implementation of the same formula is allowed to be off by: eight times what rounding
    can do to this library's order of operations. The eight is an allowance for other orders, not a bound on them. For
    float32 it is to be multiplied by 2²⁹; all inputs are exact there, too.

`check` holds a Python implementation against them. How they are made is told in `minigrad.testing.generate`.
"""

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.proof.claims import Claim, Evidence, UndecidedError
from minigrad.proof.rounding import unit_roundoff
from minigrad.regularization.variants import VARIANTS, variant
from minigrad.rules import RULES
from minigrad.testing.runs import Make, PropertyError, outcomes

__all__ = ["Expected", "Vectors", "check", "claims", "load", "names"]

FOLDER = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class Expected:
    """What a step makes of the weights, or of one entry of the state; all per weight.

    Attributes:
        float64: what this library computes.
        exact: (m, r): the exact value is within r of m; r = 0 where it is m.
        error: a bound on |float64 − exact|.
        tolerance: what is allowed to a float64 implementation that computes in another order.
    """

    float64: Any
    exact: list[tuple[Fraction, Fraction]]
    error: Any
    tolerance: Any


@dataclass(frozen=True)
class Vectors:
    """One file: a variant, the numbers it is given, and what is expected after every step, by name ("w", "m", …)."""

    name: str
    summary: str
    formula: list[str]
    hyper: dict[str, float]
    weights: Any
    state: dict[str, Any]
    gradients: Any
    steps: list[dict[str, Expected]]


def names() -> list[str]:
    """Return the names of all files: those of the variants."""
    return list(VARIANTS)


def load(name: str) -> Vectors:
    """Return the vectors of a variant, by its name or the one it was published under.

    Raises ValueError for a name that no variant has.
    """
    found = json.loads(_stored(variant(name).name))
    known = ("w", *found["state"])
    return Vectors(
        name=found["name"],
        summary=found["summary"],
        formula=found["step"],
        hyper={n: float.fromhex(x) for n, x in found["hyper"].items()},
        weights=_floats(found["weights"]),
        state={n: _floats(x) for n, x in found["state"].items()},
        gradients=np.stack([_floats(step["g"]) for step in found["steps"]]),
        steps=[{n: _expected(step[n]) for n in known} for step in found["steps"]],
    )


def check(make: Make, name: str, dtype: Any = np.float64) -> None:
    """Hold an implementation of the variant `name` against its vectors.

    Args:
        make: ``step = make(w, **hyper)``, called with the hyperparameters by the names that ``load(name).hyper``
            lists; then ``step(g)`` returns w, or ``(w, *state)`` if the state is to be held against them too.
        name: the variant's.
        dtype: float64 or float32, what the implementation computes in.

    Raises `PropertyError` for the first number that is further from the exact one than its tolerance, ValueError for a
    name that no variant has and for weights or states of another shape, dtype or number.
    """
    given = load(name)
    scale = Fraction(unit_roundoff(dtype)) * 2**53
    run = outcomes(make, given.weights.astype(dtype), given.gradients, **given.hyper)
    for t, (found, step) in enumerate(zip(run, given.steps, strict=True), 1):
        if len(found) not in (1, len(step)):
            raise ValueError(f"step(g) returned {len(found)} arrays; {given.name} has {', '.join(step)}, in this order")
        for (entry, expected), values in zip(step.items(), found, strict=False):
            for i, ((mid, radius), x) in enumerate(zip(expected.exact, np.atleast_1d(values), strict=True)):
                tolerance = Fraction(expected.tolerance[i]) * scale
                if not (np.isfinite(x) and abs(Fraction(float(x)) - mid) <= tolerance + radius):
                    raise PropertyError(
                        f"not {given.name}: after step {t}, {entry}[{i}] = {float(x)!r}; exactly it is "
                        f"{float(mid)!r}, and rounding explains {float(tolerance):.2g}\n  a step is\n    "
                        + "\n    ".join(given.formula)
                    )


def claims(thorough: bool = False) -> list[Claim]:
    """Return what is claimed of the vectors: each file is what its variant computes, within the errors it states.

    And, as λ = η/α among their hyperparameters, that doors 2 and 3 give one file of exact weights for gradient
    descent, and for no other rule.
    """
    found = [
        Claim(
            f"{name}.vectors",
            f"the ten steps of {name} on file are what is computed anew, and float64 is within the errors stated",
            True,
            partial(_reproduced, name),
        )
        for name in names()
    ]
    return found + [
        Claim(
            f"{name}.identity",
            f"{name}_l2 and {name}_decay on file have the same exact weights after every step, at λ = η/α",
            name == "sgd",
            partial(_same_weights, name),
        )
        for name in RULES
    ]


def _reproduced(name: str) -> Evidence:
    from minigrad.testing.generate import text

    same = text(name) == _stored(name)
    beyond, attained = 0, Fraction(0)
    for step in load(name).steps:
        for expected in step.values():
            for i, (mid, radius) in enumerate(expected.exact):
                error, tolerance = abs(Fraction(expected.float64[i]) - mid), Fraction(expected.tolerance[i])
                beyond += error + radius > min(Fraction(expected.error[i]), tolerance)
                attained = max(attained, error / tolerance if tolerance else Fraction(0))
    shown = f"{'the same' if same else 'another'} file; {beyond} errors beyond what is stated; "
    shown += f"float64 uses {float(attained):.1%} of the tolerance"
    return Evidence(same and not beyond, shown, data={"same": same, "beyond": beyond, "attained": float(attained)})


def _same_weights(name: str) -> Evidence:
    coupled, decoupled = load(f"{name}_l2"), load(f"{name}_decay")
    for t, (a, b) in enumerate(zip(coupled.steps, decoupled.steps, strict=True), 1):
        pairs = zip(a["w"].exact, b["w"].exact, strict=True)
        for i, ((x, radius), (y, other)) in enumerate(pairs):
            if abs(x - y) > radius + other:
                shown = f"after step {t}, w[{i}] is {float(x):.6g} with l2 and {float(y):.6g} with decay"
                return Evidence(False, shown, data={"step": t, "weight": i, "l2": float(x), "decay": float(y)})
            if radius or other:
                raise UndecidedError(f"the balls of w[{i}] overlap after step {t}")
    return Evidence(True, f"{len(coupled.steps)} steps, {len(coupled.weights)} weights: equal fractions")


def _stored(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text(encoding="utf-8")


def _floats(x: list[str]) -> Any:
    return np.array([float.fromhex(s) for s in x])


def _expected(x: dict[str, Any]) -> Expected:
    return Expected(
        _floats(x["float64"]), [_exact(s) for s in x["exact"]], _floats(x["error"]), _floats(x["tolerance"])
    )


def _exact(x: Any) -> tuple[Fraction, Fraction]:
    return (Fraction(x), Fraction(0)) if isinstance(x, str) else (_dyadic(x[0]), _dyadic(x[1]))


def _dyadic(x: str) -> Fraction:
    """Return a hexadecimal constant of any length, exactly."""
    mantissa, exponent = x.split("p")
    return int(mantissa, 16) * Fraction(2) ** int(exponent)
