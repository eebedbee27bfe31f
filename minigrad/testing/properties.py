"""What weight decay and L2 must do, as functions that take any optimizer and raise where it does not.

An optimizer is given as in `minigrad.testing.runs`: ``step = make(w, lr=…, decay=…)``, then ``w = step(g)``. Each
property draws weights, gradients and hyperparameters, and raises `PropertyError` with the smallest counterexample that
Hypothesis finds. Each was violated by a published optimizer, which its docstring names.

The `decay` of a property is η, *the fraction of w removed in this step*. Where an optimizer's own argument is
multiplied by the learning rate (PyTorch, Keras, optax), say ``times="lr"``: then `make` is given ``decay = η / lr``.
`l2` is λ, of (λ/2) Σw².

**Tolerances.** Of u, the unit roundoff, and the numbers that took part; nothing is tuned. After the rule has made its
step δ, a door spends at most eight roundings on w (two of them to translate a rate), each of at most u (|w| + |δ|);
two runs that are compared spend `ROUNDINGS` = 16. Where whole rules are compared, all gradients that a rule sees of a
weight have one sign: no operation of any rule here then cancels, relative errors add up, and the longest, Adam's, has
fewer than 20 operations on a number behind a door; twice 20 on each side with room are `RULE_ROUNDINGS` = 64 per step.

And every property with a tolerance asserts that what it looks for would be `VISIBLE` = 100 times the tolerance that
it compares with; where it would not be, because an optimizer hardly moves, it says so (`VacuousError`) instead of
passing. What it looks for is measured on the optimizer itself where it depends on it: a run of it without the decay,
or one that is fed g + λw.

What finite tests cannot see is what none of the draws meets: docs/testing.md lists it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from minigrad.extras import need
from minigrad.proof.rounding import coupled_error, decoupled_error, many_step_bound, unit_roundoff
from minigrad.regularization.decay import TIMES
from minigrad.testing.runs import Make, PropertyError, VacuousError, reference, trajectory
from minigrad.testing.strategies import arrays, powers_of_two, shapes

need("hypothesis", "proof")
from hypothesis import Phase, given, settings  # noqa: E402 -- after the line that says what to install
from hypothesis import strategies as st  # noqa: E402

__all__ = [
    "ROUNDINGS",
    "RULE_ROUNDINGS",
    "VISIBLE",
    "PropertyError",
    "VacuousError",
    "assert_visible",
    "check_coupled",
    "check_decoupled",
    "decay_is_linear",
    "decay_is_multiplied_by",
    "decay_shrinks",
    "direction_ignores_weights",
    "doors_agree",
    "factor_is_below_one",
    "matches",
    "old_weight_decays",
    "paths_agree",
    "penalty_enters_the_state",
    "penalty_gradient_is_exact",
    "penalty_turns_the_step",
    "state_ignores_decay",
]

VISIBLE = 100
ROUNDINGS = 16
RULE_ROUNDINGS = 64
ENTRIES = 8  # that are drawn of an array, which repeats them if it is larger

# The same draws every time, so that a failure is a failure for everybody and needs no data base to be found again.
DEFAULT = settings(max_examples=60, derandomize=True, database=None)


@dataclass(frozen=True)
class _Drawn:
    """The numbers of an example."""

    w: Any
    gradients: Any
    lr: float
    decay: float


# --- door 3 -----------------------------------------------------------------------------------------------------------


def check_decoupled(make: Make, *, times: str | None = None, **how: Any) -> None:
    """Check that ``make(w, lr=, decay=)`` is weight decay (door 3): all six of its properties, one after the other.

    Args:
        make: the optimizer, as in `minigrad.testing.runs`.
        times: None if `decay` is the fraction removed per step; "lr" if the optimizer multiplies it by lr.
        how: `dtype` (float64, or float32), `shape` (a strategy, or a tuple), `settings` (Hypothesis').

    Raises `PropertyError` for the first that does not hold.
    """
    if times == "schedule":
        raise ValueError("check_decoupled takes no schedule: say times=None, and see decay_is_multiplied_by")
    for holds in (decay_shrinks, factor_is_below_one, decay_is_linear, old_weight_decays):
        holds(make, times=times, **how)
    direction_ignores_weights(make, times=times, **how)
    state_ignores_decay(make, times=times, **how)


def decay_shrinks(make: Make, *, times: str | None = None, **how: Any) -> None:
    """g = 0 and η > 0: every weight strictly shrinks.

    Broken where a decay is accepted and does nothing: tinygrad's Muon (PR 17709), SignSGD of
    kozistr/pytorch_optimizer (#517).
    """

    def check(d: _Drawn) -> None:
        (after,) = _decayed(make, d, times, gradients=0 * d.gradients)
        tolerance = _tolerance(d.w)
        assert_visible(d.decay * abs(d.w), tolerance)
        if not np.all(abs(d.w) - abs(after) > tolerance):
            _report("decay shrinks every weight when g = 0", d, "w after the step", after, gradients=0)

    _for_all(_door_3(how, steps=1), check, how)


def factor_is_below_one(make: Make, *, times: str | None = None, **how: Any) -> None:
    """g = 0: w' = factor · w with 0 ≤ factor < 1.

    Broken where the sign is wrong and weights grow: andersbll/deeppy #17, harvard-edge/cs249r_book PR 2058.
    """

    def check(d: _Drawn) -> None:
        (after,) = _decayed(make, d, times, gradients=0 * d.gradients)
        tolerance = _tolerance(d.w) / abs(d.w)
        assert_visible(d.decay, tolerance)
        factor = after / d.w
        if not np.all((-tolerance <= factor) & (factor < 1 - tolerance)):
            _report("0 ≤ factor on w < 1 when g = 0", d, "factor", factor, gradients=0)

    _for_all(_door_3(how, steps=1), check, how)


def decay_is_linear(make: Make, *, times: str | None = None, **how: Any) -> None:
    """g = 0: f(c·w) = c·f(w), and f(−w) = −f(w), for weights a thousand times larger and smaller, too.

    Broken where λα is subtracted instead of λα·w: SGDW of jettify/pytorch-optimizer (#433, #454).
    """

    def check(d: _Drawn) -> None:
        (after,) = _decayed(make, d, times, gradients=0 * d.gradients)
        for c in (2.0, -1.0, 2.0**-10, 2.0**10):
            (scaled,) = _decayed(make, d, times, w=(c * d.w).astype(d.w.dtype), gradients=0 * d.gradients)
            tolerance = _tolerance(c * d.w)
            if not np.all(abs(scaled - c * after) <= tolerance):
                seen = {"f(w)": after, f"f({c:g}·w)": scaled, f"{c:g}·f(w)": c * after}
                _report("a step is linear in w when g = 0: f(c·w) = c·f(w)", d, seen, gradients=0)
            assert_visible((1 - c) * (d.w - after), tolerance)  # if the same were subtracted from c·w as from w

    _for_all(_door_3(how, steps=1), check, how)


def old_weight_decays(make: Make, *, times: str | None = None, **how: Any) -> None:
    """w' = (1 − η) w − u(g), where u does not depend on η: the weight before the step decays, not the one after.

    Broken where the decay comes after the update: huggingface/transformers #3407 and #14539, bitsandbytes #2010.
    The error is η·u, so that learning rates are large here; with small ones it hides in any tolerance. Also broken if
    η is not the fraction removed, because the argument means something else: see `times`.
    """

    def check(d: _Drawn) -> None:
        (with_decay,) = _decayed(make, d, times)
        (without,) = _decayed(make, d, times, decay=0.0)
        u, expected = (1 - d.decay) * d.w - with_decay, d.w - without
        tolerance = _tolerance(d.w, expected)
        if not np.all(abs(u - expected) <= tolerance):
            seen = {"u = (1 − decay)·w − w'": u, "u without decay": expected, "tolerance": _short(tolerance)}
            _report("the old weight decays: w' = (1 − decay)·w − u(g), u independent of the decay", d, seen)
        assert_visible(d.decay * np.minimum(abs(d.w), abs(expected)), tolerance)  # no decay, or that of the new weight

    _for_all(_door_3(how, steps=1), check, how)


def direction_ignores_weights(make: Make, *, times: str | None = None, **how: Any) -> None:
    """w' = (1 − η) w − u(g), where u does not depend on w: no penalty is in a sign or under a root.

    Broken where L2 stands inside the sign of Lion: bitsandbytes #1992. And where a decay is documented that is L2 in
    the gradient: Adam's ``weight_decay``, pytorch #38767, #48793.
    """

    def check(d: _Drawn) -> None:
        (after,) = _decayed(make, d, times)
        turned = -np.copysign(4.0, d.gradients[0]) * (d.lr / d.decay)  # λw = ∓4 there, which outweighs g
        (other,) = _decayed(make, d, times, w=turned)
        u, v = (1 - d.decay) * d.w - after, (1 - d.decay) * turned - other
        tolerance = _tolerance(d.w, turned, u, v)
        if not np.all(abs(u - v) <= tolerance):
            seen = {"u": u, "another w": turned, "u from there": v}
            _report("the direction does not depend on the weight: u = (1 − decay)·w − w' is the rule's alone", d, seen)
        assert_visible(np.minimum(d.decay * abs(d.w - turned), 2 * abs(u)), tolerance)  # no decay, or u turned

    _for_all(_door_3(how, steps=1), check, how)


def state_ignores_decay(make: Make, *, times: str | None = None, **how: Any) -> None:
    """Over several steps, u_t = (1 − η) w_{t−1} − w_t is what it is without decay: no buffer remembers the decay.

    Broken where the penalty enters the momentum: every L2 that is called decay, and a fused AdamW that was Adam with
    L2, FlagOpen/FlagGems #4988.
    """

    def check(d: _Drawn) -> None:
        w = [d.w, *_decayed(make, d, times)]
        free = [d.w, *_decayed(make, d, times, decay=0.0)]
        told = [d.w, *_decayed(make, d, times, decay=0.0, gradients=_fed(d.gradients, d.decay / d.lr))]
        effects, tolerances = [], []
        for t in range(1, len(w)):
            u, expected = (1 - d.decay) * w[t - 1] - w[t], free[t - 1] - free[t]
            tolerances.append(_tolerance(w[t - 1], free[t - 1], u, expected))
            effects.append(abs(told[t - 1] - told[t] - expected))
            if not np.all(abs(u - expected) <= tolerances[-1]):
                seen = {f"u of step {t}": u, "the same without decay": expected, "tolerance": _short(tolerances[-1])}
                _report("the gradient and the state never see the decay", d, seen)
        # what a rule that sees it would do, after the first step: there, a buffer had nothing to remember
        assert_visible(np.max(effects[1:], axis=0), np.max(tolerances, axis=0))

    _for_all(_remembered(how, steps=6), check, how)


def decay_is_multiplied_by(make: Make, times: str | None, *, schedule: bool = False, **how: Any) -> None:
    """g = 0: the factor on w is 1 − rate, 1 − s_t·rate or 1 − lr_t·rate, for `times` None, "schedule" or "lr".

    Args:
        make: called as ``make(w, lr=, decay=rate)``; with ``schedule=f`` beside, a function of the 0-based step that
            returns s_t, if `schedule` is true, or `times` is "schedule".
        times: what the rate is multiplied by (`minigrad.regularization.Decay`).
        schedule: whether `make` takes one.
        how: as in `check_decoupled`.

    The message names the convention that the measured factors obey, if one does. Who multiplies by what: by lr_t
    PyTorch, Keras and optax; by s_t the paper (arXiv 1711.05101) and Composer; by nothing TF-addons.
    """
    _check_times(times)
    scheduled = schedule or times == "schedule"

    def check(d: _Drawn) -> None:
        multipliers = [1.0, 0.5, 0.25] if scheduled else [1.0] * 3
        more = {"schedule": lambda k: multipliers[k]} if scheduled else {}
        rate = d.decay / max(d.lr, 1.0)  # η_t is below 1 in every convention
        w = trajectory(make, d.w, 0 * d.gradients, lr=d.lr, decay=rate, **more)
        factors = [b / a for a, b in pairwise(w)]
        by = {None: [1.0] * 3, "schedule": multipliers, "lr": [s * d.lr for s in multipliers]}
        tolerance = ROUNDINGS * unit_roundoff(d.w.dtype)
        rivals = [[0.0] * 3, *(other for other in by.values() if other != by[times])]
        apart = [max(abs(s - r) for s, r in zip(by[times], other, strict=True)) for other in rivals]
        assert_visible(rate * min(apart), tolerance)

        def obeys(word: str | None) -> bool:
            return all(np.all(abs(f - (1 - s * rate)) <= tolerance) for f, s in zip(factors, by[word], strict=True))

        expected = [1 - s * rate for s in by[times]]
        if not obeys(times):
            found = [repr(word) for word in TIMES if obeys(word)]
            seen = {
                "rate": rate,
                "factors measured": [float(np.ravel(f)[0]) for f in factors],
                "factors expected": expected,
                "they are those of times": " or ".join(found) or "none",
            }
            _report(f"the decay is multiplied by {times or 'nothing'}", d, seen, gradients=0)

    # lr = 1 would not tell the conventions apart
    _for_all(_door_3(how, steps=3).filter(lambda d: d.lr != 1), check, how)


# --- door 2 -----------------------------------------------------------------------------------------------------------


def check_coupled(make: Make, **how: Any) -> None:
    """Check that ``make(w, lr=, l2=)`` is L2 in the gradient (door 2): the rule sees g + λw, and remembers it.

    Args:
        make: the optimizer, as in `minigrad.testing.runs`.
        how: `dtype` (float64, or float32), `shape` (a strategy, or a tuple), `settings` (Hypothesis').

    Raises `PropertyError` for the first property that does not hold.
    """
    penalty_turns_the_step(make, **how)
    penalty_enters_the_state(make, **how)


def penalty_turns_the_step(make: Make, **how: Any) -> None:
    """A step with λ is the step that g + λw makes without it; where λw outweighs an opposite g, it turns.

    Broken where the coefficient does nothing (kozistr/pytorch_optimizer #517), where it is twice what was meant
    (Keras's l2, d2l's TensorFlow tab) and, but for plain gradient descent, where it is decay.
    """

    def check(d: _Drawn) -> None:
        l2 = 4 * d.decay
        g = np.copysign(np.minimum(abs(d.gradients[0]), l2 * abs(d.w) / 2), -d.w).astype(d.w.dtype)
        (after,) = trajectory(make, d.w, [g], lr=d.lr, l2=l2)[1:]
        (expected,) = trajectory(make, d.w, [g + l2 * d.w], lr=d.lr, l2=0.0)[1:]
        (without,) = trajectory(make, d.w, [g], lr=d.lr, l2=0.0)[1:]
        tolerance = RULE_ROUNDINGS * unit_roundoff(d.w.dtype) * (abs(d.w) + abs(d.w - expected))
        if not np.all(abs(after - expected) <= tolerance):
            seen = {"l2": l2, "g": g, "w after the step": after, "after g + l2·w without l2": expected}
            _report("L2 adds l2·w to the gradient", d, seen, decay=False, gradients=0)
        assert_visible(expected - without, tolerance)

    _for_all(_door_3(how, steps=1), check, how)


def penalty_enters_the_state(make: Make, **how: Any) -> None:
    """Over several steps, a run with λ that is given g_t is the run without it that is given G_t = g_t + λ w_t.

    Broken where the penalty is added behind a buffer, which does not remember it then: decay that is called L2. And
    where the steps are too small for anybody to see that there is no penalty.

    It is G_t that is drawn, with λ|w| four times as large and more, so that g_t always points against w. Where G_t
    points along w, a step without λ turns; where it points against w, one with 2λ does: even a sign rule shows both.
    """

    def check(d: _Drawn) -> None:
        l2 = d.decay / d.lr
        for side, wrong in ((1, 0.0), (-1, 2 * l2)):
            sums = np.copysign(d.gradients, side * d.w)
            expected = trajectory(make, d.w, sums, lr=d.lr, l2=0.0)
            history = [(s - l2 * w).astype(d.w.dtype) for s, w in zip(sums, expected, strict=False)]
            after = trajectory(make, d.w, history, lr=d.lr, l2=l2)
            other = trajectory(make, d.w, _fed(history, wrong), lr=d.lr, l2=0.0)
            lost = l2 * np.max(np.abs(expected), axis=0) / np.min(abs(sums), axis=0)  # as g + λw, G has lost digits
            for t, tolerance in _adding_up(expected, lost):
                if not np.all(abs(after[t] - expected[t]) <= tolerance):
                    seen = {"l2": l2, f"w after step {t}": after[t], "after g + l2·w without l2": expected[t]}
                    shown = replace(d, gradients=np.array(history))
                    _report("L2 adds l2·w to the gradient, and the state remembers it", shown, seen, decay=False)
            assert_visible(expected[-1] - other[-1], tolerance)

    _for_all(_draws(how, 5, lr=(-10, -9), decay=(-6, -5), aligned=True), check, how)


def penalty_gradient_is_exact(gradient: Callable[..., Any], **how: Any) -> None:
    """∇Ω(w) = λw, to the bit, of a penalty (λ/2) Σw² in the loss: ``gradient(w, l2=)`` returns what autodiff makes.

    λ is a power of two, so that λw is a float. Broken where the ½ is missing: Keras's l2, d2l's TensorFlow tab.
    """

    def check(d: _Drawn) -> None:
        found = np.array(gradient(d.w.copy(), l2=d.decay))
        if not np.array_equal(found, d.decay * d.w):
            seen = {"l2": d.decay, "gradient of the penalty": found, "l2·w": d.decay * d.w}
            _report("the gradient of the penalty is l2·w exactly", d, seen, decay=False, gradients=0)

    _for_all(_door_3(how, steps=1), check, how)


# --- two of them ------------------------------------------------------------------------------------------------------


def doors_agree(coupled: Make, decoupled: Make, *, times: str | None = None, **how: Any) -> None:
    """λ = η/α: ``coupled(w, lr=, l2=η/α)`` and ``decoupled(w, lr=, decay=η)`` take the same steps.

    For plain gradient descent, and no other rule of this package. The tolerance is the derived bound of
    `minigrad.proof.rounding`, added up over the steps, with four roundings more of ηw for translating rates.
    """

    def check(d: _Drawn) -> None:
        x = trajectory(coupled, d.w, d.gradients, lr=d.lr, l2=d.decay / d.lr)
        y = [d.w, *_decayed(decoupled, d, times)]
        free = [d.w, *_decayed(decoupled, d, times, decay=0.0)]
        translated = 4 * unit_roundoff(d.w.dtype) * d.decay
        bounds = [
            coupled_error(a, g, d.lr, d.decay) + decoupled_error(b, g, d.lr, d.decay) + translated * abs(b)
            for a, b, g in zip(x, y, d.gradients, strict=False)
        ]
        for t, tolerance in enumerate(many_step_bound(bounds, 1 - d.decay), 1):
            if not np.all(abs(x[t] - y[t]) <= tolerance):
                seen = {f"w after step {t}, l2 = decay / lr": x[t], "with decay": y[t], "bound": _short(tolerance)}
                _report("l2 = decay / lr makes the two doors one", d, seen)
            assert_visible(y[t] - free[t], tolerance)

    _for_all(_door_3(how, steps=3), check, how)


def paths_agree(fast: Make, slow: Make, *, times: str | None = None, **how: Any) -> None:
    """Two implementations take the same steps with decay ≠ 0: a fused one and its reference.

    Broken by a "fused" path that silently used the other rule, FlagOpen/FlagGems #4988. Without decay the two rules
    are one, and no test would notice.
    """
    _agree(fast, slow, "the two implementations take the same steps", times, how)


def matches(
    make: Make, name: str, *, times: str | None = None, fixed: dict[str, Any] | None = None, **how: Any
) -> None:
    """``make(w, lr=, decay=)`` takes the steps of the variant `name` of this package, one that decays: "adamw".

    `fixed` are the rule's other hyperparameters, by the names of ``minigrad show``: ``{"beta1": 0.9, …}``.

    Raises ValueError for a name that no variant has, TypeError for missing hyperparameters.
    """
    theirs = reference(name, **(fixed or {}))
    _agree(make, theirs, f"the steps are those of {name}", times, how)


def _agree(make: Make, other: Make, statement: str, times: str | None, how: dict[str, Any]) -> None:
    def check(d: _Drawn) -> None:
        x, y = [d.w, *_decayed(make, d, times)], [d.w, *_decayed(other, d, None)]
        free = _decayed(other, d, None, decay=0.0)
        for t, tolerance in _adding_up(y):
            if not np.all(abs(x[t] - y[t]) <= tolerance):
                _report(statement, d, {f"w after step {t}": x[t], "expected": y[t], "tolerance": _short(tolerance)})
            assert_visible(y[t] - free[t - 1], tolerance)

    _for_all(_aligned(how, steps=3), check, how)


# --- what they share --------------------------------------------------------------------------------------------------


def assert_visible(effect: Any, tolerance: Any) -> None:
    """Raise `VacuousError` unless |effect| ≥ `VISIBLE` · tolerance everywhere: what cannot fail tests nothing.

    Broken by tinygrad's test_muon_wd, where lr·wd = 1e-5 was tested under atol 1e-3.
    """
    effect, tolerance = abs(np.asarray(effect)), np.asarray(tolerance)
    if not np.all(effect >= VISIBLE * tolerance):
        raise VacuousError(
            f"nothing would be seen: the effect is {np.min(effect):.3g}, less than {VISIBLE} times the tolerance of "
            f"{np.max(tolerance):.3g}; does the optimizer move, in this dtype, by what it is told to?"
        )


def _decayed(
    make: Make, d: _Drawn, times: str | None, *, w: Any = None, gradients: Any = None, decay: float | None = None
) -> list[Any]:
    """Return the weights after each step of `make`, given η in its own convention."""
    fraction = d.decay if decay is None else decay
    rate = fraction / d.lr if times == "lr" else fraction
    history = d.gradients if gradients is None else gradients
    return trajectory(make, d.w if w is None else w, history, lr=d.lr, decay=rate)[1:]


def _tolerance(*sizes: Any) -> Any:
    """Return what two runs' doors may differ by, by rounding: `ROUNDINGS` of the numbers that take part."""
    return ROUNDINGS * unit_roundoff(sizes[0].dtype) * sum(abs(x) for x in sizes)


def _fed(gradients: Any, l2: float) -> list[Callable[[Any], Any]]:
    """Return the gradients, as functions of the weights, that a rule is given by whoever adds λw."""
    return [partial(lambda g, w: g + l2 * w, g) for g in gradients]


def _adding_up(w: list[Any], lost: Any = 0.0) -> list[tuple[int, Any]]:
    """Return (t, tolerance) of whole runs: `RULE_ROUNDINGS` a step, of the weight and all that was added to it.

    What was added counts 1 + `lost` times, where gradients are only known to so many roundings.
    """
    u = RULE_ROUNDINGS * unit_roundoff(w[0].dtype)
    moved = np.cumsum([(1 + lost) * abs(b - a) for a, b in pairwise(w)], axis=0)
    return [(t, t * u * (abs(w[0]) + moved[t - 1])) for t in range(1, len(w))]


def _door_3(how: dict[str, Any], steps: int) -> st.SearchStrategy[_Drawn]:
    """Draw large steps, of any signs: with a small α a wrong order hides. αη < 1: no convention removes all of w."""
    return _draws(how, steps, lr=(-2, 2), decay=(-4, -3), aligned=False)


def _aligned(how: dict[str, Any], steps: int) -> st.SearchStrategy[_Drawn]:
    """Draw a weight and its gradients of one sign, and steps so small that none changes sign: nothing cancels."""
    return _draws(how, steps, lr=(-8, -6), decay=(-6, -5), aligned=True)


def _remembered(how: dict[str, Any], steps: int) -> st.SearchStrategy[_Drawn]:
    """Draw two gradients against w, which λw outweighs (λ = η/α ≥ 8), and then any, with zeros among them."""

    def turned(d: _Drawn) -> _Drawn:
        return replace(d, gradients=np.concatenate([np.copysign(d.gradients[:2], -d.w), d.gradients[2:]]))

    return _draws(how, steps, lr=(-10, -9), decay=(-6, -5), aligned=False, zero=True).map(turned)


def _draws(
    how: dict[str, Any], steps: int, lr: tuple[int, int], decay: tuple[int, int], aligned: bool, zero: bool = False
) -> st.SearchStrategy[_Drawn]:
    unknown = set(how) - {"dtype", "shape", "settings"}
    if unknown:
        raise TypeError(f"a property takes dtype, shape and settings beside times; got {', '.join(sorted(unknown))}")
    dtype = np.dtype(how.get("dtype", np.float64))
    if dtype not in (np.float64, np.float32):
        raise ValueError(f"dtype must be float64 or float32, got {dtype}: coarser roundings hide what is looked for")
    shape = how.get("shape", shapes(min_dims=1, max_dims=1, max_side=3))

    @st.composite
    def drawn(draw: Any) -> _Drawn:
        size = draw(shape) if isinstance(shape, st.SearchStrategy) else tuple(shape)
        index = np.arange(np.prod(size, dtype=int)).reshape(size) % ENTRIES
        entries = int(np.max(index, initial=0)) + 1
        w = np.asarray(draw(arrays(dtype, entries, 0.5, 2.0))[index])
        gradients = draw(arrays(dtype, (steps, entries), 0.5, 2.0))
        if zero:
            gradients[2:] = draw(arrays(dtype, (steps - 2, entries), 0.5, 2.0, zero=True))
        gradients = gradients[:, index]
        gradients = np.copysign(gradients, w) if aligned else gradients
        return _Drawn(w, gradients, draw(powers_of_two(*lr)), draw(powers_of_two(*decay)))

    return drawn()


def _for_all(draws: st.SearchStrategy[_Drawn], check: Callable[[_Drawn], None], how: dict[str, Any]) -> None:
    """Run `check` on all draws; raise the smallest counterexample, without Hypothesis' own account of it."""

    @settings(
        how.get("settings") or DEFAULT,
        deadline=None,
        report_multiple_bugs=False,
        phases=[Phase.generate, Phase.shrink],
    )
    @given(draws)
    def each(drawn: _Drawn) -> None:
        check(drawn)

    try:
        each()
    except PropertyError as found:
        raise type(found)(*found.args) from None


def _check_times(times: str | None) -> None:
    if times not in TIMES:
        raise ValueError(f'times must be None, "schedule" or "lr", got {times!r}')


def _report(
    statement: str, d: _Drawn, seen: Any, value: Any = None, *, decay: bool = True, gradients: int | None = None
) -> None:
    """Raise `PropertyError`: what was claimed, the example, and what was seen instead."""
    history = d.gradients if gradients is None else d.gradients[:0]
    given_ = {"w": d.w, **{"g" if len(history) == 1 else f"g of step {t}": g for t, g in enumerate(history, 1)}}
    given_ |= {"lr": d.lr} | ({"decay": d.decay} if decay else {})
    seen = {seen: value} if isinstance(seen, str) else seen
    numbers = [f"  {name} = {_shown(x)}" for name, x in {**given_, **seen}.items()]
    raise PropertyError("\n".join([f"not true: {statement}", *numbers]))


def _short(x: Any) -> str:
    return ", ".join(f"{float(t):.2g}" for t in np.ravel(x))


def _shown(x: Any) -> str:
    return str(np.asarray(x).tolist()) if isinstance(x, np.ndarray | np.generic) else str(x)
