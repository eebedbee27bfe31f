"""Cautious decay, exactly and on arrays, and masks that are wrong."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given

from minigrad.proof.claims import UndecidedError
from minigrad.proof.literature import cautious as file
from minigrad.proof.literature.cautious import above, at_least, cautious, printed
from minigrad.proof.literature.symbols import positive
from minigrad.regularization import decoupled
from minigrad.rules import sgd
from tests.strategies import fractions_below_one, rationals


def outwards(rule):
    """Decay where the step moves the weight away from zero."""
    return cautious(rule, lambda x: above(-x))


def never(rule):
    return cautious(rule, lambda x: 0 * x)


@pytest.mark.parametrize("door", [printed, decoupled, outwards])
def test_a_door_that_rests_elsewhere_or_may_is_found(door):
    assert not file.prove_nothing_else(door).holds


@pytest.mark.parametrize("door", [cautious, never, outwards])
def test_a_door_that_rests_at_a_nonzero_weight_is_found(door):
    assert not file.prove_nowhere(door).holds


def test_a_weight_that_moves_in_its_first_step_alone_or_in_its_second_does_not_stay():
    def at_once(g, m, *, lr):
        return lr * (1 - m), 0 * m + 1

    def later(g, m, *, lr):
        return lr * m, 0 * m + 1

    def for_ever_elsewhere(g, m, *, lr):
        return lr * g, m + 1

    for rule in (at_once, later, for_ever_elsewhere):
        assert not file._stays(cautious, rule)
    assert file._stays(cautious, sgd)


def test_a_rule_with_branches_stays_only_if_it_does_on_each(monkeypatch):
    def moves_later(g, *, lr, t):
        return (lr * g if t < 9 else lr,)

    monkeypatch.setattr(file, "RULES", {"moves_later": moves_later, "sgd": sgd})
    assert file.fixed(cautious) == {"moves_later": False, "sgd": True}


def test_a_move_of_unknown_sign_without_a_solution_is_no_answer():
    w = positive("|w|")
    with pytest.raises(UndecidedError, match="not known"):
        file.rests(w**2 - w + 1)  # never 0, but SymPy does not know its sign


@given(rationals(), rationals(), fractions_below_one())
def test_it_decays_exactly_where_the_step_moves_towards_zero(w, g, decay):
    lr = Fraction(1, 10)
    (found,) = cautious(sgd)(w, g, lr=lr, decay=decay)
    towards = (lr * g > 0 and w > 0) or (lr * g < 0 and w < 0)
    assert found == w - lr * g - (decay * w if towards else 0)
    assert type(found) is Fraction


@given(rationals(), rationals(), fractions_below_one())
def test_the_two_masks_differ_only_where_step_or_weight_is_zero(w, g, decay):
    assume(w * g != 0)
    hyper = {"lr": Fraction(1, 10), "decay": decay}
    assert cautious(sgd)(w, g, **hyper) == printed(sgd)(w, g, **hyper)


def test_masks_on_arrays_and_signed_zeros():
    x = np.array([-2.0, -0.0, 0.0, 3.0])
    assert above(x).tolist() == [0, 0, 0, 1]
    assert at_least(x).tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize(("door", "ends"), [(cautious, True), (decoupled, False)])
def test_gradient_descent_on_a_quadratic_ends_at_its_minimum_with_cautious_decay_only(door, ends):
    c, w = np.array([1.0, -2.0]), np.array([3.0, 0.5])
    for _ in range(400):
        (w,) = door(sgd)(w, w - c, lr=0.1, decay=0.01)
    off = abs(w - c)
    # Contraction by 0.9 for 400 steps leaves 1e-18 of the distance; weight decay rests at αc/(α + η) = c/1.1.
    assert np.all(off < 1e-14) if ends else np.all(off > 0.09)


def test_with_the_printed_mask_gradient_descent_comes_near_the_minimum_but_cannot_stay():
    c, lr, decay = Fraction(1), Fraction(1, 10), Fraction(1, 100)
    w = Fraction(9, 10)
    for _ in range(60):
        (w,) = printed(sgd)(w, w - c, lr=lr, decay=decay)
    assert 0 < c - w < Fraction(1, 1000)
    assert printed(sgd)(c, c - c, lr=lr, decay=decay) == (c - decay * c,)
    assert cautious(sgd)(c, c - c, lr=lr, decay=decay) == (c,)
