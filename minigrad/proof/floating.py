"""Claims about λ = η/α in floating point: the bounds hold, are nearly attained, and add up; when bits agree.

The mathematics is in `minigrad.proof.rounding`, the sharpest examples in `.adversarial`, agreement to the last bit in
`.bitwise`. All draws are of fixed seeds: the same numbers on every run.
"""

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np

from minigrad.proof.adversarial import AIMS, ATTAINED, PAIRS, WHOLE, Best, reached, search, stored
from minigrad.proof.bitwise import agreeing_steps, exact_steps, share_equal
from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.rounding import (
    DOOR2,
    DOOR3,
    DTYPES,
    asymptotic_bound,
    contraction,
    coupled_error,
    decoupled_error,
    many_step_bound,
    one_step_bound,
    unit_roundoff,
)
from minigrad.regularization.doors import coupled, decoupled, plain
from minigrad.regularization.penalties import L2
from minigrad.rules.adam import adam
from minigrad.rules.sgd import sgd

__all__ = ["claims"]

VISIBLE = 100
NEEDED = 0.9  # the share of every coefficient of each door's bound that some stored step needs

UNDECAYED = plain(sgd)


def claims(thorough: bool = False) -> list[Claim]:
    """Return the section's claims; `thorough` draws more, and searches."""
    draws = 2_000_000 if thorough else 100_000
    steps = 20_000 if thorough else 2_000
    found = []
    for name in DTYPES:
        found += [
            Claim(f"one_step.{name}", f"no random step in {name} beats the one-step bound, 100 times below the decay",
                  True, partial(_never_beaten, name, draws)),
            Claim(f"attained.{name}", f"a step in {name} attains {ATTAINED[name]} of the one-step bound, and none more "
                  "than all of it", True, partial(_attained, name)),
            Claim(f"coefficients.{name}", f"no coefficient of either door's bound in {name} could be lower by a tenth",
                  True, partial(_coefficients, name)),
            Claim(f"many_steps.{name}", f"two runs on a quadratic in {name} stay within the bound their steps add up "
                  "to", True, partial(_many_steps, name, 60)),
            Claim(f"long_run.{name}", f"after {steps} steps in {name} the gap is below max B/(1 − ρ), and the decay "
                  "100 times as large", True, partial(_long_run, name, steps)),
        ]  # fmt: skip
        if thorough:
            found.append(
                Claim(f"search.{name}", f"a search of {10 * draws} steps in {name} beats no bound", True,
                      partial(_searched, name, 10 * draws))
            )  # fmt: skip
    found += [
        Claim("adam", "Adam's doors 2 and 3 agree within the one-step bound of gradient descent", False,
              partial(_adam, draws)),
        Claim("bits.always", "doors 2 and 3 agree to the last bit on every step", False, partial(_bits_always, draws)),
        Claim("bits.no_decay", "at η = 0 doors 2 and 3 agree to the last bit", True,
              partial(_bits, draws, _without_decay)),
        Claim("bits.zero_weights", "at w = 0 doors 2 and 3 agree to the last bit for one step", True,
              partial(_bits, draws, _without_weights)),
        Claim("bits.powers_of_two", "at g = 0, with α and η powers of two, doors 2 and 3 agree to the last bit step by "
              "step", True, _bits_powers_of_two),
        Claim("bits.exact", "from w = 1 at g = 0, α = η = 1/4, both runs are exact for the steps counted, and no more",
              True, _bits_exact),
    ]  # fmt: skip
    return found


# --- one step ---------------------------------------------------------------------------------------------------------


def _never_beaten(name: str, draws: int) -> Evidence:
    rng = np.random.default_rng(0)
    largest, kept, drawn = 0.0, 0, 0
    least = 10 * VISIBLE * unit_roundoff(name)
    while kept < draws and drawn < 20 * draws:
        w = rng.standard_normal(1000).astype(name)
        lr, decay = float(10 ** rng.uniform(-3, 1)), float(np.exp(rng.uniform(np.log(least), np.log(0.99))))
        g = (w * rng.standard_normal(1000) * 10 ** rng.uniform(-2, 0.5) / lr).astype(name)
        (x,), (y,) = _both(w, g, lr, decay)
        bound = one_step_bound(w, g, lr, decay)
        visible = decay * _wide(abs(w)) >= VISIBLE * bound
        largest = max(largest, float(np.max((_gap(x, y) / bound)[visible], initial=0)))
        kept, drawn = kept + int(visible.sum()), drawn + 1000
    shown = f"largest error/bound {largest:.3f} in {kept} draws with η|w| ≥ {VISIBLE} bounds"
    return Evidence(kept >= draws and largest <= 1, shown, data={"largest": largest, "draws": kept})


