"""What every optimizer does with its parameters: buffers, missing gradients, t, graphs, saving, words."""

import copy
import json
import warnings
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad as mg
from minigrad import backend, optim
from minigrad.nn.parameter import Parameter
from minigrad.regularization import L1, L2
from tests.optim.making import give, gradients, parameters, run, values

pytestmark = pytest.mark.device

MAKERS = {
    "SGD": lambda p, **k: optim.SGD(p, lr=0.1, **k),
    "momentum": lambda p, **k: optim.SGD(p, lr=0.1, momentum=0.9, **k),
    "nesterov": lambda p, **k: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True, **k),
    "SGDW": lambda p, **k: optim.SGDW(p, lr=0.1, **k),
    "Adam": optim.Adam,
    "AdamW": optim.AdamW,
    "AMSGrad": optim.AMSGrad,
    "Adagrad": optim.Adagrad,
    "RMSprop": optim.RMSprop,
    "Lion": optim.Lion,
    "NAdam": optim.NAdam,
}


# --- buffers ----------------------------------------------------------------------------------------------------------


@pytest.mark.host
def test_a_group_is_one_contiguous_slice_and_the_regularised_come_first():
    ps = parameters()
    start = values(ps)
    optimizer = optim.Adam(ps, l2=0.1)
    first, second = optimizer.groups
    assert (first.regularised, second.regularised) == (True, False)
    assert first.params == [ps[0], ps[2]]
    assert second.params == [ps[1], ps[3]]
    assert first.weights.base is second.weights.base
    assert first.weights.ctypes.data + first.weights.nbytes == second.weights.ctypes.data
    for group in optimizer.groups:
        for p, (a, b) in zip(group.params, pairwise(group.bounds), strict=True):
            assert np.shares_memory(p.data, group.weights[a:b])
            assert np.shares_memory(p.grad_home, group.grads[a:b])
        assert all(s.shape == group.weights.shape for s in group.state)
    assert all((a == p.numpy()).all() for a, p in zip(start, ps, strict=True))


def test_there_is_one_buffer_per_dtype():
    ps = [*parameters(dtype=np.float32), *parameters(dtype=np.float64)]
    optimizer = optim.SGD(ps, lr=0.1, momentum=0.9, l2=0.1)
    assert [(g.weights.dtype.name, g.regularised) for g in optimizer.groups] == [
        ("float32", True), ("float32", False), ("float64", True), ("float64", False)
    ]  # fmt: skip
    run(optimizer, 2)
    assert [p.dtype.name for p in ps] == ["float32"] * 4 + ["float64"] * 4


def test_the_first_gradient_is_written_straight_into_the_buffer_and_the_second_added():
    p = Parameter(np.array([1.0, 2.0]))
    optimizer = optim.SGD([p], lr=0.5)
    for _ in range(2):
        (p * p).backward(np.ones(2))
        assert p.grad is p.grad_home
    assert optimizer.groups[0].grads.tolist() == [4, 8]
    optimizer.step()
    assert p.data.tolist() == [-1, -2]
    optimizer.zero_grad()
    assert p.grad is None


def test_a_gradient_set_by_hand_is_copied_in():
    ps = parameters()
    optimizer = optim.SGD(ps, lr=0.1)
    grads = gradients(ps, 0)
    give(ps, grads)
    optimizer.step()
    assert all(p.grad is p.grad_home and (p.grad == g).all() for p, g in zip(ps, grads, strict=True))


@pytest.mark.host
def test_a_single_number_may_be_given_a_numpy_scalar_as_its_gradient():
    p = Parameter(np.array(1.0))
    optimizer = optim.SGD([p], lr=0.5)
    p.grad = np.float64(1.0)
    optimizer.step()
    assert p.item() == 0.5
    assert p.data.shape == ()


def test_parameters_of_no_numbers_are_no_trouble():
    ps = [Parameter(np.zeros((0, 3))), Parameter(np.ones(2))]
    run(optim.Adam(ps, l2=0.1), 2)
    assert ps[0].shape == (0, 3)


def test_the_order_and_company_of_parameters_change_no_bits():
    for make in MAKERS.values():
        together = run(make(parameters(), decay=0.01, on="weights"), 3)
        ps = parameters()
        optimizers = [make([p], decay=0.01, on="weights") for p in ps]
        for k in range(3):
            give(ps, gradients(ps, 1 + k))
            for optimizer in reversed(optimizers):
                optimizer.step()
        assert all((a == b).all() for a, b in zip(together, values(ps), strict=True))


