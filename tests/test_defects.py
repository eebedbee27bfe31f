"""Published defects of other people's weight decay, each as a property that catches it.

A property is a function of a step ``w, *state = step(w, g, *state, lr=, decay=, **hyper)``. Every rule of this
package behind door 3 must pass all of them; for each property the planted defect, a faithful copy of the published
one, must not. Both are judged by the same draws. The numbers are rational: no tolerance hides anything.
"""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad.executors.plain import execute
from minigrad.proof import one_step_bound
from minigrad.regularization import L1, L2, coupled, decoupled
from minigrad.rules import RULES, hyper_names, scalar_state, sign, state_names
from tests.strategies import VISIBLE, fractions_below_one, leg, rationals

# 1 − ρ and 1 − β₂ are squares, so that roots of a first step are rational.
HYPER = {
    "momentum": Fraction(9, 10), "beta1": Fraction(9, 10), "beta2": Fraction(3, 4), "rho": Fraction(3, 4),
    "eps": Fraction(1, 100), "psi": 1, "t": 1,
}  # fmt: skip


def numbers_of(rule):
    return {n: HYPER[n] for n in hyper_names(rule) if n != "lr"}


def rest(rule):
    return [Fraction(scalar_state(rule).get(name, 0)) for name in state_names(rule)]


def behind_door_3(name):
    """The correct step of a rule, from its first state: a function of (w, g, lr, decay) that returns the weight."""
    rule = RULES[name]
    size = (lambda g: leg(g, Fraction(1, 5))) if name == "adadelta" else lambda g: g  # √(g²/4 + ε) is rational
    return lambda w, g, lr, decay: decoupled(rule)(w, size(g), *rest(rule), lr=lr, decay=decay, **numbers_of(rule))[0]


# --- the properties ---------------------------------------------------------------------------------------------------

weights, gradients, rates = rationals().filter(bool), rationals(), rationals(1, 8)


def shrinks(step):
    """g = 0 and decay > 0: the weight strictly shrinks."""

    @given(weights, rates, fractions_below_one())
    def check(w, lr, decay):
        assert abs(step(w, 0 * w, lr, decay)) < abs(w)

    return check


def is_linear_without_gradient(step):
    """g = 0: f(c·w) = c·f(w)."""

    @given(weights, rationals(), rates, fractions_below_one())
    def check(w, c, lr, decay):
        assert step(c * w, 0 * w, lr, decay) == c * step(w, 0 * w, lr, decay)

    return check


def has_a_factor_between_0_and_1(step):
    """g = 0: w' = factor · w with 0 ≤ factor < 1, whatever the learning rate."""

    @given(weights, rates, fractions_below_one())
    def check(w, lr, decay):
        assert 0 <= step(w, 0 * w, lr, decay) / w < 1

    return check


def decays_the_old_weight(step):
    """w' = (1 − η)w − u(g), with u independent of η. α reaches 8 here: the effect does not hide."""

    @given(weights, gradients, rates, fractions_below_one(), fractions_below_one())
    def check(w, g, lr, decay, other):
        assert (1 - decay) * w - step(w, g, lr, decay) == (1 - other) * w - step(w, g, lr, other)

    return check


def has_a_direction_of_its_own(step):
    """The step without the shrink does not depend on the weight: the penalty is not in the sign, or in the root."""

    @given(weights, weights, gradients, rates, fractions_below_one())
    def check(w, other, g, lr, decay):
        assert (1 - decay) * w - step(w, g, lr, decay) == (1 - decay) * other - step(other, g, lr, decay)

    return check


# --- the defects ------------------------------------------------------------------------------------------------------


def ignores_decay(w, g, lr, decay):  # tinygrad's Muon (PR 17709), SignSGD of pytorch_optimizer (#517)
    return w - lr * sign(g)


def subtracts_the_coefficient(w, g, lr, decay):  # SGDW of jettify/pytorch-optimizer (#433, #454)
    return w - lr * g - decay


def grows(w, g, lr, decay):  # deeppy #17; cs249r_book PR 2058
    return (1 + decay) * w - lr * g


def decays_the_new_weight(w, g, lr, decay):  # transformers #3407, #14539; bitsandbytes #2010
    return (1 - decay) * (w - lr * g)


