"""``minigrad bench --backend cupy``: refused without a GPU, and whole on the stand-in. No time is asserted.

The results here are of the stand-in, or made up; none of them says anything of a GPU.
"""

import io
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from minigrad.cli import main
from minigrad.lab.bench import check, command, figure, machine, overhead, page, process, report, step, update, work
from minigrad.lab.bench.bench import bench
from minigrad.lab.bench.contenders import LABELS, MODULES
from minigrad.lab.bench.targets import targets
from minigrad.lab.bench.work import ON_A_DEVICE, WORKS, chosen
from tests.lab.test_bench_command import order
from tests.test_backend import fake_cupy

# --- without a GPU ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("module", "words"),
    [(None, 'install the extra of your CUDA version, pip install -e ".[cuda12]"'),
     (fake_cupy(driver=0), "CuPy is installed but finds no NVIDIA driver: install one"),
     (fake_cupy(devices=0), "CuPy finds no GPU")],
    ids=["no CuPy", "no driver", "no GPU"],
)  # fmt: skip
def test_without_a_gpu_the_bench_ends_with_the_librarys_one_line_before_anything_is_done(
    module, words, monkeypatch, tmp_path, capsys
):
    monkeypatch.setitem(sys.modules, "cupy", module)
    monkeypatch.setattr(command, "bench", None)  # nobody may call it
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "--backend", "cupy"]) == 2
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert line.startswith("minigrad: error: ")
    assert words in line
    assert said.out == ""
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_back_end_is_refused(tmp_path, capsys):
    assert main(["bench", "--backend", "tpu", "--out", str(tmp_path / "x")]) == 2
    assert "backend must be one of numpy, cupy, got 'tpu'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


# --- what is measured -------------------------------------------------------------------------------------------------


def test_the_device_has_the_training_steps_of_the_host_and_every_rule_behind_every_door():
    assert [c.name for c in step.on_a_device(False)] == [c.name for c in step.cases(False)]
    cases = update.on_a_device(False)
    names = [c.name for c in cases]
    assert len(set(names)) == len(names)
    assert {c.task["variant"] for c in cases if c.task["size"] == update.EVERY} == set(update.VARIANTS)
    assert {c.task["size"] for c in cases if c.task["variant"] == "adam_decay" and c.task["tensors"] == 1} == {
        10**k for k in range(3, 9)
    }
    assert {c.task["variant"] for c in cases if c.task["dtype"] == "float64"} == {"adam_decay"}


@pytest.mark.parametrize("name", ON_A_DEVICE)
def test_the_quick_cases_are_among_the_full_ones_and_all_are_for_the_device(name):
    one = ON_A_DEVICE[name]
    full, quick = one.cases(False), one.cases(True)
    assert {c.name for c in quick} <= {c.name for c in full}
    assert {c.task["backend"] for c in full} == {one.backend} == {"cupy"}
    assert set(one.contenders) <= set(MODULES)
    assert {n for c in full for n in c.only} <= set(one.contenders)


def test_works_are_chosen_among_those_of_the_back_end():
    assert [w.name for w in chosen(["update"], "cupy")] == ["update"]
    assert chosen(["update"], "cupy") != chosen(["update"])
    with pytest.raises(ValueError, match=r"unknown work 'lessons'; known: limits, step"):
        chosen(["lessons"], "cupy")


