"""The equilibrium under noise: the formulas, the measurement, and steps with another equilibrium."""

import numpy as np
import pytest

from minigrad.proof.claims import UndecidedError
from minigrad.proof.literature import equilibrium
from minigrad.proof.literature.equilibrium import ALPHA, ETA, NUMBERS, TOLERANCE, B
from minigrad.proof.literature.symbols import sympy
from minigrad.regularization import decoupled, shrink, variant
from minigrad.rules import adam


def doubled(w, decay):
    return shrink(w, 2 * decay)


def after(w, g, *state, decay, **hyper):
    """Decay of the new weight."""
    delta, *state = adam(g, *state, **hyper)
    return shrink(w - delta, decay), *state


def unmixed(g, m, v, *, lr, beta1, beta2, eps, t):
    """Momentum that forgets to weight the new gradient."""
    delta, m, v = adam(g, m, v, lr=lr, beta1=beta1, beta2=beta2, eps=eps, t=t)
    return delta / (1 - beta1), m / (1 - beta1), v


WRONG = [decoupled(adam, doubled), after, decoupled(unmixed)]


@pytest.mark.parametrize("step", WRONG)
def test_another_step_has_another_formula(step):
    assert not equilibrium.prove_formula(step).holds


@pytest.mark.parametrize("step", [decoupled(adam, doubled), after])
def test_another_step_is_measured(step):
    assert not equilibrium.measure("signs", step=step).holds


def test_a_step_that_is_not_linear_is_refused():
    squared = decoupled(adam, lambda w, decay: (1 - decay) * w**2)
    with pytest.raises(ValueError, match="not linear"):
        equilibrium.linear_form(squared)


def test_doubled_decay_has_another_limit():
    assert not equilibrium.prove_limits(decoupled(adam, doubled)).holds


def test_the_effects_are_a_hundred_times_the_tolerances():
    at = {ALPHA: NUMBERS["lr"], ETA: NUMBERS["decay"], B: NUMBERS["beta1"]}
    exact, limit = (float(f.subs(at)) for f in (equilibrium.mean_square(), ALPHA**2 / (2 * ETA)))
    assert abs(limit / exact - 1) >= 100 * TOLERANCE
    at[ETA] = 0.9
    exact, limit = (float(f.subs(at)) ** 0.5 for f in (equilibrium.turn(variant("adamw").step), equilibrium.rotation()))
    assert abs(limit / exact - 1) >= 100 * 0.002


def test_the_limit_of_the_rotation_is_refused_where_decay_is_large():
    assert not equilibrium.measure_exact_rotation(expected=equilibrium.rotation()).holds


def test_a_formula_five_percent_off_is_refused():
    wrong = equilibrium.mean_square() * sympy.Rational(105, 100)
    assert not equilibrium.measure("signs", expected=wrong).holds


def test_a_measurement_too_rough_to_decide_gives_no_verdict():
    with pytest.raises(UndecidedError, match="no decision"):
        equilibrium._compared("it", 1.005, 0.01, 1.0)
    with pytest.raises(UndecidedError, match="no decision"):
        equilibrium._compared("it", 1.02, 0.005, 1.0)


def test_the_solution_solves_the_lyapunov_equation_and_is_a_covariance():
    a, b = equilibrium.linear_form(variant("adamw").step)
    p = equilibrium.covariance(variant("adamw").step)
    assert (p - a * p * a.T - b * b.T).applyfunc(sympy.simplify) == sympy.zeros(2, 2)
    at = {ALPHA: sympy.Rational(1, 100), ETA: sympy.Rational(1, 5), B: sympy.Rational(9, 10)}
    assert p.subs(at).is_positive_definite
    assert all(abs(x) < 1 for x in a.subs(at).eigenvals())


def test_iterating_the_recursion_leads_to_the_solution():
    step = variant("adamw").step
    at = {ALPHA: 0.01, ETA: 0.2, B: 0.9}
    a, b = (np.array(x.subs(at), dtype=float) for x in equilibrium.linear_form(step))
    p = np.zeros((2, 2))
    for _ in range(1000):
        p = a @ p @ a.T + b @ b.T
    np.testing.assert_allclose(p, np.array(equilibrium.covariance(step).subs(at), dtype=float), rtol=1e-10)


def test_signs_make_the_second_moment_one_whatever_beta2():
    found = [
        equilibrium.simulate(
            variant("adamw").step, **NUMBERS | {"beta2": beta2}, gradients=equilibrium.signs, weights=200, burn=20,
            steps=20, seed=1,
        ).mean_square
        for beta2 in (0.5, 0.999)
    ]  # fmt: skip
    assert found[0] == pytest.approx(found[1], rel=1e-9)  # equal but for rounding


def test_the_number_of_weights_must_divide():
    with pytest.raises(ValueError, match="multiple of 20"):
        equilibrium.simulate(
            variant("adamw").step, **NUMBERS, gradients=equilibrium.signs, weights=21, burn=1, steps=1, seed=0
        )
