"""A captured step that is broken off was not made: nothing has changed, and it can be called again."""

import contextlib
import itertools

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn, optim
from tests.device.log import LOG
from tests.device.runs import batches, bits

STEPS = 7  # RAdam takes its other branch from the sixth on


class PlantedError(Exception):
    """What breaks a step off."""


class Run:
    """Two networks under optimizers with numbers of every kind, and a step that can be told where to break off."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.first = nn.Sequential(nn.Linear(6, 4, rng=rng), nn.BatchNorm(4), nn.Dropout(0.4, rng=rng))
        self.second = nn.Sequential(nn.Dropout(0.2, rng=rng), nn.Linear(4, 3, rng=rng))
        self.broken = None
        self.optimizers = (
            optim.RAdam(self.first.parameters(), 0.1, decay=0.1, on="weights", schedule=self.rate),
            optim.NAdam(self.second.parameters(), 0.1, schedule=lambda k: self.reach("second schedule") or 1 / (k + 1)),
        )
        self.captured = mg.capture(self.step)

    def rate(self, k):
        self.reach("first schedule")
        return 1 / (k + 1)

    def reach(self, point):
        """Break off, if it is to be here."""
        if self.broken == point:
            raise PlantedError(point)

    def step(self, x, y):
        self.reach("beginning")
        for optimizer in self.optimizers:
            optimizer.zero_grad()
        loss = mg.cross_entropy(self.second(self.first(x)), y)
        self.reach("forward")
        loss.backward()
        self.reach("backward")
        for optimizer in self.optimizers:
            optimizer.step()
            self.reach("update")
        self.reach("end")
        return loss

    def state(self):
        """All that a step computes, in bits."""
        return bits(self.first, self.second, *self.optimizers)

    def everything(self):
        """All that a step changes: when parameters were last written, too."""
        return self.state() | {i: [p._written[0] for p in o.params] for i, o in enumerate(self.optimizers)}


WHILE_RECORDED = ("beginning", "forward", "backward", "first schedule", "update", "second schedule", "end")
WHILE_REPLAYED = ("first schedule", "second schedule")


def after(steps):
    """The state, and the last loss, after some steps that were not captured."""
    run = Run()
    losses = [run.step(*b).item() for b in batches(steps)]
    return run.state(), losses[-1]


@contextlib.contextmanager
def nothing_after(count):
    """Let the device do `count` more things in this block, and refuse the next."""
    left = [count]

    def counted(name):
        if not left[0]:
            raise PlantedError(name)
        left[0] -= 1

    with pytest.MonkeyPatch.context() as patch:
        for word in ("launch", "upload", "wait"):
            was = getattr(LOG, word)
            patch.setattr(LOG, word, lambda name, *more, was=was: (counted(name), was(name, *more)))
        yield


def test_a_step_that_raises_while_it_is_recorded_was_not_made_and_is_recorded_when_called_again(device):
    run, (first, *others) = Run(), batches(STEPS)
    run.captured(*first)
    before = run.everything()
    for run.broken in (*WHILE_RECORDED, *reversed(WHILE_RECORDED)):
        with pytest.raises((PlantedError, ValueError), match=run.broken):
            run.captured(*others[0])
        assert run.everything() == before
    run.broken = None
    losses = [run.captured(*batch) for batch in others]
    assert (run.state(), losses[-1].item()) == after(STEPS)


def test_a_step_whose_numbers_are_refused_when_it_is_replayed_was_not_made(device):
    run = Run()
    for k, batch in enumerate(batches(STEPS)):
        before = run.everything()
        for run.broken in WHILE_REPLAYED if k > 1 else ():
            with pytest.raises((PlantedError, ValueError), match=run.broken):
                run.captured(*batch)
            assert run.everything() == before
        run.broken = None
        loss = run.captured(*batch)
    assert (run.state(), loss.item()) == after(STEPS)


@pytest.mark.parametrize("made", [1, 2, STEPS - 1], ids=["recorded", "replayed", "replayed in the last call"])
def test_wherever_the_device_refuses_the_step_was_not_made_or_it_was_launched_whole(made, device):
    run, given = Run(), batches(STEPS)
    for batch in given[:made]:
        run.captured(*batch)
    before, device_has = run.everything(), after(made + 1)[0]
    for count in itertools.count():
        device.clear()
        with nothing_after(count), contextlib.suppress(PlantedError):
            run.captured(*given[made])
        if "graph" in device.launches:
            break
        assert run.everything() == before
    assert run.state() == device_has
    assert count > (100 if made == 1 else 3)
    for batch in given[made + 1 :]:
        run.captured(*batch)
    assert run.state() == after(STEPS)[0]


def test_a_result_that_cannot_be_copied_is_lost_and_the_step_was_made(device):
    run, given = Run(), batches(STEPS)
    for batch in given[: STEPS - 1]:
        run.captured(*batch)
    with nothing_after(4), pytest.raises(PlantedError, match="copy"):  # x, y, the numbers, everything
        run.captured(*given[-1])
    assert run.state() == after(STEPS)[0]


def test_counts_that_part_and_arguments_with_gradients_change_nothing(device):
    run, given = Run(), batches(STEPS)
    for batch in given[:-1]:
        run.captured(*batch)
    before = run.everything()
    with pytest.raises(ValueError, match="without gradients"):
        run.captured(mg.tensor(np.ones((16, 6), np.float32), requires_grad=True), given[-1][1])
    assert run.everything() == before
    group = run.optimizers[1].groups[0]
    group.t[1] += 1  # as after a step in which not every parameter took part
    group.forget_runs()
    parted = run.everything()
    with pytest.raises(RuntimeError, match="capture the step anew"):
        run.captured(*given[-1])
    assert run.everything() == parted
    group.t[1] -= 1
    run.captured(*given[-1])
    assert run.state() == after(STEPS)[0]


def test_gradients_are_as_before_a_replay_that_was_broken_off(device):
    run, given = Run(), batches(STEPS)
    for batch in given[:-1]:
        run.captured(*batch)
    for optimizer in run.optimizers:
        optimizer.zero_grad()
    run.broken = "second schedule"
    with pytest.raises(ValueError, match="PlantedError"):
        run.captured(*given[-1])
    assert all(p.grad is None for optimizer in run.optimizers for p in optimizer.params)
