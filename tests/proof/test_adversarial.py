"""The stored steps nearly attain the bounds, no step beats them, and the search that found them works."""

from fractions import Fraction

import numpy as np
import pytest

from minigrad.proof import adversarial, coupled_error, decoupled_error, one_step_bound
from minigrad.proof.adversarial import (
    AIMS,
    ATTAINED,
    PAIRS,
    WHOLE,
    Step,
    errors,
    ratio,
    reached,
    search,
    share,
    stored,
    terms,
)
from minigrad.proof.rounding import DTYPES, unit_roundoff

BETWEEN = PAIRS[0]
KEPT = [(dtype, pair, aim) for dtype in DTYPES for pair in PAIRS for aim in AIMS[pair]]
BOUNDS = {BETWEEN: one_step_bound, "door 2": coupled_error, "door 3": decoupled_error}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_stored_step_attains_the_one_step_bound_and_does_not_beat_it(dtype):
    """Said again here from the doors on, without what `adversarial` computes."""
    from minigrad.regularization import L2, coupled, decoupled
    from minigrad.rules import sgd

    s = stored(dtype)[BETWEEN, WHOLE].step
    w, g = np.array([s.w], dtype), np.array([s.g], dtype)
    assert float(w[0]) == s.w
    assert float(g[0]) == s.g
    (x,) = coupled(sgd, L2.gradient)(w, g, lr=s.lr, l2=s.decay / s.lr)
    (y,) = decoupled(sgd)(w, g, lr=s.lr, decay=s.decay)
    assert x.dtype == y.dtype == dtype
    error, bound = abs(Fraction(float(x[0])) - Fraction(float(y[0]))), one_step_bound(w, g, s.lr, s.decay)[0]
    assert ATTAINED[dtype] * bound <= error <= Fraction(bound)


@pytest.mark.parametrize(("dtype", "pair", "aim"), KEPT)
def test_every_stored_step_reaches_what_is_written_beside_it_and_beats_no_bound(dtype, pair, aim):
    found = stored(dtype)[pair, aim]
    assert float(reached(found.step, pair, aim)) == found.reached <= 1
    assert all(ratio(found.step, other) <= 1 for other in PAIRS)


@pytest.mark.parametrize("dtype", DTYPES)
def test_no_coefficient_of_either_doors_bound_could_be_lower_by_a_tenth(dtype):
    """The bound with one coefficient lowered is beaten by a stored step: what is lowered is not slack."""
    u = Fraction(unit_roundoff(dtype))
    for pair in PAIRS[1:]:
        for aim in AIMS[pair][1:]:
            step = stored(dtype)[pair, aim].step
            lowered = {name: t * (Fraction(9, 10) if name == aim else 1) for name, t in exact_terms(step, pair).items()}
            assert errors(step)[pair] > u * (1 + 8 * u) * sum(lowered.values())
            assert errors(step)[pair] <= u * (1 + 8 * u) * sum(exact_terms(step, pair).values())


@pytest.mark.parametrize(
    ("dtype", "factor"), [("float64", Fraction(7, 10)), ("float32", Fraction(3, 5)), ("float16", Fraction(1, 2))]
)
@pytest.mark.parametrize("aim", AIMS[BETWEEN][1:])
def test_no_coefficient_of_the_one_step_bound_is_idle(dtype, factor, aim):
    """|x − y| is a whole number of spacings, which leaves room that no step fills."""
    step, u = stored(dtype)[BETWEEN, aim].step, Fraction(unit_roundoff(dtype))
    lowered = {name: t * (factor if name == aim else 1) for name, t in exact_terms(step, BETWEEN).items()}
    assert errors(step)[BETWEEN] > u * (1 + 8 * u) * sum(lowered.values())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("pair", PAIRS)
