"""Optimizers to be tested, right and wrong, in the form of `minigrad.testing.runs`."""

from typing import Any

import numpy as np

import minigrad as mg

# --- right ------------------------------------------------------------------------------------------------------------


def trains(optimizer: Any, **fixed: Any) -> Any:
    """An optimizer of this package, as it trains: a parameter, its gradient, a step."""

    def make(w, **hyper):
        p = mg.nn.Parameter(w)
        made = optimizer([p], **fixed, **hyper)

        def step(g):
            p.grad = g
            made.step()
            return p.data

        return step

    return make


def hand_written_adamw(w, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8):
    m = v = np.zeros_like(w)
    t = 0

    def step(g):
        nonlocal w, m, v, t
        t += 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w = w - decay * w - lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        return w

    return step


# --- wrong: the defects of published optimizers -----------------------------------------------------------------------


def stateless(update: Any) -> Any:
    def make(w, lr, decay):
        def step(g):
            nonlocal w
            w = update(w, g, lr, decay)
            return w

        return step

    return make


@stateless
def ignores_decay(w, g, lr, decay):  # tinygrad's Muon (PR 17709), SignSGD of pytorch_optimizer (#517)
    return w - lr * np.sign(g)


@stateless
def subtracts_the_coefficient(w, g, lr, decay):  # SGDW of jettify/pytorch-optimizer (#433, #454)
    return w - lr * g - decay


@stateless
def grows(w, g, lr, decay):  # deeppy #17; cs249r_book PR 2058
    return (1 + decay) * w - lr * g


@stateless
def decays_the_new_weight(w, g, lr, decay):  # transformers #3407, #14539; bitsandbytes #2010
    return (1 - decay) * (w - lr * g)


@stateless
def penalty_in_the_sign(w, g, lr, decay):  # Lion of some back ends of bitsandbytes (#1992)
    return w - lr * np.sign(g + decay / lr * w)


@stateless
def decays_the_old_weight(w, g, lr, decay):  # right
    return (1 - decay) * w - lr * g


def adam_with_l2_called_decay(w, lr, decay):  # pytorch #38767, #48793; FlagGems #4988, behind a fused AdamW
    inner = hand_written_adamw(w, lr, 0.0)

    def step(g):
        nonlocal w
        w = inner(g + decay / lr * w)
        return w

    return step


def momentum_remembers_the_decay(w, lr, decay, beta=0.5):
    b = 0 * w

    def step(g):
        nonlocal w, b
        b = beta * b + g + decay / lr * w
        w = w - lr * b
        return w

    return step


def decay_called_l2(w, lr, l2, beta=0.5):
    b = 0 * w

    def step(g):
        nonlocal w, b
        b = beta * b + g
        w = w - lr * (b + l2 * w)
        return w

    return step


def twice_the_l2(w, lr, l2):  # keras l2, d2l's TensorFlow tab
    def step(g):
        nonlocal w
        w = w - lr * (g + 2 * l2 * w)
        return w

    return step


def ignores_l2(w, lr, l2):
    return decays_the_old_weight(w, lr, 0.0)


def stands_still(w, lr, l2):
    return lambda g: w


def ignores_l2_in_steps_too_small_to_see(w, lr, l2):
    return decays_the_old_weight(w, 1e-15 * lr, 0.0)


def lion(seen: Any, remembered: Any) -> Any:
    """A Lion: what its sign sees, and what its buffer remembers, of g and λw."""

    def make(w, lr, l2=0.0, decay=0.0, beta1=0.9, beta2=0.99):
        m = 0 * w
        rate = l2 or decay / lr

        def step(g):
            nonlocal w, m
            c = beta1 * m + (1 - beta1) * seen(g, rate * w)
            m = beta2 * m + (1 - beta2) * remembered(g, rate * w)
            w = (1 - decay) * w - lr * np.sign(c)
            return w

        return step

    return make


lion_l2 = lion(lambda g, p: g + p, lambda g, p: g + p)  # right
lion_ignores = lion(lambda g, p: g, lambda g, p: g)  # wrong as L2, right as decay
lion_forgets = lion(lambda g, p: g + p, lambda g, p: g)
lion_remembers = lion(lambda g, p: g, lambda g, p: g + p)
lion_with_twice_the_l2 = lion(lambda g, p: g + 2 * p, lambda g, p: g + 2 * p)


# --- wrong: invented, to see what is seen -----------------------------------------------------------------------------


def counting(update: Any) -> Any:
    """Momentum with a decay of its own: ``update(t, w, g, b, lr, decay)`` returns the new b and what w decays to."""

    def make(w, lr, decay):
        b, t = 0 * w, 0

        def step(g):
            nonlocal w, b, t
            t += 1
            b, shrunk = update(t, w, g, b, lr, decay)
            w = shrunk - lr * b
            return w

        return step

    return make


@counting
def decays_by_the_root_of_lr(t, w, g, b, lr, decay):
    return 0.5 * b + g, (1 - decay * lr**0.5) * w


@counting
def decays_every_second_step(t, w, g, b, lr, decay):
    return 0.5 * b + g, (1 - decay) * w if t % 2 else w


@counting
def remembers_after_three_steps(t, w, g, b, lr, decay):
    return 0.5 * b + g + (decay * w if t > 3 else 0), (1 - decay) * w


@counting
def decays_large_weights(t, w, g, b, lr, decay):
    return 0.5 * b + g, np.where(abs(w) > 1, (1 - decay) * w, w)


@counting
def spares_very_large_weights(t, w, g, b, lr, decay):
    return 0.5 * b + g, np.where(abs(w) > 100, w, (1 - decay) * w)


@counting
def decays_the_first_half(t, w, g, b, lr, decay):
    return 0.5 * b + g, np.where(np.arange(w.size) < (w.size + 1) // 2, (1 - decay) * w, w)


@counting
def decays_twice_without_a_gradient(t, w, g, b, lr, decay):
    return 0.5 * b + g, np.where(g == 0, (1 - decay) ** 2 * w, (1 - decay) * w)


@counting
def remembers_after_a_sign_change(t, w, g, b, lr, decay):
    return 0.5 * b + g + np.where(b * g < 0, decay * w, 0), (1 - decay) * w


@counting
def remembers_after_a_hundred_steps(t, w, g, b, lr, decay):
    return 0.5 * b + g + (decay * w if t > 100 else 0), (1 - decay) * w


@counting
def decays_the_first_hundred_weights(t, w, g, b, lr, decay):
    return 0.5 * b + g, np.where(np.arange(w.size) < 100, (1 - decay) * w, w)