def penalty_in_the_sign(w, g, lr, decay):  # Lion of some back ends of bitsandbytes (#1992)
    return w - lr * sign(g + decay / lr * w)


def adam_with_l2_called_decay(w, g, lr, decay):  # pytorch #38767, #48793
    adam = RULES["adam"]
    return coupled(adam, L2.gradient)(w, g, *rest(adam), lr=lr, l2=decay / lr, **numbers_of(adam))[0]


PROPERTIES = (
    shrinks,
    is_linear_without_gradient,
    has_a_factor_between_0_and_1,
    decays_the_old_weight,
    has_a_direction_of_its_own,
)
PLANTED = [
    (ignores_decay, shrinks),
    (subtracts_the_coefficient, is_linear_without_gradient),
    (grows, has_a_factor_between_0_and_1),
    (decays_the_new_weight, decays_the_old_weight),
    (penalty_in_the_sign, has_a_direction_of_its_own),
    (adam_with_l2_called_decay, has_a_direction_of_its_own),
]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("has", PROPERTIES)
def test_every_rule_behind_door_3_has_the_property(rule, has):
    has(behind_door_3(rule))()


@pytest.mark.parametrize(("defect", "has"), PLANTED)
def test_the_planted_defect_does_not_have_the_property(defect, has):
    check = settings(database=None, phases=[Phase.generate], max_examples=200, print_blob=False)(has(defect))
    with pytest.raises(AssertionError):
        check()


# --- the same of the optimizers, as they train ------------------------------------------------------------------------

OPTIMIZERS = {
    "SGD": mg.optim.SGD,
    "SGD momentum": partial(mg.optim.SGD, momentum=0.9),
    "SGD inside": partial(mg.optim.SGD, momentum=0.9, momentum_form="inside"),
    "SGD nesterov": partial(mg.optim.SGD, momentum=0.9, nesterov=True),
    "SGDW": mg.optim.SGDW,
    "Adam": mg.optim.Adam,
    "AdamW": mg.optim.AdamW,
    "AMSGrad": mg.optim.AMSGrad,
    "Adagrad": mg.optim.Adagrad,
    "RMSprop": mg.optim.RMSprop,
    "Lion": mg.optim.Lion,
}
W = np.array([1.0, -2.0, 0.5, 3.0])


def after_one_step(make, w, g, **how):
    p = mg.nn.Parameter(w)
    optimizer = make([p], lr=1.0, **how)
    p.grad = np.array(g)
    optimizer.step()
    return p.data.copy()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizers_decay_multiplies_the_weight_when_the_gradient_is_zero(name):
    """Not ignored, not added, not of the wrong sign, and not behind the rule: 1 − 1/4 is exact."""
    assert after_one_step(OPTIMIZERS[name], W, 0 * W, decay=0.25).tolist() == (0.75 * W).tolist()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizers_step_does_not_depend_on_its_decay(name):
    """α = 1 and η = ½: were the new weight decayed, or the penalty in the rule, the step would change by half."""
    g = np.array([0.5, 0.25, -1.0, 2.0])
    step = W - after_one_step(OPTIMIZERS[name], W, g)
    np.testing.assert_allclose(0.5 * W - after_one_step(OPTIMIZERS[name], W, g, decay=0.5), step, rtol=1e-14)


@pytest.mark.parametrize("make", [mg.optim.SGD, mg.optim.Adam, mg.optim.RMSprop, mg.optim.Lion])
def test_the_argument_names_the_door(make):
    """Adam's ``weight_decay`` was documented as decay and was L2. Here l2 is L2 and decay is decay, by reading back."""
    coupling, decoupling = make([mg.nn.Parameter(W)], lr=0.1, l2=0.1), make([mg.nn.Parameter(W)], lr=0.1, decay=0.1)
    assert (type(coupling.regularizer), coupling.at) == (L2, "gradient")
    assert (type(decoupling.regularizer), decoupling.at) == (mg.regularization.Decay, "shrink")
    with pytest.raises(TypeError, match=r"(?s)l2=0\.01.*decay=0\.01, times=\"lr\""):
        make([mg.nn.Parameter(W)], lr=0.1, weight_decay=0.01)