def _attained(name: str) -> Evidence:
    best = stored(name)[PAIRS[0], WHOLE].step
    found = {pair: reached(stored(name)[pair, WHOLE].step, pair, WHOLE) for pair in PAIRS}
    holds = float(found[PAIRS[0]]) >= ATTAINED[name] and all(r <= 1 for r in found.values())
    at = ", ".join(f"{k} = {getattr(best, k).hex()}" for k in ("w", "g", "lr", "decay"))
    shown = f"error/bound {float(found[PAIRS[0]]):.4f} at {at}"
    latex = rf"\frac{{|x-y|}}{{B}} = {float(found[PAIRS[0]]):.4f}"
    return Evidence(holds, shown, latex, {pair: float(r) for pair, r in found.items()})


def _coefficients(name: str) -> Evidence:
    best = stored(name)
    shares = {
        pair: {aim: float(reached(best[pair, aim].step, pair, aim)) for aim in AIMS[pair] if aim != WHOLE}
        for pair in PAIRS
    }
    of_doors = [(s, pair, aim) for pair in PAIRS[1:] for aim, s in shares[pair].items()]
    least, pair, aim = min(of_doors)
    shown = f"every coefficient is needed to {least:.3f} at least ({aim} of {pair})"
    return Evidence(least >= NEEDED and max(of_doors)[0] <= 1, shown, data=shares)


def _searched(name: str, draws: int) -> Evidence:
    best: Best = search(name, draws=draws, seed=1)
    found = {pair: best[pair, WHOLE].reached for pair in PAIRS}
    shown = ", ".join(f"{pair}: {r:.4f}" for pair, r in found.items())
    return Evidence(max(found.values()) <= 1, shown, data=found)


# --- many steps -------------------------------------------------------------------------------------------------------


def _quadratic(name: str, steps: int) -> tuple[Any, list[Any], Any, Any]:
    """Run doors 2 and 3 on the gradient h(w − c).

    Returns the gaps, the steps' bounds, ρ, and how far door 3 ends from a run without decay.

    The gradient rounds twice; what this adds to either run's step belongs to its bound.
    """
    rng = np.random.default_rng(0)
    w, c = rng.uniform(0.5, 1, (2, 64)).astype(name)
    lr, decay = 0.1, 0.5 if name == "float16" else 0.01  # the decay must be seen above the roundings
    h = rng.uniform(0.25, 0.5, 64).astype(name)
    u, smallest, a = unit_roundoff(name), float(np.finfo(name).smallest_subnormal), float(np.dtype(name).type(lr))
    x = y = without = w
    gaps, bounds = [], []
    for _ in range(steps):
        gx, gy = h * (x - c), h * (y - c)
        own = a * (2.01 * u * (abs(_wide(gx)) + abs(_wide(gy))) + 2 * smallest)
        bounds.append(coupled_error(x, gx, lr, decay) + decoupled_error(y, gy, lr, decay) + own)
        (x,), (y,) = DOOR2(x, gx, lr=lr, l2=decay / lr), DOOR3(y, gy, lr=lr, decay=decay)
        (without,) = UNDECAYED(without, h * (without - c), lr=lr)
        gaps.append(_gap(x, y))
    return np.stack(gaps), bounds, contraction(lr, decay, curvature=h, dtype=name), _gap(without, y)


def _many_steps(name: str, steps: int) -> Evidence:
    gaps, bounds, rho, _ = _quadratic(name, steps)
    worst = float(np.max(gaps / many_step_bound(bounds, rho)))
    shown = f"largest gap/bound {worst:.3f} over {steps} steps, ρ ≤ {np.max(rho):.4f}"
    return Evidence(worst <= 1, shown, data={"largest": worst, "steps": steps, "rho": float(np.max(rho))})


def _long_run(name: str, steps: int) -> Evidence:
    gaps, bounds, rho, effect = _quadratic(name, steps)
    limit = asymptotic_bound(bounds, rho)
    worst, seen = float(np.max(gaps / limit)), float(np.min(effect / limit))
    shown = f"largest gap/limit {worst:.3f} over {steps} steps; the decay's effect is {seen:.3g} limits or more"
    return Evidence(worst <= 1 and seen >= VISIBLE, shown, data={"largest": worst, "effect": seen, "steps": steps})