def test_the_terms_add_up_to_the_bound(dtype, pair):
    u = Fraction(unit_roundoff(dtype))
    rng = np.random.default_rng(0)
    for _ in range(20):
        w, g = (float(v) for v in rng.uniform(1, 4, 2).astype(dtype))
        step = Step(dtype, w, -g, float(rng.uniform(0.1, 2)), float(rng.uniform(0.01, 0.9)))
        total = u * (1 + 8 * u) * sum(exact_terms(step, pair).values())
        bound = Fraction(float(BOUNDS[pair](np.array([w], dtype), np.array([-g], dtype), step.lr, step.decay)[0]))
        underflow = 6 * Fraction(float(np.finfo(dtype).smallest_subnormal))
        assert total <= bound <= total * (1 + Fraction(1, 2**40)) + underflow


def exact_terms(step, pair):
    w, g, a = Fraction(step.w), Fraction(step.g), Fraction(float(np.dtype(step.dtype).type(step.lr)))
    z = (1 - Fraction(step.decay)) * w - a * g
    return terms(pair, abs(z), abs(a * g), abs(w), Fraction(step.decay), step.dtype)


def test_the_share_is_what_the_bound_needs_of_a_coefficient():
    step, pair, aim = stored("float64")[BETWEEN, "|z|"].step, BETWEEN, "|z|"
    u, each = Fraction(unit_roundoff("float64")), exact_terms(step, BETWEEN)
    just = {name: t * (share(step, pair, aim) if name == aim else 1) for name, t in each.items()}
    assert u * (1 + 8 * u) * sum(just.values()) == errors(step)[pair]
    assert share(Step("float64", 0.0, 1.0, 0.1, 0.01), pair, "|w|") == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_short_search_finds_steps_that_attain_three_quarters(dtype):
    found = search(dtype, draws=400_000, seed=3)
    assert set(found) == {(pair, aim) for pair in PAIRS for aim in AIMS[pair]}
    assert 0.75 <= found[BETWEEN, WHOLE].reached <= 1
    assert found == search(dtype, draws=400_000, seed=3)


def test_a_search_begins_from_what_is_known_and_keeps_it():
    known = stored("float64")
    found = search("float64", draws=40_000, seed=0, start=known)
    assert all(found[key].reached >= known[key].reached - 1e-3 for key in known)


@pytest.mark.parametrize("door", ["coupled_error", "decoupled_error"])
def test_the_search_would_notice_a_bound_that_is_beaten(door, monkeypatch):
    true = getattr(adversarial, door)
    pair = {"coupled_error": "door 2", "decoupled_error": "door 3"}[door]
    monkeypatch.setattr(adversarial, door, lambda *a: 0.8 * true(*a))
    monkeypatch.setitem(adversarial.BOUNDS, pair, lambda *a: 0.8 * true(*a))
    with pytest.raises(ArithmeticError, match=f"the bound of {pair} is beaten"):
        search("float32", draws=400_000, seed=0)


@pytest.mark.parametrize("wrong", ["DOOR2", "DOOR3"])
def test_the_search_would_notice_a_door_that_is_wrong(wrong, monkeypatch):
    """λ, or η, off by a part in a thousand."""
    true, name = getattr(adversarial, wrong), "l2" if wrong == "DOOR2" else "decay"
    monkeypatch.setattr(adversarial, wrong, lambda w, g, **h: true(w, g, **{**h, name: h[name] * 1.001}))
    with pytest.raises(ArithmeticError, match="is beaten"):
        search("float64", draws=20_000, seed=0)


def test_the_command_prints_what_it_reached(capsys):
    adversarial.main(["--draws", "20000", "--seed", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(KEPT)
    assert lines[0].startswith("float64")


def test_what_is_written_is_what_is_read():
    text = adversarial._as_json({dtype: stored(dtype) for dtype in DTYPES})
    kept = adversarial.resources.files("minigrad.proof").joinpath("adversarial.json").read_text(encoding="utf-8")
    assert text == kept


@pytest.mark.nightly
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_long_search_beats_no_bound(dtype):
    """From nothing, with a seed of its own each night."""
    found = search(dtype, draws=50_000_000, seed=int(np.random.SeedSequence().entropy % 2**32))
    assert all(f.reached <= 1 for f in found.values())
    assert found[BETWEEN, WHOLE].reached >= ATTAINED[dtype]