# --- missing gradients and t ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
@settings(deadline=None, max_examples=25)
@given(st.lists(st.lists(st.booleans(), min_size=4, max_size=4), min_size=1, max_size=7))
def test_each_parameter_steps_as_if_alone_whenever_it_has_a_gradient(name, presence):
    make = MAKERS[name]
    ps = parameters()
    optimizer = make(ps, decay=0.01)
    alone = parameters()
    single = [make([p], decay=0.01) for p in alone]
    for k, present in enumerate(presence):
        grads = gradients(ps, k)
        for p, q, g, here, own in zip(ps, alone, grads, present, single, strict=True):
            give([p], [g if here else None])
            if here:
                give([q], [g])
                own.step()
        before = values(ps)
        optimizer.step()
        assert all(here or (p.numpy() == w).all() for p, w, here in zip(ps, before, present, strict=True))
    assert all((p.data == q.data).all() for p, q in zip(ps, alone, strict=True))
    assert optimizer.state_dict()["t"] == [sum(present[i] for present in presence) for i in range(4)]
    assert optimizer.steps == len(presence)


def test_neighbours_are_updated_together_as_far_as_they_go():
    calls = []
    ps = parameters(shapes=((2,),) * 6, roles=("weight",) * 6)
    optimizer = optim.Adam(ps)
    plain = optimizer.executor

    def counted(update, weights, grads, state, hyper):
        calls.append((len(weights), hyper["t"]))
        plain(update, weights, grads, state, hyper)

    optimizer.executor = counted
    run(optimizer, 1)
    give(ps, [None if i == 2 else g for i, g in enumerate(gradients(ps, 0))])
    optimizer.step()
    run(optimizer, 1)
    assert calls == [(12, 1), (4, 2), (6, 2), (4, 3), (2, 2), (6, 3)]


@pytest.mark.parametrize("name", MAKERS)
def test_a_zero_gradient_still_decays_and_none_does_not(name):
    a, b = Parameter(np.ones(2)), Parameter(np.ones(2))
    optimizer = MAKERS[name]([a, b], decay=0.25)
    give([a], [np.zeros(2)])
    optimizer.step()
    assert a.data.tolist() == [0.75, 0.75]
    assert b.data.tolist() == [1, 1]


def test_bias_correction_starts_at_t_1_for_a_parameter_that_joins_late():
    a, b = Parameter(np.ones(1)), Parameter(np.ones(1))
    optimizer = optim.Adam([a, b], lr=0.5, eps=0.0)
    for _ in range(3):
        give([a], [np.ones(1)])
        optimizer.step()
    give([b], [np.full(1, 1e-3)])
    optimizer.step()
    assert b.item() == pytest.approx(0.5, abs=8 * 2.0**-53)  # the first step is α sign(g), whatever |g|


# --- graphs -----------------------------------------------------------------------------------------------------------


def test_a_graph_that_still_needs_the_old_weights_raises_after_the_step():
    p, q = Parameter(np.ones(2)), Parameter(np.ones(2))
    optimizer = optim.SGD([p, q], lr=0.1)
    stale, fresh = (p * p), (q * q)
    give([p], [np.ones(2)])
    optimizer.step()
    with pytest.raises(RuntimeError, match="was written after it was used"):
        stale.backward(np.ones(2))
    fresh.backward(np.ones(2))  # q had no gradient, was not written, and its graph is good
    assert q.grad.tolist() == [2, 2]


def test_the_same_parameters_may_go_from_one_optimizer_to_the_next():
    ps = parameters()
    run(optim.SGD(ps, lr=0.1), 1)
    left = values(ps)
    pending = gradients(ps, 5)
    give(ps, pending)
    newer = optim.SGD(ps, lr=0.1)
    newer.step()
    assert all((p.numpy() == w - 0.1 * backend.to_host(g)).all() for p, w, g in zip(ps, left, pending, strict=True))


