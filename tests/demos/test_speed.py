import json
import shutil

import pytest

from minigrad.lab.bench import step
from minigrad.lab.bench.contenders import MODULES
from tests.demos.conftest import ROOT


def test_the_crossover_is_where_the_gpu_wins_and_goes_on_winning():
    from gpu_speed import crossover

    cpu = {8: 1.0, 16: 2.0, 32: 4.0, 64: 8.0}
    assert crossover(cpu, {8: 3.0, 16: 3.0, 32: 3.0, 64: 3.0}) == 32
    assert crossover(cpu, {8: 0.5, 16: 3.0, 32: 3.0, 64: 3.0}) == 32
    assert crossover(cpu, {8: 0.5, 16: 0.5, 32: 0.5, 64: 0.5}) == 8
    assert crossover(cpu, {8: 9.0, 16: 9.0, 32: 9.0, 64: 9.0}) is None


def test_without_a_gpu_nothing_is_said_of_a_crossover():
    from gpu_speed import verdict

    assert "was not measured" in verdict({"cpu": {"minigrad": {8: 1e-3}}})[-1]
    both = {"cpu": {"minigrad": {8: 1e-3, 16: 2e-3}}, "gpu": {"minigrad-captured": {8: 2e-3, 16: 1e-3}}}
    assert verdict(both)[-1] == "minigrad, captured: the GPU pays from width 16 on"


@pytest.fixture(autouse=True)
def _from_anywhere(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_a_contender_whose_losses_differ_is_not_timed_and_named():
    from gpu_speed import QUICK, measure

    modules = MODULES | {"torch-fused": "tests.lab.bench_contenders"}  # whose values are 1 and 2
    times, left_out = measure(["minigrad", "torch-fused"], "cpu", [8], 0, QUICK, modules)
    assert set(times) == {"minigrad"}
    assert left_out["torch-fused"].startswith("wrong at width 8: 1, 2 instead of")


def test_another_seed_gives_other_weights_and_the_same_one_the_same():
    a, b, c = (step.parameters(step.mlp(4, 8, 10, seed=seed).task)[0].tobytes() for seed in (0, 0, 1))
    assert a == b != c


def test_an_unknown_contender_is_refused(demo):
    _, error, out = demo("gpu_speed", "--quick", "--contenders", "minigrad,tensorflow", status=2)
    assert "--contenders minigrad,tensorflow: unknown 'tensorflow'; expected some of minigrad," in error
    assert not out.exists()


def test_a_quick_run_times_the_cpu_and_says_so(demo):
    said, _, out = demo("gpu_speed", "--quick", "--backend", "numpy", "--contenders", "minigrad,minigrad-captured")
    assert "the CPU alone was timed" in said
    record = json.loads((out / "gpu_speed.json").read_text(encoding="utf-8"))
    assert list(record["seconds"]) == ["cpu"]
    assert set(record["seconds"]["cpu"]["minigrad"]) == {"8", "16"}
    assert sorted(p.name for p in out.iterdir()) == [f"gpu_speed.{kind}" for kind in ("json", "png", "svg")]


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler to run the kernels")
def test_eager_and_captured_steps_run_on_a_device(device):
    from gpu_speed import QUICK, measure

    names = ["minigrad", "minigrad-captured"]
    modules = {**dict.fromkeys(names, "tests.device.bench_contenders"), "judge": MODULES["judge"]}
    times, left_out = measure(names, "gpu", [8], 0, QUICK, modules)
    assert {name: list(widths) for name, widths in times.items()} == {name: [8] for name in names}
    assert not left_out
