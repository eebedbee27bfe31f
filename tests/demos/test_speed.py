import json

import pytest


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


@pytest.mark.oracle
@pytest.mark.parametrize("name", ["torch", "jax"])
def test_every_library_makes_the_same_steps(name):
    import contenders
    from gpu_speed import tolerance

    pytest.importorskip(name)
    given = contenders.first(16, 32, 0)
    own, theirs = (contenders.MAKERS[n](*given, on_gpu=False) for n in ("minigrad", name))
    for _ in range(3):
        assert abs(float(own()) - float(theirs())) <= tolerance(16)


def test_a_contender_whose_losses_differ_is_not_timed(monkeypatch):
    import contenders
    from gpu_speed import sweep

    monkeypatch.setitem(contenders.MAKERS, "torch", lambda *given, on_gpu: lambda: 1.0)
    with pytest.raises(ArithmeticError, match="torch at width 8"):
        sweep(["torch"], "cpu", [8], 0, 0.01)


def test_an_unknown_contender_is_refused(demo):
    _, error, out = demo("gpu_speed", "--quick", "--contenders", "minigrad,tensorflow", status=2)
    assert "--contenders minigrad,tensorflow: unknown 'tensorflow'; expected some of minigrad," in error
    assert not out.exists()


def test_a_quick_run_times_the_cpu_and_says_so(demo):
    pytest.importorskip("threadpoolctl")
    said, _, out = demo("gpu_speed", "--quick", "--backend", "numpy", "--contenders", "minigrad,minigrad-captured")
    assert "the CPU alone was timed" in said
    record = json.loads((out / "gpu_speed.json").read_text(encoding="utf-8"))
    assert list(record["seconds"]) == ["cpu"]
    assert set(record["seconds"]["cpu"]["minigrad"]) == {"8", "16"}
    assert sorted(p.name for p in out.iterdir()) == [f"gpu_speed.{kind}" for kind in ("json", "png", "svg")]


def test_eager_and_captured_steps_run_on_a_device(device):
    from gpu_speed import sweep

    found, left_out = sweep(["minigrad", "minigrad-captured"], "gpu", [8], 0, 0.01)
    assert set(found) == {"minigrad", "minigrad-captured"}
    assert not left_out
