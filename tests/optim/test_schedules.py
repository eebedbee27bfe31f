import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import optim
from minigrad.nn.parameter import Parameter
from minigrad.optim import schedules

U = 2.0**-53


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (schedules.constant(), [1, 1, 1]),
        (schedules.constant(0.5), [0.5, 0.5]),
        (schedules.step(2, 0.5), [1, 1, 0.5, 0.5, 0.25]),
        (schedules.exponential(0.5), [1, 0.5, 0.25]),
        (schedules.linear_warmup(4), [0.25, 0.5, 0.75, 1, 1, 1]),
        (schedules.cosine(2), [1, 0.5, 0, 0, 0]),
        (schedules.cosine(2, minimum=0.5), [1, 0.75, 0.5, 0.5]),
        (schedules.cosine_restarts(2), [1, 0.5, 1, 0.5]),
        (schedules.cosine_restarts(1, 2), [1, 1, 0.5, 1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2, 1]),
        (schedules.joined((schedules.linear_warmup(2), schedules.exponential(0.5)), at=(2,)), [0.5, 1, 1, 0.5, 0.25]),
        (
            schedules.joined(
                (schedules.constant(0.5), schedules.exponential(0.5), schedules.exponential(0.25)), (1, 3)
            ),
            [0.5, 1, 0.5, 1, 0.25],
        ),
    ],
)
def test_values_are_those_of_the_formula(schedule, expected):
    found = [schedule(k) for k in range(len(expected))]
    # cos of a rounded angle, three more operations on numbers ≤ 2: within 8 roundings of 1
    assert np.abs(np.subtract(found, expected)).max() <= 8 * U


@given(st.integers(1, 50), st.integers(1, 4), st.floats(0, 1), st.integers(0, 2000))
def test_restarts_tile_the_steps(t_0, t_mult, minimum, step):
    schedule = schedules.cosine_restarts(t_0, t_mult, minimum)
    since, length = schedule.position(step)
    restart, begins = 0, 0
    while begins + t_0 * t_mult**restart <= step:
        begins += t_0 * t_mult**restart
        restart += 1
    assert (since, length) == (step - begins, t_0 * t_mult**restart)
    assert minimum * (1 - 4 * U) <= schedule(step) <= 1 + 4 * U
    assert schedule(begins) == pytest.approx(1, abs=4 * U)


@given(st.integers(1, 30), st.integers(1, 3), st.floats(0, 1))
def test_warm_restarts_are_those_of_torch(t_0, t_mult, minimum):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, t_0, t_mult, eta_min=minimum)
    ours = schedules.cosine_restarts(t_0, t_mult, minimum)
    for k in range(70):
        assert ours(k) == pytest.approx(optimizer.param_groups[0]["lr"], abs=8 * U)
        optimizer.step()
        theirs.step()


def test_schedule_0_multiplies_the_first_step_as_in_torch():
    torch = pytest.importorskip("torch")
    w = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
    theirs = torch.optim.SGD([w], lr=0.5)
    schedule = schedules.linear_warmup(4)
    clock = torch.optim.lr_scheduler.LambdaLR(theirs, schedule)
    p = Parameter(np.ones(1))
    ours = optim.SGD([p], lr=0.5, schedule=schedule)
    for k in range(6):
        w.grad = torch.ones(1, dtype=torch.float64)
        p.grad = np.ones(1)
        assert ours.hyper(k)["lr"] == theirs.param_groups[0]["lr"]
        theirs.step()
        clock.step()
        ours.step()
        assert p.item() == w.item()  # powers of two: exact


def test_reprs_can_be_read_back():
    schedule = schedules.joined(
        (schedules.linear_warmup(100), schedules.cosine_restarts(10, t_mult=2), schedules.step(3)), at=(100, 200)
    )
    assert repr(schedule) == (
        "joined(schedules=(linear_warmup(steps=100), cosine_restarts(t_0=10, t_mult=2, minimum=0.0), "
        "step(every=3, factor=0.1)), at=(100, 200))"
    )
    assert eval(repr(schedule), vars(schedules)) == schedule


