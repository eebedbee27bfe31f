"""Penalties: three faces, coefficients, and what is refused."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.regularization import L1, L2, ElasticNet
from tests.strategies import arrays, exact_arrays, rationals, shapes

COEFFICIENTS = {L2: ("l2",), L1: ("l1",), ElasticNet: ("l1", "l2")}
coefficients = rationals(0, 3)


def draw_coefficients(data, penalty):
    return {name: data.draw(coefficients) for name in COEFFICIENTS[penalty]}


# --- value and gradient -----------------------------------------------------------------------------------------------


@given(exact_arrays((2, 2)), coefficients)
def test_l2_is_half_the_coefficient_times_the_sum_of_squares_and_its_gradient_the_coefficient_times_w(w, l2):
    assert L2.value(w, l2=l2) == l2 / 2 * sum(x * x for x in w.flat)
    assert L2.gradient(w, l2=l2).tolist() == [[l2 * x for x in row] for row in w]


@given(exact_arrays((2, 2)), coefficients)
def test_l1_is_the_coefficient_times_the_sum_of_absolute_values(w, l1):
    assert L1.value(w, l1=l1) == l1 * sum(abs(x) for x in w.flat)


@given(exact_arrays((2, 2)), coefficients, coefficients)
def test_the_elastic_net_is_the_sum_of_both(w, l1, l2):
    assert ElasticNet.value(w, l1=l1, l2=l2) == L1.value(w, l1=l1) + L2.value(w, l2=l2)
    both = L1.gradient(w, l1=l1) + L2.gradient(w, l2=l2)
    assert ElasticNet.gradient(w, l1=l1, l2=l2).tolist() == both.tolist()


@pytest.mark.parametrize("penalty", COEFFICIENTS)
@given(data=st.data())
def test_the_gradient_is_what_backward_finds_of_the_value_exactly(penalty, data):
    """Two ways that know nothing of each other: the first is door 2's, the second door 1's."""
    w, numbers = data.draw(exact_arrays((3,))), draw_coefficients(data, penalty)
    tensor = mg.tensor(w, requires_grad=True)
    penalty.value(tensor, **numbers).backward()
    assert tensor.grad.tolist() == penalty.gradient(w, **numbers).tolist()


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@given(data=st.data())
def test_the_gradient_of_l2_is_one_rounding_of_the_product_through_either_door(dtype, data):
    w, l2 = data.draw(arrays(dtype, shapes(), 2.0**-2, 2.0**2, zero=True)), data.draw(st.floats(0.01, 1))
    tensor = mg.tensor(w, requires_grad=True)
    L2.value(tensor, l2=l2).backward()
    assert tensor.grad.dtype == dtype
    assert np.array_equal(tensor.grad, L2.gradient(w, l2=l2))
    assert np.array_equal(tensor.grad, dtype(l2) * w)


def test_the_subgradient_of_l1_at_zero_is_zero():
    assert L1.gradient(np.array([0.0, -0.0]), l1=1.0).tolist() == [0, 0]


# --- the proximal step ------------------------------------------------------------------------------------------------


def objective(penalty, x, w, lr, numbers):
    """What the proximal step minimises over x, for one weight: Ω(x) + (x − w)²/(2α)."""
    entry = np.array([x], dtype=object)
    return penalty.value(entry, **numbers) + (x - w) ** 2 / (2 * lr)


@pytest.mark.parametrize("penalty", COEFFICIENTS)
@given(data=st.data())
def test_the_proximal_step_is_where_the_subdifferential_contains_zero(penalty, data):
    """For a convex function that is the minimum: (w − x)/α − λx is l1·sign(x), or within ±l1 where x is 0."""
    w, lr, numbers = data.draw(rationals()), data.draw(rationals(1, 3)), draw_coefficients(data, penalty)
    x = penalty.prox(w, lr=lr, **numbers)
    assert type(x) is Fraction
    l1, l2 = numbers.get("l1", 0), numbers.get("l2", 0)
    slope = (w - x) / lr - l2 * x
    assert slope == l1 * (1 if x > 0 else -1) if x else abs(slope) <= l1


@pytest.mark.parametrize("penalty", COEFFICIENTS)
@given(data=st.data())
def test_no_other_point_is_better_than_the_proximal_step(penalty, data):
    w, lr, numbers = data.draw(rationals()), data.draw(rationals(1, 3)), draw_coefficients(data, penalty)
    x, other = penalty.prox(w, lr=lr, **numbers), data.draw(rationals())
    assert objective(penalty, x, w, lr, numbers) <= objective(penalty, other, w, lr, numbers)


@given(exact_arrays((3,)), rationals(1, 3), coefficients)
def test_on_arrays_the_proximal_step_is_that_of_each_entry(w, lr, c):
    assert L1.prox(w, lr=lr, l1=c).tolist() == [L1.prox(x, lr=lr, l1=c) for x in w]
    assert L2.prox(w, lr=lr, l2=c).tolist() == [x / (1 + lr * c) for x in w]


def test_the_soft_threshold_makes_weights_exactly_zero_and_keeps_the_dtype():
    w = np.array([0.05, -0.05, 1.0, -1.0], np.float32)
    shrunk = L1.prox(w, lr=0.5, l1=0.5)
    assert shrunk.dtype == np.float32
    assert shrunk.tolist() == [0, 0, 0.75, -0.75]


# --- conventions ------------------------------------------------------------------------------------------------------


@given(coefficients)
def test_full_is_without_the_half_so_its_coefficient_is_twice(c):
    w = np.array([Fraction(2), Fraction(3)], dtype=object)
    penalty = L2.full(c)
    assert penalty.at(0) == {"l2": 2 * c}
    assert penalty([mg.tensor(w)]).data == 13 * c


@given(coefficients, st.integers(1, 100))
def test_per_example_divides_by_the_size_of_the_training_set(c, n):
    assert L2.per_example(c, examples=n).at(0) == {"l2": c / n}


def test_a_penalty_sums_over_the_parameters_it_chooses_and_counts_each_once():
    w, b = mg.nn.Parameter(np.full(2, 2.0)), mg.nn.Parameter(np.full(3, 1.0), role="bias")
    assert L2(1.0)([w, b, w]).item() == 4
    assert L2(1.0, on="all")([w, b]).item() == 5.5
    assert L2(1.0, on=lambda p: p.ndim == 1)([w, b]).item() == 5.5
    assert L2(1.0)([b]) == 0


def test_a_coefficient_may_depend_on_the_step():
    w = mg.nn.Parameter(np.full(2, 2.0))
    penalty = L2(lambda step: step / 2)
    assert penalty([w], step=2).item() == 4
    assert penalty([w], step=0).item() == 0
    with pytest.raises(ValueError, match=r"depends on the step; pass step="):
        penalty([w])
    with pytest.raises(ValueError, match=r"l2 at step 1 must be ≥ 0, got -1"):
        L2(lambda step: -step)([w], step=1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (lambda m: m, r"got the module itself; pass its \.parameters\(\)"),
        (lambda m: [m], r"got Linear at position 0; pass its \.parameters\(\)"),
        (lambda m: m.bias, "got one Parameter; put it into a list"),
        (lambda m: m.weight * 1, "got one Tensor; put it into a list"),
        (lambda m: np.ones((2, 2)), "got one ndarray; put it into a list"),
        (lambda m: [m.weight, np.ones(2)], "got ndarray at position 1; it has no gradient, wrap it"),
        (lambda m: m.named_parameters(), "got tuple at position 0; leave the names out"),
        (lambda m: dict(m.named_parameters()), r"such as model\.parameters\(\), got dict"),
        (lambda m: 3, r"such as model\.parameters\(\), got int"),
    ],
)
def test_a_penalty_takes_an_iterable_of_parameters_and_nothing_like_it(params, message):
    model = mg.nn.Linear(2, 2, rng=np.random.default_rng(0))
    with pytest.raises(TypeError, match=message):
        L2(0.1, on="all")(params(model))


def test_a_generator_of_parameters_that_was_used_up_is_refused():
    """Made once before a training loop, the penalty would vanish after the first step."""
    params = mg.nn.Linear(2, 2, rng=np.random.default_rng(0)).parameters()
    assert L2(0.1)(params).item() > 0
    with pytest.raises(ValueError, match=r"nothing to penalise: .*model\.parameters\(\), got none \(an exhausted gen"):
        L2(0.1)(params)


def test_a_numpy_integer_counts_examples():
    assert L2.per_example(1, examples=np.int64(10)).at(0) == {"l2": 0.1}


def test_a_penalty_says_what_it_is():
    assert repr(L2(0.5)) == "L2(l2=0.5, on='weights')"
    assert repr(ElasticNet(1, 2, on="all")) == "ElasticNet(l1=1, l2=2, on='all')"


def test_a_numpy_number_becomes_a_plain_one_so_that_it_promotes_nothing():
    (found,) = L2(np.float64(0.5)).at(0).values()
    assert type(found) is float
    assert L2.gradient(np.ones(2, np.float32), l2=found).dtype == np.float32


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: L2(-0.1), ValueError, r"l2 must be ≥ 0, got -0\.1"),
        (lambda: L1(float("nan")), ValueError, "l1 must be finite, got nan"),
        (lambda: ElasticNet(0.1, float("inf")), ValueError, "l2 must be finite, got inf"),
        (lambda: L2("0.1"), TypeError, r"l2 must be a real number, got '0\.1'"),
        (lambda: L2(True), TypeError, "l2 must be a real number, got True"),
        (lambda: L2(np.ones((2, 1))), ValueError, r"l2 must be a number, or a 1-d array .*got shape \(2, 1\)"),
        (lambda: L2(np.array([1, -1.0]))([]), ValueError, r"l2\[1\] must be ≥ 0, got -1\.0"),
        (lambda: L2(np.ones(2))([]), TypeError, "l2 is an array.*give this penalty to an optimizer"),
        (lambda: L2.full(-1), ValueError, "coefficient must be ≥ 0, got -1"),
        (
            lambda: L2.per_example(0.1, examples=0),
            ValueError,
            "training examples, must be an integer ≥ 1, got 0",
        ),
        (lambda: L2.per_example(0.1, examples=1.5), ValueError, r"an integer ≥ 1, got 1\.5"),
        (lambda: L2.per_example(0.1, examples=True), ValueError, "an integer ≥ 1, got True"),
        (lambda: L2(0.1, on="bias"), ValueError, 'on must be "weights", "all" or a predicate.*got \'bias\''),
    ],
)
def test_what_cannot_be_a_penalty_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        make()
