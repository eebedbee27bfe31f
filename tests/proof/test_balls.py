"""Floats certified by balls; and that balls decide nothing that is not certain."""

import operator
from fractions import Fraction
from functools import partial

import flint
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import rules
from minigrad.proof import balls
from minigrad.proof.balls import Ball, gap, precision, rounding, train
from minigrad.proof.balls.claims import RADIUS, _told_apart
from minigrad.proof.claims import UndecidedError
from tests.strategies import rationals

AROUND_ONE = Ball(flint.arb(1, 1e-3))
AROUND_ZERO = Ball(flint.arb(0, 1e-3))

# --- balls ------------------------------------------------------------------------------------------------------------


@given(rationals(), rationals(), st.sampled_from([operator.add, operator.sub, operator.mul, operator.truediv]))
def test_arithmetic_encloses_the_exact_result(a, b, operation):
    if operation is operator.truediv and b == 0:
        return
    exact = operation(a, b)
    for found in (operation(Ball(a), Ball(b)), operation(Ball(a), b), operation(a, Ball(b))):
        assert abs(found.middle - exact) <= found.radius


@given(st.floats(-1e6, 1e6))
def test_a_float_is_converted_exactly_at_any_precision(x):
    with precision(10):
        assert (Ball(x).middle, Ball(x).radius) == (Fraction(x), 0)


@pytest.mark.parametrize("name", ["exp", "log", "log1p", "expm1", "tanh", "sin", "cos", "sqrt"])
def test_functions_enclose_what_the_float_function_returns_up_to_its_rounding(name):
    x = 0.7
    with precision(100):
        found = getattr(Ball(x), name)()
    assert found.distance(float(getattr(np, name)(x))) <= 2.0**-51


