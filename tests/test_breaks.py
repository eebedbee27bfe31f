"""Where λ = η/α breaks: each test shows that it does, by at least a hundred times the bound it obeys with plain SGD."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.proof import coupled_error, decoupled_error, many_step_bound, one_step_bound
from minigrad.regularization import L2, coupled, decoupled, plain
from minigrad.rules import adagrad, adam, amsgrad, heavy_ball, heavy_ball_inside, lion, nesterov, rmsprop, sgd
from tests.strategies import VISIBLE, fractions_below_one, log_uniform, rationals, schedules, shapes, steps

ADAM = {"beta1": 0.9, "beta2": 0.999, "eps": 0.0, "t": 1}
# Rules that rescale the gradient, the size of their state, and hyperparameters; ε = 0, as no drawn gradient is 0.
RESCALING = {
    "adagrad": (adagrad, 1, {"eps": 0.0}),
    "rmsprop": (rmsprop, 1, {"rho": 0.99, "eps": 0.0}),
    "adam": (adam, 2, ADAM),
    "amsgrad": (amsgrad, 3, ADAM),
    "lion": (lion, 1, {"beta1": 0.9, "beta2": 0.99}),
}
MOMENTUM = {"outside": heavy_ball, "inside": heavy_ball_inside}


def doors(rule):
    return coupled(rule, L2.gradient), decoupled(rule)


def assert_far_apart(x, y, bound):
    assert np.all(abs(x - y) >= VISIBLE * bound)


# --- rules with memory ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", MOMENTUM)
@given(step=steps(np.float64, times=40), beta=st.floats(0.5, 0.99))
def test_momentum_breaks_it_at_the_second_step(form, step, beta):
    rule = partial(MOMENTUM[form], momentum=beta)
    x, y, l2 = step.w, step.w, step.decay / step.lr
    buffer2 = buffer3 = np.zeros_like(step.w)
    door2, door3 = doors(rule)
    bounds = []
    for n in (1, 2):
        bounds.append(coupled_error(x, step.g, step.lr, step.decay) + decoupled_error(y, step.g, step.lr, step.decay))
        x, buffer2 = door2(x, step.g, buffer2, lr=step.lr, l2=l2)
        y, buffer3 = door3(y, step.g, buffer3, lr=step.lr, decay=step.decay)
        bound = many_step_bound(bounds, 1.0)[-1]
        if n == 1:  # the weights still agree, the buffers no longer do
            assert np.all(abs(x - y) <= bound)
            assert_far_apart(buffer2, buffer3, bound / (step.lr if form == "outside" else 1))
    assert_far_apart(x, y, bound)


@given(rationals(), rationals(), rationals(), rationals(1, 3), fractions_below_one(), fractions_below_one())
def test_after_one_step_the_buffers_differ_by_the_penaltys_gradient_and_the_weights_agree(w, g, b, lr, decay, beta):
    l2 = decay / lr
    for rule, difference in ((heavy_ball, l2 * w), (heavy_ball_inside, lr * l2 * w)):
        door2, door3 = doors(rule)
        x, buffer2 = door2(w, g, b, lr=lr, momentum=beta, l2=l2)
        y, buffer3 = door3(w, g, b, lr=lr, momentum=beta, decay=decay)
        assert x == y
        assert buffer2 - buffer3 == difference


@given(rationals(), st.tuples(rationals(), rationals()), rationals(1, 3), fractions_below_one(), fractions_below_one())
def test_after_two_steps_the_weights_differ_by_exactly_decay_times_momentum_times_the_first_weight(
    w, gradients, lr, decay, beta
):
    for rule in MOMENTUM.values():
        x, y = two_steps(rule, w, gradients, [(lr, decay)] * 2, beta)
        assert y - x == decay * beta * w


@given(
    rationals(),
    st.tuples(rationals(), rationals()),
    rationals(1, 3),
    fractions_below_one(),
    fractions_below_one(),
    st.tuples(fractions_below_one(), fractions_below_one()),
)
def test_under_a_schedule_the_two_forms_of_momentum_differ_by_different_amounts(w, gradients, lr, decay, beta, s):
    rates = [(s_t * lr, s_t * decay) for s_t in s]
    (lr1, decay1), (lr2, _) = rates
    x, y = two_steps(heavy_ball, w, gradients, rates, beta)
    assert y - x == lr2 / lr1 * beta * decay1 * w
    x, y = two_steps(heavy_ball_inside, w, gradients, rates, beta)
    assert y - x == beta * decay1 * w


def two_steps(rule, w, gradients, rates, beta):
    door2, door3 = doors(rule)
    x, y, buffer2, buffer3 = w, w, 0 * w, 0 * w
    for g, (lr, decay) in zip(gradients, rates, strict=True):
        x, buffer2 = door2(x, g, buffer2, lr=lr, momentum=beta, l2=decay / lr)
        y, buffer3 = door3(y, g, buffer3, lr=lr, momentum=beta, decay=decay)
    return x, y


@given(rationals(), rationals(1, 4), rationals(1, 3), fractions_below_one(), fractions_below_one())
def test_momentum_with_decay_rests_where_momentum_with_a_weaker_penalty_does(target, curvature, lr, decay, beta):
    """SGDW's stationary points are those of L2 at λ = (1 − β)η/α, for the loss ½h(w − c)²."""
    l2 = (1 - beta) * decay / lr
    w = curvature * target / (curvature + l2)  # where h(w − c) + λw = 0
    g = curvature * (w - target)
    door2, door3 = doors(heavy_ball_inside)
    assert door2(w, g, 0 * w, lr=lr, momentum=beta, l2=l2) == (w, 0)
    m = lr * g / (1 - beta)  # what the buffer converges to
    assert door3(w, g, m, lr=lr, momentum=beta, decay=decay) == (w, m)
    if target:
        moved, _ = door2(w, g, 0 * w, lr=lr, momentum=beta, l2=decay / lr)
        assert moved != w


