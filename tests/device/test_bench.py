"""The bench's work on a GPU runs on the stand-in device: prepared, checked and timed between marks.

No time is asserted, and how fast a GPU is cannot be shown here. What is: every contender of minigrad computes what the
judge does, none waits for the device or reads it between marks, and each moves the bytes that its rate counts.
"""

import shutil
from importlib import import_module

import pytest

from minigrad import backend
from minigrad.lab.bench import clock, engine, limits, step, update
from minigrad.lab.bench.contenders import MODULES, bandwidth, fresh
from minigrad.lab.bench.job import Job, SkippedError
from minigrad.lab.bench.turns import _off
from minigrad.regularization import VARIANTS

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to run the kernels")

MLP, CNN, DEEP = (c.on("cupy") for c in (step.mlp(6, 7, 5, 10), step._cnn(4, 8, 2, 3, 4), step._deep(4, 8, 2, 3, 4)))
NETWORKS = pytest.mark.parametrize("case", [MLP, CNN, DEEP], ids=["mlp", "cnn", "batch norm"])
OWN = pytest.mark.parametrize("name", ["cupy", "minigrad", "minigrad-captured"])


def made(name, task):
    return import_module(MODULES[name]).make(name, task)


def checked(name, case, device):
    """The job, after its values were held against the judge's, and a repeat that neither reads nor waits."""
    job = made(name, case.task)
    expected = made("judge", case.task).values
    assert backend.current() is not backend.np, "the judge leaves the device as it is"
    assert _off(job.values, expected, case) <= 1
    with device.unread():
        job.repeat()
    return job


def turn(job, repeats=12):
    found = clock.timed(job, repeats, 3)
    assert len(found.seconds) == clock.PARTS
    assert found.each == 1
    assert min(found.seconds) > 0
    assert found.wall > 0
    assert found.host > 0
    return found


@OWN
@NETWORKS
def test_a_training_step_is_what_the_judge_computes_and_is_timed_by_the_devices_clock(case, name, device):
    turn(checked(name, case, device))


@NETWORKS
@pytest.mark.parametrize("number", ["lr", "beta1", "decay"])
@pytest.mark.parametrize("name", ["minigrad", "minigrad-captured"])
def test_a_step_with_one_wrong_number_is_caught_on_the_device_too(case, number, name, device, monkeypatch):
    expected = made("judge", case.task).values
    monkeypatch.setitem(step.ADAMW, number, step.ADAMW[number] * 0.8)
    assert _off(made(name, case.task).values, expected, case) > 1


@OWN
@pytest.mark.parametrize("graph", engine.GRAPHS)
def test_graphs_are_what_the_judge_computes(graph, name, device):
    turn(checked(name, engine._case(graph, 10).on("cupy"), device))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tensors", [1, 3])
@pytest.mark.parametrize("name", ["minigrad", "minigrad-captured", "minigrad-plain"])
def test_an_update_is_what_the_judge_computes(name, tensors, dtype, device):
    job = checked(name, update._on_a_device("adam_decay", tensors, 200, dtype), device)
    turn(job)
    device.clear()
    job.repeat()
    assert {"minigrad": ["update"], "minigrad-captured": ["graph"]}.get(name, device.launches) == device.launches


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_rule_behind_every_door_is_one_launch_on_a_device(variant, device):
    job = checked("minigrad", update._on_a_device(variant, 1, 100), device)
    device.clear()
    job.repeat()
    assert device.launches == ["update"]


@NETWORKS
def test_a_captured_step_says_how_much_it_launches_and_a_replay_launches_once(case, device):
    job = made("minigrad-captured", case.task)
    device.clear()
    job.repeat()
    assert device.launches.count("graph") == 1
    assert len(device.launches) == 4  # the batch, the graph, the copy of the loss
    device.clear()
    made("minigrad", case.task).repeat()
    eager = [x for x in device.launches if x != "asarray"]
    assert 20 < job.facts["launches"] < len(eager)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("variant", ["sgd", "adam_decay", "adadelta"])
@pytest.mark.parametrize("name", ["roofline", "copy"])
def test_the_limits_move_the_bytes_of_the_update(name, variant, dtype, device):
    case = update._on_a_device(variant, 1, 1000, dtype)
    job = made(name, case.task)
    turn(job)
    assert job.facts["bytes"] == case.facts["bytes"]


def test_products_are_multiplied_on_the_device(device):
    for case in (MLP, limits._product(16, "gemm-cupy").on("cupy")):
        turn(made("gemm-cupy", case.task))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_kernel_that_measures_the_memory_reads_and_writes_every_entry_whatever_a_thread_takes(dtype, device):
    xp = backend.current()
    found = []
    for wide in (1, 2, 4):
        w, g, s = (xp.asarray(x) for x in ([1.0] * 8, list(range(8)), [4.0] * 8))
        w, g, s = (x.astype(dtype) for x in (w, g, s))
        backend.launch(bandwidth.source(1, dtype, wide), bandwidth.NAME, 8 // wide, [w, g, s])
        found.append((w.tolist(), s.tolist()))
    assert found == [([0.5 + i for i in range(8)], [2.0 + i for i in range(8)])] * 3


@pytest.mark.parametrize("name", ["cupy", "minigrad"])
def test_the_scripts_of_a_cold_start_run_on_the_device_and_end_when_it_is_done(name, device):
    for script in (fresh.IMPORTS["cupy"][name], fresh._script(name, "cupy")):
        device.clear()
        exec(script, {})
        assert device.launches or device.uploads
        assert device.downloads


def test_what_a_job_held_is_given_back_after_it_is_gone(device):
    job = made("minigrad", MLP.task)
    device.clear()
    job.close()
    assert device.waits == ["free_all_blocks"]


def test_the_free_memory_of_the_device_decides_what_fits(device):
    assert backend.free_memory() == 2**32


def test_a_library_that_finds_no_gpu_is_skipped(device):
    for name, library in (("torch-graphs", "torch"), ("jax", "jax")):
        pytest.importorskip(library)
        for task in (MLP.task, {"kind": "cold", "what": "import", "backend": "cupy"}):
            with pytest.raises(SkippedError, match="finds no GPU"):
                made(name, task)


def test_marks_enclose_every_repeat_and_the_queue_is_empty_before_the_first_and_after_the_last():
    said = []

    class Told:
        def mark(self):
            said.append("mark")
            return said.count("repeat")

        def between(self, first, last):
            return float(last - first)

        def wait(self):
            said.append("wait")

    found = clock.timed(Job(lambda: said.append("repeat"), clock=Told()), 25, 2)
    assert found.each == 2
    assert found.seconds == [1.0] * 10  # as many "seconds" as repeats, a repeat each
    assert said[:2] == ["repeat"] * 2
    assert said[2:12] == ["wait", "repeat"] * 5
    assert said[12:14] == ["wait", "mark"]
    assert said[14:] == ["repeat", "repeat", "mark"] * 10 + ["wait"]