@pytest.mark.parametrize("operation", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
def test_comparisons_of_overlapping_balls_raise_and_others_are_right(operation):
    with pytest.raises(UndecidedError, match="the balls overlap"):
        operation(AROUND_ONE, 1)
    with pytest.raises(UndecidedError, match="the balls overlap"):
        operation(1, AROUND_ONE)
    assert operation(AROUND_ONE, 2) is operation(1, 2)
    assert operation(AROUND_ONE, Ball(0)) is operation(1, 0)
    assert operation(Ball(3), 3) is operation(3, 3)


@pytest.mark.parametrize(
    "undecided",
    [
        lambda: rules.sign(AROUND_ZERO),
        lambda: rules.maximum(AROUND_ZERO, 0),
        lambda: bool(AROUND_ZERO),
        lambda: 1 / AROUND_ZERO,
        lambda: rules.sqrt(AROUND_ZERO),
        lambda: AROUND_ZERO.log(),
    ],
)
def test_what_overlapping_balls_cannot_decide_or_bound_is_undecided(undecided):
    with pytest.raises(UndecidedError):
        undecided()


def test_decided_signs_and_maxima_are_the_rules_own():
    assert rules.sign(AROUND_ONE) == 1
    assert rules.sign(-AROUND_ONE) == -1
    assert rules.sign(Ball(0)) == 0
    assert rules.maximum(AROUND_ONE, 0) is AROUND_ONE
    assert rules.maximum(-AROUND_ONE, 0) == 0


@pytest.mark.parametrize("x", [0.5, np.float64(0.5)])
def test_a_float_is_refused_on_either_side(x):
    for operation in (operator.add, operator.sub, operator.mul, operator.truediv):
        with pytest.raises(TypeError):
            operation(Ball(1), float(x))
        with pytest.raises(TypeError):
            operation(float(x), Ball(1))
    with pytest.raises(TypeError):
        np.array([Ball(1)]) * x
    with pytest.raises(TypeError, match="got str"):
        Ball("1")


def test_precision_is_restored_even_where_the_block_fails():
    before = flint.ctx.prec
    with precision(before + 100):
        assert flint.ctx.prec == before + 100
    assert flint.ctx.prec == before
    with pytest.raises(UndecidedError), precision(before + 100):
        1 / AROUND_ZERO
    assert flint.ctx.prec == before
    with pytest.raises(ValueError, match="bits must be an integer ≥ 2"), precision(0):
        pass


def test_relu_passes_where_the_sign_is_certain_and_is_undecided_elsewhere():
    x = mg.tensor(np.array([AROUND_ONE, -AROUND_ONE]), requires_grad=True)
    mg.relu(x).sum().backward()
    assert [type(g) for g in x.grad] == [Ball, Ball]
    assert x.grad[0] == 1
    assert x.grad[1] == 0
    with pytest.raises(UndecidedError):
        mg.relu(np.array([AROUND_ZERO]))


def test_bare_arb_balls_whose_comparisons_are_silent_are_not_ordered_by_the_engine():
    x = np.array([flint.arb(0, 1)], dtype=object)
    for function in (mg.relu, lambda x: mg.maximum(x, 0), lambda x: mg.minimum(x, 0)):
        with pytest.raises(TypeError, match="maximum is not defined for arb"):
            function(x)


# --- trajectories -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", balls.LOSSES)
@pytest.mark.parametrize("door", ["decay", "l2"])
def test_float64_adam_is_certified_and_a_disturbed_run_is_not(door, loss):
    floats, exact = (train(kind, "adam", door, 20, loss=loss) for kind in (float, Ball))
    assert rounding(floats, exact) <= RADIUS
    floats[-1][3] += float(2 * RADIUS)
    assert rounding(floats, exact) > RADIUS


def test_the_radius_of_a_certificate_counts_the_balls_own():
    floats = train(float, "adam", "decay", 10)
    coarse = train(Ball, "adam", "decay", 10, bits=60)
    assert rounding(floats, coarse) >= max(b.radius for b in coarse[-1]) > 0


@pytest.mark.parametrize("broken", [{"decay": 0.02}, {"optimizer": "amsgrad"}])
def test_a_float_run_of_another_algorithm_is_not_certified(broken):
    how = {"optimizer": "adam", "door": "decay", "steps": 20} | broken
    assert rounding(train(float, **how), train(Ball, "adam", "decay", 20)) > RADIUS


def test_adam_is_told_apart_from_adamw_and_sgd_from_nothing():
    told = gap(train(Ball, "adam", "l2", 20), train(Ball, "adam", "decay", 20))
    assert told.apart
    assert told.least > 10**50 * told.radii
    told = gap(train(Ball, "sgd", "l2", 20), train(Ball, "sgd", "decay", 20))
    assert (told.apart, told.most) == (False, 0)
    assert told.radii > 0


def test_coarse_balls_tell_nothing_apart_falsely():
    """With few bits the balls are wide: distances shrink to what is certain, or something is undecided."""
    fine, coarse = (
        gap(train(Ball, "adam", "l2", 5, bits=bits), train(Ball, "adam", "decay", 5, bits=bits)) for bits in (512, 60)
    )
    assert coarse.radii > fine.radii
    assert coarse.least <= fine.least + fine.radii


def test_every_weight_is_a_ball_throughout():
    assert {type(w) for weights in train(Ball, "lion", "decay", 3) for w in weights} == {Ball}
    assert {type(w) for weights in train(float, "lion", "decay", 3) for w in weights} == {float}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"optimizer": "adamw"}, "optimizer must be one of sgd, adam, .*, got 'adamw'"),
        ({"door": "prox"}, "door must be one of l2, decay, got 'prox'"),
        ({"loss": "hinge"}, "loss must be one of squared_error, logistic, got 'hinge'"),
        ({"kind": int}, "kind must be float or Ball"),
        ({"steps": 0}, "steps must be an integer ≥ 1, got 0"),
        ({"decay": -1.0}, "decay must be ≥ 0"),
        ({"bits": 1}, "bits must be an integer ≥ 2, got 1"),
    ],
)
def test_bad_input_is_named(how, said):
    with pytest.raises(ValueError, match=said):
        train(**{"kind": Ball, "optimizer": "adam", "door": "l2", "steps": 1} | how)


def test_wide_balls_do_not_pass_for_equal_ones(monkeypatch):
    monkeypatch.setitem(_told_apart.__globals__, "train", partial(train, bits=60))
    with pytest.raises(UndecidedError, match="take more bits"):
        _told_apart("sgd", "logistic", 3)


def test_what_is_apart_on_the_way_only_is_told_at_that_step(monkeypatch):
    def touching(*how, **more):
        return [[Ball(0)], [Ball(1 if "l2" in how else 3)], [Ball(0)]]

    monkeypatch.setitem(_told_apart.__globals__, "train", touching)
    found = _told_apart("sgd", "logistic", 2)
    assert not found.holds
    assert found.shown == "after step 1 some weights are apart, by up to 2"


@pytest.mark.parametrize("claim", balls.claims(), ids=lambda c: c.name)
def test_every_claim_is_as_expected(claim):
    assert claim.prove().holds is claim.expected


def test_claims_are_named_once_and_say_the_same_twice():
    names = [c.name for c in balls.claims()]
    assert len(set(names)) == len(names)
    assert balls.claims()[0].prove() == balls.claims()[0].prove()
