"""How the test vectors are made: exact numbers through the very steps that train.

A variant whose numbers stay rational is run in Fractions; one that takes roots, in arb balls of `PRECISION` bits, which
contain the exact value by construction. Then the same steps in float64, as this library trains; the distance to the
exact value is the stated error. And the same steps in balls of `COARSE` bits, whose radii add up what rounding every
operation in this order can do. In units of that arithmetic's roundoff, and times `ROOM`, they are the tolerance for
somebody else's float64. `ROOM` is an allowance for other orders of the operations, chosen and not derived: there is no
end to the ways of writing a formula, and no bound on them all. (Balls of 53 bits would not do: what happens to be
exact in float64, because the inputs have few bits, has no radius, and in float32, or in another order, it is not.)

Hyperparameters, weights and gradients are few-bit dyadic numbers: exact in float32 too, and with powers βᵗ that are
exact in float64 for all ten steps, so that the float64 results do not depend on anybody's ``pow``. Signs and maxima
must be decided: a ball that straddles zero raises UndecidedError. One power is not exact: NAdam's 0.96^(tψ), a number
per step, in which a platform's ``pow`` may differ by its last bit. RAdam takes both of its branches within the ten
steps. ``python -m minigrad.testing.generate`` writes all
files anew.
"""

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.executors.listing import condition, formula, symbol, traces
from minigrad.proof.balls.ball import Ball, precision
from minigrad.regularization.variants import ALIASES, VARIANTS, Variant, variant
from minigrad.rules import scalar_state, state_names

__all__ = ["FORMAT", "HYPER", "WEIGHTS", "describe", "gradients", "text", "write"]

FORMAT = 1
STEPS = 10
PRECISION = 256
COARSE = 24  # float32's
DIGITS = 112  # bits of a ball's midpoint that are written
ROOM = 8  # an allowance

HYPER = {
    "lr": Fraction(1, 8), "momentum": Fraction(7, 8), "beta1": Fraction(7, 8), "beta2": Fraction(31, 32),
    "rho": Fraction(31, 32), "eps": Fraction(1, 2**20), "psi": Fraction(1), "decay": Fraction(1, 32),
    "l2": Fraction(1, 4), "l1": Fraction(1, 4),
}  # fmt: skip

# A weight that is pushed about, one that is pushed one way, one near zero that is seldom pushed, one to and fro.
WEIGHTS = (Fraction(3, 2), Fraction(-3, 4), Fraction(1, 64), Fraction(-2))
_PUSHED = (
    (5, -3, 7, 2, -6, 1, -4, 8, 3, -7),
    (2, 1, 3, 5, 1, 4, 2, 6, 1, 3),
    (0, 0, 0, 0, 0, 0, 1, 0, -3, 0),
    (-4, 4, -4, 5, -5, 4, -6, 4, -4, 3),
)


def gradients() -> list[tuple[Fraction, ...]]:
    """Return the gradients of the ten steps, one per weight."""
    return [tuple(Fraction(n, 8) for n in column) for column in zip(*_PUSHED, strict=True)]


def text(name: str) -> str:
    """Return a variant's file, the same on every run."""
    return _lines(describe(variant(name))) + "\n"


def write(folder: Path | None = None) -> list[Path]:
    """Write all files, by default into the package; return their paths."""
    folder = Path(__file__).parent / "vectors" if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in VARIANTS:
        paths.append(folder / f"{name}.json")
        paths[-1].write_text(text(name), encoding="utf-8")
    return paths


def describe(v: Variant) -> dict[str, Any]:
    """Return a variant's vectors as they go into JSON; `minigrad.testing.vectors` says what the entries mean."""
    names, scalars, zero = state_names(v.rule), scalar_state(v.rule), Fraction(0)
    hyper = {n: HYPER[n] for n in v.hyper if n != "t"}
    return {
        "format": FORMAT,
        "name": v.name,
        "published_as": [alias for alias, name in ALIASES.items() if name == v.name],
        "summary": v.summary,
        "step": list(_lines_of(v)),
        "first_t": 1 if "t" in v.hyper else None,
        "symbols": {n: symbol(n) for n in ("w", "g", *names, *hyper)},
        "hyper": {n: _hex(x) for n, x in hyper.items()},
        "weights": [_hex(x) for x in WEIGHTS],
        "state": {n: [_hex(Fraction(scalars[n]))] if n in scalars else [_hex(zero)] * len(WEIGHTS) for n in names},
        "steps": list(_steps(v, ("w", *names), hyper)),
    }


def _lines_of(v: Variant) -> Iterator[str]:
    """Yield what a step computes, line for line, for each branch of the rule under where it is taken."""
    for traced in traces(v):
        if traced.conditions:
            yield f"where {', '.join(map(condition, traced.conditions))}:"
        yield from (f"{symbol(s.name)} ← {formula(s.expression)}" for s in traced.statements)


def _steps(v: Variant, names: tuple[str, ...], hyper: dict[str, Fraction]) -> Iterator[dict[str, Any]]:
    exact = _exactly(v, hyper)
    with precision(COARSE):
        rounded = [_run(v, hyper, Ball, w, column) for w, column in _columns()]
    floats = _float64(v, hyper)
    for t, g in enumerate(gradients(), 1):
        found: dict[str, Any] = {"t": t, "g": [_hex(x) for x in g]}
        for k, name in enumerate(names):
            shared = name in scalar_state(v.rule)  # by all weights, whose runs agree on it
            values = [run[t - 1][k] for run in exact[: 1 if shared else None]]
            computed = [float(x) for x in np.atleast_1d(floats[t - 1][k])]
            found[name] = {
                "float64": [_float(x) for x in computed],
                "exact": [_written(x) for x in values],
                "error": [_up(_distance(x, y), 8) for x, y in zip(computed, values, strict=True)],
                "tolerance": [_up(_allowed(run[t - 1][k]), 4) for run in rounded[: len(values)]],
            }
        yield found


