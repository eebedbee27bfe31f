"""The rules and the doors, unmodified, on numbers that are not NumPy's: torch, jax.jit, rationals, scalars.

With gradient, state and weight of one sign no rule subtracts (but from 1), so every operation adds at most a relative
rounding u on each side. The longest, Adam behind a door, has fewer than 20 that act on one number, and a compiler may
fuse some: the results agree within 2 · 20 u, relatively. The last subtraction, w − δ, is kept away from cancellation
by α ≤ 1/100.
"""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.regularization import L2, coupled, decoupled, plain
from minigrad.regularization.column import Column
from minigrad.regularization.penalties import L1, ElasticNet
from minigrad.regularization.variants import VARIANTS
from minigrad.rules import RULES, exp, hyper_names, maximum, scalar_state, sign, sqrt, state_names
from tests.strategies import leg, numbers, rationals

TOLERANCE = 2 * 20 * 2.0**-53
HYPER = {
    "lr": 0.01, "momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "rho": 0.99, "eps": 1e-8, "l2": 0.1, "l1": 0.01,
    "decay": 0.001, "psi": 0.004, "t": 3,
}  # fmt: skip
# Rational, and with rational roots where the rules take any: 1 − ρ and 1 − β₂ are squares.
EXACT = {
    "lr": Fraction(1, 10), "momentum": Fraction(9, 10), "beta1": Fraction(9, 10), "beta2": Fraction(3, 4),
    "rho": Fraction(3, 4), "eps": Fraction(1, 100), "psi": 1, "t": 1,
}  # fmt: skip
GRADIENT_DOORS = [name for name in VARIANTS if "_prox_" not in name]


def problem(name, seed=0):
    """Weights, a gradient and a state, all positive, and the hyperparameters of a variant.

    A state that is one number for all weights is an array without axes; it is halved, as after a step.
    """
    rng = np.random.default_rng(seed)
    rule = VARIANTS[name].rule
    arrays = [rng.uniform(0.5, 2, (3, 5)) for _ in range(2 + len(state_names(rule)) - len(scalar_state(rule)))]
    arrays += [np.array(x / 2) for x in scalar_state(rule).values()]
    return arrays, {n: HYPER[n] for n in VARIANTS[name].hyper}


def assert_close(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(a), b, rtol=TOLERANCE, atol=0)


@pytest.mark.oracle
@pytest.mark.parametrize("name", GRADIENT_DOORS)
def test_every_variant_runs_unmodified_on_torch_tensors(name):
    torch = pytest.importorskip("torch")
    arrays, hyper = problem(name)
    found = VARIANTS[name].step(*(torch.tensor(a) for a in arrays), **hyper)
    assert all(type(x) is torch.Tensor and x.dtype == torch.float64 for x in found)
    assert_close(found, VARIANTS[name].step(*arrays, **hyper))


@pytest.mark.oracle
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_runs_unmodified_under_jax_jit(name):
    jax = pytest.importorskip("jax")
    arrays, hyper = problem(name)
    with jax.enable_x64(True):
        found = jax.jit(lambda *a: VARIANTS[name].step(*a, **hyper))(*arrays)
        assert all(x.dtype == np.float64 for x in found)
        assert_close(found, VARIANTS[name].step(*arrays, **hyper))


@pytest.mark.oracle
def test_jax_differentiates_a_rule_that_knows_nothing_of_it():
    """∂w'/∂g of weight decay is −α, and ∂w'/∂w is 1 − η."""
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        step = decoupled(RULES["sgd"])
        by_w, by_g = jax.grad(lambda w, g: step(w, g, lr=0.25, decay=0.125)[0], argnums=(0, 1))(2.0, 3.0)
    assert (float(by_w), float(by_g)) == (0.875, -0.25)


@pytest.mark.parametrize("name", RULES)
@given(g=rationals(), w=rationals())
def test_every_rule_is_exact_on_rationals_from_its_first_state(name, g, w):
    rule = RULES[name]
    hyper = {n: EXACT[n] for n in hyper_names(rule)}
    g = leg(g, Fraction(1, 5)) if name == "adadelta" else g  # √(g²/4 + ε) is rational
    state = [Fraction(scalar_state(rule).get(n, 0)) for n in state_names(rule)]
    found = plain(rule)(w, g, *state, **hyper)
    assert all(type(x) is Fraction for x in found)
    entries = [np.array([x], dtype=object) for x in (w, g, *state)]
    assert [x[0] for x in plain(rule)(*entries, **hyper)] == list(found)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_keeps_the_dtype_of_its_arrays(name, dtype):
    arrays, hyper = problem(name)
    hyper |= {"eps": 1e-3} if "eps" in hyper else {}
    assert all(x.dtype == dtype for x in VARIANTS[name].step(*(a.astype(dtype) for a in arrays), **hyper))


