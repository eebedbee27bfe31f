"""A captured step: after N calls everything is what N calls of the step itself leave, and a call is one launch."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from tests.device import machine
from tests.device.runs import OPTIMIZERS, Run, X, Y, batches, eager

WARM = 2  # calls before the first replay: one runs the step as it is, one records it


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_after_n_calls_weights_t_state_buffers_masks_and_schedules_are_those_of_n_steps(name, dtype, device):
    steps = 10  # RAdam changes its branch within
    expected = eager(name, steps, dtype)
    run = Run(name, dtype)
    captured = mg.capture(run.step)
    losses = [captured(*b) for b in batches(steps, dtype)]
    assert ([x.item() for x in losses], run.state(), run.optimizer.hyper(steps)) == expected


def test_a_graph_from_before_a_replay_refuses_gradients_by_what_the_replay_wrote(device):
    run = Run("adamw")
    captured = mg.capture(run.step)
    *first, last = batches(4)
    for b in first:
        captured(*b)
    square = (run.optimizer.params[0] * run.optimizer.params[0]).sum()
    captured(*last)
    with pytest.raises(RuntimeError, match="multiply, of shape .* was written after it was used"):
        square.backward()


def test_a_replay_is_one_launch_one_small_copy_and_no_wait(device):
    run = Run("adamw")
    captured = mg.capture(run.step)
    given = batches(5)
    for b in given[:WARM]:
        captured(*b)
    for b in given[WARM:]:
        device.clear()
        with device.unread():
            captured(*b)
        assert device.launches == ["setitem", "setitem", "graph", "copy"]  # x, y; everything; the loss
        ((name, size),) = device.uploads
        assert name == "pinned copy"
        assert size <= 4096
        assert device.waits == device.downloads == []


def test_a_recorded_step_says_how_much_it_launches_and_before_nothing(device):
    captured = mg.capture(lambda x: mg.tanh(x * 2))
    x = mg.tensor(np.ones(3))
    captured(x)
    assert captured.launches() is None
    captured(x)
    assert captured.launches() == 2


def test_gradients_may_be_forgotten_outside_of_the_step(device):
    run, other = Run("adamw"), Run("adamw")

    def step(x, y):
        mg.cross_entropy(run.model(x), y).backward()
        run.optimizer.step()

    captured = mg.capture(step)
    for b in batches(5):
        run.optimizer.zero_grad()
        captured(*b)
        other.optimizer.zero_grad()
        mg.cross_entropy(other.model(b[0]), b[1]).backward()
        other.optimizer.step()
    assert run.state() == other.state()


def test_an_optimizer_that_no_longer_does_what_was_recorded_is_noticed(device):
    run = Run("adamw")
    captured = mg.capture(run.step)
    for b in batches(3):
        captured(*b)
    run.optimizer.groups[0].t[1] += 1  # as after steps in which not every parameter took part
    run.optimizer.groups[0].forget_runs()
    with pytest.raises(RuntimeError, match="capture the step anew"):
        captured(*batches(1)[0])


def test_the_graph_has_a_pool_of_its_own(device):
    pools = []

    def step():
        pools.append(list(machine.POOLS))
        return mg.tensor(np.ones(3)) if len(pools) == 1 else None

    captured = mg.capture(step)
    for _ in range(3):
        captured()
    assert pools[0] == pools[1] != []
    assert len(pools) == 2
    assert machine.POOLS == []


def test_dropout_takes_new_masks_in_every_replay_and_repeats_none(device):
    layer = nn.Dropout(0.5, rng=np.random.default_rng(0))
    x = mg.tensor(np.ones(64, np.float32)).data
    captured = mg.capture(lambda x: layer(x))
    masks = [captured(x).numpy().tobytes() for _ in range(6)]
    assert len(set(masks)) == 6
    again = nn.Dropout(0.5, rng=np.random.default_rng(0))
    assert masks == [again(x).numpy().tobytes() for _ in range(6)]
    assert layer.step == 6


def test_results_are_copies_that_no_later_call_writes(device):
    captured = mg.capture(lambda x: {"twice": x * 2, "both": (x, [x + 1]), "none": None})
    found = [captured(mg.tensor([float(k)])) for k in range(4)]
    assert [f["twice"].item() for f in found] == [0, 2, 4, 6]
    assert [f["both"][1][0].item() for f in found] == [1, 2, 3, 4]
    assert found[3]["none"] is None


def test_batches_of_the_host_are_uploaded_into_place(device):
    run, other = Run("sgd"), Run("sgd")
    captured = mg.capture(run.step)
    for k in range(4):
        captured(X[k], Y[k])
        other.step(*batches(4)[k])
    assert run.state() == other.state()


def test_a_step_that_reads_the_device_is_refused_when_it_is_recorded(device):
    captured = mg.capture(lambda x: x * float(x.sum().data))
    x = mg.tensor(np.ones(3))
    captured(x)
    with pytest.raises(RuntimeError, match=r"float\(\) waits for the device while a graph is recorded"):
        captured(x)
    assert device.recorder is None
    assert (x * 2).numpy().tolist() == [2, 2, 2]


@pytest.mark.parametrize("executor", ["plain", "numpy"])
def test_an_update_whose_numbers_would_be_frozen_is_refused(executor, device):
    run = Run("adamw", executor=executor)
    captured = mg.capture(run.step)
    first, second = batches(2)
    captured(*first)
    with pytest.raises(RuntimeError, match='executor="auto"'):
        captured(*second)


def test_nor_does_float16_train_in_a_captured_step(device):
    p = nn.Parameter(np.ones(3, np.float16))
    optimizer = optim.SGD([p], 0.1)

    def step():
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()

    captured = mg.capture(step)
    captured()
    with pytest.raises(RuntimeError, match="float32 or float64"):
        captured()


def test_a_frozen_number_would_be_seen(device, monkeypatch):
    """A recorded launch that did not read its numbers anew leaves other weights."""
    from minigrad.executors.captured.graphs import Recorded

    monkeypatch.setattr(Recorded, "replay", lambda self: None)
    run = Run("adamw")
    captured = mg.capture(run.step)
    for b in batches(5):
        captured(*b)
    assert run.state() != eager("adamw", 5)[1]
