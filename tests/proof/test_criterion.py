"""The criterion says of each rule whether L2 at λ = η/α and weight decay are one step, and leave one state."""

from fractions import Fraction
from itertools import product

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from minigrad.proof import exact, smt, symbolic
from minigrad.proof.criterion import EXPECTED, expected, residues
from minigrad.rules import (
    RULES,
    heavy_ball,
    heavy_ball_inside,
    hyper_names,
    lion,
    nesterov,
    preconditioned,
    sgd,
    state_names,
)
from tests.strategies import fractions_below_one, rationals

QUICK = settings(max_examples=100, database=None, deadline=None, phases=[Phase.generate])
RATIONAL = [sgd, heavy_ball, heavy_ball_inside, nesterov, lion, preconditioned]  # no root is taken


@st.composite
def draws(draw, rule):
    """Everything that `residues` takes, at λ = η/α."""
    names = hyper_names(rule)
    lr, decay = draw(rationals(1, 3)), draw(fractions_below_one())
    hyper = {name: draw(fractions_below_one()) for name in names if name != "lr"}
    if "scale" in hyper:
        hyper["scale"] = draw(rationals(1, 3).filter(bool))
    state = [draw(rationals()) for _ in state_names(rule)]
    return draw(rationals()), draw(rationals()), state, {"lr": lr, "decay": decay, "l2": decay / lr, **hyper}


@pytest.mark.parametrize("rule", RATIONAL, ids=lambda rule: rule.__name__)
def test_the_first_residue_is_what_the_theorem_says(rule):
    @given(draws(rule))
    def property_(drawn):
        w, g, state, numbers = drawn
        first, *_ = residues(rule, w, g, *state, **numbers)
        own = {name: numbers[name] for name in hyper_names(rule)}
        (with_penalty, *_), (without, *_) = rule(g + numbers["l2"] * w, *state, **own), rule(g, *state, **own)
        assert type(first) is Fraction
        assert first == with_penalty - without - numbers["decay"] * w

    property_()


def always(rule, which):
    """Whether Hypothesis finds no draw on which that part of the residues is not zero."""
    try:
        find(draws(rule), lambda d: any(which(residues(rule, d[0], d[1], *d[2], **d[3]))), settings=QUICK)
    except NoSuchExample:
        return True
    return False


@pytest.mark.parametrize("rule", RATIONAL, ids=lambda rule: rule.__name__)
def test_what_is_expected_is_found(rule):
    assert (always(rule, lambda r: r[:1]), always(rule, lambda r: r[1:])) == expected(rule.__name__)


def test_every_answer_has_a_rule_and_no_is_expected_of_a_rule_that_is_not_known():
    assert {expected(rule.__name__) for rule in RATIONAL} == set(product([True, False], repeat=2))
    assert expected("unknown") == (False, False)


def test_every_proof_expects_what_is_written_once(monkeypatch):
    monkeypatch.setitem(EXPECTED, "sgd", (False, True))
    monkeypatch.setitem(EXPECTED, "lion", (True, False))
    for section, step, state in ((symbolic, "step", "state"), (smt, "same_step", "same_state")):
        claimed = {c.name: c.expected for c in section.claims()}
        assert (claimed[f"sgd.{step}"], claimed[f"sgd.{state}"]) == (False, True)
        assert (claimed[f"lion.{step}"], claimed[f"lion.{state}"]) == (True, False)
    assert not {c.name: c.expected for c in exact.claims()}["criterion.sgd"]


def test_no_other_coefficient_passes_even_for_gradient_descent():
    w, g, _, numbers = find(draws(sgd), lambda d: residues(sgd, d[0], d[1], **d[3] | {"l2": d[3]["l2"] + 1})[0] != 0)
    assert (w, g) == (1, 0)
    assert numbers["decay"] < 1


@pytest.mark.parametrize("slip", ["sign", "decay forgotten", "λ not divided by α"])
def test_a_rule_or_a_number_that_is_wrong_does_not_pass(slip):
    def wrong(g, *, lr):
        return ({"sign": -lr * g}.get(slip, lr * g),)

    lr, decay = Fraction(1, 3), Fraction(1, 2)
    l2 = decay if slip == "λ not divided by α" else decay / lr
    first, *_ = residues(wrong, Fraction(1), Fraction(2), lr=lr, l2=l2, decay=0 if slip == "decay forgotten" else decay)
    assert first != 0


def test_the_criterion_runs_every_rule():
    for rule in RULES.values():
        numbers = {name: 1 if name == "t" else 0.5 for name in hyper_names(rule)}
        found = residues(rule, 1.0, 2.0, *[0.0] * len(state_names(rule)), l2=1.0, decay=0.5, **numbers)
        assert len(found) == 1 + len(state_names(rule))
