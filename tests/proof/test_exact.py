"""The identity in rational numbers; and that a float, a wrong λ and a grid too small are each noticed."""

from fractions import Fraction

import numpy as np
import pytest
from flint import fmpq

import minigrad as mg
from minigrad import ops, rules
from minigrad.ops import elementwise
from minigrad.proof import exact
from minigrad.proof.claims import UndecidedError
from minigrad.proof.exact import KINDS, LeakError, network, train
from minigrad.proof.exact.grid import vanishes
from minigrad.regularization import doors
from minigrad.regularization.penalties import L2

kinds = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


# --- the whole engine -------------------------------------------------------------------------------------------------


@kinds
@pytest.mark.parametrize(("steps", "fixed"), [(7, False), (40, True)])
def test_three_doors_train_a_network_to_the_same_rational_numbers(kind, steps, fixed):
    one, two, three = (train(kind, door, steps, fixed_readout=fixed) for door in (1, 2, 3))
    assert one.weights == two.weights == three.weights
    assert all(type(w) is kind for weights in one.weights for w in weights)
    assert all(a != b for a, b in zip(one.weights, one.weights[1:], strict=False))
    assert min(one.kinks) > 0


def test_both_kinds_of_rationals_are_the_same_numbers():
    found = [[[f"{w.numerator}/{w.denominator}" for w in ws] for ws in train(k, 3, 5).weights] for k in KINDS.values()]
    assert found[0] == found[1]


@kinds
@pytest.mark.parametrize("door", [1, 2])
def test_a_wrong_coefficient_is_noticed_at_the_first_step(kind, door):
    wrong = train(kind, door, 1, wrong=Fraction(1001, 1000))
    step, difference = exact.first_difference(wrong, train(kind, 3, 1))
    assert step == 1
    assert any(d != 0 for d in difference)


@kinds
@pytest.mark.parametrize(
    ("optimizer", "step"), [("heavy_ball", 2), ("heavy_ball_inside", 2), ("nesterov", 1), ("lion", 1)]
)
def test_every_other_rational_optimizer_tells_doors_2_and_3_apart(kind, optimizer, step):
    two, three = (train(kind, door, 3, optimizer=optimizer) for door in (2, 3))
    assert exact.first_difference(two, three)[0] == step
    assert exact.first_difference(train(kind, 1, 3, optimizer=optimizer), two) is None


def test_a_float_in_the_data_stops_flint_at_once():
    def planted(values, kind):
        found = exact.array(values, kind)
        found.flat[0] = 0.5
        return found

    with pytest.raises(TypeError, match="fmpq"):
        train(fmpq, 3, 1, data=planted)


def test_a_float_in_the_data_spreads_through_fractions_and_its_first_entry_is_named():
    def planted(values, kind):
        found = exact.array(values, kind)
        if found.shape == (4, 1):  # the targets
            found[2, 0] = 0.5
        return found

    with pytest.raises(LeakError, match=r"loss is float .*, expected Fraction"):
        train(Fraction, 3, 1, data=planted)


def test_a_rule_with_a_float_in_it_is_caught_on_both_kinds(monkeypatch):
    def leaking(g, *, lr):
        return (lr * (1.0 * g),)

    monkeypatch.setattr(rules.sgd, "__code__", leaking.__code__)
    with pytest.raises(TypeError, match="unsupported operand"):
        train(fmpq, 3, 1)
    with pytest.raises(LeakError, match=r"weight 0\[0, 0\] is float"):
        train(Fraction, 3, 1)


def test_an_operation_that_returns_a_bare_zero_is_caught(monkeypatch):
    """As relu once did on object arrays."""
    monkeypatch.setattr(elementwise.functions, "maximum", lambda x, y: np.maximum(x, y))
    hidden = ops.relu(exact.array([[1, -1]], Fraction))
    with pytest.raises(LeakError, match=r"hidden\[0, 1\] is int 0, expected Fraction"):
        exact.check(Fraction, hidden=hidden.data)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"optimizer": "adam"}, "optimizer must be one of sgd, .*, got 'adam'"),
        ({"door": 4}, "door must be 1"),
        ({"steps": 0}, "steps must be an integer ≥ 1, got 0"),
    ],
)
def test_bad_input_is_named(how, said):
    arguments = {"kind": fmpq, "door": 2, "steps": 1} | how
    with pytest.raises(ValueError, match=said):
        train(arguments.pop("kind"), arguments.pop("door"), arguments.pop("steps"), **arguments)


