import itertools
import json

import numpy as np
import pytest

import minigrad as mg
from minigrad import data, optim

LR, RATE = (1e-3, 1e-2, 3e-2), (1e-4, 1e-2, 1e-3)
SIZES = (64, 12, 10)
STEPS = 20


def batches():
    pytest.importorskip("sklearn")
    split = data.digits(dtype=np.float64)
    return [(split.train_images[i : i + 16], split.train_labels[i : i + 16]) for i in range(0, 16 * STEPS, 16)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("made", "key"), [(optim.AdamW, "decay"), (optim.Adam, "l2"), (optim.SGD, "decay")])
def test_net_i_of_the_batch_is_bit_for_bit_a_module_with_an_optimizer_of_its_own(made, key, dtype):
    from nets_at_once import Nets

    together = Nets(made, {"lr": LR, key: RATE}, SIZES, 3, dtype)
    seen = [(x.astype(dtype), y) for x, y in batches()]
    for x, y in seen:
        together.step(x, y)
    for i, (lr, rate) in enumerate(zip(LR, RATE, strict=True)):
        rng = np.random.default_rng(3)
        first, second = (mg.nn.Linear(a, b, rng=rng, dtype=dtype) for a, b in itertools.pairwise(SIZES))
        model = mg.nn.Sequential(first, mg.nn.ReLU(), second)
        optimizer = made(model.parameters(), lr=lr, on="all", **{key: rate})
        for x, y in seen:
            optimizer.zero_grad()
            mg.cross_entropy(model(x), y).backward()
            optimizer.step()
        for p, q in zip(together.params, model.parameters(), strict=True):
            assert p.dtype == dtype
            assert np.array_equal(p.numpy()[i].reshape(q.shape), q.numpy())
    assert not np.array_equal(together.params[0].numpy()[0], together.params[0].numpy()[1])


@pytest.mark.device
def test_the_nets_step_on_every_back_end():
    from nets_at_once import Nets

    xp = mg.backend.current()
    nets = Nets(optim.AdamW, {"lr": LR, "decay": RATE}, SIZES, 3)
    x = xp.asarray(np.ones((4, 64), np.float32))
    nets.step(x, xp.asarray(np.arange(4)))
    assert np.isfinite(mg.backend.to_host(nets.losses(x, xp.asarray(np.arange(4)))[0])).all()


def test_the_tilt_is_that_of_a_region_made_up():
    from gpu_heatmap import grid, tilt, verdict

    _, _, hyper = grid("adam", "decay", 12)
    a, b = np.log(hyper["lr"]), np.log(hyper["decay"])
    a, b = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    diagonal, along = (a + b) ** 2 + 0.1 * (a - b) ** 2, (a - 0.01) ** 2 + 0.1 * (b - 0.01) ** 2
    left, right = (tilt(hyper["lr"], hyper["decay"], loss) for loss in (diagonal, along))
    assert left < -0.7
    assert abs(right) < 0.2
    assert "as in the paper" in verdict(left, right)
    assert "not seen" in verdict(right, left)


def test_a_quick_run_writes_its_figure_and_numbers(demo):
    pytest.importorskip("sklearn")
    said, _, out = demo("gpu_heatmap", "--quick", "--backend", "numpy", "--seed", 2)
    assert "on the CPU, smaller" in said
    assert "tilt of the best tenth" in said
    assert "the best net:  step 12/12  data loss" in said
    assert "epoch" not in said
    assert sorted(p.name for p in out.iterdir()) == [f"gpu_heatmap.{kind}" for kind in ("json", "png", "svg")]
    record = json.loads((out / "gpu_heatmap.json").read_text(encoding="utf-8"))
    assert record["seed"] == 2
    assert [len(panel["loss"]) for panel in record["panels"]] == [16, 16]
    assert record["verdict"] in said
