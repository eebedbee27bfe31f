"""Every refusal of an optimizer, with its message; none of them changes a parameter."""

import copy
import math
import pickle
import re
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from minigrad import optim, rules
from minigrad.nn.parameter import Parameter
from minigrad.regularization import L1, L2, Decay, ElasticNet
from minigrad.tensor import Tensor
from tests.optim.making import give, gradients, parameters, run, values

PARAM = [Parameter(np.ones(2))]


def refused(error, message, make):
    with pytest.raises(error, match=re.escape(message)):
        make()


# --- parameters -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        (lambda: [], ValueError, "there is nothing to optimize"),
        (lambda: PARAM * 2, ValueError, "the parameter of shape (2,) is given twice, at positions 0 and 1"),
        (lambda: SimpleNamespace(parameters=lambda: PARAM), TypeError, "got the module itself; pass its .parameters()"),
        (lambda: PARAM[0], TypeError, "got one Parameter; put it into a list"),
        (lambda: {"params": PARAM}, TypeError, "an iterable of mg.nn.Parameter, such as model.parameters(), got dict"),
        (lambda: [{"params": PARAM}], TypeError, "got dict at position 0; groups are chosen by on="),
        (lambda: [("weight", PARAM[0])], TypeError, "got tuple at position 0; leave the names out"),
        (lambda: [*PARAM, Tensor(np.ones(2), True)], TypeError, "got Tensor at position 1; wrap its array"),
        (lambda: [np.ones(2)], TypeError, "got ndarray at position 0"),
        (lambda: 3, TypeError, "got int"),
    ],
)
def test_what_is_no_collection_of_parameters_is_refused(params, error, message):
    refused(error, message, lambda: optim.SGD(params(), lr=0.1))


def test_any_iterable_of_parameters_is_accepted():
    ps = parameters()
    for params in (iter(ps), tuple(ps), (p for p in ps), dict.fromkeys(ps).keys()):
        assert optim.SGD(params, lr=0.1).params == ps


@pytest.mark.parametrize(
    "name", ["lr", "momentum", "l2", "decay", "schedule", "regularizer", "at", "on", "times", "params", "rule"]
)
def test_what_was_decided_is_not_set_later(name):
    """It would be ignored: a learning rate of 0 that still steps."""
    optimizer = optim.SGD(parameters(), lr=0.1, momentum=0.9, l2=0.1)
    before = str(optimizer)
    refused(AttributeError, f"{name} was decided when this SGD was made", lambda: setattr(optimizer, name, 0.0))
    assert str(optimizer) == before


def test_the_executor_and_the_counts_may_be_set_later():
    optimizer = optim.SGD(parameters(), lr=lambda k: 0.5 if k == 7 else 0.0)
    called = []
    optimizer.executor = lambda *given: called.append(given[-1]["lr"])
    optimizer.steps = 7
    run(optimizer, 1)
    assert called == [0.5]
    assert optimizer.steps == 8


# --- weight_decay -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "couples", "decouples", "fraction"),
    [
        (
            lambda **k: optim.SGD(PARAM, lr=0.1, **k),
            'SGD(params, lr=0.1, l2=0.01, on="all", ...)',
            "SGD(params, lr=0.1",
            "0.001",
        ),
        (
            lambda **k: optim.Adam(PARAM, **k),
            'Adam(params, lr=0.001, l2=0.01, on="all", ...)',
            "Adam(params, lr=0.001",
            "1e-05",
        ),
        (
            lambda **k: optim.AdamW(PARAM, **k),
            'Adam(params, lr=0.001, l2=0.01, on="all", ...)',
            "AdamW(params, lr=0.001",
            "1e-05",
        ),
        (
            lambda **k: optim.Lion(PARAM, 0.5, **k),
            'Lion(params, lr=0.5, l2=0.01, on="all", ...)',
            "Lion(params, lr=0.5",
            "0.005",
        ),
        (
            lambda **k: optim.SGDW(PARAM, np.float32(0.5), **k),
            'SGD(params, lr=0.5, l2=0.01, on="all", momentum=..., momentum_form="inside", ...)',
            "SGDW(params, lr=0.5",
            "0.005",
        ),
    ],
)
@pytest.mark.parametrize("value", [0.01, np.float64(0.01)])
def test_weight_decay_is_translated_both_ways_with_the_callers_numbers(make, couples, decouples, fraction, value):
    with pytest.raises(TypeError, match="has no weight_decay") as caught:
        make(weight_decay=value)
    message = str(caught.value)
    assert couples in message
    assert f'{decouples}, decay=0.01, times="lr", ...)' in message
    assert f"removes {fraction} of every parameter in every step" in message
    assert message.count(f"the same as decay={fraction}\n") == 1


