"""The box: exact minimisers, where AdamW ends, and where other steps do."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.proof.literature import box
from minigrad.regularization import decoupled, variant
from minigrad.rules import adam
from tests.strategies import rationals

STEPS = 5_000


@pytest.mark.parametrize("loss", [box.SEPARABLE, box.MIXED])
@pytest.mark.parametrize(
    "step",
    [
        decoupled(adam, lambda w, decay: w),
        decoupled(adam, lambda w, decay: (1 - 2 * decay) * w),
        lambda *arrays, lr, decay, **hyper: variant("adam_l2").step(*arrays, lr=lr, l2=decay / lr, **hyper),
    ],
)
def test_another_step_ends_elsewhere(loss, step):
    assert not box.measure(loss, box.constrained_minimiser, STEPS, step).holds


def test_l2_in_the_gradient_ends_at_the_ridge():
    def step(*arrays, lr, decay, **hyper):
        return variant("adam_l2").step(*arrays, lr=lr, l2=decay / lr, **hyper)

    for loss in (box.SEPARABLE, box.MIXED):
        assert box.measure(loss, box.ridge, STEPS, step).holds


def test_the_candidates_are_a_hundred_tolerances_apart():
    tolerance = box.LR / (1 + STEPS / box.TAU)
    inside, clip = (f(box.MIXED, 1) for f in (box.constrained_minimiser, box.clipped))
    assert max(abs(a - b) for a, b in zip(inside, clip, strict=True)) >= 100 * tolerance
    inside, ridge = (f(box.SEPARABLE, 1) for f in (box.constrained_minimiser, box.ridge))
    assert max(abs(a - b) for a, b in zip(inside, ridge, strict=True)) >= 100 * tolerance


def test_the_distance_falls_with_the_learning_rate():
    goal = np.array(box.constrained_minimiser(box.MIXED, 1), dtype=float)
    off = [abs(box.end(variant("adamw").step, box.MIXED, 1.0, steps=n) - goal).max() for n in (300, 3000)]
    assert off[1] < off[0] / 3


@given(st.data())
def test_the_constrained_minimiser_is_below_its_neighbours_in_the_box(data):
    a, b, d = (data.draw(rationals(-3, 3)) for _ in range(3))
    h = [[1 + a * a, a * b], [a * b, 1 + b * b + d * d]]  # I plus a Gram matrix
    c = [data.draw(rationals()), data.draw(rationals())]
    loss = box.Quadratic(h, c)

    def value(w):
        e = [x - y for x, y in zip(w, c, strict=True)]
        return sum(e[i] * h[i][j] * e[j] for i in range(2) for j in range(2))

    found = box.constrained_minimiser(loss, 1)
    assert all(abs(x) <= 1 for x in found)
    for size, signs in product((Fraction(1, 1000), Fraction(1, 3)), product((-1, 0, 1), repeat=2)):
        near = [max(Fraction(-1), min(Fraction(1), x + size * s)) for x, s in zip(found, signs, strict=True)]
        assert value(near) >= value(found)


@given(rationals(), rationals(), st.integers(1, 5), st.integers(1, 5))
def test_on_a_separable_quadratic_it_is_the_target_clipped(c1, c2, h1, h2):
    loss = box.Quadratic([[h1, 0], [0, h2]], [c1, c2])
    assert box.constrained_minimiser(loss, 1) == box.clipped(loss, 1)


def test_a_matrix_that_is_not_positive_definite_is_refused():
    with pytest.raises(ValueError, match="positive definite"):
        box.Quadratic([[1, 2], [2, 1]], [0, 0])


def test_a_box_without_room_is_refused():
    with pytest.raises(ValueError, match="radius must be > 0, got 0"):
        box.constrained_minimiser(box.MIXED, 0)