def _adam(draws: int) -> Evidence:
    rng = np.random.default_rng(0)
    w, g = rng.standard_normal((2, draws))
    lr, decay, zero = 0.01, 0.001, np.zeros(draws)
    hyper = {"lr": lr, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "t": 1}
    delta, *_ = adam(g, zero, zero, **hyper)
    x, *_ = coupled(adam, L2.gradient)(w, g, zero, zero, l2=decay / lr, **hyper)
    y, *_ = decoupled(adam)(w, g, zero, zero, decay=decay, **hyper)
    ratios = _gap(x, y) / one_step_bound(w, delta / lr, lr, decay)
    shown = f"they differ by {np.median(ratios):.2g} bounds in the median, at most {np.max(ratios):.2g}"
    data = {"median": float(np.median(ratios)), "largest": float(np.max(ratios))}
    return Evidence(bool(np.all(ratios <= 1)), shown, data=data)


# --- bit for bit ------------------------------------------------------------------------------------------------------


def _bits_always(draws: int) -> Evidence:
    shares = {name: share_equal(name, draws=draws) for name in DTYPES}
    shown = "equal in " + ", ".join(f"{100 * s:.0f} % ({name})" for name, s in shares.items()) + " of random steps"
    return Evidence(all(s == 1 for s in shares.values()), shown, data=shares)


Drawn = tuple[Any, Any, float]


def _without_decay(w: Any, g: Any, decay: float) -> Drawn:
    return w, g, 0.0


def _without_weights(w: Any, g: Any, decay: float) -> Drawn:
    return np.zeros_like(w), g, decay


def _bits(draws: int, changed: Callable[[Any, Any, float], Drawn]) -> Evidence:
    rng = np.random.default_rng(0)
    unequal = 0
    for name in DTYPES:
        for _ in range(draws // 1000):
            w, g = rng.standard_normal((2, 1000)).astype(name)
            w, g, decay = changed(w, g, float(rng.uniform(0.001, 0.9)))
            (x,), (y,) = _both(w, g, float(10 ** rng.uniform(-2, 1)), decay)
            unequal += x.tobytes() != y.tobytes()
    shown = f"{unequal} of {len(DTYPES) * (draws // 1000)} arrays of 1000 differ in {', '.join(DTYPES)}"
    return Evidence(unequal == 0, shown, data={"unequal": int(unequal)})


def _bits_powers_of_two() -> Evidence:
    rng = np.random.default_rng(0)
    steps, holds = 10, True
    least = steps
    for name in DTYPES:
        for i, m in ((0, 1), (-3, 2), (2, 5), (-5, 8)):
            w, lr, decay = rng.uniform(1, 2, 16).astype(name), 2.0**i, 2.0**-m
            none = np.zeros_like(w)
            least = min(least, agreeing_steps(w, [0] * steps, lr, decay, name))
            x = y = w
            for _ in range(steps):
                (x,), (y,) = DOOR2(x, none, lr=lr, l2=decay / lr), DOOR3(y, none, lr=lr, decay=decay)
                holds = holds and x.tobytes() == y.tobytes()
    shown = f"for {least} steps at least only the last operation rounds, in {', '.join(DTYPES)}; all bits agree"
    return Evidence(bool(holds and least == steps), shown, data={"steps": least})


def _bits_exact() -> Evidence:
    """Count by bit lengths; then run the floats beside the rationals and see when they part."""
    lr = decay = 0.25
    counted, seen = {}, {}
    for name in DTYPES:
        counted[name] = exact_steps(1.0, [0] * 200, lr, decay, name)
        x = y = np.ones(1, name)
        z, t = Fraction(1), 0
        while True:
            none = np.zeros_like(x)
            (x,), (y,) = DOOR2(x, none, lr=lr, l2=decay / lr), DOOR3(y, none, lr=lr, decay=decay)
            z *= 1 - Fraction(decay)
            if not Fraction(float(x[0])) == Fraction(float(y[0])) == z:
                break
            t += 1
        seen[name] = t
    shown = ", ".join(f"{n} steps in {name}" for name, n in counted.items())
    return Evidence(counted == seen, shown, data={"counted": counted, "seen": seen})


def _both(w: Any, g: Any, lr: float, decay: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    return DOOR2(w, g, lr=lr, l2=decay / lr), DOOR3(w, g, lr=lr, decay=decay)


def _wide(array: Any) -> Any:
    return array.astype(np.float64)


def _gap(x: Any, y: Any) -> Any:
    return np.abs(_wide(x) - _wide(y))
