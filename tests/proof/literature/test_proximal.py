"""Proximal steps are what they claim to be, and what is not is found."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.proof.literature import proximal
from minigrad.proof.literature.symbols import vanish
from minigrad.regularization import L1, L2, coupled, decoupled, variant
from minigrad.regularization import proximal as door
from minigrad.rules import maximum, sign
from tests.strategies import rationals

positive = st.fractions(Fraction(1, 20), 4, max_denominator=20)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda rule, prox: lambda w, g, s, *, lr, l2: decoupled(rule)(w, g, s, lr=lr, decay=lr * l2),
        lambda rule, prox: coupled(rule, L2.gradient),
        lambda rule, prox: door(rule, lambda w, *, lr, l2: w / (1 + l2)),
        lambda rule, prox: door(rule, lambda w, *, lr, l2: w),
    ],
)
def test_a_door_that_is_not_proximal_is_found(wrong):
    assert not vanish(proximal.as_decay(wrong))[0]


@pytest.mark.parametrize("wrong", [lambda w, *, lr, l2: (1 - lr * l2) * w, lambda w, *, lr, l2: w / (1 + 2 * lr * l2)])
def test_what_is_not_the_minimiser_of_the_quadratic_is_found(wrong):
    assert not proximal.prove_quadratic(wrong).holds


@pytest.mark.parametrize(
    "wrong",
    [
        lambda w, *, lr, l1: w - lr * l1 * sign(w),
        lambda w, *, lr, l1: sign(w) * maximum(abs(w) - l1, 0),
        lambda w, *, lr, l1: sign(w) * maximum(abs(w) - 2 * lr * l1, 0),
        lambda w, *, lr, l1: maximum(abs(w) - lr * l1, 0),
        lambda w, *, lr, l1: w,
    ],
)
def test_what_is_not_the_soft_threshold_is_found(wrong):
    assert not proximal.prove_threshold(wrong).holds


@given(rationals(), positive, positive)
def test_the_soft_threshold_is_the_minimiser_in_rationals(w, lr, l1):
    x = L1.prox(w, lr=lr, l1=l1)
    assert type(x) is Fraction
    assert proximal.is_minimiser(x, w, lr=lr, l1=l1)

    def objective(y):
        return l1 * abs(y) + (y - w) ** 2 / (2 * lr)

    assert all(objective(x + d) > objective(x) for d in (Fraction(1, 1000), Fraction(-1, 1000), Fraction(1), -w or 1))


@given(rationals(), positive, positive)
def test_only_the_minimiser_satisfies_its_condition(w, lr, l1):
    x = L1.prox(w, lr=lr, l1=l1)
    assert not any(proximal.is_minimiser(x + d, w, lr=lr, l1=l1) for d in (Fraction(1, 1000), Fraction(-1, 1000)))


@given(st.lists(rationals(-1, 1), min_size=1, max_size=6), positive, st.fractions(1, 3, max_denominator=9))
def test_a_zero_is_kept_while_gradients_stay_below_the_coefficient(gradients, lr, l1):
    path = proximal.run(variant("sgd_prox_l1").step, Fraction(0), gradients, lr=lr, l1=l1)
    assert all(x == 0 for x in path)


@pytest.mark.parametrize("name", ["sgd", "sgd_l1", "sgd_l2"])
def test_a_step_that_makes_no_zeros_is_found(name):
    step = variant(name).step

    def called(w, g, *, lr, l1):
        return step(w, g, lr=lr, **{h: l1 for h in variant(name).hyper if h != "lr"})

    assert not proximal.prove_zeros(called).holds


@given(st.lists(rationals(), max_size=6), rationals(), positive, positive, positive)
def test_with_the_learning_rate_inside_the_buffer_whole_runs_agree_and_buffers_differ_by_a_factor(
    gradients, w, lr, eta, momentum
):
    x, m, y, n = w, Fraction(0), w, Fraction(0)
    for g in gradients:
        x, m = variant("heavy_ball_inside_prox_l2").step(x, g, m, lr=lr, l2=eta / lr, momentum=momentum)
        y, n = variant("heavy_ball_inside_decay").step(
            y, g, n, lr=lr / (1 + eta), decay=eta / (1 + eta), momentum=momentum
        )
        assert x == y
        assert m == (1 + eta) * n
