import json

import numpy as np
import pytest

RECORD = 3073


@pytest.fixture
def folder(tmp_path):
    """Six files of four records each: labels 0, 1, 2, 3, and pixels that count up."""
    at = tmp_path / "data"
    at.mkdir()
    rows = np.zeros((4, RECORD), np.uint8)
    rows[:, 0] = range(4)
    rows[:, 1:] = np.arange(RECORD - 1) % 256
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        rows.tofile(at / name)
    return at


def test_the_binary_format_is_read_plane_by_plane(folder):
    import images

    split = images.cifar(folder)
    assert split.train_images.shape == (20, 32, 32, 3)
    assert split.test_labels.tolist() == [0, 1, 2, 3]
    # Row 2, column 5 of the green plane is byte 1024 + 2·32 + 5 of the image.
    assert split.train_images[7, 2, 5, 1] == np.float32((1024 + 2 * 32 + 5) % 256) / np.float32(127.5) - 1
    assert len(images.cifar(folder, most=6).train_labels) == 6


def test_the_teachers_task_is_drawn_from_one_seed_and_has_every_class():
    import images

    one, two, other = images.taught(300, 20, 1), images.taught(300, 20, 1), images.taught(300, 20, 2)
    assert np.array_equal(one.train_images, two.train_images)
    assert np.array_equal(one.test_labels, two.test_labels)
    assert not np.array_equal(one.train_labels, other.train_labels)
    assert set(one.train_labels.tolist()) == set(range(10))


def spoil(folder, how):
    if how == "short":
        (folder / "data_batch_3.bin").write_bytes(b"\0" * 5000)
    elif how == "label":
        (folder / "test_batch.bin").write_bytes(b"\x0b" * RECORD)
    else:
        for i in range(1, 6):
            (folder / f"data_batch_{i}.bin").rename(folder / f"data_batch_{i}")


@pytest.mark.parametrize(
    ("how", "expected"),
    [("short", "multiple of 3073"), ("label", "label 11; expected labels below 10"), ("pickled", "is not read")],
)
def test_files_that_are_not_the_binary_version_are_refused(folder, how, expected):
    import images

    spoil(folder, how)
    with pytest.raises(ValueError, match=expected):
        images.cifar(folder)


def test_a_wrong_folder_is_refused_in_one_line_before_anything_is_written(demo, tmp_path):
    _, error, out = demo("gpu_compare", "--quick", "--data", tmp_path / "nowhere", status=2)
    last = error.splitlines()[-1]
    assert "--data" in last
    assert "nowhere" in last
    assert "expected one with data_batch_1.bin" in last
    assert not out.exists()


@pytest.mark.parametrize(("argument", "value"), [("--seed", "-1"), ("--backend", "tpu"), ("--out", __file__)])
def test_other_bad_arguments_are_named(demo, argument, value):
    _, error, _ = demo("gpu_compare", "--quick", argument, value, status=2)
    assert argument in error.splitlines()[-1]


def test_a_quick_run_shows_doors_that_are_one_behind_sgd_and_part_behind_adam(demo, folder):
    said, _, out = demo("gpu_compare", "--quick", "--backend", "numpy", "--data", folder)
    assert "CIFAR-10" in said
    record = json.loads((out / "gpu_compare.json").read_text(encoding="utf-8"))
    last = {family: {doors: d[-1] for doors, d in of.items()} for family, of in record["distances"].items()}
    assert last["adam"]["2–3"] > 1e-4
    assert last["sgd"]["2–3"] < last["adam"]["2–3"] / 100
    assert len(record["runs"]) == 8
    assert sorted(p.name for p in out.iterdir()) == [f"gpu_compare.{kind}" for kind in ("json", "png", "svg")]


def test_a_quick_run_makes_its_own_task_without_data(demo):
    said, _, _ = demo("gpu_compare", "--quick", "--backend", "numpy")
    assert "labelled by a random network (no --data)" in said


@pytest.mark.device
def test_a_training_runs_on_every_back_end_with_the_same_weights():
    import gpu_compare
    import images

    import minigrad as mg

    with mg.use_backend("numpy"):
        split = images.taught(24, 8, 0)
    what = next(gpu_compare.chosen())
    found = gpu_compare.train(*what, split, (4,), 8, 1, 0)
    with mg.use_backend("numpy"):
        expected = gpu_compare.train(*what, split, (4,), 8, 1, 0)
    assert found.steps == [0, 1, 2, 3]
    assert all(np.array_equal(a, b) for a, b in zip(found.points, expected.points, strict=True))
