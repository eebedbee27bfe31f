"""One seed is one run on both back ends, and a run may move from one to the other."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend, nn, random
from minigrad.data import Batches
from minigrad.optim import AdamW
from minigrad.training import fit, load_checkpoint, save_checkpoint
from tests.device.standin import cupy

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((40, 6)).astype(np.float32), RNG.integers(0, 3, 40)


def start(seed=0):
    rng = np.random.default_rng(seed)
    model = nn.Sequential(
        nn.Linear(6, 16, rng=rng), nn.BatchNorm(16), nn.ReLU(), nn.Dropout(0.3, rng=rng), nn.Linear(16, 3, rng=rng)
    )
    return model, AdamW(model.parameters(), lr=0.05, decay=0.01), Batches(X, Y, 8, seed=seed)


def everything(model, optimizer, batches):
    arrays = model.state_dict() | optimizer.state_dict()
    plain = {k: x.tobytes() if isinstance(x, np.ndarray) else x for k, x in arrays.items()}
    return plain | {"batches": batches.state_dict()}


def test_one_seed_gives_the_same_weights_batches_and_masks(device):
    model, _, batches = start()
    weights = {k: x.tobytes() for k, x in model.state_dict().items()}
    drawn = [(backend.to_host(x), backend.to_host(y)) for x, y in batches]
    ones = mg.tensor(np.ones((5, 7), np.float32))
    masks = [model.layers[3](ones).numpy() for _ in range(3)]
    with mg.use_backend("numpy"):
        other, _, again = start()
        assert {k: x.tobytes() for k, x in other.state_dict().items()} == weights
        assert all((x == a).all() and (y == b).all() for (x, y), (a, b) in zip(drawn, again, strict=True))
        assert all((m == other.layers[3](np.ones((5, 7), np.float32)).numpy()).all() for m in masks)


def test_threefry_gives_the_known_answers_on_the_device_too(device):
    counter = tuple(cupy.asarray(np.array([c], np.uint32)) for c in (0x243F6A88, 0x85A308D3))
    found = random.threefry((0x13198A2E, 0x03707344), counter)  # Random123, tests/kat_vectors
    assert [w.tolist() for w in found] == [[0xC4923A9C], [0x483DF7A0]]


@pytest.mark.parametrize("step", [0, 5, 2**32 - 1])
def test_a_step_that_is_on_the_device_gives_the_bits_of_the_number(step, device):
    there = random.uniform_bits(cupy, (3, 4), cupy.asarray(np.array(step, np.uint32)), (3, 5))
    assert there.tolist() == random.uniform_bits(np, (3, 4), step, (3, 5)).tolist()


@pytest.mark.parametrize("first", ["numpy", "cupy"])
def test_a_checkpoint_moves_between_back_ends_and_the_run_goes_on_bit_for_bit(first, device, tmp_path):
    second = "cupy" if first == "numpy" else "numpy"

    def train(run, epochs, name):
        with mg.use_backend(name):
            fit(*run, epochs=epochs, progress=False)

    with mg.use_backend("numpy"):
        whole = start()
    train(whole, 4, "numpy")
    with mg.use_backend(first):
        begun = start()
    train(begun, 2, first)
    save_checkpoint(tmp_path / "run", *begun)
    with mg.use_backend(second):
        resumed = start(seed=9)
        load_checkpoint(tmp_path / "run", *resumed)
    train(resumed, 4, second)
    assert everything(*resumed) == everything(*whole)
    kinds = {backend.namespace(p.data) for p in resumed[0].parameters()}
    assert kinds == {cupy if second == "cupy" else np}


def test_weights_are_saved_on_one_back_end_and_read_on_the_other(device, tmp_path):
    model = start()[0]
    mg.save(tmp_path / "weights", model)
    with mg.use_backend("numpy"):
        other = mg.load(tmp_path / "weights", start(seed=5)[0])
    ours, theirs = model.state_dict(), other.state_dict()
    assert all(ours[k].tobytes() == theirs[k].tobytes() for k in ours)