def test_a_rule_that_squares_its_numbers_is_stopped_and_the_step_is_named(monkeypatch):
    monkeypatch.setattr(rules.sgd, "__code__", (lambda g, *, lr: (lr * g * g,)).__code__)
    monkeypatch.setattr(network, "LONGEST", dict.fromkeys(KINDS.values(), 2**12))
    for kind in KINDS.values():
        with pytest.raises(UndecidedError, match=r"in step \d loss has an entry of \d+ bits, more than 4096"):
            train(kind, 2, 100, fixed_readout=True)


@pytest.mark.parametrize("x", [0.5, True, "1/2"])
def test_exact_arrays_are_made_of_nothing_that_is_rounded(x):
    with pytest.raises(TypeError, match=f"made of integers and Fractions, got {type(x).__name__}"):
        exact.array([1, x], fmpq)


# --- flint's rationals in the engine ----------------------------------------------------------------------------------


@pytest.mark.parametrize("x", [fmpq(9, 4), fmpq(-2, 3), fmpq(0)])
def test_flint_rationals_are_taught_the_rules_own_functions(x):
    assert rules.maximum(x, 0) == max(x, fmpq(0))
    assert rules.sign(x) == int(x > 0) - int(x < 0)
    assert type(rules.maximum(x, 0)) is type(rules.sign(x)) is fmpq
    assert rules.sqrt(x * x) == abs(x)
    with pytest.raises(ValueError, match="is not rational"):
        rules.sqrt(x * x + 1 if x else fmpq(2))


@pytest.mark.parametrize("lr", [fmpq(-1, 2), fmpq(1, 2) - 1])
def test_flint_hyperparameters_are_checked_like_any(lr):
    with pytest.raises(ValueError, match="lr must be ≥ 0"):
        mg.optim.SGD([mg.nn.Parameter(exact.array([1], fmpq))], lr=lr)


def test_a_fraction_still_refuses_to_meet_a_flint_rational():
    """Were flint's registered among Python's numbers, Fractions would make floats of both."""
    with pytest.raises(TypeError):
        Fraction(1, 2) * fmpq(1, 2)
    with pytest.raises(TypeError):
        fmpq(1, 2) * Fraction(1, 2)


# --- the grid ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("steps", "weights"), [(1, 1), (1, 2), (2, 2), (3, 1)])
def test_the_identity_is_proved_on_a_grid_of_degree_plus_one(steps, weights):
    grid = exact.identity_on_grid(steps, weights=weights)
    assert grid.holds
    assert grid.points == np.prod([d + 1 for d in grid.degrees.values()])
    assert grid.degrees["x0"] == 2 * steps  # each step multiplies the weight by 1 − η − 2αx²


BROKEN_SHRINKS = {
    "no decay": lambda w, decay: w,
    "flipped sign": lambda w, decay: (1 + decay) * w,
    "decayed twice": lambda w, decay: (1 - decay) * (1 - decay) * w,
}


@pytest.mark.parametrize("broken", BROKEN_SHRINKS)
def test_a_wrong_door_3_is_refuted_by_a_point_of_the_grid(broken):
    grid = exact.identity_on_grid(2, shrink=BROKEN_SHRINKS[broken])
    assert not grid.holds
    assert any(d != 0 for d in grid.difference)
    assert set(grid.counterexample) == {"w0", "x0", "y", "lr0", "decay0", "lr1", "decay1"}


def test_a_wrong_coefficient_and_a_wrong_rule_are_refuted_too():
    assert not exact.identity_on_grid(2, wrong=2).holds

    def doubled(g, *, lr):
        return (lr * g + g * g,)

    assert not exact.identity_on_grid(1, rule=doubled).holds


def found_by_grid(rule):
    step, *state = exact.criterion_on_grid(rule)
    return step.holds, all(s.holds for s in state)


