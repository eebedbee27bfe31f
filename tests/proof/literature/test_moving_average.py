"""The moving average, and doors that make another one."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.proof.claims import UndecidedError
from minigrad.proof.literature import moving_average
from minigrad.proof.literature.symbols import letter, sympy
from minigrad.regularization import decoupled, variant
from tests.strategies import fractions_below_one, rationals


def growing(rule):
    return decoupled(rule, lambda w, decay: (1 + decay) * w)


def idle(rule):
    return decoupled(rule, lambda w, decay: w)


def afterwards(rule):
    """Decay of the new weight, after the update."""
    return lambda w, g, *state, decay: ((1 - decay) * (w - rule(g, *state)[0]),)


@pytest.mark.parametrize("door", [growing, idle, afterwards])
def test_another_door_is_found(door):
    assert not moving_average.prove_induction(door).holds
    assert not moving_average.prove_adamw(_adam_behind(door)).holds
    assert not moving_average.prove_time_scale(door).holds


@pytest.mark.parametrize("name", ["coefficient", "remaining"])
@pytest.mark.parametrize("wrong", [lambda *a: 0 * a[-1], lambda *a: a[-1], lambda *a: a[-1] * (1 + a[-1]) ** a[-2]])
def test_a_wrong_coefficient_is_found(name, wrong, monkeypatch):
    monkeypatch.setattr(moving_average, name, wrong)
    assert not moving_average.prove_induction().holds
    if name == "coefficient":
        assert not moving_average.prove_time_scale().holds


@pytest.mark.parametrize("wrong", [lambda decay: 2 / decay, lambda decay: 1 / decay + 1])
def test_a_wrong_time_scale_is_found(wrong, monkeypatch):
    monkeypatch.setattr(moving_average, "time_scale", wrong)
    assert not moving_average.prove_time_scale().holds


def test_a_door_that_forgets_nothing_has_no_mean_age_and_one_that_is_no_average_no_shares():
    with pytest.raises(UndecidedError, match="no mean age"):
        moving_average.mean_age(idle)
    with pytest.raises(ValueError, match="no average"):
        moving_average.share(0, lambda rule: lambda w, g, decay: (w * w - g,))


@given(fractions_below_one())
def test_an_update_fades_to_a_part_in_e_at_most_one_step_before_the_time_scale(decay):
    assert -1 <= -1 / math.log1p(-float(decay)) - 1 / float(decay) <= 0


def _adam_behind(door):
    rule = variant("adam").rule

    def step(w, g, *state, decay, **hyper):
        delta, *state = rule(g, *state, **hyper)
        return door(lambda _: (delta,))(w, g, decay=decay)[0], *state

    return step


@given(rationals(), st.lists(rationals(), max_size=8), fractions_below_one())
def test_any_updates_are_averaged_exactly(w, updates, decay):
    expected = moving_average.average(w, updates, decay)
    step = decoupled(moving_average.taken)
    for u in updates:
        (w,) = step(w, u, decay=decay)
    assert w == expected


@given(st.integers(0, 12), fractions_below_one())
def test_the_coefficients_are_positive_and_sum_to_one(length, decay):
    found = [moving_average.coefficient(t, length, decay) for t in range(length)]
    assert sum(found) + (1 - decay) ** length == 1
    assert all(c > 0 for c in found)


def test_the_mean_age_is_that_of_the_series():
    age = moving_average.mean_age().subs(letter("decay"), sympy.Rational(1, 20))
    series = sum(k * moving_average.coefficient(0, k + 1, 1 / 20) for k in range(2000))
    assert abs(float(age) - series) < 1e-9  # what is left out is below 2000 · 0.95²⁰⁰⁰


def test_what_adam_averages_does_not_depend_on_the_learning_rate():
    """q = −u/η at η = αλ."""
    l2 = Fraction(1, 3)
    found = [
        [
            -u / (lr * l2)
            for u in moving_average.adamw_updates(moving_average.GRADIENTS, **moving_average.EXACT | {"lr": lr})
        ]
        for lr in (Fraction(1, 10), Fraction(1, 77))
    ]
    assert found[0] == found[1]


def test_the_recorded_updates_are_the_rules():
    hyper = moving_average.EXACT
    _, recorded = moving_average.run(
        variant("adamw").step, Fraction(3), moving_average.GRADIENTS, decay=Fraction(1, 8), **hyper
    )
    assert recorded == moving_average.adamw_updates(moving_average.GRADIENTS, **hyper)
