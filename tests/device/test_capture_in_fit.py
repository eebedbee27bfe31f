"""`fit` with a captured step: the run that it is without, bit for bit, one launch a full batch."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import optim
from minigrad.data import Batches
from minigrad.regularization import L1, L2
from minigrad.training import fit, load_checkpoint, save_checkpoint
from tests.device.runs import OPTIMIZERS, bits, network

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((50, 6)).astype(np.float32), RNG.integers(0, 3, 50)
FULL, EPOCH = 6, 7  # batches of 8, and with the one of 2


def start(name="adamw", **options):
    model = network()
    options = {"schedule": optim.schedules.cosine(20)} | options
    return model, OPTIMIZERS[name](model.parameters(), **options), Batches(X, Y, 8, seed=0, classes=3)


def trained(run, capture, **options):
    """What a run leaves: its history but for the seconds, what callbacks saw, and all state."""
    seen = []
    history = fit(
        *run, **{"epochs": 3, "log_every": 5, "progress": False} | options, capture=capture,
        callbacks=lambda s: seen.append((s.step, float(s.data_loss), float(s.penalty))),
    )  # fmt: skip
    model, optimizer, batches = run
    epochs = [{k: x for k, x in record.items() if k != "seconds"} for record in history.epochs]
    return history.steps, epochs, seen, bits(model, optimizer), batches.state_dict()


WAYS = {
    "plain": {},
    "a penalty in the loss": {"penalty": L2(0.01)},
    "another penalty": {"penalty": L1(0.01, on="all")},
    "a penalty of one's own": {"penalty": lambda params: sum((p * p).sum() for p in params) * 0.01},
    "clipping": {"clip_value": 0.05, "clip_norm": 0.1},
    "everything": {"penalty": L2(0.1), "clip_norm": 0.5, "test": (X, Y), "log_every": 1},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_captured_run_is_the_run_bit_for_bit(name, way, device):
    expected = trained(start(name, decay=0.01), False, **WAYS[way])
    device.clear()
    assert trained(start(name, decay=0.01), True, **WAYS[way]) == expected
    assert device.launches.count("graph") == 3 * FULL - 1, "but for the first call, and the short batches"


def test_regularisation_in_the_optimizer_may_change_from_step_to_step(device):
    changing = {"l2": lambda k: 0.1 / (1 + k)}
    expected = trained(start("nadam", **changing), False)
    assert trained(start("nadam", **changing), True) == expected != trained(start("nadam"), False)


def test_between_two_records_nothing_is_read_and_a_full_batch_is_one_launch(device):
    launches, waits = {}, {}

    def look(state):
        launches[state.step] = [x for x in device.launches if x not in ("setitem", "copy")]  # x, y, and the results
        waits[state.step] = list(device.waits)
        device.clear()

    history = fit(*start(), epochs=3, log_every=10, progress=False, capture=True, callbacks=look)
    read = {record["step"] for record in history.steps + history.epochs}
    assert {k for k, waited in waits.items() if waited} == read == {7, 10, 14, 20, 21}
    short = {EPOCH, 2 * EPOCH, 3 * EPOCH}
    assert {k for k, made in launches.items() if made == ["graph"]} == launches.keys() - {1, 2} - short - read


def test_batches_that_are_all_short_are_full(device):
    model, optimizer, _ = start()
    batches = Batches(X, Y, 64, seed=0)
    fit(model, optimizer, batches, epochs=4, progress=False, capture=True)
    assert device.launches.count("graph") == 3


def test_a_captured_run_goes_on_from_a_checkpoint_in_mid_epoch(device, tmp_path):
    whole = trained(start(), True)
    begun = start()

    def stop(state):
        if state.step == EPOCH + 3:
            save_checkpoint(tmp_path / "run", *begun)
            state.stop = True

    fit(*begun, epochs=3, progress=False, capture=True, callbacks=stop)
    resumed = start()
    load_checkpoint(tmp_path / "run", *resumed)
    assert trained(resumed, True)[3:] == whole[3:]


def test_a_coefficient_that_would_be_frozen_is_refused_before_anything_happens(device):
    run = start()
    with pytest.raises(ValueError, match="would freeze the coefficient of L2.*capture=False"):
        fit(*run, epochs=1, penalty=L2(lambda k: 0.1), capture=True, progress=False)
    assert run[1].steps == run[2].position == 0


@pytest.mark.parametrize("why", ["executor", "loss"])
def test_a_step_that_cannot_be_captured_is_refused_with_its_reason_and_the_run_can_go_on_without(why, device):
    run = start(executor="plain" if why == "executor" else "auto")

    def loss(prediction, y):
        found = mg.cross_entropy(prediction, y)
        return found * (1 if why == "executor" or found.item() > 0 else -1)

    reason = 'executor="auto"' if why == "executor" else r"item\(\) waits for the device while a graph is recorded"
    with pytest.raises(RuntimeError, match=reason):
        fit(*run, epochs=1, loss=loss, capture=True, progress=False)
    assert (run[1].steps, run[2].position) == (1, 2)
    fit(*run, epochs=1, loss=loss, progress=False)
    assert run[1].steps == EPOCH - 1
