"""The doors: what each does to any rule, and the names of the variants they make."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given

from minigrad.regularization import L1, L2, VARIANTS, coupled, decoupled, plain, proximal, shrink, variant
from minigrad.regularization.variants import ALIASES
from minigrad.rules import RULES, heavy_ball, heavy_ball_inside, hyper_names, sgd, state_names
from tests.strategies import fractions_below_one, rationals


@given(rationals(), rationals(), rationals(), fractions_below_one())
def test_the_doors_differ_in_where_one_line_stands(w, g, b, lr):
    """With heavy ball, whose buffer shows what the rule has seen."""
    hyper = {"lr": lr, "momentum": lr}
    assert plain(heavy_ball)(w, g, b, **hyper) == (w - lr * (lr * b + g), lr * b + g)
    seen = lr * b + (g + w / 3)
    assert coupled(heavy_ball, lambda w: w / 3)(w, g, b, **hyper) == (w - lr * seen, seen)
    unseen = lr * b + g
    assert decoupled(heavy_ball)(w, g, b, decay=lr, **hyper) == ((1 - lr) * w - lr * unseen, unseen)
    assert proximal(heavy_ball, lambda w, *, lr: w / 3)(w, g, b, **hyper) == ((w - lr * unseen) / 3, unseen)


@given(rationals(), rationals(), fractions_below_one(), fractions_below_one())
def test_the_proximal_step_of_l2_is_decay_with_other_numbers(w, g, lr, decay):
    """η/(1 + η) and α/(1 + η) in place of η and α, as its docstring says."""
    (x,) = proximal(sgd, L2.prox)(w, g, lr=lr, l2=decay / lr)
    (y,) = decoupled(sgd)(w, g, lr=lr / (1 + decay), decay=decay / (1 + decay))
    assert x == y


@given(rationals(), rationals(), fractions_below_one())
def test_without_regularisation_all_doors_are_the_plain_one(w, g, lr):
    (expected,) = plain(sgd)(w, g, lr=lr)
    assert coupled(sgd, L2.gradient)(w, g, lr=lr, l2=0) == (expected,)
    assert decoupled(sgd)(w, g, lr=lr, decay=0) == (expected,)
    assert proximal(sgd, L2.prox)(w, g, lr=lr, l2=0) == proximal(sgd, L1.prox)(w, g, lr=lr, l1=0) == (expected,)


@given(rationals(), rationals(), fractions_below_one(), fractions_below_one())
def test_weight_decay_may_shrink_in_another_way(w, g, lr, decay):
    def halve(w, decay):
        return w / 2

    assert decoupled(sgd, halve)(w, g, lr=lr, decay=decay) == (w / 2 - lr * g,)
    assert shrink(w, decay) == w - decay * w


def test_nothing_is_written_in_place():
    for one in VARIANTS.values():
        arrays = [np.full(3, 0.5) for _ in range(2 + len(state_names(one.rule)))]
        one.step(*arrays, **dict.fromkeys(one.hyper, 0.25))
        assert all(np.all(a == 0.5) for a in arrays)


# --- variants ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_stands_behind_every_door(rule):
    names = {n for n, v in VARIANTS.items() if v.rule is RULES[rule]}
    doors = {"", "_decay", *(f"{door}_{p}" for door in ("", "_prox") for p in ("l1", "l2", "elastic_net"))}
    assert names == {rule + door for door in doors}


def test_a_variant_names_the_numbers_its_step_takes():
    assert variant("adamw").hyper == (*hyper_names(RULES["adam"]), "decay")
    assert variant("sgd_prox_elastic_net").hyper == ("lr", "l1", "l2")


def test_published_names_find_their_variant():
    assert variant("AdamW") is VARIANTS["adam_decay"]
    assert variant("sgdw").rule is heavy_ball_inside
    assert variant("RAdamW") is VARIANTS["radam_decay"]
    assert variant("heavy-ball-l2") is VARIANTS["heavy_ball_l2"]
    assert all(target in VARIANTS for target in ALIASES.values())


def test_a_variant_cannot_be_changed_for_everybody_else():
    with pytest.raises(FrozenInstanceError):
        variant("adamw").step = plain(sgd)


def test_an_unknown_variant_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"no variant is called 'adamww'; did you mean .*adamw"):
        variant("adamww")
    with pytest.raises(ValueError, match=r"did you mean \w+, \w+, \w+\?$"):  # three, of more that are near
        variant("adam_l3")
    with pytest.raises(ValueError, match="no variant is called 'zzzzzz'"):
        variant("zzzzzz")
