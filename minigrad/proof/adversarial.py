"""A directed search for steps on which the rounding bounds are nearly attained, and none on which they are beaten.

A bound may be true and idle. `search` looks for weights, gradients, α and η whose roundings all err by nearly u and all
in the direction that drives the doors apart. Three things make such steps: every intermediate lies just above a power
of two, where a rounding is relatively largest; w, αg and η stand in a ratio for which the last subtraction can err too;
and the low bits, which decide each rounding, are drawn at random, many at a time. The best steps found so far are
drawn around again, ever more closely. The errors are those of the very doors that train.

x and y are multiples of the spacing of the numbers around z, so that |x − y| is a whole number of such spacings: with
w ≈ 1, αg ≈ −1 and small η, the bound is 8½ u and the next lower multiple 8u. Less than one is therefore no slackness of
the search. What one door is off from the exact step is not quantised, and its bound is attained more nearly.

A step is looked for on behalf of each `PAIR` (doors 2 and 3; door 2 and the exact step; door 3 and the exact step),
and for each with several aims: a large error/bound, and for every term of the bound the largest share of its
coefficient that this step shows to be needed. A bound whose coefficient were smaller than that share would be false.

The best steps are kept in ``adversarial.json``, as hexadecimal floats, and recomputed exactly wherever they are used.
To search again from another seed, and to write down what is better than what was known:

    python -m minigrad.proof.adversarial --draws 100000000 --seed 1 --write
"""

import argparse
import json
from dataclasses import dataclass, fields
from fractions import Fraction
from importlib import resources
from typing import Any

import numpy as np

from minigrad.proof.rounding import (
    DOOR2,
    DOOR3,
    DTYPES,
    coupled_error,
    decoupled_error,
    one_step_bound,
    unit_roundoff,
)

__all__ = ["AIMS", "ATTAINED", "PAIRS", "Found", "Step", "errors", "ratio", "search", "share", "stored", "terms"]

BOUNDS = {"doors 2 and 3": one_step_bound, "door 2": coupled_error, "door 3": decoupled_error}
PAIRS = tuple(BOUNDS)
WHOLE = "error/bound"
ATTAINED = {
    "float64": 0.9,
    "float32": 0.85,
    "float16": 0.85,
}  # what some step is required to attain of the one-step bound

_FILE = "adversarial.json"
_ROWS = 8_000
_LEAST_DECAY = 2.0**-8


@dataclass(frozen=True)
class Step:
    """One weight's step: w and g as `dtype` has them, α and η Python floats."""

    dtype: str
    w: float
    g: float
    lr: float
    decay: float


@dataclass(frozen=True)
class Found:
    """The best step for one pair and one aim, and how far it went: a ratio of error to bound, or a share."""

    step: Step
    reached: float


Best = dict[tuple[str, str], Found]


def terms(pair: str, z: Any, ag: Any, w: Any, decay: Any, dtype: Any) -> dict[str, Any]:
    """Return the bound of `pair` term by term, in units of u(1 + 8u), for |z|, |αg| and |w| of any arithmetic.

    `minigrad.proof.rounding` derives them. Their sum times u(1 + 8u) is its bound, underflow apart.
    """
    products = 4 if np.dtype(dtype) == np.float64 else 5
    before = (Fraction(3, 2) if isinstance(w, Fraction) else 1.5) * w
    return {
        "doors 2 and 3": {"|z|": 2 * z, "|αg|": 3 * ag, "|w|": before, "η|w|": (products - 1) * decay * w},
        "door 2": {"|z|": z, "|αg|": 2 * ag, "η|w|": products * decay * w},
        "door 3": {"|z|": z, "|αg|": ag, "|w|": before - decay * w},
    }[pair]


AIMS = {pair: (WHOLE, *terms(pair, 0, 0, 0, 0, np.float64)) for pair in PAIRS}


def errors(step: Step) -> dict[str, Fraction]:
    """Return, for each of `PAIRS`, by how much the doors' results differ: exactly."""
    (x,), (y,) = (_numbers(found) for found in _results(*_arrays(step), step.lr, step.decay))
    z = _exact(step)
    return dict(zip(PAIRS, (abs(x - y), abs(x - z), abs(y - z)), strict=True))


def ratio(step: Step, pair: str) -> Fraction:
    """Return error/bound of `step`, exactly: at most 1, or the bound is beaten."""
    (bound,) = _numbers(BOUNDS[pair](*_arrays(step), step.lr, step.decay))
    found: Fraction = errors(step)[pair] / bound
    return found