def test_the_two_translations_of_weight_decay_do_what_the_message_says():
    for words in ({"l2": 0.01, "on": "all"}, {"decay": 0.01, "times": "lr"}, {"decay": 0.001}):
        p = Parameter(np.ones(1))
        p.grad = np.zeros(1)
        optim.SGD([p], lr=0.1, **words).step()
        assert p.item() == pytest.approx(0.999, abs=2**-53)


def test_weight_decay_is_translated_for_a_scheduled_lr_and_refused_for_words():
    refused(TypeError, "removes 0.005 of every parameter in the first step",
            lambda: optim.SGD(PARAM, lr=lambda k: 0.5 / (k + 1), weight_decay=0.01))  # fmt: skip
    refused(TypeError, "weight_decay must be a real number, got 'much'",
            lambda: optim.SGD(PARAM, lr=0.1, weight_decay="much"))  # fmt: skip


def test_a_negative_weight_decay_is_not_translated():
    with pytest.raises(TypeError, match="weight_decay must be ≥ 0, got -0.1") as caught:
        optim.SGD(PARAM, lr=0.1, weight_decay=-0.1)
    assert "=-0.1" not in str(caught.value)


def test_what_is_suggested_for_weight_decay_as_l2_acts_on_biases_too_as_torchs_does():
    torch = pytest.importorskip("torch")
    ours, theirs = Parameter(np.ones(1), role="bias"), torch.ones(1, dtype=torch.float64, requires_grad=True)
    ours.grad, theirs.grad = np.zeros(1), torch.zeros(1, dtype=torch.float64)
    optim.SGD([ours], lr=0.1, l2=0.01, on="all").step()
    torch.optim.SGD([theirs], lr=0.1, weight_decay=0.01).step()
    assert ours.item() == theirs.item() < 1


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(PARAM, lr=0.1, momentun=0.9), "SGD has no argument 'momentun'; did you mean momentum=?"),
        (lambda: optim.Adam(PARAM, beta1=0.9), "Adam has no argument 'beta1'; did you mean betas=?"),
        (lambda: optim.Adam(PARAM, zzz=1), "Adam has no argument 'zzz'; it takes params, lr, betas, eps, l2, decay,"),
        (lambda: optim.AdamW(PARAM, l2=0.1), "AdamW has no argument 'l2': by its name it decouples, with decay=."),
        (lambda: optim.AdamW(PARAM, regularizer=L2(0.1), at="gradient"), "AdamW has no argument 'regularizer'"),
        (lambda: optim.SGDW(PARAM, lr=0.1, l2=0.1), "Use SGD, which has l2="),
        (lambda: optim.SGDW(PARAM, lr=0.1, nesterov=True), "SGDW has no argument 'nesterov'"),
        (lambda: optim.SGDW(PARAM, lr=0.1, momentum_form="outside"), "SGDW has no argument 'momentum_form'"),
    ],
)
def test_unknown_keywords_are_type_errors(make, message):
    refused(TypeError, message, make)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"l2": 0.1, "decay": 0.01}, "l2=0.1 couples and decay=0.01 decouples: choose one"),
        ({"l2": lambda k: 0.1, "decay": 0.01}, "couples and decay=0.01 decouples"),
        ({"regularizer": L2(0.1), "at": "gradient", "l2": 0.1}, "regularizer= and at=, or one of l2= and decay="),
        ({"regularizer": L2(0.1), "at": "gradient", "decay": 0.1}, "either regularizer= and at="),
        ({"regularizer": L2(0.1), "at": "gradient", "on": "all"}, "regularizer= has its own on= and times="),
        ({"regularizer": Decay(0.1), "times": "lr"}, "regularizer= has its own on= and times="),
        ({"l2": 0.1, "times": "lr"}, "times='lr' says what decay= is multiplied by, and there is l2=0.1"),
        ({"l2": lambda k: 0.1, "times": None}, "times=None says what decay= is multiplied by"),
        ({"l2": 0.1, "at": "prox"}, "at='prox' says where regularizer= acts, and there is none"),
        ({"regularizer": L1(0.1), "at": "shrink"}, "L1 has no 'shrink': at=\"gradient\" and at=\"prox\" are possible"),
        ({"regularizer": ElasticNet(0.1, 0.1), "at": "shrink"}, "ElasticNet has no 'shrink'"),
        ({"regularizer": L2(0.1), "at": "shrink"}, 'what L2(c) does is Decay(c, times="lr")'),
        ({"regularizer": L1(0.1)}, "where does L1 act? at=None does not say: at=\"gradient\" and at=\"prox\""),
        ({"regularizer": L2(0.1), "at": "loss"}, "where does L2 act? at='loss' does not say"),
        ({"regularizer": Decay(0.1), "at": "gradient"}, "Decay has no 'gradient': only at=\"shrink\" is possible"),
        ({"regularizer": Decay(0.1), "at": "prox"}, "Decay has no 'prox': only at=\"shrink\" is possible"),
        ({"decay": 0.1, "times": "often"}, "times must be None, \"schedule\" or \"lr\", got 'often'"),
        ({"on": "biases"}, 'on must be "weights", "all" or a predicate on a parameter, got \'biases\''),
        ({"l2": 0.1, "decay_schedule": lambda k: 1}, 'decay_schedule= multiplies a Decay with times="schedule"'),
        ({"decay": 0.1, "times": "lr", "decay_schedule": lambda k: 1}, "decay_schedule= multiplies a Decay"),
        ({"lr": lambda k: 0.1, "decay": 0.1}, 'give lr as a number and the function as schedule=, which'),
        ({"lr": lambda k: 0.1, "decay": lambda k: 0.1}, 'or say times="lr" (decay is multiplied by lr) or times=None'),
        ({"lr": lambda k: 0.1, "regularizer": Decay(0.1)}, "lr is a function of the step"),
        ({"nesterov": True}, 'nesterov=True needs momentum > 0 and momentum_form="outside", got momentum=0.0'),
        ({"nesterov": True, "momentum": 0.9, "momentum_form": "inside"}, "momentum_form='inside'"),
        ({"momentum": 0.9, "momentum_form": "both"}, 'momentum_form must be "outside" or "inside", got \'both\''),
    ],
)  # fmt: skip
def test_contradictions_are_refused_with_what_is_possible(words, message):
    refused(ValueError, message, lambda: optim.SGD(PARAM, **{"lr": 0.1, **words}))


