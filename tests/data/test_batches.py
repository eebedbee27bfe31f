import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.data import Batches

X = np.arange(23, dtype=np.float32).reshape(-1, 1)
Y = np.arange(23) % 5


def make(seed=0, size=4, **more):
    return Batches(X, Y, size, seed=seed, **more)


def epoch(batches):
    return [x[:, 0].tolist() for x, _ in batches]


def test_an_epoch_meets_every_example_once_and_keeps_the_short_last_batch():
    batches = make()
    met = epoch(batches)
    assert len(batches) == len(met) == 6
    assert [len(m) for m in met] == [4, 4, 4, 4, 4, 3]
    assert sorted(x for batch in met for x in batch) == X[:, 0].tolist()


def test_labels_stay_with_their_examples():
    assert all(np.array_equal(x[:, 0].astype(int) % 5, y) for x, y in make())


def test_epochs_differ_and_the_seed_decides_them():
    a, b = make(), make()
    first, second = epoch(a), epoch(a)
    assert first != second
    assert [epoch(b), epoch(b)] == [first, second]
    assert epoch(make(seed=1)) != first
    assert epoch(Batches(X, Y, 4, rng=np.random.default_rng(0))) == first


@given(steps=st.integers(0, 20), size=st.integers(1, 25), kind=st.sampled_from(["PCG64", "MT19937", "Philox", "SFC64"]))
def test_a_state_taken_anywhere_goes_on_exactly_through_json(steps, size, kind):
    def of(seed):
        return Batches(X, Y, size, rng=np.random.Generator(getattr(np.random, kind)(seed)))

    def walk(batches):
        while True:
            yield from batches

    run = of(0)
    path = walk(run)
    for _ in range(steps):
        next(path)
    state = json.loads(json.dumps(run.state_dict()))
    ahead = [next(path)[0].tolist() for _ in range(15)]
    fresh = of(99)
    fresh.load_state_dict(state)
    assert (fresh.epoch, fresh.position) == (state["epoch"], state["position"])
    again = walk(fresh)
    assert [next(again)[0].tolist() for _ in range(15)] == ahead


@given(taken=st.integers(0, 12), loaded=st.integers(1, 6))
def test_a_state_is_loaded_within_a_loop_too(taken, loaded):
    """Of the same epoch, also its beginning, the loop goes on from there; of another one, it ends."""
    saved, run, left = make(), make(), []
    path = itertools.chain.from_iterable(saved for _ in range(3))
    for _ in range(taken):
        next(path)
    state = saved.state_dict()
    for k, (x, _) in enumerate(run, 1):
        if k > loaded:
            left.append(x[:, 0].tolist())
        if k == loaded:
            run.load_state_dict(state)
    if state["epoch"]:
        assert left == []
        assert run.state_dict() == state
    else:
        assert left == epoch(make())[state["position"] :]
        assert (run.epoch, run.position) == (1, 0)


def test_an_epoch_broken_off_is_continued_by_the_next_loop():
    whole, batches = epoch(make()), make()
    for _ in batches:
        break
    assert (batches.epoch, batches.position) == (0, 1)
    assert epoch(batches) == whole[1:]
    assert (batches.epoch, batches.position) == (1, 0)


@pytest.mark.parametrize(
    ("y", "more", "message"),
    [
        (Y[:-1], {}, r"equally many, got shapes \(23, 1\) and \(22,\)"),
        (np.where(Y == 3, 7, Y), {"classes": 5}, "below classes=5, got 7 at index 3"),
        (Y - 1, {}, "labels must be ≥ 0, got -1 at index 0"),
        (Y.astype(float), {"classes": 5}, "integers or soft labels"),
        (np.ones((23, 4)), {"classes": 5}, "integers or soft labels"),
    ],
)
def test_labels_that_cannot_be_are_refused_when_the_batches_are_made(y, more, message):
    with pytest.raises(ValueError, match=message):
        Batches(X, y, 4, seed=0, **more)


def test_soft_labels_and_real_targets_pass():
    assert next(iter(Batches(X, np.ones((23, 5)), 4, seed=0, classes=5)))[1].shape == (4, 5)
    assert next(iter(Batches(X, X, 4, seed=0)))[1].shape == (4, 1)


@pytest.mark.parametrize("size", [0, -1, 2.0, True])
def test_a_batch_size_that_is_no_positive_integer_is_refused(size):
    with pytest.raises(ValueError, match="batch_size must"):
        make(size=size)


def test_the_source_of_the_order_is_explicit():
    with pytest.raises(ValueError, match="either seed= or rng="):
        Batches(X, Y, 4)
    with pytest.raises(ValueError, match="either seed= or rng="):
        make(rng=np.random.default_rng(0))


def test_no_examples_are_refused():
    with pytest.raises(ValueError, match="no examples"):
        Batches(X[:0], Y[:0], 4, seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"batch_size": 5}, "batch_size 4, the state was taken with 5"),
        ({"examples": 24}, "examples 23"),
        ({"position": 7}, r"position must be an integer in \[0, 6\]"),
        ({"epoch": -1}, "epoch must"),
        ({"generator": np.random.MT19937(0).state}, "generator is PCG64"),
        ({"generator": 3}, "generator must be a dict"),
        ({"generator": {"bit_generator": "PCG64"}}, "generator is no state of PCG64"),
        ({"generator": np.random.PCG64(0).state | {"state": 3}}, "generator is no state of PCG64"),
        ({"generator": np.random.PCG64(0).state | {"uinteger": 1 << 80}}, "generator is no state of PCG64"),
        ({"examples": None}, "examples must be an integer"),
        ({"position": [1]}, "position must be an integer"),
    ],
)
def test_a_state_of_other_batches_is_refused_and_changes_nothing(change, message):
    batches = make()
    next(iter(batches))
    before = batches.state_dict()
    with pytest.raises(ValueError, match=message):
        batches.load_state_dict(before | change)
    with pytest.raises(ValueError, match="lacks position"):
        batches.load_state_dict({k: v for k, v in before.items() if k != "position"})
    assert batches.state_dict() == before


def test_a_state_that_is_no_dict_is_refused():
    with pytest.raises(TypeError, match="expected a dict.*got list"):
        make().load_state_dict([])


def test_what_is_handed_out_is_no_view_of_the_data():
    for x, _ in make(size=23):
        x[...] = 0
    assert X.any()