# --- the fast path ----------------------------------------------------------------------------------------------------


def by_another_rule(update, weights, gradients, state, hyper):  # FlagGems #4988: fused AdamW that was Adam with L2
    hyper = dict(hyper)
    l2 = hyper.pop("decay") / hyper["lr"]
    execute(coupled(RULES["adam"], L2.gradient), weights, gradients, state, {**hyper, "l2": l2})


def follows_the_reference(executor, decay):
    """Whether AdamW on several parameters of one flat buffer is what the pure function makes of each."""
    rng = np.random.default_rng(0)
    start = [rng.normal(size=shape) for shape in ((3, 2), (2,), (5,))]
    params = [mg.nn.Parameter(w) for w in start]
    optimizer = mg.optim.AdamW(params, lr=0.1, decay=decay)
    optimizer.executor = executor
    expected = [(w, np.zeros_like(w), np.zeros_like(w)) for w in start]
    step = decoupled(RULES["adam"])
    for t in range(1, 6):
        gradients = [rng.normal(size=w.shape) for w in start]
        for p, g in zip(params, gradients, strict=True):
            p.grad = g
        optimizer.step()
        expected = [
            step(w, g, m, v, lr=0.1, beta1=0.9, beta2=0.999, eps=1e-8, t=t, decay=decay)
            for (w, m, v), g in zip(expected, gradients, strict=True)
        ]
    return all(np.array_equal(p.data, w) for p, (w, *_) in zip(params, expected, strict=True))


def test_the_path_that_trains_is_the_reference_to_the_bit_with_decay():
    assert follows_the_reference(mg.optim.AdamW([mg.nn.Parameter(W)]).executor, decay=0.1)


def test_a_fast_path_that_uses_the_other_rule_is_found_out():
    """Without decay it is the same rule, and nobody would notice."""
    assert not follows_the_reference(by_another_rule, decay=0.1)


# --- the penalty ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [L2, lambda c: L2.per_example(4 * c, examples=4), lambda c: L2.full(c / 2)])
@given(w=st.lists(rationals(), min_size=1, max_size=4), l2=rationals(0, 3))
def test_the_gradient_of_the_penalty_is_exactly_the_coefficient_times_the_weight(make, w, l2):
    """By ``backward`` through its value (door 1) and as its own face (door 2); ½ is where the ½ belongs."""
    w = mg.nn.Parameter(np.array(w, dtype=object))
    penalty = make(l2)
    assert L2.gradient(w.data, **penalty.at(0)).tolist() == [l2 * x for x in w.data]
    penalty([w]).backward()
    assert w.grad.tolist() == [l2 * x for x in w.data]


def test_a_penalty_without_its_half_is_found_out():
    """Keras's l2, d2l's TensorFlow tab, a loop often seen: twice the gradient that was meant."""
    w = mg.nn.Parameter(np.array([Fraction(3)], dtype=object))
    L2.full(Fraction(1, 10))([w]).backward()
    assert w.grad.tolist() == [2 * Fraction(1, 10) * 3]


def test_the_penalty_of_absolute_values_has_the_sign_as_its_gradient_by_both_ways():
    w = mg.nn.Parameter(np.array([Fraction(3), Fraction(0), Fraction(-1, 2)], dtype=object))
    l1 = Fraction(1, 10)
    L1(l1)([w]).backward()
    assert w.grad.tolist() == L1.gradient(w.data, l1=l1).tolist() == [l1, 0, -l1]


# --- the tests --------------------------------------------------------------------------------------------------------


def is_visible(effect, tolerance):
    """Whether a test of that effect, with that tolerance, tests anything."""
    return bool(np.all(abs(effect) >= VISIBLE * tolerance))


def test_a_tolerance_larger_than_the_effect_is_found_out():
    """tinygrad's test_muon_wd: lr·wd = 1e-5 under atol 1e-3. The derived bound would have seen the same effect."""
    w, g, lr, decay = W, np.ones_like(W), 1e-3, 1e-5
    assert not is_visible(decay * w, 1e-3)
    assert is_visible(decay * w, one_step_bound(w, g, lr, decay))
