"""Scale-freeness, and steps that only look scale-free."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.proof.literature import scale_free
from minigrad.proof.literature.symbols import letter, vanish
from minigrad.regularization import decoupled, variant
from minigrad.rules import adam, sqrt

ADAMW = variant("adamw").step


def without_root(g, m, v, *, lr, beta1, beta2, eps, t):
    _, m, v = adam(g, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=1, t=t)
    return lr * m / v, m, v


def unsquared(g, m, v, *, lr, beta1, beta2, eps, t):
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g
    return lr * m / (sqrt(v**2) + eps), m, v


def decaying_by_gradient(w, g, m, v, *, decay, **hyper):
    delta, m, v = adam(g, m, v, **hyper)
    return w - decay * g * w - delta, m, v


@pytest.mark.parametrize("step", [decoupled(without_root), decoupled(unsquared), decaying_by_gradient])
def test_a_step_that_is_not_scale_free_is_found(step):
    assert not scale_free.prove_induction(step).holds


def test_a_floor_under_the_root_is_found_bit_for_bit_and_by_symbols():
    hyper = {"lr": 0.1, "beta1": 0.9, "beta2": 0.999, "decay": 0.01}
    assert scale_free.bitwise_differences(ADAMW, eps=1e-8, **hyper) > 0
    assert not vanish(scale_free.residues(ADAMW, eps=letter("eps")))[0]


def test_the_symbols_do_not_call_a_penalty_in_the_gradient_scale_free():
    assert not vanish(scale_free.residues(variant("adam_l2").step, coefficient="l2"))[0]


@given(st.data())
def test_first_steps_agree_exactly_for_any_rational_scale(data):
    """Bias corrections make √v̂ = |g| at t = 1: rational."""
    positive = st.fractions(Fraction(1, 50), 50, max_denominator=50)
    w, g = data.draw(st.fractions(-4, 4, max_denominator=50)), data.draw(positive) * data.draw(st.sampled_from([1, -1]))
    one, other = scale_free.first_weights(
        ADAMW, w, g, data.draw(positive), eps=0, decay=Fraction(1, 7), **scale_free.ADAM
    )
    assert one == other
    assert type(one) is type(other) is Fraction


def test_the_effect_of_a_scale_on_l2_is_not_small():
    """The weights are more than a whole step apart after a hundred."""
    step, rng = variant("adam_l2").step, np.random.default_rng(0)
    c = 2.0 ** np.array([-6, -3, 3, 6])
    w = u = np.array([2.0, -2.0, 2.0, -2.0])
    state = scaled = (np.zeros(4), np.zeros(4))
    hyper = {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "eps": 0.0, "l2": 1.0}
    for t, g in enumerate(rng.normal(size=(100, 4)), 1):
        w, *state = step(w, g, *state, t=t, **hyper)
        u, *scaled = step(u, c * g, *scaled, t=t, **hyper)
    assert np.all(abs(w - u) > hyper["lr"])
