"""What l2= and decay= mean: by whom they are multiplied, on whom they act, and where the two are the same."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad as mg
from minigrad import optim, rules
from minigrad.nn.parameter import Parameter
from minigrad.optim import schedules
from minigrad.regularization import L1, L2, VARIANTS, Decay, ElasticNet, normalized
from tests.optim.making import give, gradients, parameters, run, values

pytestmark = pytest.mark.device

ALL = {
    "SGD": lambda p, **k: optim.SGD(p, lr=0.25, **k),
    "momentum": lambda p, **k: optim.SGD(p, lr=0.25, momentum=0.5, **k),
    "nesterov": lambda p, **k: optim.SGD(p, lr=0.25, momentum=0.5, nesterov=True, **k),
    "SGDW": lambda p, **k: optim.SGDW(p, lr=0.25, momentum=0.5, **k),
    "Adam": lambda p, **k: optim.Adam(p, lr=0.25, **k),
    "AdamW": lambda p, **k: optim.AdamW(p, lr=0.25, **k),
    "AMSGrad": lambda p, **k: optim.AMSGrad(p, lr=0.25, **k),
    "Adagrad": lambda p, **k: optim.Adagrad(p, lr=0.25, **k),
    "RMSprop": lambda p, **k: optim.RMSprop(p, lr=0.25, **k),
    "Lion": lambda p, **k: optim.Lion(p, lr=0.25, **k),
}


def halves(step):
    return 1 / (step + 1)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize(
    ("words", "factors"),
    [
        ({"decay": 0.5, "times": None}, (0.5, 0.5)),  # TF-addons
        ({"decay": 0.5}, (0.5, 0.75)),  # the paper
        ({"decay": 0.5, "times": "lr"}, (0.875, 0.9375)),  # PyTorch, Keras, optax
        ({"decay": 0.5, "decay_schedule": lambda k: k / 2}, (1, 0.75)),
        ({"decay": lambda k: (k + 1) / 4, "times": None}, (0.75, 0.5)),
        ({"decay": lambda k: (k + 1) / 4}, (0.75, 0.75)),
        ({"regularizer": Decay(0.5, times="lr"), "at": "shrink"}, (0.875, 0.9375)),
        ({"regularizer": Decay(0.5, times=None)}, (0.5, 0.5)),
    ],
)
def test_with_a_zero_gradient_every_optimizer_multiplies_w_by_what_times_says(name, words, factors):
    if name in ("SGDW", "AdamW") and "regularizer" in words:
        pytest.skip("decoupled by name")
    p = Parameter(np.array([4.0, -8.0]))
    optimizer = ALL[name]([p], schedule=halves, **words)
    factor = 1.0
    for k in range(2):
        give([p], [np.zeros(2)])
        optimizer.step()
        factor *= factors[k]
        assert p.data.tolist() == [4 * factor, -8 * factor]  # exact: all numbers are dyadic


@pytest.mark.parametrize("name", ALL)
def test_decay_is_of_the_old_weight_and_the_update_does_not_know_of_it(name):
    without, with_decay = parameters(), parameters()
    start = values(without)
    a = run(ALL[name](without), 1)
    b = run(ALL[name](with_decay, decay=0.25), 1)
    for w, x, y in zip(start, a, b, strict=True):
        # both are one subtraction from the same δ: three roundings of numbers ≤ |w| + |δ|
        assert (np.abs((x - y) - 0.25 * w) <= 4 * 2.0**-53 * (2 * np.abs(w) + np.abs(x) + np.abs(y))).all()


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("SGDW", "AdamW")])
def test_by_default_l2_acts_on_weights_and_decay_on_all(name):
    def untouched(**words):
        plain, regularised = run(ALL[name](parameters()), 3), run(ALL[name](parameters(), **words), 3)
        return [bool((x == y).all()) for x, y in zip(plain, regularised, strict=True)]

    assert untouched(l2=0.5) == [False, True, False, True]
    assert untouched(decay=0.5) == [False] * 4
    assert untouched(decay=0.5, on="weights") == [False, True, False, True]
    assert untouched(l2=0.5, on="all") == [False] * 4
    assert untouched(l2=0.5, on=lambda p: p.ndim == 1) == [True, False, True, False]


@pytest.mark.parametrize("name", [n for n in ALL if n not in ("SGDW", "AdamW")])
@pytest.mark.parametrize(
    ("regularizer", "at", "suffix"),
    [
        (L2(0.5), "gradient", "l2"),
        (L1(0.5), "gradient", "l1"),
        (ElasticNet(0.5, 0.25), "gradient", "elastic_net"),
        (L2(0.5), "prox", "prox_l2"),
        (L1(0.5), "prox", "prox_l1"),
        (ElasticNet(0.5, 0.25), "prox", "prox_elastic_net"),
        (Decay(0.5), "shrink", "decay"),
    ],
)
def test_the_general_form_trains_by_the_variant_of_that_name(name, regularizer, at, suffix):
    ps = parameters()
    start = values(ps)
    optimizer = ALL[name](ps, regularizer=regularizer, at=at)
    variant = VARIANTS[f"{optimizer.rule.__name__}_{suffix}"]
    assert variant.name in str(optimizer)
    w = mg.tensor(start[0]).data
    state = [mg.backend.zeros(w.shape, w) for _ in rules.state_names(variant.rule)]
    for k in range(3):
        grads = gradients(ps, k)
        numbers = {**optimizer.hyper(k), "t": k + 1}
        w, *state = variant.step(w, mg.tensor(grads[0]).data, *state, **{n: numbers[n] for n in variant.hyper})
        give(ps, grads)
        optimizer.step()
    assert (values(ps)[0] == mg.backend.to_host(w)).all()  # the same function: the same bits


def test_l1_as_a_proximal_step_makes_exact_zeros():
    p = Parameter(np.array([0.5, -0.125, 2.0]))
    give([p], [np.zeros(3)])
    optim.SGD([p], lr=0.5, regularizer=L1(1.0), at="prox").step()
    assert p.data.tolist() == [0, 0, 1.5]


def test_normalized_decay_follows_the_restarts():
    restarts = schedules.cosine_restarts(4, t_mult=4)
    p = Parameter(np.ones(1))
    rate = lambda k: normalized(0.5, batch_size=1, examples=1, epochs=restarts.position(k)[1])  # noqa: E731
    optimizer = optim.AdamW([p], decay=rate, schedule=restarts)
    assert optimizer.hyper(0)["decay"] == 0.25
    assert optimizer.hyper(4)["decay"] == 0.125


def test_hyperparameters_become_python_numbers_and_float32_stays_float32():
    ps = parameters(dtype=np.float32)
    x = np.float64
    optimizer = optim.SGD(ps, lr=x(0.1), momentum=lambda k: x(0.9), decay=lambda k: x(0.01), schedule=lambda k: x(0.5))
    assert {type(v) for v in optimizer.hyper(0).values()} == {float}
    run(optimizer, 2)
    assert {p.dtype for p in ps} == {np.dtype("float32")}
    assert optimizer.hyper(3) == {"lr": 0.05, "momentum": 0.9, "decay": 0.005}
    adam = optim.Adam(ps, lr=x(0.1), betas=(x(0.9), x(0.99)), eps=x(1e-8), l2=x(0.1))
    assert {type(v) for v in adam.hyper(0).values()} == {float}


# --- the identity -----------------------------------------------------------------------------------------------------


@st.composite
def problems(draw, dtype):
    width = 8 * np.dtype(dtype).itemsize
    numbers = st.floats(-4, 4, width=width).filter(lambda x: x == 0 or abs(x) > 1e-3)  # no underflow
    shape = draw(hnp.array_shapes(max_dims=2, max_side=4))
    steps = draw(st.integers(1, 8))
    w, *grads = (draw(hnp.arrays(dtype, shape, elements=numbers)) for _ in range(1 + steps))
    multipliers = draw(st.lists(st.floats(0.05, 1), min_size=steps, max_size=steps))
    return w, grads, multipliers


@pytest.mark.parametrize(("dtype", "u", "extra"), [(np.float64, 2.0**-53, 3), (np.float32, 2.0**-24, 4)])
def test_l2_is_decay_over_lr_for_plain_sgd_under_any_schedule_of_both(dtype, u, extra):
    @settings(deadline=None)
    @given(problems(dtype), st.floats(0.01, 1), st.floats(0.01, 0.9))
    def holds(problem, lr, decay):
        w, grads, multipliers = problem
        coupled, decoupled = Parameter(w), Parameter(w)
        schedule = multipliers.__getitem__
        first = optim.SGD([coupled], lr=lr, l2=decay / lr, schedule=schedule)
        second = optim.SGD([decoupled], lr=lr, decay=decay, schedule=schedule)
        gap = np.zeros(w.shape)
        for g, s in zip(grads, multipliers, strict=True):
            old = np.abs(coupled.numpy().astype(float))
            give([coupled, decoupled], [g, g.copy()])
            first.step()
            second.step()
            # numerics: one step from the same w; 2 more for lr·s and decay·s, rounded before the step;
            # an earlier gap returns times 1 − η ≤ 1 (and |z| is met within the bound by what was computed)
            z, step = np.abs(decoupled.numpy().astype(float)), lr * s * np.abs(g.astype(float))
            one = (1 + 64 * u) * u * (2 * z + 3 * step + (1.5 + extra * decay * s) * (old + gap))
            one += 4 * 2.0**-53 * (step + decay * s * (old + gap))
            gap = (1 - decay * s) * gap + 1.01 * one
            assert (np.abs(coupled.numpy().astype(float) - decoupled.numpy().astype(float)) <= gap).all()

    holds()


@pytest.mark.host
@given(
    st.fractions(-4, 4, max_denominator=64),
    st.lists(st.fractions(-4, 4, max_denominator=64), min_size=1, max_size=6),
    st.fractions("1/64", 2, max_denominator=64),
    st.fractions(0, "63/64", max_denominator=64),
)
def test_on_exact_numbers_the_optimizers_agree_exactly(w, grads, lr, decay):
    coupled, decoupled = (Parameter(np.array([w], dtype=object)) for _ in range(2))
    first, second = optim.SGD([coupled], lr=lr, l2=decay / lr), optim.SGD([decoupled], lr=lr, decay=decay)
    for g in grads:
        coupled.grad, decoupled.grad = np.array([g], dtype=object), np.array([g], dtype=object)
        first.step()
        second.step()
        assert coupled.data[0] == decoupled.data[0]
        assert isinstance(coupled.data[0], Fraction)


def test_momentum_breaks_the_identity_and_the_buffers_know_first():
    coupled, decoupled = Parameter(np.ones(1)), Parameter(np.ones(1))
    first = optim.SGD([coupled], lr=0.5, momentum=0.5, l2=0.5)
    second = optim.SGD([decoupled], lr=0.5, momentum=0.5, decay=0.25)
    for expected in (0, 0.125):  # after two steps: η β w₀
        give([coupled, decoupled], [np.ones(1), np.ones(1)])
        first.step()
        second.step()
        assert decoupled.item() - coupled.item() == expected
        assert first.groups[0].state[0] != second.groups[0].state[0]
