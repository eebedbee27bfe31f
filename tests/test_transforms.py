"""grad, value_and_grad, jacobian, hvp, and gradcheck itself."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigrad as mg
from minigrad.gradcheck import COMPLEX_STEP, DIFFERENCES, REAL_PARTS, GradientError
from minigrad.ops.operation import op

X = np.array([0.5, -1.25, 2.0])


def cubic(x):
    return (x * x * x).sum()


def test_grad_maps_arrays_to_arrays_and_tensors_to_tensors():
    assert type(mg.grad(cubic)(X)) is np.ndarray
    g = mg.grad(cubic)(mg.tensor(X))
    assert isinstance(g, mg.Tensor)
    assert not g.requires_grad
    assert np.array_equal(g.data, mg.grad(cubic)(X))


def test_gradients_nest_to_third_order():
    def summed(f):
        return lambda x: mg.grad(f)(x).sum()

    # Powers of two times small integers: every step is exact.
    assert np.array_equal(mg.grad(cubic)(X), 3 * X**2)
    assert np.array_equal(mg.grad(summed(cubic))(X), 6 * X)
    assert np.array_equal(mg.grad(summed(summed(cubic)))(X), [6.0, 6.0, 6.0])


def test_a_tensor_that_requires_gradients_stays_connected_through_grad():
    x = mg.tensor(X, requires_grad=True)
    mg.grad(cubic)(x).sum().backward()
    assert np.array_equal(x.grad, 6 * X)


def test_an_inner_gradient_depends_on_what_it_closes_over():
    def outer(w):
        return mg.grad(lambda x: (x * x * w).sum())(mg.tensor(X)).sum()

    assert np.array_equal(mg.grad(outer)(np.array([2.0])), [np.sum(2 * X)])


def test_an_inner_gradient_leaves_the_outer_graph_alone():
    w = mg.tensor(2.0, requires_grad=True)
    z = w * w
    mg.grad(lambda x: (x * z).sum())(X)
    assert w.grad is None
    z.backward()
    assert w.grad == 4


def test_argnums_choose_the_arguments():
    def f(a, b):
        return (a * b).sum()

    ga, gb = mg.grad(f, argnums=(0, 1))(X, X + 1)
    assert np.array_equal(ga, X + 1)
    assert np.array_equal(gb, X)
    value, g = mg.value_and_grad(f, argnums=1)(X, X)
    assert value == np.sum(X * X)
    assert np.array_equal(g, X)
    with pytest.raises(ValueError, match="argnums names argument 2"):
        mg.grad(f, argnums=2)(X, X)


def test_grad_of_several_numbers_is_refused():
    with pytest.raises(ValueError, match=r"single number, got shape \(3,\)"):
        mg.grad(lambda x: x * 2)(X)


def test_jacobian_has_the_shape_of_value_and_argument():
    a = np.arange(6.0).reshape(2, 3)
    assert np.array_equal(mg.jacobian(lambda x: mg.matmul(a, x))(X), a)
    assert mg.jacobian(lambda x: mg.reshape(x, (3, 1)) * x)(X).shape == (3, 3, 3)


@pytest.mark.parametrize("kind", [np.array, mg.tensor, lambda x: mg.tensor(x, requires_grad=True)])
def test_the_jacobian_of_no_values_has_no_rows(kind):
    x = kind([1.0, 2.0, 3.0])
    found = mg.jacobian(lambda x: mg.reshape(x[:0], (2, 0)) * x[0])(x)
    assert found.shape == (2, 0, 3)
    assert type(found) is type(x)
    by_both = mg.jacobian(lambda x, y: x[:0] * y, (0, 1))(x, 2.0)
    assert [g.shape for g in by_both] == [(0, 3), (0,)]


def test_hvp_is_the_hessian_times_a_vector():
    v = np.array([1.0, 2.0, 3.0])
    assert np.array_equal(mg.hvp(cubic)(X, v), 6 * X * v)
    hessian = mg.jacobian(mg.grad(mg.logsumexp))(mg.tensor(X))
    assert_allclose(mg.hvp(mg.logsumexp)(X, v), hessian.data @ v, rtol=0, atol=16 * 2**-52)


@pytest.mark.parametrize("v", [np.ones((3, 1)), np.ones(1), 1.0, mg.tensor(np.ones((1, 3)))])
def test_hvp_refuses_a_vector_of_another_shape(v):
    """Beside the gradient it would be broadcast, and the product be another."""
    with pytest.raises(ValueError, match=r"v must have the shape of x, \(3,\), got \("):
        mg.hvp(cubic)(X, v)
    assert mg.hvp(lambda x: x * x * x)(2.0, 1.0) == 12.0


def test_second_derivatives_that_do_not_exist_are_refused_by_name():
    x = np.arange(16.0).reshape(1, 4, 4, 1)
    with pytest.raises(NotImplementedError, match="max_pool2d"):
        mg.hvp(lambda x: (mg.max_pool2d(x) ** 2).sum())(x, x)


# --- the checker ------------------------------------------------------------------------------------------------------


def test_gradcheck_reports_its_oracle_for_each_operation():
    report = mg.gradcheck(lambda x: mg.relu(x) * mg.tanh(x), X)
    assert report.oracles == {"relu": REAL_PARTS, "tanh": COMPLEX_STEP, "multiply": COMPLEX_STEP}


@op()
def real_square(xp, x):
    if x.dtype.kind == "c":
        raise TypeError("runs on real numbers only")
    return x * x


real_square.vjp(lambda xp, g, y, x: g * 2 * x)


def test_gradcheck_takes_differences_where_complex_numbers_do_not_run():
    assert mg.gradcheck(real_square, X).oracles == {"real_square": DIFFERENCES}


def test_gradcheck_takes_differences_where_an_imaginary_part_would_be_dropped():
    """NumPy warns of it, and goes on: the complex step would see half of the derivative."""
    for f in (lambda x: mg.astype(x, np.float64) * x, lambda x: x * mg.astype(mg.astype(x, np.float64), np.float64)):
        assert set(mg.gradcheck(f, X).oracles.values()) == {DIFFERENCES}


@op()
def wrong(xp, x):
    return x * x


wrong.vjp(lambda xp, g, y, x: g * x)


def test_gradcheck_catches_a_wrong_gradient():
    with pytest.raises(GradientError, match="order 1, argument 0"):
        mg.gradcheck(wrong, X)


def test_gradcheck_catches_a_stale_save_right_in_first_and_wrong_in_second_order():
    kept = {}

    @op()
    def stale(xp, x):
        kept["square"] = x * x
        return x * x * x

    stale.vjp(lambda xp, g, y, x: g * 3 * kept["square"])
    mg.gradcheck(stale, X, order=1)
    with pytest.raises(GradientError, match="order 2"):
        mg.gradcheck(stale, X)


def test_the_gradient_of_a_norm_at_the_origin_is_zero():
    zero = np.zeros(3)
    assert np.array_equal(mg.grad(lambda w: mg.sqrt((w**2).sum()))(zero), zero)
    assert np.array_equal(mg.grad(lambda w: (w**2).sum() ** 0.5)(zero), zero)


# --- corners ----------------------------------------------------------------------------------------------------------


def test_an_inner_gradient_on_arrays_is_differentiated_by_what_it_closes_over():
    three, two = np.array(3.0), np.array(2.0)
    assert mg.grad(lambda a: mg.grad(lambda x: x * x * a)(three))(two) == 6
    assert mg.grad(lambda a: mg.grad(lambda x, a: x * x * a)(three, a))(two) == 6


def test_arrays_stay_arrays_where_the_function_closes_over_parameters():
    w = mg.nn.Parameter(np.array([2.0]))
    assert type(mg.grad(lambda x: (x * w).sum())(np.ones(1))) is np.ndarray


def test_a_function_that_cuts_its_graph_is_refused():
    with pytest.raises(TypeError, match="must return a tensor, got float"):
        mg.grad(lambda x: x.sum().item())(X)


def test_gradients_are_arrays_of_their_own():
    a, b = mg.grad(lambda a, b: (a + b).sum(), (0, 1))(np.ones(3), np.ones(3))
    a *= 2
    assert np.array_equal(b, np.ones(3))
    assert type(mg.grad(lambda x: x * x)(np.array(3.0))) is np.ndarray


def test_argnums_are_checked():
    with pytest.raises(ValueError, match="twice"):
        mg.grad(cubic, argnums=(0, -1))(X)
    with pytest.raises(TypeError, match="integer or a tuple"):
        mg.grad(cubic, argnums=[0])(X)


def test_within_no_grad_a_transform_gives_gradients_and_keeps_no_graph():
    x = mg.tensor(X, requires_grad=True)
    with mg.no_grad():
        g = mg.grad(cubic)(x)
    assert np.array_equal(g.data, 3 * X**2)
    assert not g.requires_grad


def test_powers_keep_their_limits_at_zero():
    zero = np.array(0.0)
    with np.errstate(divide="ignore"):
        assert mg.grad(lambda x: x**-1)(zero) == -np.inf
    assert np.array_equal(mg.grad(lambda x: (x ** np.array([0.0, 1.0, 2.0])).sum())(zero), 1.0)


def test_the_second_derivatives_of_a_power_are_those_of_its_formula_where_the_exponent_is_zero():
    a, b = np.array([0.5, 2.0, 3.0]), np.zeros(3)
    assert max(mg.gradcheck(mg.power, a, b).errors.values()) < 1e-9
    by_a_then_b = mg.grad(lambda b: mg.sum(mg.grad(lambda a: mg.sum(mg.power(a, b)))(a)))(b)
    by_b_then_a = mg.grad(lambda a: mg.sum(mg.grad(lambda b: mg.sum(mg.power(a, b)))(b)))(a)
    assert_allclose(by_a_then_b, 1 / a, rtol=4 * 2**-52)
    assert_allclose(by_b_then_a, 1 / a, rtol=4 * 2**-52)