def test_a_regularizer_of_another_kind_is_refused():
    refused(
        TypeError, "regularizer must be L2, L1, ElasticNet or Decay", lambda: optim.SGD(PARAM, 0.1, regularizer=0.1)
    )


def test_ways_out_of_a_function_as_lr_are_open():
    for words in ({"times": "lr"}, {"times": None}, {"decay_schedule": lambda k: 1.0}):
        optim.SGD(PARAM, lr=lambda k: 0.1, decay=0.1, **words).hyper(0)
    optim.SGD(PARAM, lr=lambda k: 0.1).hyper(0)  # without decay there is nothing to tell apart


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf])
@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("lr", lambda x: optim.SGD(PARAM, lr=x)),
        ("l2", lambda x: optim.SGD(PARAM, lr=0.1, l2=x)),
        ("decay", lambda x: optim.SGD(PARAM, lr=0.1, decay=x)),
        ("momentum", lambda x: optim.SGD(PARAM, lr=0.1, momentum=x)),
        ("eps", lambda x: optim.Adam(PARAM, eps=x)),
        ("beta1", lambda x: optim.Adam(PARAM, betas=(x, 0.9))),
        ("beta2", lambda x: optim.Lion(PARAM, betas=(0.9, x))),
        ("rho", lambda x: optim.RMSprop(PARAM, rho=x)),
    ],
)
def test_negative_and_infinite_numbers_are_refused_by_name(name, make, bad):
    refused(ValueError, f"{name} must be", lambda: make(bad))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(PARAM, lr=0.1, momentum=1.0), "momentum must be in [0, 1), got 1.0"),
        (lambda: optim.Adam(PARAM, betas=(1, 0.9)), "beta1 must be in [0, 1), got 1"),
        (lambda: optim.AMSGrad(PARAM, betas=(0.9, 1.5)), "beta2 must be in [0, 1), got 1.5"),
        (lambda: optim.RMSprop(PARAM, rho=1.0), "rho must be in [0, 1), got 1.0"),
    ],
)
def test_factors_that_forget_must_be_below_one(make, message):
    refused(ValueError, message, make)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: optim.SGD(PARAM, lr="0.1"), "lr must be a real number, got '0.1'"),
        (lambda: optim.SGD(PARAM, lr=True), "lr must be a real number, got True"),
        (lambda: optim.Adam(PARAM, eps=lambda k: 1e-8), "eps must be a real number"),
        (lambda: optim.Adam(PARAM, betas=(lambda k: 0.9, 0.9)), "beta1 must be a real number"),
        (lambda: optim.Adam(PARAM, betas=0.9), "betas must be two numbers (beta1, beta2), got 0.9"),
        (lambda: optim.SGD(PARAM, lr=Fraction(1, 10)), "lr must be a float or an integer for parameters of dtype"),
    ],
)  # fmt: skip
def test_what_is_no_plain_number_is_a_type_error(make, message):
    refused(TypeError, message, make)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"decay": 1.0}, "decay would remove the fraction 1.0 of every weight at step 1"),
        ({"decay": 20.0, "times": "lr"}, "decay would remove the fraction 2.0"),
        ({"decay": lambda k: 0.1 + k}, "decay would remove the fraction 1.1"),
        ({"decay": 0.5, "schedule": lambda k: 2 * k}, "decay would remove the fraction 1.0"),
        ({"decay": 0.5, "decay_schedule": lambda k: 2 * k}, "decay would remove the fraction 1.0"),
        ({"l2": lambda k: -float(k)}, "l2 at step 1 must be ≥ 0, got -1.0"),
        ({"lr": lambda k: math.inf if k else 0.1}, "lr at step 1 must be finite"),
        ({"schedule": lambda k: 1e200 if k else 1, "lr": 1e200}, "lr at step 1 must be finite"),
        ({"momentum": lambda k: 0.5 + k / 2}, "momentum at step 1 must be in [0, 1), got 1.0"),
    ],
)
def test_a_step_with_numbers_out_of_range_is_refused_before_anything_is_written(words, message):
    ps = parameters()
    optimizer = optim.SGD(ps, **{"lr": 0.1, **words})
    optimizer.steps = 1
    before = values(ps)
    give(ps, gradients(ps, 0))
    kept = [p.grad for p in ps]
    refused(ValueError, message, optimizer.step)
    assert optimizer.steps == 1
    assert all((a == p.data).all() for a, p in zip(before, ps, strict=True))
    assert all(p.grad is g for p, g in zip(ps, kept, strict=True))


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_coefficient_beyond_the_dtype_is_refused(dtype):
    huge = 2 * float(np.finfo(dtype).max)
    message = f"l2 = {huge!r} is beyond {np.dtype(dtype)}"
    refused(ValueError, message, lambda: optim.SGD(parameters(dtype=dtype), lr=0.1, l2=huge))
    ps = parameters(dtype=dtype)
    optimizer = optim.SGD(ps, lr=0.1, l2=lambda k: huge)
    give(ps, gradients(ps, 0))
    before = values(ps)
    refused(ValueError, message, optimizer.step)
    assert all((a == p.data).all() for a, p in zip(before, ps, strict=True))


