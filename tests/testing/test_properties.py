"""The properties hold for optimizers that are right, and find every published defect in ones that are wrong."""

import dataclasses
import re
from functools import partial

import numpy as np
import pytest
from hypothesis import settings

import minigrad as mg
from minigrad.proof import one_step_bound
from minigrad.regularization import L2
from minigrad.rules import RULES, hyper_names
from minigrad.testing import properties
from minigrad.testing.properties import PropertyError, VacuousError
from minigrad.testing.runs import functional, reference, trajectory
from tests.testing import optimizers as opt

HYPER = {"momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "rho": 0.99, "eps": 1e-8, "psi": 4e-3}
DECOUPLED = (
    properties.decay_shrinks,
    properties.factor_is_below_one,
    properties.decay_is_linear,
    properties.old_weight_decays,
    properties.direction_ignores_weights,
    properties.state_ignores_decay,
)
PROFILE = settings(max_examples=max(10, settings.default.max_examples // 4))  # random, where the profile is


def of(rule, door):
    """A rule behind a door. Adadelta's first steps are as long as √ε, which is to be seen in float32."""
    numbers = HYPER | ({"eps": 0.25} if rule == "adadelta" else {})
    return reference(f"{rule}_{door}", **{n: numbers[n] for n in hyper_names(RULES[rule]) if n in numbers})


# --- what is right passes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_behind_door_3_is_decoupled_and_behind_door_2_coupled(rule, dtype):
    properties.check_decoupled(of(rule, "decay"), dtype=dtype, settings=PROFILE)
    properties.check_coupled(of(rule, "l2"), dtype=dtype, settings=PROFILE)


@pytest.mark.parametrize("rule", RULES)
def test_only_gradient_descent_is_both(rule):
    """λ = η/α, seen from outside: what takes l2 passes for what takes decay, once the number is translated."""
    l2 = of(rule, "l2")

    def translated(w, lr, decay):
        return l2(w, lr=lr, l2=decay / lr)

    if rule == "sgd":
        properties.check_decoupled(translated, settings=PROFILE)
        properties.doors_agree(l2, of(rule, "decay"), settings=PROFILE)
    else:
        with pytest.raises(PropertyError):
            properties.check_decoupled(translated)
        with pytest.raises(PropertyError, match="l2 = decay / lr makes the two doors one"):
            properties.doors_agree(l2, of(rule, "decay"))


OPTIMIZERS = {
    "SGD": mg.optim.SGD,
    "SGD momentum": partial(mg.optim.SGD, momentum=0.9),
    "SGD nesterov": partial(mg.optim.SGD, momentum=0.9, nesterov=True),
    "SGDW": mg.optim.SGDW,
    "Adam": mg.optim.Adam,
    "AdamW": mg.optim.AdamW,
    "AMSGrad": mg.optim.AMSGrad,
    "Adagrad": mg.optim.Adagrad,
    "RMSprop": mg.optim.RMSprop,
    "Lion": mg.optim.Lion,
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_as_they_train_are_decoupled_by_decay_and_coupled_by_l2(name):
    few = settings(PROFILE, max_examples=10)
    properties.check_decoupled(opt.trains(OPTIMIZERS[name]), settings=few)
    if name not in ("SGDW", "AdamW"):
        properties.check_coupled(opt.trains(OPTIMIZERS[name], on="all"), settings=few)


def test_an_adamw_written_by_hand_is_adamw():
    properties.check_decoupled(opt.hand_written_adamw)
    properties.matches(opt.hand_written_adamw, "adamw", fixed={"beta1": 0.9, "beta2": 0.999, "eps": 1e-8})
    properties.matches(opt.hand_written_adamw, "adamw", fixed={n: HYPER[n] for n in ("beta1", "beta2", "eps")})
    properties.paths_agree(opt.trains(mg.optim.AdamW), opt.hand_written_adamw)


@pytest.mark.parametrize("times", [None, "schedule", "lr"])
def test_what_the_decay_is_multiplied_by_is_told_apart(times):
    make = opt.trains(mg.optim.SGD, times=times)
    properties.decay_is_multiplied_by(make, times, schedule=True, settings=PROFILE)
    for other in {None, "schedule", "lr"} - {times}:
        with pytest.raises(PropertyError, match=f"they are those of times = {times!r}"):
            properties.decay_is_multiplied_by(make, other, schedule=True)


def test_a_decay_that_is_multiplied_by_lr_passes_when_told_so_and_only_then():
    make = opt.trains(mg.optim.AdamW, times="lr")
    properties.check_decoupled(make, times="lr", settings=PROFILE)
    with pytest.raises(PropertyError):
        properties.check_decoupled(make)


# --- what is wrong is found -------------------------------------------------------------------------------------------

PLANTED = [
    (opt.ignores_decay, properties.decay_shrinks),
    (opt.subtracts_the_coefficient, properties.decay_is_linear),
    (opt.grows, properties.factor_is_below_one),
    (opt.decays_the_new_weight, properties.old_weight_decays),
    (opt.penalty_in_the_sign, properties.direction_ignores_weights),
    (opt.adam_with_l2_called_decay, properties.direction_ignores_weights),
    (opt.momentum_remembers_the_decay, properties.state_ignores_decay),
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("defect", "holds"), PLANTED)
def test_a_published_defect_is_found_by_its_property_and_by_the_whole(defect, holds, dtype):
    with pytest.raises(PropertyError) as found:
        holds(defect, dtype=dtype)
    assert not isinstance(found.value, VacuousError)
    assert re.match(r"not true: .+\n  w = \[.+\]\n", str(found.value))
    with pytest.raises(PropertyError):
        properties.check_decoupled(defect, dtype=dtype)


def test_each_property_finds_some_defects_and_only_the_one_over_several_steps_finds_all():
    """The others are not superfluous: each says in its own words what is wrong, and needs fewer steps for it."""
    found = {holds: [breaks(holds, defect) for defect, _ in PLANTED] for holds in DECOUPLED}
    assert all(any(x) for x in found.values())
    assert [holds for holds, x in found.items() if all(x)] == [properties.state_ignores_decay]


def breaks(holds, make):
    try:
        holds(make)
    except PropertyError as error:
        return not isinstance(error, VacuousError)
    return False


INVENTED = [
    opt.decays_by_the_root_of_lr,
    opt.decays_every_second_step,
    opt.remembers_after_three_steps,
    opt.decays_large_weights,
    opt.spares_very_large_weights,
    opt.decays_the_first_half,
    opt.decays_twice_without_a_gradient,
    opt.remembers_after_a_sign_change,
    opt.lion_remembers,
]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("defect", INVENTED)
def test_a_decay_that_is_wrong_now_and_then_is_found(defect, dtype):
    with pytest.raises(PropertyError) as found:
        properties.check_decoupled(defect, dtype=dtype)
    assert not isinstance(found.value, VacuousError)


def test_what_no_draw_meets_is_not_found_as_the_page_says():
    properties.check_decoupled(opt.remembers_after_a_hundred_steps)
    properties.check_decoupled(opt.decays_the_first_hundred_weights)
    with pytest.raises(PropertyError):
        properties.check_decoupled(
            opt.decays_the_first_hundred_weights, shape=(101,), settings=settings(max_examples=5)
        )


def test_arrays_of_any_shape_can_be_asked_for():
    for shape in ((), (0,), (2, 1025)):
        few = settings(max_examples=5)
        properties.factor_is_below_one(opt.decays_the_old_weight, shape=shape, settings=few)
        properties.state_ignores_decay(opt.decays_the_old_weight, shape=shape, settings=few)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "defect",
    [opt.decay_called_l2, opt.twice_the_l2, opt.ignores_l2, opt.lion_ignores, opt.lion_forgets,
     opt.lion_with_twice_the_l2],
)  # fmt: skip
def test_l2_that_is_decay_or_twice_itself_or_nothing_is_found(defect, dtype):
    for holds in (properties.check_coupled, properties.penalty_enters_the_state):
        with pytest.raises(PropertyError, match="L2 adds l2·w to the gradient"):
            holds(defect, dtype=dtype)


def test_a_lion_is_coupled_decoupled_or_wrong_by_what_its_sign_and_its_buffer_see():
    properties.check_coupled(opt.lion_l2)
    properties.check_decoupled(opt.lion_ignores)


@pytest.mark.parametrize("defect", [opt.stands_still, opt.ignores_l2_in_steps_too_small_to_see])
def test_an_l2_in_steps_that_nobody_sees_is_not_called_right(defect):
    for holds in (properties.penalty_turns_the_step, properties.penalty_enters_the_state):
        with pytest.raises(VacuousError, match="does the optimizer move"):
            holds(defect)


def test_l2_behind_the_buffer_is_found_by_what_the_buffer_remembers():
    properties.penalty_turns_the_step(opt.decay_called_l2)
    with pytest.raises(PropertyError, match="and the state remembers it"):
        properties.penalty_enters_the_state(opt.decay_called_l2)


def test_a_fused_path_that_uses_the_other_rule_is_found():
    with pytest.raises(PropertyError, match="the two implementations take the same steps"):
        properties.paths_agree(opt.adam_with_l2_called_decay, opt.hand_written_adamw)
    with pytest.raises(PropertyError, match="the steps are those of sgd_decay"):
        properties.matches(opt.decays_the_new_weight, "sgd_decay")


def test_the_gradient_of_a_penalty_is_exact_and_one_without_its_half_is_found():
    def by_autodiff(penalty):
        return lambda w, l2: mg.grad(lambda x: penalty(x, l2))(w)

    properties.penalty_gradient_is_exact(by_autodiff(lambda x, c: L2.value(x, l2=c)))
    with pytest.raises(PropertyError, match="the gradient of the penalty is l2·w exactly"):
        properties.penalty_gradient_is_exact(by_autodiff(lambda x, c: c * (x**2).sum()))


def test_a_tolerance_larger_than_the_effect_is_found():
    """tinygrad's test_muon_wd: lr·wd = 1e-5 under atol 1e-3. The derived bound would have seen the same effect."""
    w, decay = np.array([1.0, -2.0]), 1e-5
    with pytest.raises(VacuousError, match="nothing would be seen"):
        properties.assert_visible(decay * w, 1e-3)
    properties.assert_visible(decay * w, one_step_bound(w, np.ones(2), 1e-3, decay))


STILL = opt.stateless(lambda w, g, lr, decay: w)


@pytest.mark.parametrize(
    ("holds", "make"),
    [
        *((holds, opt.stateless(lambda w, g, lr, decay: (1 - decay) * w)) for holds in DECOUPLED[3:]),
        (properties.decay_is_linear, STILL),
        (partial(properties.doors_agree, lambda w, lr, l2: lambda g: w), STILL),
        (partial(properties.paths_agree, STILL), STILL),
    ],
)
def test_an_optimizer_that_stands_still_is_not_called_right(holds, make):
    with pytest.raises(VacuousError, match="does the optimizer move"):
        holds(make)


def test_conventions_that_could_not_be_told_apart_are_not_called_right(monkeypatch):
    """The rate would be seen, and the multipliers 1 and 1 + 2⁻²⁰ not."""
    draws = properties._draws({"dtype": np.float32}, 3, (-2, 2), (-4, -3), False)
    near = draws.map(lambda d: dataclasses.replace(d, lr=1 + 2.0**-20))
    monkeypatch.setattr(properties, "_door_3", lambda how, steps: near)
    with pytest.raises(VacuousError):
        properties.decay_is_multiplied_by(opt.trains(mg.optim.SGD), None, dtype=np.float32)


def test_the_counterexample_is_the_smallest_and_the_same_every_time():
    seen = set()
    for _ in range(2):
        with pytest.raises(PropertyError) as found:
            properties.old_weight_decays(opt.decays_the_new_weight)
        seen.add(str(found.value))
    (message,) = seen
    assert "w = [1.0]\n  g = [1.0]\n  lr = 1.0\n  decay = 0.125\n" in message
    assert found.value.__suppress_context__  # Hypothesis' account of it would say the same at length


# --- the form of an optimizer, and mistakes in it ---------------------------------------------------------------------


def test_a_pure_function_with_a_state_of_any_kind_is_an_optimizer():
    def step(w, g, state, *, lr, decay, t, beta):
        b = g if state is None else beta * state["b"] + g
        return (1 - decay) * w - lr * b, {"b": b}

    properties.check_decoupled(functional(step, beta=0.5))


def test_weights_written_in_place_are_read_before_they_change():
    def make(w, lr):
        def step(g):
            w[...] -= lr * g
            g[...] = np.nan
            return w

        return step

    start, g = np.ones(2), np.ones(2)
    assert [x.tolist() for x in trajectory(make, start, [g, g], lr=0.25)] == [[1, 1], [0.75, 0.75], [0.5, 0.5]]
    assert start.tolist() == g.tolist() == [1, 1]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda w, **h: None, TypeError, r"make\(w, \*\*hyper\) must return a function step\(g\), got NoneType"),
        (lambda w, **h: lambda g: None, TypeError, "must return the new weights as an array of floats, got NoneType"),
        (lambda w, **h: lambda g: w[..., None], ValueError, r"weights of shape \(1, 1\); they were given as \(1,\)"),
        (lambda w, **h: lambda g: w.astype(np.float32), ValueError, "returned float32 weights.*dtype='float32'"),
    ],
)
def test_a_step_of_another_form_is_refused_by_name(make, error, message):
    with pytest.raises(error, match=message):
        properties.check_decoupled(make)