@pytest.mark.parametrize("kind", [float, np.float64])
@pytest.mark.parametrize("name", [n for n in VARIANTS if "_prox_" not in n])
def test_every_variant_runs_on_single_numbers(name, kind):
    arrays, hyper = problem(name)
    found = VARIANTS[name].step(*(kind(a.flat[0]) for a in arrays), **hyper)
    assert_close(found, [np.ravel(x)[0] for x in VARIANTS[name].step(*arrays, **hyper)])


# --- the generic functions --------------------------------------------------------------------------------------------


@given(rationals())
def test_the_root_of_a_rational_square_is_rational_and_any_other_is_refused(x):
    assert sqrt(x * x) == abs(x)
    assert type(sqrt(x * x)) is Fraction
    if x > 0:
        with pytest.raises(ValueError, match="is not rational"):
            sqrt(2 * x * x)


@given(rationals(1, 4), st.integers(-3, 3))
def test_a_rational_power_is_rational_and_one_that_would_turn_into_a_float_is_refused(base, n):
    assert exp(n, base) == exp(Fraction(n), base) == base**n
    assert type(exp(Fraction(n), base)) is Fraction
    with pytest.raises(ValueError, match="to the power of 1/2 is not rational"):
        exp(Fraction(1, 2), base)
    assert exp(0.5, base) == float(base) ** 0.5


def test_the_root_of_a_negative_rational_is_refused():
    with pytest.raises(ValueError, match="sqrt of -1 is not rational"):
        sqrt(Fraction(-1))


@given(st.one_of(st.integers(-3, 3), rationals(), numbers(np.float64), numbers(np.float64).map(np.float64)))
def test_sign_and_maximum_keep_the_kind_of_number(x):
    assert type(sign(x)) is type(x)
    assert sign(x) == (x > 0) - int(x < 0)
    assert type(maximum(x, 0)) is type(x)
    assert maximum(x, 0) == max(x, 0)


ELSEWHERE = {
    "array": np.array([-1.0, 0.5, np.nan, 3.0]), "float32": np.float32([-1, 3]), "0-d": np.array(2.0),
    "exact": np.array([Fraction(-1), Fraction(3)], dtype=object), "tensor": mg.tensor([-1.0, 3.0]),
    "column": Column([-1.0, 3.0]),
}  # fmt: skip


@pytest.mark.parametrize("kind", ELSEWHERE)
@pytest.mark.parametrize("number", [1, 0, 5.0, float("nan")])
def test_in_a_maximum_the_number_may_stand_first(kind, number):
    number = Fraction(3 if number != number else number) if kind == "exact" else number
    found, expected = maximum(number, ELSEWHERE[kind]), maximum(ELSEWHERE[kind], number)
    assert type(found) is type(expected)
    np.testing.assert_array_equal(*(x.values if kind == "column" else getattr(x, "data", x) for x in (found, expected)))


def test_not_a_number_wins_in_sign_and_maximum():
    nan = float("nan")
    assert np.isnan([sign(nan), maximum(nan, 1.0), maximum(1.0, nan)]).all()


@pytest.mark.parametrize(("function", "arguments"), [(sqrt, ("1",)), (sign, ("1",)), (maximum, ("1", "2"))])
def test_a_kind_of_number_that_nobody_taught_is_named_with_the_way_to_teach_it(function, arguments):
    with pytest.raises(TypeError, match=rf"{function.__name__} is not defined for str; .*{function.__name__}.register"):
        function(*arguments)


def test_a_new_kind_of_number_is_taught_by_registering_it():
    class Cents(int):
        pass

    @sqrt.register
    def _(x: Cents) -> str:
        return "taught"

    assert sqrt(Cents(4)) == "taught"


@pytest.mark.parametrize("penalty", [L2, L1, ElasticNet])
@given(w=rationals())
def test_penalties_are_exact_on_single_rationals(penalty, w):
    coefficients = {n: Fraction(1, 3) for n in hyper_names(penalty.gradient)}
    assert type(penalty.gradient(w, **coefficients)) is Fraction
    assert type(penalty.prox(w, lr=Fraction(1, 5), **coefficients)) is Fraction
    step = coupled(RULES["sgd"], penalty.gradient)
    assert type(step(w, w, lr=Fraction(1, 5), **coefficients)[0]) is Fraction