def test_the_ends_of_the_ranges_are_allowed():
    half = parameters(dtype=np.float16)
    largest = float(np.finfo(np.float16).max)
    assert optim.SGD(half, lr=largest).hyper(0)["lr"] == largest
    assert optim.SGD(PARAM, lr=0.0, momentum=lambda k: 0.0).hyper(0) == {"lr": 0.0, "momentum": 0.0}
    assert optim.Lion(PARAM, betas=(0, 0)).hyper(0) == {"lr": 1e-4, "beta1": 0, "beta2": 0}


def test_second_moment_rules_refuse_float16_where_eps_or_beta2_do_not_survive():
    half = parameters(dtype=np.float16)
    for make in (optim.Adam, optim.AdamW, optim.AMSGrad, optim.Adagrad, optim.RMSprop):
        with pytest.raises(ValueError, match=r"eps=1e-(08|10) is 0 in float16"):
            make(half)
        refused(ValueError, "eps=0.0 is 0 in float16", lambda make=make: make(half, eps=0.0))
    refused(ValueError, "adam: beta2=0.9999 is 1 in float16", lambda: optim.Adam(half, eps=1e-4, betas=(0.9, 0.9999)))
    refused(ValueError, "rmsprop: rho=0.9999 is 1 in float16", lambda: optim.RMSprop(half, eps=1e-4, rho=0.9999))
    optim.Adam(half, eps=1e-4)
    optim.Lion(half, betas=(0.9, 0.99))  # no second moment, no eps
    optim.Adam(parameters(dtype=np.float32), betas=(0.9, 0.9999))