def test_the_four_kinds_of_the_criterion_are_found():
    assert found_by_grid(rules.sgd) == (True, True)
    assert found_by_grid(rules.heavy_ball) == found_by_grid(rules.heavy_ball_inside) == (True, False)
    assert found_by_grid(rules.nesterov) == (False, False)
    assert found_by_grid(rules.preconditioned) == (False, True)


@pytest.mark.parametrize("broken", ["gradient", "shrink"])
def test_breaking_either_door_turns_the_criterion_of_sgd_false(broken, monkeypatch):
    function, wrong = {
        "gradient": (L2.gradient, lambda w, *, l2: 2 * l2 * w),
        "shrink": (doors.shrink, lambda w, decay: (1 + decay) * w),
    }[broken]
    monkeypatch.setattr(function, "__code__", wrong.__code__)
    assert found_by_grid(rules.sgd) == (False, True)


def test_a_rule_that_is_no_rational_function_is_refused():
    with pytest.raises(TypeError, match="adam is no rational function"):
        exact.criterion_on_grid(rules.adam)
    with pytest.raises(TypeError, match="sign is not defined for FracElement"):
        exact.criterion_on_grid(rules.lion)


def test_one_point_less_than_degree_plus_one_does_not_suffice():
    """(x − 1)(x − 2) has degree 2 in x: two points see nothing of it, three refute it."""

    def polynomial(x, y):
        return [(x - 1) * (x - 2) * y]

    (degree,) = exact.degrees(polynomial, lambda x, y: [0 * x], ["x", "y"])
    assert degree == {"x": 2, "y": 1}
    assert vanishes(polynomial, {"x": 2, "y": 2}).holds
    refuted = vanishes(polynomial, {"x": 3, "y": 2})
    assert (refuted.counterexample, refuted.difference) == ({"x": 3, "y": 1}, (2,))


def test_degrees_count_denominators_and_each_side_by_itself():
    """x/y + 1/(x + 1) less itself is 0; its sides have degree 2 and 1 in x, as numerator and denominator."""

    def side(x, y):
        return [x / y + 1 / (x + 1)]

    (degree,) = exact.degrees(side, side, ["x", "y"])
    assert degree == {"x": 3, "y": 2}


def test_a_float_on_the_grid_is_caught():
    with pytest.raises(LeakError, match=r"value 0\[0\] is float"):
        vanishes(lambda x: [np.array([0.0], dtype=object)], {"x": 1})


# --- the claims -------------------------------------------------------------------------------------------------------


SLOW = {"network.Fraction", "grid.5_steps"}  # seconds each; `minigrad prove` runs them


@pytest.mark.parametrize("claim", [c for c in exact.claims() if c.name not in SLOW], ids=lambda c: c.name)
def test_every_claim_is_as_expected(claim):
    assert claim.prove().holds is claim.expected


def test_kinds_of_numbers_that_disagree_are_no_answer(monkeypatch):
    answers = iter([(2, [fmpq(1)]), (2, [Fraction(2)])])
    monkeypatch.setitem(exact.claims.__globals__, "first_difference", lambda *_: next(answers))
    claim = next(c for c in exact.claims() if c.name == "network.heavy_ball")
    with pytest.raises(ArithmeticError, match="comes out differently"):
        claim.prove()


def test_claims_are_named_once_and_say_the_same_twice():
    for thorough in (False, True):
        names = [c.name for c in exact.claims(thorough)]
        assert len(set(names)) == len(names)
    claim = next(c for c in exact.claims() if c.name == "network.fmpq")
    assert claim.prove() == claim.prove()


def test_the_network_claim_fails_where_a_door_is_wrong(monkeypatch):
    claim = next(c for c in exact.claims() if c.name == "network_fixed_readout.fmpq")
    monkeypatch.setattr(doors.shrink, "__code__", (lambda w, decay: (1 + decay) * w).__code__)
    found = claim.prove()
    assert not found.holds
    assert "differ after step 1" in found.shown


def test_optimizers_have_rational_numbers():
    assert all(isinstance(network.learning_rate(t) * network.rate(t), Fraction) for t in range(6))
