import json
import subprocess
import sys

import numpy as np
import pytest

import minigrad
from minigrad.cli import main
from minigrad.regularization import L2, VARIANTS

TINY = ["compare", "--optimizer", "momentum", "--epochs", "1", "--batch-size", "256"]


def test_compare_prints_a_table_and_writes_three_files(tmp_path, capsys):
    out = tmp_path / "new" / "results"
    assert main([*TINY, "--out", str(out)]) == 0
    told = capsys.readouterr()
    assert "weight decay" in told.out
    assert "3 variants in" in told.out
    assert len(told.err.splitlines()) == 3  # plain lines: this is no terminal
    assert sorted(p.name for p in out.iterdir()) == ["compare.json", "compare.png", "compare.svg"]
    read = json.loads((out / "compare.json").read_text("utf-8"))
    assert read["minigrad"] == minigrad.__version__
    assert len(read["variants"]) == 3


def test_options_reach_the_run(tmp_path, capsys):
    options = ["--lr", "0.05", "--decay", "0.001", "--on", "all", "--schedule", "cosine", "--dtype", "float64"]
    assert main([*TINY, *options, "--seed", "7", "--quiet", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    settings = json.loads((tmp_path / "compare.json").read_text("utf-8"))["settings"]
    expected = {"lr": 0.05, "decay": 0.001, "on": "all", "schedule": "cosine", "dtype": "float64", "seed": 7}
    assert settings == settings | expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compar"], "unknown command 'compar'; did you mean compare?"),
        (["xyz"], "unknown command 'xyz'; known: compare, prove, atlas, bench, show, info"),
        (["compare", "--modle", "cnn"], "unknown option '--modle'; did you mean --model?"),
        (["compare", "--modle=cnn"], "unknown option '--modle'; did you mean --model?"),
        (["compare", "--model", "mpl"], "unknown model 'mpl'; did you mean mlp?"),
        (["compare", "--optimizer", "sdg"], "did you mean sgd?"),
        (["compare", "--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
        (["compare", "--lr", "-1"], "lr must be ≥ 0"),
        (["compare", "--decay", "1.5"], "decay must be < 1"),
        (["compare", "--epochs", "0"], "epochs must be an integer ≥ 1"),
        (["compare", "--epochs"], "expected one argument"),
        (["compare", "mlp"], "unexpected argument 'mlp'"),
        (["show", "adamv"], "no variant is called 'adamv'; did you mean"),
        (
            ["show", "@"],
            "no variant is called '@'; `minigrad show` lists all 104, among them sgd_l2",
        ),
        (["--versoin"], "unknown option '--versoin'; did you mean --version?"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_with_code_2(arguments, message, capsys):
    assert main(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("minigrad: error: ")
    assert message in told.err
    assert len(told.err.splitlines()) == 1


def test_a_directory_that_cannot_be_is_refused_before_any_work(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main([*TINY, "--out", str(tmp_path / "file")]) == 2
    assert "not a directory" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(TINY) == 2
    assert '"lab"' in capsys.readouterr().err


def test_a_failed_comparison_writes_nothing_and_ends_with_code_1(tmp_path, capsys, monkeypatch):
    arguments = ["compare", "--optimizer", "sgd", "--epochs", "1", "--quiet", "--out", str(tmp_path)]
    assert main([*arguments, "--lr", "1e30", "--dtype", "float32"]) == 1
    assert "diverged" in capsys.readouterr().err
    monkeypatch.setattr(L2, "gradient", staticmethod(lambda w, *, l2: 3 * l2 * w))
    assert main(arguments) == 1
    assert "times the rounding bound" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_show_prints_a_variant_in_the_books_symbols(capsys):
    assert main(["show", "adamw"]) == 0
    assert "w ← (1 − η) w − δ" in capsys.readouterr().out


def test_show_without_a_name_lists_every_variant(capsys):
    assert main(["show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(VARIANTS)


def test_every_variant_can_be_shown(capsys):
    for name in VARIANTS:
        assert main(["show", name]) == 0
        assert "w ←" in capsys.readouterr().out


def test_info_prints_versions_blas_threads_extras_and_gpus(capsys):
    assert main(["info"]) == 0
    text = capsys.readouterr().out
    for word in (minigrad.__version__, np.__version__, "BLAS", "threads", "extra lab", "matplotlib", "GPUs"):
        assert word in text


@pytest.mark.parametrize("arguments", [["--help"], ["compare", "--help"], ["show", "--help"], ["info", "--help"]])
def test_help_reads_within_eighty_columns(arguments, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_without_a_command_the_help_is_printed(capsys):
    assert main([]) == 0
    assert "compare" in capsys.readouterr().out


def test_a_reader_that_closes_the_pipe_causes_no_traceback():
    code = "import sys; from minigrad.cli import main; sys.exit(main(['show']))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rule", "adamm"], "the atlas has no rule 'adamm'; did you mean adam, radam, nadam?"),
        (["--pair", "doors-3-4"], "did you mean doors-2-3"),
        (["--rule", ""], "the atlas has no rule ''; there are "),
        (["--pair", ""], "the atlas has no pair ''; there are "),
        (["--situation", ""], "the atlas has no situation ''; there are "),
        (["--situation", "zzz"], "the atlas has no situation 'zzz'; there are constant, "),
        (["--workers", "0"], "workers must be an integer ≥ 1, got 0"),
    ],
)
def test_a_cell_that_the_atlas_does_not_have_is_refused(arguments, message, capsys):
    assert main(["atlas", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_one_cell_is_told_with_what_shows_it(capsys):
    cell = ["--rule", "sgd", "--pair", "doors-2-3", "--situation", "selection"]
    assert main(["atlas", *cell, "--workers", "1"]) == 0
    told = capsys.readouterr()
    assert "same step ≠ different" in told.out
    assert "[1/1] doors-2-3 sgd selection ≠≠≠" in told.err


def test_the_atlas_is_written_whole(tmp_path, capsys):
    assert main(["atlas", "--rule", "sgd", "--pair", "doors-2-3", "--quiet", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "batch-norm" in told.out
    assert sorted(p.name for p in tmp_path.iterdir()) == ["atlas.json", "atlas.md", "atlas.png", "atlas.svg"]


def test_a_comparison_that_runs_out_of_memory_says_what_needs_less(monkeypatch, capsys, tmp_path):
    from minigrad import lab

    def full(*_):
        raise MemoryError("Out of memory allocating 512 bytes")

    monkeypatch.setattr(lab, "compare", full)
    assert main(["compare", "--out", str(tmp_path)]) == 1
    assert "no memory left: Out of memory allocating 512 bytes; a smaller --batch-size" in capsys.readouterr().err