def share(step: Step, pair: str, term: str) -> Fraction:
    """Return which share of the coefficient of `term` this step needs, the others as they are; exactly.

    With any smaller share the sum of `terms`, times u(1 + 8u), would be below the error.
    """
    u = Fraction(unit_roundoff(step.dtype))
    ((w, g), a) = (Fraction(v) for v in (step.w, step.g)), Fraction(float(np.dtype(step.dtype).type(step.lr)))
    found = terms(pair, abs(_exact(step)), abs(a * g), abs(w), Fraction(step.decay), step.dtype)
    if not found[term]:
        return Fraction(0)
    spare = errors(step)[pair] / (u * (1 + 8 * u)) - sum(found.values())
    needed: Fraction = 1 + spare / found[term]
    return needed


def reached(step: Step, pair: str, aim: str) -> Fraction:
    """Return `ratio` or `share`, whichever `aim` names."""
    return ratio(step, pair) if aim == WHOLE else share(step, pair, aim)


def stored(dtype: Any) -> Best:
    """Return the best steps known for `dtype`, by pair and aim."""
    text = resources.files("minigrad.proof").joinpath(_FILE).read_text(encoding="utf-8")
    name = np.dtype(dtype).name
    return {
        (pair, aim): Found(Step(name, **{k: float.fromhex(entry[k]) for k in _NUMBERS}), entry["reached"])
        for pair, aims in json.loads(text)[name].items()
        for aim, entry in aims.items()
    }


