"""What ``minigrad bench`` takes and returns, with an invented work in place of the real ones."""

import argparse
import json
import sys
from pathlib import Path

import pytest

from minigrad.cli import main
from minigrad.lab.bench import command, figure, page
from minigrad.lab.bench.bench import Plan, bench
from minigrad.lab.bench.case import Case
from minigrad.lab.bench.work import WORKS, Work

NAMES = ("numpy", "minigrad-plain", "minigrad-numba")
CLOCK = {"numpy": 1e-3, "minigrad-plain": 2e-3, "minigrad-numba": 5e-4}


@pytest.fixture
def invented(monkeypatch):
    """Replace all works; return the seconds that each contender is to say it took."""
    clock = dict(CLOCK)
    case = Case("case", {"clock": clock}, (1e-6, 1e-6), facts={"parameters": 3})
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    modules = dict.fromkeys((*NAMES, "wrong", "judge"), "tests.lab.bench_contenders")
    monkeypatch.setattr(command, "bench", lambda plan, tell: bench(plan, tell, modules))
    for name in list(WORKS):
        monkeypatch.delitem(WORKS, name)
    monkeypatch.setitem(WORKS, "step", Work("step", "Invented", lambda quick: [case], NAMES, "numpy", judge="judge"))
    return clock


def order(*arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(["--threads", "1", "--rounds", "2", *map(str, arguments)])


def test_the_command_writes_json_and_figures_and_says_where(invented, tmp_path, capsys):
    assert command.run(order("--quick", "--out", tmp_path)) == 0
    said = capsys.readouterr()
    assert "1 cases in" in said.out
    assert "[1/1] step, case: done" in said.err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bench.json", "bench.md", "bench.png", "bench.svg"]
    read = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert read["machine"]["threads"] == 1
    assert [e["ratio"]["reference"]["median"] for e in read["works"][0]["cases"][0]["contenders"]] == [1, 2, 0.5]


def test_what_is_measured_again_takes_its_place_in_earlier_results(invented, tmp_path):
    assert command.run(order("--quick", "--quiet", "--out", tmp_path / "a")) == 0
    earlier = json.loads((tmp_path / "a" / "bench.json").read_text("utf-8"))
    (work,) = earlier["works"]
    kept = {**work["cases"][0], "name": "kept"}
    work["cases"].append(kept)
    other = {**work, "name": "limits"}
    earlier["works"].insert(0, other)
    (tmp_path / "b.json").write_text(json.dumps(earlier))
    invented["minigrad-numba"] *= 3
    assert command.run(order("--quick", "--quiet", "--into", tmp_path / "b.json", "--out", tmp_path / "c")) == 0
    found = json.loads((tmp_path / "c" / "bench.json").read_text("utf-8"))
    assert found["works"][0] == other
    assert [case["name"] for case in found["works"][1]["cases"]] == ["case", "kept"]
    assert found["works"][1]["cases"][1] == kept
    assert found["works"][1]["cases"][0]["contenders"][2]["ratio"]["reference"]["median"] == 1.5
    assert found["machine"] == earlier["machine"]


def test_results_are_not_put_beside_those_of_another_machine_library_or_pace(invented, tmp_path):
    assert command.run(order("--quick", "--quiet", "--out", tmp_path)) == 0
    text, file = (tmp_path / "bench.json").read_text("utf-8"), tmp_path / "other.json"
    command.checked(order("--quick", "--into", tmp_path / "bench.json"))

    def refused(message, options, change):
        other = json.loads(text)
        change(other)
        file.write_text(json.dumps(other))
        with pytest.raises(ValueError, match=message):
            command.checked(order("--into", file, *options))

    def released(name, version):
        return lambda other: other["machine"]["versions"].update({name: version})

    quick = ["--quick"]
    refused("of this machine: its cores is .*, not 100", quick, lambda other: other["machine"].update(cores=100))
    refused("of the same libraries: numpy .* here, 1.2.3 there", quick, released("numpy", "1.2.3"))
    refused("of the same libraries: minitorch none here, 1.0 there", quick, released("minitorch", "1.0"))
    refused("numpy .* here, none there", quick, lambda other: other["machine"]["versions"].pop("numpy"))
    refused("BLAS .* here, abacus there", quick, lambda other: other["machine"].update(blas="abacus"))
    refused("of the same pace: a turn is 0.05 s, not 1 s", quick, lambda other: other["pace"].update(turn=1.0))
    refused("of a quick run, and this one is not", [], lambda other: None)
    refused("of a full run, and --quick is not one", quick, lambda other: other.update(quick=False))


def test_page_and_figure_are_what_the_written_json_says(invented, tmp_path):
    assert command.run(order("--quick", "--quiet", "--out", tmp_path)) == 0
    written = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert (tmp_path / "bench.md").read_bytes() == page.render(written)
    assert (tmp_path / "bench.svg").read_bytes() == figure.render(written)["bench.svg"]


def test_the_check_ends_with_0_on_the_same_ratios_with_1_on_a_worse_one_and_writes_nothing(invented, tmp_path, capsys):
    assert command.run(order("--quick", "--quiet", "--out", tmp_path)) == 0
    recorded = tmp_path / "bench.json"
    before = {p: p.read_bytes() for p in tmp_path.iterdir()}
    assert command.run(order("--quiet", "--check", recorded)) == 0
    assert "none exceeds it" in capsys.readouterr().out
    invented["minigrad-numba"] *= 1.4
    assert command.run(order("--quiet", "--check", recorded)) == 1
    assert "1 exceed it" in capsys.readouterr().out
    assert command.run(order("--quiet", "--check", recorded, "--slack", "0.5")) == 0
    assert {p: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_wrong_contender_ends_the_command_with_1(invented, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(command.LABELS, "wrong", "wrong")
    step = WORKS["step"]
    wrong = Work("step", "Invented", step.cases, ("numpy", "wrong"), "numpy", judge="judge")
    monkeypatch.setitem(WORKS, "step", wrong)
    assert command.run(order("--quick", "--quiet", "--out", tmp_path)) == 1
    assert "wrong wrong; see above" in capsys.readouterr().err


def test_patterns_choose_cases_of_the_works_that_have_some_and_leave_the_others_whole(monkeypatch):
    def work(name, *cases):
        return Work(name, name, lambda quick: [Case(c, {}) for c in cases], NAMES, "numpy")

    works = [work("update", "adam 1e3", "adam 1e6", "sgd 1e6"), work("step", "mlp", "cnn")]
    plan = Plan(works, patterns=["update, * 1e6"])
    assert [[c.name for c in plan.cases(w)] for w in works] == [["adam 1e6", "sgd 1e6"], ["mlp", "cnn"]]
    assert [len(Plan(works).cases(w)) for w in works] == [3, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["steps"], "unknown work 'steps'; did you mean step?"),
        (["--contenders", "numpi"], "unknown contender 'numpi'; did you mean numpy?"),
        (["--rounds", "0"], "rounds must be an integer ≥ 1"),
        (["--threads", "100000"], "would wait for each other"),
        (["--slack", "-1", "--check", "unused"], "slack must be ≥ 0"),
        (["--slack", "0.2"], "--slack is how much --check allows, and --check was not given"),
        (["--check", "unused", "--out", "unused"], "--check writes nothing, so --out cannot be given with it"),
        (["--check", "unused", "--into", "unused"], "--check writes nothing, so --into cannot be given with it"),
        (["--cases", "step, x*"], "no case matches --cases 'step, x.*'; there are, for instance"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_measured(arguments, message, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        command.checked(order(*arguments))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no json", "bench.json is no JSON: "),
        ("[]", "is no result of the bench: it is no JSON object"),
        ('{"works": [], "machine": {}}', "is no result of the bench: it lacks quick, pace"),
        ('{"quick": true, "pace": {}, "works": [], "machine": {}}', "is no result of the bench: 'versions' is missing"),
        ('{"quick": true, "pace": {}, "works": [], "machine": null}', "is no result of the bench: 'NoneType' object"),
        ('{"quick": true, "pace": {}, "works": [], "machine": []}', "is no result of the bench: "),
        ('{"quick": true, "pace": {}, "works": [3], "machine": {}}', "is no result of the bench: "),
    ],
)
@pytest.mark.parametrize("option", ["--check", "--into"])
def test_a_file_that_is_no_result_is_refused_in_one_line(option, text, message, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bench.json").write_text(text)
    assert main(["bench", option, "bench.json"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert [file.name for file in tmp_path.iterdir()] == ["bench.json"]


def test_a_record_that_has_nothing_to_compare_is_refused_before_anything_is_measured(
    invented, monkeypatch, tmp_path, capsys
):
    assert command.run(order("--quick", "--quiet", "--out", tmp_path)) == 0
    other = Work("limits", "Others", lambda quick: [Case("case", {})], ("numpy", "minigrad-plain"), "numpy")
    monkeypatch.setitem(WORKS, "limits", other)
    monkeypatch.setattr(command, "bench", None)  # nobody may call it
    file = str(tmp_path / "bench.json")
    command.checked(order("--check", file))
    capsys.readouterr()
    for chosen in (["limits"], ["--contenders", "numpy"]):
        assert main(["bench", *chosen, "--check", file]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert "--check has nothing to compare: " in line


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match='"lab"'):
        command.checked(order("--out", tmp_path))
