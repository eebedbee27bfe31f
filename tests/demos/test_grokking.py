import json

import numpy as np
import pytest


def run_of(value, test, key="decay"):
    from gpu_grokking import Run

    steps = list(range(10, 10 * len(test) + 10, 10))
    return Run(key, value, steps, [1.0] * len(test), list(test), [1.0] * len(test))


NEVER, LATE, SOON = (0.0, 0.1, 0.0, 0.1), (0.0, 0.0, 0.5, 1.0), (1.0, 1.0, 1.0, 1.0)


def test_the_verdict_claims_grokking_only_where_the_runs_show_it():
    from gpu_grokking import verdict

    shown = verdict([run_of(0.0, NEVER), run_of(0.01, LATE), run_of(0.1, NEVER)], "decay")
    assert "η = 0.01: fitted at step 10, learned at 40" in shown
    assert "not learned (test accuracy at the end): η = 0 (10%), η = 0.1 (10%)" in shown
    assert "with η = 0.01 it groks, and without regularisation it does not" in shown
    assert "also learns without" in verdict([run_of(0.0, LATE), run_of(0.01, LATE)], "decay")
    assert "no grokking is seen" in verdict([run_of(0.0, NEVER), run_of(0.01, SOON)], "decay")


def test_every_pair_is_in_one_part_with_its_sum():
    from gpu_grokking import task

    (x, y), (u, v) = task(7, 0.6, 0)
    assert len(x) + len(u) == 49
    rows, sums = np.concatenate([x, u]), np.concatenate([y, v])
    a, b = rows[:, :7].argmax(axis=1), rows[:, 7:].argmax(axis=1)
    assert len(set(zip(a.tolist(), b.tolist(), strict=True))) == 49
    assert np.array_equal((a + b) % 7, sums)
    assert np.array_equal(task(7, 0.6, 0)[0][0], x)


@pytest.mark.device
@pytest.mark.parametrize("key", ["decay", "l2"])
def test_the_step_is_captured_on_every_back_end_and_gives_the_same_run(key):
    """The stand-in computes with NumPy, so that its replays must give the bits of plain steps."""
    from gpu_grokking import task, train

    import minigrad as mg

    parts = task(7, 0.6, 0)
    found = train(key, 0.01, parts, 7, 16, 12, 4, 0)
    with mg.use_backend("numpy"):
        expected = train(key, 0.01, parts, 7, 16, 12, 4, 0)
    assert found == expected
    assert found.steps == [4, 8, 12]


def test_a_quick_run_writes_its_figure_and_numbers(demo):
    said, _, out = demo("gpu_grokking", "--quick", "--backend", "numpy")
    assert "AdamW, weight decay: not learned (test accuracy at the end): η = 0" in said
    assert "--quick: too short" in said
    record = json.loads((out / "gpu_grokking.json").read_text(encoding="utf-8"))
    assert len(record["runs"]) == 10
    assert all(line in said for line in record["verdict"])
    assert sorted(p.name for p in out.iterdir()) == [f"gpu_grokking.{kind}" for kind in ("json", "png", "svg")]