def search(dtype: Any, *, draws: int, seed: int = 0, start: Best | None = None) -> Best:
    """Return the best step found for every pair and aim, with exact values.

    Args:
        dtype: float64, float32 or float16.
        draws: how many steps are computed; rounded up to whole rounds of 8 000.
        seed: of the draws; the same seed, budget and `start` find the same steps.
        start: steps to begin from, such as `stored` ones.

    Raises:
        ArithmeticError: if a step beats a bound, with the step.
    """
    dtype = np.dtype(dtype)
    rng = np.random.default_rng(seed)
    best = {key: (float(found.reached), found.step) for key, found in (start or {}).items()}
    for _ in range(-(-draws // _ROWS)):
        parents = [step for _, step in best.values()]
        if parents and rng.random() < 0.6:
            _round(best, *_around(parents[int(rng.integers(len(parents)))], dtype, rng))
        else:
            _round(best, *_afresh(dtype, rng))
    return {(pair, aim): Found(s, float(reached(s, pair, aim))) for (pair, aim), (_, s) in sorted(best.items())}


_NUMBERS = tuple(f.name for f in fields(Step) if f.name != "dtype")


def _arrays(step: Step) -> tuple[Any, Any]:
    dtype = np.dtype(step.dtype)
    return np.array([step.w], dtype), np.array([step.g], dtype)


def _results(w: Any, g: Any, lr: float, decay: float) -> tuple[Any, Any]:
    """Return what doors 2 and 3 make of arrays."""
    (x,) = DOOR2(w, g, lr=lr, l2=decay / lr)
    (y,) = DOOR3(w, g, lr=lr, decay=decay)
    return x, y


def _numbers(array: Any) -> list[Fraction]:
    return [Fraction(float(v)) for v in array]


def _exact(step: Step) -> Fraction:
    """z, with α as the dtype has it."""
    a = Fraction(float(np.dtype(step.dtype).type(step.lr)))
    return (1 - Fraction(step.decay)) * Fraction(step.w) - a * Fraction(step.g)


Steps = tuple[Any, Any, float, float]  # many weights and gradients, with one α and one η


def _afresh(dtype: Any, rng: Any) -> Steps:
    """Draw α and η, then many weights and gradients just above powers of two."""
    lr, decay = _hyperparameters(dtype, rng)
    spread = 10 ** rng.uniform(-3, -0.5)
    near_one = [1 + spread * rng.exponential(size=_ROWS) for _ in range(2)]
    top = 1 / (1 - decay) if rng.random() < 0.5 else 1.0  # so that w, or (1 − η)w, is just above a power of two
    w = top * near_one[0]
    ag = 2.0 ** rng.integers(-12, 5) * near_one[1]
    which = rng.random()
    if which < 0.4:
        ag = ag - decay * top  # αg + ηw is just above it
    elif which < 0.7:
        ag = (1 - decay) * w - rng.choice([0.0, 1.0]) * ag * spread  # w and αg cancel
    g = rng.choice([-1.0, 1.0]) * ag / lr
    return w.astype(dtype), g.astype(dtype), lr, decay


def _hyperparameters(dtype: Any, rng: Any) -> tuple[float, float]:
    """Draw α and η of chance sizes, with bits that round badly: k = η/α (times α, as the dtype has them) and 1 − η."""
    k = int(rng.integers(0, 9))
    decay = 2.0**-k * (1 + 0.05 * rng.laplace(size=256)) if k else rng.uniform(0.5, 0.999, 256)
    decay = np.clip(decay, _LEAST_DECAY, 0.999)
    lr = 2.0 ** rng.integers(-3, 4) * (1 + 0.05 * rng.laplace(size=256))
    wide: Any = np.longdouble
    missed = lr.astype(dtype).astype(wide) * (decay / lr).astype(dtype).astype(wide) - decay.astype(wide)
    left = (1 - decay).astype(dtype).astype(wide) - (1 - decay.astype(wide))
    weight = rng.uniform()  # for |x − y|, the two add up
    i = int(np.argmax(np.abs(weight * missed / decay + (1 - weight) * left)))
    return float(lr[i]), float(decay[i])


def _around(parent: Step, dtype: Any, rng: Any) -> Steps:
    """Draw near a good step: of each number as many leading bits are kept as chance will have it."""
    bits = np.finfo(dtype).nmant

    def moved(x: float, size: int | None = None) -> Any:
        return x * (1 + 2.0 ** -rng.uniform(2, bits) * rng.standard_normal(size)) if rng.random() < 0.8 else x

    decay = float(np.clip(moved(parent.decay), _LEAST_DECAY, 0.999))
    w, g = (np.broadcast_to(moved(x, _ROWS), _ROWS).astype(dtype) for x in (parent.w, parent.g))
    return w, g, float(abs(moved(parent.lr))), decay


def _round(best: dict[tuple[str, str], tuple[float, Step]], w: Any, g: Any, lr: float, decay: float) -> None:
    """Compute many steps at once and keep what is better than the best so far.

    float64's exact step is ranked in extended precision (where the platform has none, the search finds less); what
    comes near the bound is decided in rational numbers.
    """
    dtype = w.dtype

    def at(i: Any) -> Step:
        return Step(dtype.name, float(w[i]), float(g[i]), lr, decay)

    wide: Any = np.longdouble if dtype == np.float64 else np.float64
    x, y = (found.astype(wide) for found in _results(w, g, lr, decay))
    ag = w.dtype.type(lr).astype(wide) * g.astype(wide)
    z = (1 - wide(decay)) * w.astype(wide) - ag
    own = {"door 2": coupled_error(w, g, lr, decay), "door 3": decoupled_error(w, g, lr, decay)}
    bounds = {"doors 2 and 3": own["door 2"] + own["door 3"], **own}
    z_, ag_, w_ = (np.abs(v).astype(np.float64) for v in (z, ag, w))
    unit = unit_roundoff(dtype) * (1 + 8 * unit_roundoff(dtype))
    for pair, error in zip(PAIRS, (abs(x - y), abs(x - z), abs(y - z)), strict=True):
        error = error.astype(np.float64)  # noqa: PLW2901
        each = terms(pair, z_, ag_, w_, decay, dtype)
        spare = error / unit - sum(each.values())
        scores = {WHOLE: error / bounds[pair]}
        scores |= {name: 1 + spare / np.maximum(t, 2.0**-40 * w_) for name, t in each.items()}
        for near in np.flatnonzero(scores[WHOLE] > 0.999):
            found = at(near)
            if ratio(found, pair) > 1:
                raise ArithmeticError(f"the bound of {pair} is beaten: {float(ratio(found, pair))} at {found}")
        for aim, score in scores.items():
            i = int(np.argmax(score))
            if (pair, aim) not in best or score[i] > best[pair, aim][0]:
                best[pair, aim] = float(score[i]), at(i)


def _as_json(best: dict[str, Best]) -> str:
    written: dict[str, Any] = {}
    for name, found in best.items():
        for pair, aims in AIMS.items():
            for aim in aims:
                entry = found[pair, aim]
                numbers = {k: getattr(entry.step, k).hex() for k in _NUMBERS}
                written.setdefault(name, {}).setdefault(pair, {})[aim] = {**numbers, "reached": entry.reached}
    return json.dumps(written, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str] | None = None) -> None:
    """Search, print what was reached, and write it down if asked."""
    parser = argparse.ArgumentParser(prog="python -m minigrad.proof.adversarial", description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10_000_000, help="steps to compute for each dtype")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fresh", action="store_true", help="do not begin from the stored steps")
    parser.add_argument("--write", action="store_true", help=f"write the best to {_FILE} beside this module")
    options = parser.parse_args(arguments)
    best = {
        name: search(name, draws=options.draws, seed=options.seed, start=None if options.fresh else stored(name))
        for name in DTYPES
    }
    for name, found in best.items():
        for (pair, aim), entry in found.items():
            print(f"{name}  {pair:13}  {aim:11}  {entry.reached:.4f}")
    if options.write:
        with resources.as_file(resources.files("minigrad.proof").joinpath(_FILE)) as path:
            path.write_text(_as_json(best), encoding="utf-8")


if __name__ == "__main__":
    main()