def test_likely_mistakes_are_refused_by_name():
    make = opt.decays_the_old_weight
    with pytest.raises(ValueError, match="dtype must be float64 or float32, got float16"):
        properties.check_decoupled(make, dtype=np.float16)
    with pytest.raises(TypeError, match=r"a property takes dtype, shape and settings beside times; got examples"):
        properties.check_decoupled(make, examples=3)
    with pytest.raises(ValueError, match='times must be None, "schedule" or "lr", got \'wd\''):
        properties.decay_is_multiplied_by(make, "wd")
    with pytest.raises(ValueError, match="check_decoupled takes no schedule"):
        properties.check_decoupled(make, times="schedule")
    with pytest.raises(ValueError, match="did you mean"):
        properties.matches(make, "adamv")


# --- other libraries --------------------------------------------------------------------------------------------------


def torch_made(name, **fixed):
    torch = pytest.importorskip("torch")

    def make(w, lr, decay=0.0, l2=0.0):
        p = torch.nn.Parameter(torch.tensor(w))
        optimizer = getattr(torch.optim, name)([p], lr=lr, weight_decay=decay + l2, **fixed)

        def step(g):
            p.grad = torch.tensor(g)
            optimizer.step()
            return p.detach()

        return step

    return make


@pytest.mark.oracle
def test_torch_adamw_is_decoupled_and_multiplies_by_lr_and_adam_and_sgd_are_coupled():
    few = settings(max_examples=15)
    properties.check_decoupled(torch_made("AdamW"), times="lr", settings=few)
    properties.decay_is_multiplied_by(torch_made("AdamW"), "lr", settings=few)
    fixed = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}
    properties.matches(torch_made("AdamW"), "adamw", times="lr", fixed=fixed, settings=few)
    properties.paths_agree(torch_made("AdamW", foreach=True), reference("adamw", **fixed), times="lr", settings=few)
    for name, more in (("Adam", {}), ("SGD", {}), ("SGD", {"momentum": 0.9})):
        properties.check_coupled(torch_made(name, **more), settings=few)


@pytest.mark.oracle
def test_torch_adams_weight_decay_is_found_not_to_be_decay():
    with pytest.raises(PropertyError, match="the direction does not depend on the weight|shrinks|factor|linear|old"):
        properties.check_decoupled(torch_made("Adam"), times="lr")


@pytest.mark.oracle
def test_torch_sgd_and_decay_agree_by_the_identity():
    properties.doors_agree(torch_made("SGD"), of("sgd", "decay"), settings=settings(max_examples=15))


@pytest.mark.oracle
def test_optax_adamw_is_decoupled():
    optax = pytest.importorskip("optax")
    jnp = pytest.importorskip("jax.numpy")

    def make(w, lr, decay):
        w = jnp.asarray(w)
        rule = optax.adamw(lr, weight_decay=decay)
        state = rule.init(w)

        def step(g):
            nonlocal w, state
            update, state = rule.update(jnp.asarray(g), state, w)
            w = optax.apply_updates(w, update)
            return w

        return step

    properties.check_decoupled(make, times="lr", dtype=np.float32, shape=(2,), settings=settings(max_examples=4))