# --- saving -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MAKERS)
def test_a_saved_state_continues_bit_for_bit(name):
    make = MAKERS[name]
    ps = parameters()
    optimizer = make(ps, decay=0.01, on="weights", schedule=lambda k: 1 / (k + 1))
    run(optimizer, 3)
    give(ps, [g if i else None for i, g in enumerate(gradients(ps, 9))])
    optimizer.step()  # t differs between parameters
    saved, weights = copy.deepcopy(optimizer.state_dict()), values(ps)
    numbers = {k: v for k, v in saved.items() if not isinstance(v, np.ndarray)}
    saved |= json.loads(json.dumps(numbers))
    expected = run(optimizer, 3)

    resumed = [Parameter(w, p.role) for w, p in zip(weights, ps, strict=True)]
    other = make(resumed, decay=0.01, on="weights", schedule=lambda k: 1 / (k + 1))
    run(other, 1)  # whatever was there is replaced
    for p, w in zip(resumed, weights, strict=True):
        p.data[...] = backend.current().asarray(w)
    other.load_state_dict(saved)
    assert other.steps == 4
    assert all((a == b).all() for a, b in zip(run(other, 3), expected, strict=True))
    assert json.dumps({k: v for k, v in other.state_dict().items() if k in numbers}) == json.dumps(
        {k: v for k, v in optimizer.state_dict().items() if k in numbers}
    )


def test_the_state_of_an_optimizer_that_made_no_step_can_be_loaded():
    trained, fresh = optim.Adam(parameters()), optim.Adam(parameters())
    run(trained, 2)
    trained.load_state_dict(fresh.state_dict())
    assert (trained.steps, trained.state_dict()["t"]) == (0, [0, 0, 0, 0])