def test_every_library_is_held_to_float32_and_to_a_part_of_the_memory():
    there = process.environment(2, "cupy")
    assert (there["NVIDIA_TF32_OVERRIDE"], there["CUPY_TF32"], there["JAX_DEFAULT_MATMUL_PRECISION"]) == (
        "0", "0", "highest",
    )  # fmt: skip
    assert there["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert "NVIDIA_TF32_OVERRIDE" not in process.environment(2)


# --- the whole command, on the stand-in -------------------------------------------------------------------------------

OWN = ("cupy", "minigrad", "minigrad-captured", "minigrad-plain", "roofline", "copy", "gemm-cupy")


@pytest.fixture
def small(monkeypatch, device):
    """Replace the works by small ones, and put the stand-in into the processes of the contenders."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler to run the kernels")
    modules = {**dict.fromkeys(OWN, "tests.device.bench_contenders"), "judge": MODULES["judge"]}
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(command, "bench", lambda plan, tell: bench(plan, tell, modules))
    cases = {
        "step": [step.mlp(6, 7, 5, 10).on("cupy"), step._cnn(4, 8, 2, 3, 4).on("cupy")],
        "update": [update._on_a_device("adam_decay", 1, 1000)],
    }

    def of(name):
        one = ON_A_DEVICE[name]
        return replace(one, cases=lambda quick: cases[name], contenders=[n for n in one.contenders if n in OWN])

    there = {name: of(name) for name in cases}
    monkeypatch.setattr(work, "ON_A_DEVICE", there)
    return there


def measured(directory, *more):
    return command.run(order("--backend", "cupy", "--quick", "--out", directory, *more))


def test_the_command_measures_on_the_device_and_its_files_carry_the_devices_name(small, tmp_path, capsys):
    assert measured(tmp_path) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"bench-stand-in.{x}" for x in ("json", "md", "png", "svg")]
    found = json.loads((tmp_path / "bench-stand-in.json").read_text("utf-8"))
    there = found["machine"]["device"]
    assert (there["name"], there["memory_gib"], there["cuda"]) == ("Stand-in", 8.0, "12.9")
    for one in found["works"]:
        for case in one["cases"]:
            for entry in case["contenders"]:
                assert entry["status"] == "timed", entry
                assert entry["wall"] > 0
                assert entry["host"] > 0
                assert entry["seconds"]["repeats"] >= 2
    said = capsys.readouterr().out
    text = (tmp_path / "bench-stand-in.md").read_text("utf-8")
    for word in ("Stand-in, 8.0 GiB of memory", "CuPy by hand", "minigrad, captured", "limit: plain copy"):
        assert word in said
        assert word in text
    assert "# Measured speed on Stand-in" in text
    assert "bench-stand-in.svg" in text
    assert "### Where the time of a step goes" in text


def test_the_check_and_into_work_on_the_device_and_refuse_results_of_the_host(small, tmp_path, capsys):
    assert measured(tmp_path, "--quiet") == 0
    recorded = tmp_path / "bench-stand-in.json"
    given = ("--backend", "cupy", "--quiet")
    assert command.run(order(*given, "--check", recorded, "--slack", "1000")) == 0
    assert "none exceeds it" in capsys.readouterr().out
    assert command.run(order(*given, "update", "--into", recorded, "--quick", "--out", tmp_path / "b")) == 0
    merged = json.loads((tmp_path / "b" / "bench-stand-in.json").read_text("utf-8"))
    assert [one["name"] for one in merged["works"]] == ["step", "update"]

    host = Path(__file__).parents[2] / "docs" / "results" / "bench.json"
    for option in ("--check", "--into"):
        with pytest.raises(ValueError, match=f"{option} was given results of the host"):
            command.checked(order("--backend", "cupy", option, host))
        with pytest.raises(ValueError, match=f"{option} was given results of Stand-in"):
            command.checked(order(option, recorded))
    other = json.loads(recorded.read_text("utf-8"))
    other["machine"]["device"]["name"] = "Another"
    recorded.write_text(json.dumps(other))
    with pytest.raises(ValueError, match="its device's name is 'Stand-in', not 'Another'"):
        command.checked(order("--backend", "cupy", "--into", recorded, "--out", tmp_path / "c"))


def test_a_case_that_does_not_fit_into_the_devices_memory_is_skipped(small, tmp_path):
    huge = update._on_a_device("adam_decay", 1, 10**9)
    assert huge.memory == huge.facts["bytes"]
    small["update"] = replace(small["update"], cases=lambda quick: [huge], contenders=["roofline", "minigrad"])
    assert measured(tmp_path, "update", "--quiet") == 0
    found = json.loads((tmp_path / "bench-stand-in.json").read_text("utf-8"))
    reasons = {e["reason"] for e in found["works"][0]["cases"][0]["contenders"]}
    assert reasons == {"2 contenders need 26.1 GiB of memory each"}


# --- a result that is made up -----------------------------------------------------------------------------------------

DEVICE = {
    "name": "Made Up 3000", "memory_gib": 80.0, "free_gib": 79.0, "compute_capability": "9.0", "multiprocessors": 100,
    "l2_mib": 50.0, "driver": "1.2.3", "cuda": "12.9", "cupy": "14.2.0",
}  # fmt: skip
TIMES = {
    "cupy": 4.0, "minigrad": 6.0, "minigrad-captured": 1.0, "minigrad-plain": 9.0, "torch": 3.0, "torch-fused": 2.0,
    "torch-no-cudnn": 5.0, "torch-graphs": 2.0, "jax": 1.5, "gemm-cupy": 0.5, "roofline": 5.0, "copy": 5.5,
}  # fmt: skip


def entry(name, times):
    def against(other):
        return {"to": other, **dict.fromkeys(("median", "min", "max", "best"), times[name] / times[other])}

    s = dict.fromkeys(("median", "q1", "q3", "min", "max"), times[name])
    facts = {"launches": 50} if name == "minigrad-captured" else {}
    ratio = {word: against(to) for word, to in (("reference", next(iter(times))), ("peer", "torch")) if to in times}
    return {
        "name": name, "status": "timed", "seconds": {**s, "rounds": [times[name]], "repeats": 9},
        "wall": 2 * s["median"], "host": s["median"] / 2, "facts": facts, "ratio": ratio,
    }  # fmt: skip


def made_up(**changed):
    times = {**TIMES, **{name.replace("_", "-"): value for name, value in changed.items()}}
    works = []
    for one in ON_A_DEVICE.values():
        cases = []
        for case in one.cases(False):
            who = [n for n in one.contenders if n in times and (not case.only or n in case.only)]
            first = [one.reference] if one.reference in who else []
            ordered = {n: times[n] * 1e-3 for n in (*first, *(n for n in who if n not in first))}
            entries = [entry(n, ordered) for n in who]
            cases.append({"name": case.name, "facts": dict(case.facts), "contenders": entries})
        works.append({**one.as_dict(), "cases": cases})
    about = {**machine.describe(1), "device": DEVICE}
    return {"format": 1, "pace": {"rounds": 1, "turn": 0.1, "most": 2000}, "machine": about, "works": works}


def told(results):
    return {target.claim: target for target in targets(results)}


def test_the_targets_of_a_device_are_read_off_its_results_and_a_worse_result_reaches_fewer():
    of = told(made_up())
    assert len(of) == 5
    copy = of["Update of 10⁸ parameters: share of the rate of a copy"]
    assert set(copy.found) == {f"{v} 1e8" for v in update.SOME} | {"adam_decay float64 1e8"}
    assert copy.worst[1] == pytest.approx(100 * 5.5 / 6)
    assert copy.count == len(copy.found)
    same = of["Update of 10⁸ parameters: share of the rate of the same access"]
    assert same.worst[1] == pytest.approx(100 * 5 / 6)
    assert same.count == 0
    eager = of["Training step, eager: time / fastest of torch eager"]
    assert set(eager.found.values()) == {3.0}
    captured = of["Training step, captured: time / torch with a CUDA graph"]
    assert set(captured.found.values()) == {0.5}
    assert captured.count == len(step.cases(False))
    assert of["AdamW's update: time / torch's fused AdamW"].worst[1] == 3.0
    assert told(made_up(minigrad=1.0))["Training step, eager: time / fastest of torch eager"].worst[1] == 0.5


def test_what_was_not_measured_has_no_target_of_a_device():
    results = made_up()
    results["works"] = [one for one in results["works"] if one["name"] == "cold"]
    assert targets(results) == []


def test_where_the_time_of_a_step_goes_is_told_by_launches_the_host_and_cudnn():
    results = made_up()
    (steps,) = (one for one in results["works"] if one["name"] == "step")
    rows = overhead.rows(steps["cases"])
    assert [row[0] for row in rows] == [c.name for c in step.cases(False)]
    _, launches, eager, captured, queued, each, by_hand, torch, products, cudnn = rows[0]
    assert (launches, eager, captured, queued, by_hand, torch) == (50, 6e-3, 1e-3, 3e-3, 2e-3, 1e-3)
    assert (each, products, cudnn) == (pytest.approx(3e-3 / 50), 2.0, 2.5)
    without = [{**c, "contenders": [e for e in c["contenders"] if e["name"] == "minigrad"]} for c in steps["cases"]]
    assert overhead.rows(without)[0][1:] == [None, 6e-3, None, 3e-3, None, None, None, None, None]


def test_the_page_the_figure_and_the_check_take_results_of_a_device():
    results = made_up()
    text = page.render(results).decode()
    for word in (
        "Made Up 3000, 80.0 GiB",
        "driver 1.2.3",
        "## What was to be reached",
        "host queues in",
        "60 µs",
        "0.05 launches",
    ):
        assert word in text
    assert "by events" not in text or "JAX" in text
    files = figure.render(results)
    assert set(files) == {"bench-made-up-3000.png", "bench-made-up-3000.svg"}
    ElementTree.fromstring(files["bench-made-up-3000.svg"])
    assert figure.draw(results).get_size_inches()[1] <= 26.5 / 2.54
    assert all(c.ok for c in check.compare(results, results))
    assert not all(c.ok for c in check.compare(results, made_up(minigrad=60.0)))
    file = io.StringIO()
    report.print_report(results, file)
    assert LABELS["minigrad-captured"] in file.getvalue()


def test_the_names_of_files_are_those_of_devices():
    assert machine.stem({"machine": {}}) == "bench"
    assert machine.stem({"machine": {"device": {"name": "NVIDIA H100 80GB HBM3"}}}) == "bench-nvidia-h100-80gb-hbm3"


def test_the_record_of_the_host_is_read_as_before():
    recorded = json.loads((Path(__file__).parents[2] / "docs" / "results" / "bench.json").read_text("utf-8"))
    assert machine.device(recorded) is None
    assert "# Measured speed\n" in page.render(recorded).decode()
    assert {one["name"] for one in recorded["works"]} <= set(WORKS)
