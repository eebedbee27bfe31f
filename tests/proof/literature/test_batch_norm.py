"""Batch norm and scale: exactly, bounded, and with normalisations that are not batch norm."""

from fractions import Fraction

import numpy as np
import pytest

import minigrad as mg
from minigrad import ops
from minigrad.proof.literature import batch_norm
from minigrad.proof.literature.symbols import array, sympy


def _centred(x):
    d = x - x.sum(axis=0, keepdims=True) * Fraction(1, x.shape[0])
    return d, (d * d).sum(axis=0, keepdims=True) * Fraction(1, x.shape[0])


def by_variance(x, scale, bias, eps):
    d, v = _centred(x)
    return d / (v + eps) * scale + bias


def by_frozen_variance(x, scale, bias, eps):
    """The right value; its derivative takes the variance for a constant."""
    d, v = _centred(x)
    return d / (v + eps).detach().sqrt() * scale + bias


def floored(x, scale, bias, eps):
    return ops.batch_norm(x, scale, bias, eps + Fraction(1, 1024))


def root_outside(x, scale, bias, eps):
    """ε beside the root."""
    d, v = _centred(x)
    return d / (v.sqrt() + eps) * scale + bias


def test_a_normalisation_that_keeps_the_scale_is_found():
    assert not batch_norm.prove_scale(by_variance).holds
    assert not batch_norm.prove_bitwise(by_variance).holds


def test_a_derivative_that_forgets_the_variance_is_found():
    assert batch_norm.prove_scale(by_frozen_variance).holds
    assert not batch_norm.prove_radial(by_frozen_variance).holds


def test_a_gradient_that_does_not_grow_is_found():
    assert not batch_norm.prove_effective_rate(by_variance).holds


@pytest.mark.parametrize("norm", [floored, root_outside])
def test_another_place_or_size_of_eps_is_found(norm):
    assert not batch_norm.prove_deviation(norm).holds


def test_a_hidden_floor_is_found_bit_for_bit():
    assert not batch_norm.prove_bitwise(lambda x, s, b, eps: ops.batch_norm(x, s, b, eps + 1e-5)).holds


def test_bounds_that_are_too_narrow_are_found():
    """A tenfold ε in the engine leaves the bounds of the given one."""
    assert not batch_norm.prove_bounded(lambda x, s, b, eps: ops.batch_norm(x, s, b, 10 * eps)).holds


def test_a_negative_factor_turns_the_sign():
    x, w = array([[1], [-1], [7], [-7]]), array([[1]])
    one, other = (batch_norm.output(x, c * w).data for c in (1, -3))
    assert (one + other == 0).all()


def test_the_bound_holds_in_float64_for_the_engines_layer_with_its_default_eps():
    """ε = 10⁻⁵ in units of the activations' variance: the deviation is a thousand times the rounding errors, and more.

    Rounding: fewer than 100 operations per entry (a mean over 32 rows among them), each entry of order 1.
    """
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(32, 8)), rng.normal(size=(8, 4)) / 20
    norm = mg.nn.BatchNorm(4, dtype=np.float64)
    for c in (0.1, 0.5, 3.0):
        found = abs(norm(mg.tensor(x @ (c * w))).data - norm(mg.tensor(x @ w)).data)
        z = x @ w
        hat, s = (z - z.mean(axis=0)) / z.std(axis=0), 1e-5 / z.var(axis=0)
        upper = 0.5 * abs(hat) * abs(s / c**2 - s)
        rounding = 100 * 2.0**-53 * 10
        assert np.all(found <= upper + rounding)
        assert np.all(found >= upper * (1 + np.maximum(s, s / c**2)) ** -1.5 - rounding)
        assert found.max() > 100 * rounding


def test_gradient_descent_without_decay_lets_the_norm_grow_and_never_shrink():
    """w ⊥ ∇L at ε = 0, exactly: ‖w − α∇L‖² = ‖w‖² + α²‖∇L‖²."""
    x = array([[1, 2], [-3, 1], [4, -2]])
    w, r = array([[1], [3]]), array([[2], [-1], [5]])
    g = batch_norm.gradient(x, w, r)
    new = w - sympy.Rational(1, 10) * g
    before, added, after = ((a * a).sum() for a in (w, g, new))
    assert sympy.simplify(after - before - added / 100) == 0
    assert added > 0