def test_a_custom_rule_must_be_given_the_numbers_it_names():
    refused(TypeError, "the rule heavy_ball needs ['momentum'] beside lr, got []",
            lambda: optim.Optimizer(PARAM, rules.heavy_ball, 0.1))  # fmt: skip
    refused(TypeError, "rule must be a function", lambda: optim.Optimizer(PARAM, "sgd", 0.1))
    refused(TypeError, "rule must be a function with a name", lambda: optim.Optimizer(PARAM, partial(rules.sgd), 0.1))


def test_times_of_a_decay_of_zero_is_no_contradiction():
    assert optim.SGD(PARAM, lr=0.1, decay=0.0, times="lr").regularizer is None


# --- at the step ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gradient", "error", "message"),
    [
        (np.ones(2), ValueError, "the gradient of the parameter of shape (4,) has shape (2,)"),
        (np.ones(4, np.float32), TypeError, "of shape (4,) and dtype float64 has dtype float32"),
        ([1.0] * 4, TypeError, "must be an array like its data, ndarray, got list"),
        (Tensor(np.ones(4)), TypeError, "must be an array like its data, ndarray, got Tensor"),
    ],
)
def test_a_gradient_set_by_hand_must_fit_and_is_checked_before_anything_is_written(gradient, error, message):
    ps = parameters()
    optimizer = optim.SGD(ps, lr=0.1)
    give(ps, gradients(ps, 0))
    ps[-1].grad = gradient
    before = values(ps)
    refused(error, message, optimizer.step)
    assert all((a == p.data).all() for a, p in zip(before, ps, strict=True))


def test_an_optimizer_whose_parameters_a_newer_one_took_over_refuses_to_step():
    ps = parameters()
    old = optim.SGD(ps, lr=0.1)
    new = optim.SGD(ps[1:2], lr=0.1)
    give(ps, gradients(ps, 0))
    before = values(ps)
    refused(RuntimeError, "a newer optimizer took over the parameter of shape (2,)", old.step)
    assert all((a == p.data).all() for a, p in zip(before, ps, strict=True))
    new.step()
    assert ps[1].owner is new
    assert ps[0].owner is old
    del new
    refused(RuntimeError, "a newer optimizer took over the parameter of shape (2,)", old.step)


def test_data_bound_behind_the_optimizers_back_is_noticed():
    ps = parameters()
    optimizer = optim.SGD(ps, lr=0.1)
    give(ps, gradients(ps, 0))
    ps[0].data = ps[0].data * 2
    refused(
        RuntimeError, "was bound to another array, which this optimizer does not know; write into it", optimizer.step
    )


# --- copies and states ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
def test_an_optimizer_is_not_copied_since_the_copy_could_not_step(duplicate):
    refused(TypeError, "Adam cannot be copied or pickled", lambda: duplicate(optim.Adam(parameters())))


def test_the_way_that_the_refusal_of_a_copy_names_goes_on_as_the_original():
    model = parameters()
    old = optim.Adam(model, decay=0.1)
    run(old, 3)
    copied = copy.deepcopy(model)
    new = optim.Adam(copied, decay=0.1)
    new.load_state_dict(old.state_dict())
    assert all((a == b).all() for a, b in zip(run(old, 2), run(new, 2), strict=True))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: [s], "expected a dict, as state_dict() returns it, got list"),
        (lambda s: s | {"m.1": s["m.1"].tolist()}, "m.1 must be an array, got list"),
        (lambda s: s | {"m.1": SimpleNamespace(shape=(2,))}, "m.1 must be an array, got SimpleNamespace"),
        (lambda s: s | {"m.1": SimpleNamespace(dtype=np.dtype(float))}, "m.1 must be an array, got SimpleNamespace"),
    ],
)
def test_a_state_of_something_else_than_arrays_is_a_type_error(change, message):
    optimizer = optim.Adam(parameters())
    run(optimizer, 1)
    refused(TypeError, message, lambda: optimizer.load_state_dict(change(optimizer.state_dict())))