# --- the three runs ---------------------------------------------------------------------------------------------------


def _columns() -> Iterator[tuple[Fraction, tuple[Fraction, ...]]]:
    """Yield each weight with its gradients: every rule works entry by entry."""
    yield from zip(WEIGHTS, zip(*gradients(), strict=True), strict=True)


def _run(v: Variant, hyper: dict[str, Fraction], number: Any, w: Fraction, column: Any) -> list[tuple[Any, ...]]:
    """Return ``(w, *state)`` after each step, in the arithmetic of `number`."""
    numbers = {n: number(x) for n, x in hyper.items()}
    begins = scalar_state(v.rule)
    now = (number(w), *(number(Fraction(begins.get(n, 0))) for n in state_names(v.rule)))
    found = []
    for t, g in enumerate(column, 1):
        clock = {"t": t} if "t" in v.hyper else {}
        now = v.step(now[0], number(g), *now[1:], **numbers, **clock)
        found.append(now)
    return found


def _exactly(v: Variant, hyper: dict[str, Fraction]) -> list[list[tuple[Any, ...]]]:
    """Return the run of each weight, in Fractions if they suffice, else in balls."""
    try:
        return [_run(v, hyper, Fraction, w, column) for w, column in _columns()]
    except ValueError:  # a root that is not rational
        with precision(PRECISION):
            return [_run(v, hyper, Ball, w, column) for w, column in _columns()]


def _float64(v: Variant, hyper: dict[str, Fraction]) -> list[tuple[Any, ...]]:
    """Return ``(w, *state)`` after each step, arrays as this library trains them."""
    w = np.array([float(x) for x in WEIGHTS])
    begins = scalar_state(v.rule)
    now = (w, *(begins.get(n, np.zeros_like(w)) for n in state_names(v.rule)))
    numbers = {n: float(x) for n, x in hyper.items()}
    found = []
    for t, g in enumerate(gradients(), 1):
        clock = {"t": t} if "t" in v.hyper else {}
        now = v.step(now[0], np.array([float(x) for x in g]), *now[1:], **numbers, **clock)
        found.append(now)
    return found


# --- errors -----------------------------------------------------------------------------------------------------------


def _distance(x: float, y: Any) -> Fraction:
    """Return a bound on |x − y|, for an exact number or a ball y."""
    found: Fraction = abs(Fraction(x) - y) if isinstance(y, Fraction) else y.distance(x)
    return found


def _allowed(x: Ball) -> Fraction:
    """Return the tolerance in float64 of a coarse ball: its radius and one rounding more, times `ROOM`, to scale."""
    found: Fraction = ROOM * (x.radius * 2**COARSE + abs(x.middle)) * Fraction(1, 2**53)
    return found


# --- how numbers are written ------------------------------------------------------------------------------------------


def _written(x: Any) -> Any:
    """Return "p/q", or a ball as [midpoint, radius]."""
    if isinstance(x, Fraction):
        return f"{x.numerator}/{x.denominator}"
    kept, cut = _cut(x.middle, DIGITS)
    return [_hex(kept), _up(x.radius + cut, 1)]


def _cut(x: Fraction, bits: int) -> tuple[Fraction, Fraction]:
    """Return a dyadic x without what is beyond so many bits, and a bound on what was cut."""
    excess = max(x.numerator.bit_length() - bits, 0)
    kept = Fraction((abs(x.numerator) >> excess) << excess, x.denominator) * (1 if x >= 0 else -1)
    return kept, abs(x - kept)


def _up(x: Fraction, bits: int) -> str:
    """Return x ≥ 0, rounded up to so many bits."""
    if not x:
        return _hex(x)
    scale = Fraction(2) ** (bits - 1 - (x.numerator.bit_length() - x.denominator.bit_length()))
    scaled = x * scale
    return _hex(Fraction(-(-scaled.numerator // scaled.denominator)) / scale)


def _hex(x: Fraction) -> str:
    """Return a dyadic x as a hexadecimal floating constant of C and C++: 0x3p-2 is 3/4."""
    odd, exponent = abs(x.numerator), 1 - x.denominator.bit_length()
    if x.denominator & (x.denominator - 1):
        raise ValueError(f"{x} is not dyadic")
    while odd and odd % 2 == 0:
        odd, exponent = odd // 2, exponent + 1
    return f"{'-' if x < 0 else ''}0x{odd:x}p{exponent if odd else 0:+d}"


def _float(x: float) -> str:
    return "-0x0p+0" if str(x) == "-0.0" else _hex(Fraction(x))


def _lines(x: Any, indent: str = "") -> str:
    """Return JSON with a list of numbers on one line, and a key per line."""
    inner = indent + " "
    if isinstance(x, dict) and x:
        rows = [f"{inner}{json.dumps(k)}: {_lines(y, inner)}" for k, y in x.items()]
        return "{\n" + ",\n".join(rows) + f"\n{indent}}}"
    if isinstance(x, list) and any(isinstance(y, dict) for y in x):
        return "[\n" + ",\n".join(inner + _lines(y, inner) for y in x) + f"\n{indent}]"
    return json.dumps(x, ensure_ascii=False, separators=(",", ":"))


if __name__ == "__main__":
    print(f"{len(write())} files written")