def test_numpy_scalars_become_python_numbers():
    assert type(schedules.exponential(np.float64(0.5))(2)) is float
    assert type(schedules.cosine(np.int64(5)).steps) is int


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: schedules.constant(-1), "value must be ≥ 0, got -1"),
        (lambda: schedules.constant(math.nan), "value must be finite, got nan"),
        (lambda: schedules.step(0), "every must be an integer ≥ 1, got 0"),
        (lambda: schedules.step(3, factor=-0.5), "factor must be ≥ 0"),
        (lambda: schedules.exponential(math.inf), "factor must be finite"),
        (lambda: schedules.cosine(2.5), r"steps must be an integer ≥ 1, got 2\.5"),
        (lambda: schedules.cosine(5, minimum=2), "minimum must be ≤ 1, got 2"),
        (lambda: schedules.linear_warmup(True), "steps must be an integer ≥ 1, got True"),
        (lambda: schedules.cosine_restarts(0), "t_0 must be an integer ≥ 1"),
        (lambda: schedules.cosine_restarts(3, t_mult=1.5), "t_mult must be an integer ≥ 1"),
        (lambda: schedules.cosine_restarts(3, minimum=1.5), r"minimum must be ≤ 1, got 1\.5"),
        (lambda: schedules.joined((), at=()), "0 schedules need 0 steps at which to change"),
        (lambda: schedules.joined((schedules.constant(),) * 3, at=(3,)), "3 schedules need 2 steps at which to change"),
        (lambda: schedules.joined((schedules.constant(),), at=(3,)), "1 schedules need 0 steps at which to change"),
        (lambda: schedules.joined((schedules.constant(),) * 3, at=(3, 3)), "at must be integers that increase"),
        (
            lambda: schedules.joined((schedules.constant(),) * 2, at=(0,)),
            "every step in at must be an integer ≥ 1, got 0",
        ),
    ],
)
def test_arguments_out_of_range_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("make", [schedules.cosine, schedules.cosine_restarts])
def test_an_annealing_to_1_is_none(make):
    assert [make(2, minimum=1)(k) for k in range(4)] == [1, 1, 1, 1]


def test_a_restart_long_ago_is_found_at_once():
    assert schedules.cosine_restarts(10).position(10**18 + 7) == (7, 10)


@pytest.mark.parametrize(
    ("schedule", "field"),
    [
        (schedules.constant(), "value"),
        (schedules.step(2), "every"),
        (schedules.exponential(0.5), "factor"),
        (schedules.cosine(2), "steps"),
        (schedules.linear_warmup(2), "steps"),
        (schedules.cosine_restarts(2), "t_0"),
        (schedules.joined((schedules.constant(),), at=()), "at"),
    ],
)
def test_a_schedule_stays_as_it_was_checked(schedule, field):
    with pytest.raises(FrozenInstanceError):
        setattr(schedule, field, -1)


def test_a_joined_schedule_takes_functions_only():
    with pytest.raises(TypeError, match=r"functions of the step, got 0\.5"):
        schedules.joined((schedules.constant(), 0.5), at=(3,))


@pytest.mark.parametrize("name", ["schedule", "decay_schedule"])
def test_a_schedule_that_is_no_function_is_refused(name):
    with pytest.raises(TypeError, match=rf"{name} must be a function of the 0-based step, got 0\.5"):
        optim.SGD([Parameter(np.ones(1))], lr=0.1, decay=0.1, **{name: 0.5})


@pytest.mark.parametrize("value", [-1.0, math.nan])
def test_a_schedule_whose_value_is_out_of_range_is_refused_at_its_step(value):
    p = Parameter(np.ones(1))
    p.grad = np.ones(1)
    optimizer = optim.SGD([p], lr=0.1, schedule=lambda k: value)
    with pytest.raises(ValueError, match="schedule at step 0 must be"):
        optimizer.step()
    assert p.item() == 1


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("schedule", lambda p, f: optim.SGD(p, lr=0.1, schedule=f)),
        ("lr", lambda p, f: optim.SGD(p, lr=f)),
        ("momentum", lambda p, f: optim.SGD(p, lr=0.1, momentum=f)),
        ("decay", lambda p, f: optim.SGD(p, lr=0.1, decay=f)),
        ("decay_schedule", lambda p, f: optim.SGD(p, lr=0.1, decay=0.1, decay_schedule=f)),
        ("l2", lambda p, f: optim.SGD(p, lr=0.1, l2=f)),
    ],
)
def test_what_a_function_of_the_step_raises_names_it_and_the_step(name, make):
    """A table that ends, asked by ``[...].__getitem__``: in a step a refusal, in a report a word."""
    p = Parameter(np.ones(1))
    optimizer = make([p], [0.5, 0.25].__getitem__)
    for _ in range(2):
        optimizer.describe(steps_per_epoch=5)  # which looks an epoch ahead
        p.grad = np.ones(1)
        optimizer.step()
    before = p.item()
    with pytest.raises(ValueError, match=rf"^{name} at step 2 raised IndexError\('list index out") as caught:
        optimizer.step()
    assert isinstance(caught.value.__cause__, IndexError)
    assert p.item() == before
    assert f"step 2 will be refused: {name} at step 2 raised IndexError" in optimizer.describe()


def test_a_function_that_does_not_take_the_step_is_still_a_type_error():
    with pytest.raises(TypeError, match=r"schedule at step 0 raised TypeError\('.*takes 0 positional arguments"):
        optim.SGD([Parameter(np.ones(1))], lr=0.1, schedule=lambda: 1.0).hyper(0)


def test_numpy_integers_count_steps():
    joined = schedules.joined((schedules.cosine(np.int64(4)), schedules.constant()), at=(np.int64(3),))
    assert joined == schedules.joined((schedules.cosine(4), schedules.constant()), at=(3,))
    assert type(joined.at[0]) is int


def test_one_bare_step_in_a_joined_schedule_is_refused_with_how_to_write_it():
    with pytest.raises(TypeError, match=r"at must be a sequence, such as \(value,\), got 3"):
        schedules.joined((schedules.constant(), schedules.constant()), at=3)