@given(step=steps(np.float64, times=40), beta=st.floats(0.5, 0.99))
def test_nesterov_breaks_it_at_the_first_step(step, beta):
    door2, door3 = doors(partial(nesterov, momentum=beta))
    x, _ = door2(step.w, step.g, 0 * step.w, lr=step.lr, l2=step.decay / step.lr)
    y, _ = door3(step.w, step.g, 0 * step.w, lr=step.lr, decay=step.decay)
    assert_far_apart(x, y, one_step_bound(step.w, step.g, step.lr, step.decay))


@given(rationals(), rationals(), rationals(1, 3), fractions_below_one(), fractions_below_one())
def test_nesterov_from_rest_applies_the_penalty_a_further_beta_times(w, g, lr, decay, beta):
    door2, door3 = doors(partial(nesterov, momentum=beta))
    x, _ = door2(w, g, 0 * w, lr=lr, l2=decay / lr)
    y, _ = door3(w, g, 0 * w, lr=lr, decay=decay)
    assert y - x == beta * decay * w


# --- rules that rescale -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RESCALING)
@given(step=steps(np.float64, times=40, aligned=True), times=log_uniform(1e-3, 1e3))
def test_a_rule_that_rescales_the_gradient_breaks_it_whatever_the_coefficient(name, step, times):
    """Where gradient and weight have one sign, the first step has the same size with any penalty, or with none."""
    rule, state, hyper = RESCALING[name]
    door2, door3 = doors(rule)
    zeros = [np.zeros_like(step.w)] * state
    x, *_ = door2(step.w, step.g, *zeros, lr=step.lr, l2=times * step.decay / step.lr, **hyper)
    y, *_ = door3(step.w, step.g, *zeros, lr=step.lr, decay=step.decay, **hyper)
    assert_far_apart(x, y, one_step_bound(step.w, step.g, step.lr, step.decay))


# --- schedules and clipping -------------------------------------------------------------------------------------------


@given(steps(np.float64, times=40), st.floats(0.05, 0.5))
def test_a_schedule_of_the_learning_rate_alone_breaks_it(step, s):
    door2, door3 = doors(sgd)
    (x,) = door2(step.w, step.g, lr=s * step.lr, l2=step.decay / step.lr)
    (y,) = door3(step.w, step.g, lr=s * step.lr, decay=step.decay)
    assert_far_apart(x, y, one_step_bound(step.w, step.g, s * step.lr, step.decay))


@given(rationals(), rationals(), rationals(1, 3), fractions_below_one(), fractions_below_one())
def test_a_schedule_of_the_learning_rate_alone_leaves_out_what_it_took_from_it(w, g, lr, decay, s):
    door2, door3 = doors(sgd)
    (x,) = door2(w, g, lr=s * lr, l2=decay / lr)
    (y,) = door3(w, g, lr=s * lr, decay=decay)
    assert x - y == (1 - s) * decay * w


def clip_by_norm(g, limit):
    norm = np.sqrt(np.sum(g**2))
    return g * (limit / norm) if norm > limit else g


def clip_by_value(g, limit):
    return np.clip(g, -limit, limit)


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
@given(step=steps(np.float64, shapes(min_dims=1), times=40, aligned=True))
def test_clipping_parts_door_1_from_doors_2_and_3(clip, step):
    """Clipping sees the penalty only if it came through the loss. Doors 2 and 3 are both behind it, and agree.

    In the norm: v − c v/‖v‖ stretches distances by at least 1 − c/‖v‖ = ½ where ‖v‖ ≥ 2c.
    """
    limit = np.sqrt(np.sum(step.g**2)) / 2 if clip is clip_by_norm else np.min(abs(step.g)) / 2
    l2 = step.decay / step.lr
    door2, door3 = doors(sgd)
    (first,) = plain(sgd)(step.w, clip(step.g + L2.gradient(step.w, l2=l2), limit), lr=step.lr)
    clipped = clip(step.g, limit)
    (second,) = door2(step.w, clipped, lr=step.lr, l2=l2)
    (third,) = door3(step.w, clipped, lr=step.lr, decay=step.decay)
    bound = one_step_bound(step.w, clipped, step.lr, step.decay)
    assert np.all(abs(second - third) <= bound)
    assert np.linalg.norm(first - third) >= VISIBLE * np.linalg.norm(bound)


@given(step=steps(np.float64, shapes(min_dims=1)), schedule=schedules(10), share=st.floats(0.1, 2))
def test_doors_2_and_3_agree_through_a_whole_run_of_clipped_gradients(step, schedule, share):
    """The gradients are clipped differently on the two runs only if their weights differ; here they are given."""
    limit = share * np.sqrt(np.sum(step.g**2))
    g = clip_by_norm(step.g, limit)
    x = y = step.w
    bounds, rhos, l2 = [], [], step.decay / step.lr
    door2, door3 = doors(sgd)
    for s in schedule:
        lr, decay = s * step.lr, s * step.decay
        bounds.append(coupled_error(x, g, lr, decay, l2=l2) + decoupled_error(y, g, lr, decay))
        rhos.append(1 - decay)
        (x,), (y,) = door2(x, g, lr=lr, l2=l2), door3(y, g, lr=lr, decay=decay)
    assert np.all(abs(x - y) <= many_step_bound(bounds, rhos)[-1])