@pytest.mark.parametrize(
    ("make", "numbers"),
    [
        (optim.Adam, {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
        (optim.AdamW, {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
        (optim.AMSGrad, {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
        (optim.Adagrad, {"lr": 1e-2, "eps": 1e-10}),
        (optim.RMSprop, {"lr": 1e-2, "rho": 0.99, "eps": 1e-8}),
        (optim.Lion, {"lr": 1e-4, "beta1": 0.9, "beta2": 0.99}),
        (optim.Adadelta, {"lr": 1.0, "rho": 0.9, "eps": 1e-6}),
        (optim.Adamax, {"lr": 2e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
        (optim.NAdam, {"lr": 2e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "psi": 4e-3}),
        (optim.RAdam, {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
    ],
)
def test_numbers_that_are_not_given_are_those_of_the_docstring(make, numbers):
    assert make(parameters()).hyper(0) == numbers


def test_a_state_dict_is_a_copy_by_parameter_number():
    ps = parameters()
    optimizer = optim.Adam(ps, l2=0.1)
    run(optimizer, 1)
    saved = optimizer.state_dict()
    assert saved["rule"] == "adam"
    assert (saved["step"], saved["t"]) == (1, [1, 1, 1, 1])
    assert {k: v.shape for k, v in saved.items() if k.startswith("m.")} == {f"m.{i}": p.shape for i, p in enumerate(ps)}
    kept = saved["v.2"].copy()
    run(optimizer, 1)
    assert (saved["v.2"] == kept).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("m.1"), KeyError, r"missing \['m.1'\], unexpected \[\]"),
        (lambda s: s.update(b=1), KeyError, r"missing \[\], unexpected \['b'\]"),
        (lambda s: s.update(rule="lion"), ValueError, "saved by the rule 'lion', not by 'adam'"),
        (lambda s: s.update({"v.3": np.ones(3)}), ValueError, r"v.3 must have shape \(4,\), got \(3,\)"),
        (lambda s: s.update({"v.3": np.ones(4, np.float32)}), TypeError, "v.3 must have dtype float64, got float32"),
        (lambda s: s.update(step=-1), ValueError, "step must be an integer ≥ 0, got -1"),
        (lambda s: s.update(t=[1, 1]), ValueError, "t must be 4 counts of at most step = 2"),
        (lambda s: s.update(t=[1, 1, 1, 3]), ValueError, "t must be 4 counts of at most step = 2"),
        (lambda s: s.update(t=[1, 1, 1, 0.5]), ValueError, "t must be an integer"),
        (lambda s: s.update(t=[1, 1, 1, -1]), ValueError, "t must be an integer ≥ 0, got -1"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_nothing_is_written(change, error, message):
    optimizer = optim.Adam(parameters())
    run(optimizer, 2)
    before = optimizer.state_dict()
    saved = {k: v + 1 if isinstance(v, np.ndarray) else v for k, v in before.items()}
    change(saved)
    with pytest.raises(error, match=message):
        optimizer.load_state_dict(saved)
    after = optimizer.state_dict()
    assert all(np.array_equal(before[k], after[k]) for k in before)


@pytest.mark.host
@pytest.mark.parametrize("broken", [0, 1])
def test_a_step_that_the_arithmetic_breaks_off_leaves_a_state_that_can_be_loaded(broken):
    params = [Parameter(np.ones(2)), Parameter(np.ones(2), role="bias")]
    optimizer = optim.Adam(params, 0.1, l2=0.1)
    params[broken].grad, params[1 - broken].grad = np.full(2, 1e200), np.ones(2)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        optimizer.step()
    assert (params[1].data == 1).all()
    assert (params[0].data == 1).all() == (broken == 0)
    saved = optimizer.state_dict()
    assert (saved["step"], saved["t"]) == ((0, [0, 0]) if broken == 0 else (1, [1, 0]))
    other = optim.Adam([Parameter(p.data, p.role) for p in params], 0.1, l2=0.1)
    other.load_state_dict(saved)
    for one in (optimizer, other):
        give(one.params, [np.ones(2), np.ones(2)])
        one.step()
    assert [p.tolist() for p in values(params)] == [p.tolist() for p in values(other.params)]


# --- in words ---------------------------------------------------------------------------------------------------------


def test_print_shows_who_is_decayed_by_how_much_and_the_time_scale():
    text = str(optim.SGD(parameters(), lr=0.1, momentum=0.9, decay=0.01, on="weights"))
    assert text.splitlines() == [
        "SGD: heavy_ball_decay on 4 parameters (20 numbers)",
        "  numbers at step 0: lr=0.1, momentum=0.9, decay=0.01",
        "  decayed in the update (door 3): 2 parameters (14 numbers)",
        "    fraction removed per step: η = 0.01; time scale 1/η = 100 steps",
        "  not regularised: 2 parameters (6 numbers)",
    ]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda p: optim.SGD(p, lr=0.1, l2=0.1), "fraction removed per step: η = 0.01; time scale 1/η = 100 steps"),
        (lambda p: optim.SGD(p, lr=0.1, momentum=0.5, l2=0.1), "in the long run: η = 0.02; time scale 1/η = 50 steps"),
        (lambda p: optim.SGD(p, 0.5, regularizer=L2(2.0), at="prox"), "η = 0.5; time scale 1/η = 2 steps"),
        (lambda p: optim.Adam(p, l2=0.1), "the rule rescales λw, λ = 0.1: no fixed fraction per step, no time scale"),
        (lambda p: optim.SGD(p, lr=0.1, regularizer=L1(0.1), at="prox"), "removes no fraction of w"),
        (lambda p: optim.Adam(p, regularizer=L1(0.1), at="prox"), "behind adam this is another rule than the proximal"),
        (lambda p: optim.AdamW(p, decay=0.1, schedule=lambda k: k), "η = 0 at this step"),
        (lambda p: optim.SGD(p, lr=0.1), "not regularised: 4 parameters (20 numbers)"),
        (lambda p: optim.SGD(p, lr=0.1, decay=2), "step 0 will be refused: decay would remove the fraction 2"),
    ],
)
def test_print_says_what_regularisation_does_to_each_rule(make, line):
    optimizer = make(parameters())
    assert line in str(optimizer)
    assert repr(optimizer) == str(optimizer)


@pytest.mark.host
@pytest.mark.parametrize("door", ["l2", "decay"])
def test_print_tells_exact_numbers_too(door):
    params = [Parameter(np.array([Fraction(1)], dtype=object))]
    optimizer = optim.SGD(params, Fraction(1, 2), **{door: Fraction(1, 4)})
    text = optimizer.describe(2)
    assert f"numbers at step 0: lr=1/2, {door}=1/4" in text
    steps = {"l2": 8, "decay": 4}[door]
    assert f"η = 1/{steps}; time scale 1/η = {steps} steps = {steps // 2} epochs" in text
    with pytest.warns(UserWarning, match=f"1/η = {steps} steps, is shorter than an epoch of 9 steps"):
        optimizer.describe(9)


def test_print_warns_exactly_when_the_time_scale_is_shorter_than_an_epoch():
    slow = optim.SGD(parameters(), lr=0.5, decay=2.0**-7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        str(slow)  # how long an epoch is, nobody said
        assert "1/η = 128 steps = 2 epochs" in slow.describe(steps_per_epoch=64)
        assert "1/η = 128 steps = 1 epochs" in slow.describe(steps_per_epoch=128)
    with pytest.warns(UserWarning, match=r"1/η = 128 steps, is shorter than an epoch of 129 steps") as caught:
        slow.describe(steps_per_epoch=129)
    assert [w.filename for w in caught] == [__file__]  # it points to the line that asked
    with pytest.warns(UserWarning, match="shorter than an epoch"):
        str(slow)
    with pytest.warns(UserWarning, match="shorter than an epoch"):
        optim.SGD(parameters(), lr=0.5, l2=2.0**-6).describe(129)
    with pytest.raises(ValueError, match="steps_per_epoch must be an integer ≥ 1, got 0"):
        slow.describe(0)


@pytest.mark.parametrize("wrong", [-1.0, "much"])
def test_a_number_that_is_wrong_later_in_the_epoch_does_not_keep_an_optimizer_from_being_described(wrong):
    optimizer = optim.SGD(parameters(), lr=0.5, decay=0.5, schedule=lambda k: 1.0 if k < 3 else wrong)
    assert "time scale 1/η = 2 steps" in optimizer.describe(4)


@pytest.mark.parametrize(("size", "words"), [(1, "1 parameter (1 number)"), (2, "1 parameter (2 numbers)")])
def test_one_is_counted_in_the_singular(size, words):
    assert f"sgd on {words}\n" in str(optim.SGD([Parameter(np.ones(size))], lr=0.5))


def test_an_epoch_may_be_a_single_step():
    assert "1/η = 2 steps = 2 epochs" in optim.SGD(parameters(), lr=0.5, decay=0.5).describe(1)


def test_a_schedule_counts_towards_the_time_scale_of_an_epoch():
    with pytest.warns(UserWarning, match=r"1/η = 5 steps, is shorter than an epoch of 10 steps.*here 0\.2 on average"):
        optim.AdamW(parameters(), decay=0.4, schedule=lambda k: k % 2).describe(10)


def test_repr_never_warns():
    optimizer = optim.SGD(parameters(), lr=0.1, decay=0.5)
    optimizer.steps_per_epoch = 100
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        repr(optimizer)


# --- gradients --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("roles", [("weight", "weight"), ("weight", "bias")])
@pytest.mark.parametrize("flat", [False, True])
def test_gradients_that_were_swapped_arrive_swapped_within_a_group_and_across_groups(roles, flat):
    p, q = (Parameter(np.zeros(2), role) for role in roles)
    optimizer = optim.SGD([p, q], lr=1.0, regularizer=L2(0.5), at="gradient")
    (p * 2.0 + q * 3.0).sum().backward()
    p.grad, q.grad = q.grad, p.grad
    if flat:
        p.grad = p.grad[::-1]
    optimizer.step()
    assert p.data.tolist() == [-3, -3]
    assert q.data.tolist() == [-2, -2]


def test_a_gradient_is_a_view_that_the_next_backward_writes_anew_as_the_documentation_says():
    p = Parameter(np.zeros(2))
    optimizer = optim.SGD([p], lr=1.0)
    (p * 2.0).sum().backward()
    kept, copied = p.grad, p.grad.copy()
    optimizer.zero_grad()
    (p * 3.0).sum().backward()
    assert kept.tolist() == [3, 3]
    assert copied.tolist() == [2, 2]


# --- where gradients go -----------------------------------------------------------------------------------------------


@pytest.mark.host
def test_a_product_is_written_where_the_gradient_belongs_and_is_not_copied(monkeypatch):
    w = Parameter(np.ones((3, 2)))
    optim.SGD([w], 0.1)
    x = np.arange(6.0).reshape(2, 3)
    written = []

    class Watched(np.ndarray):
        def __setitem__(self, index, value):
            written.append(index)
            super().__setitem__(index, value)

    w.grad_home = w.grad_home.view(Watched)
    mg.sum(mg.linear(x, w)).backward()
    assert w.grad is w.grad_home
    assert not written
    assert (w.grad == x.sum(axis=0)[:, None]).all()
    mg.sum(mg.linear(x, w)).backward()
    assert (w.grad == 2 * x.sum(axis=0)[:, None]).all()


def test_a_weight_that_is_used_twice_gets_both_gradients_though_the_first_has_landed():
    w = Parameter(np.eye(2))
    optim.SGD([w], 0.1)
    x = mg.tensor([[1.0, 2.0]])
    mg.sum(mg.linear(mg.linear(x, w), w)).backward()
    free = mg.tensor(np.eye(2), requires_grad=True)
    mg.sum(mg.linear(mg.linear(x, free), free)).backward()
    assert (w.grad == free.grad).all()
