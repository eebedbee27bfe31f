import io
from xml.etree import ElementTree

import pytest

from minigrad.data import digits
from minigrad.lab import ENTRIES, Settings, compare
from minigrad.lab.figure import STYLES, draw, render
from minigrad.lab.output import check_directory, write_all
from minigrad.lab.progress import Bars, Lines, Silent, progress_for
from minigrad.lab.report import ROUNDINGS, WIDTH, notes, print_report
from minigrad.lab.variants import FAMILIES


@pytest.fixture(scope="module")
def results():
    return compare(Settings(epochs=1, batch_size=256))


def test_the_table_has_a_row_for_every_entry_and_cuts_nothing(results):
    file = io.StringIO()
    print_report(results, file)
    text = file.getvalue()
    assert "…" not in text
    assert all(len(line) <= WIDTH for line in text.splitlines())
    for entry in ENTRIES:
        assert entry.label in text
    text = " ".join(text.split())
    assert "weights of L2 at η/α and of decay agree to rounding" in text
    assert "by λw itself to within" in text
    assert "Adam divides the penalty" in text
    assert "of the derived rounding bound" in text


@pytest.mark.parametrize("family", FAMILIES)
def test_the_notes_conclude_nothing_where_nothing_was_regularised(family):
    found = notes(compare(Settings(optimizer=family, decay=0.0, epochs=1, batch_size=512)))[-1]
    assert "at η = 0 nothing is regularised" in found
    assert "differs by 0." in found


@pytest.mark.parametrize("family", ["momentum", "adam"])
def test_the_notes_call_nothing_a_difference_that_rounding_hides(family):
    # Where the gradient is 0, Adam multiplies λw by up to α/ε = 10⁸ α: the η that is lost is smaller than u/10⁸.
    found = notes(compare(Settings(optimizer=family, decay=1e-26, epochs=1, batch_size=512)))[-1]
    assert "no clearer than rounding" in found or "too small to be seen" in found
    assert "λw itself" not in found
    assert "divides" not in found


def test_the_notes_report_a_disagreement_of_the_weights_that_was_measured(monkeypatch):
    run = compare(Settings(optimizer="momentum", epochs=1, batch_size=512))
    monkeypatch.setattr(run.runs["heavy_ball_l2"].one_step, "roundings", 2 * ROUNDINGS)
    assert "u·max|w|: more than rounding" in notes(run)[-1]


def test_one_step_on_all_examples_is_called_so_and_can_be_seen():
    run, examples = compare(Settings(optimizer="sgd", epochs=1, batch_size=5000)), len(digits().train_labels)
    assert f"mlp, float64, 1 step of {examples} examples, " in notes(run)[0]
    distances = draw(run).axes[2].lines
    assert [(len(line.get_xdata()), line.get_marker()) for line in distances] == 4 * [(1, "o")]


def test_several_steps_are_counted_and_drawn_as_lines(results):
    assert f"mlp, float64, {results.steps} steps of 256 examples, " in notes(results)[0]
    assert {line.get_marker() for axes in draw(results).axes for line in axes.lines} == {"None"}


def test_the_figure_is_the_same_bytes_for_the_same_results_and_an_svg_without_a_date(results):
    files = render(results)
    assert files == render(results)
    assert set(files) == {"compare.png", "compare.svg"}
    assert files["compare.png"].startswith(b"\x89PNG")
    ElementTree.fromstring(files["compare.svg"])
    assert b"<dc:date>" not in files["compare.svg"]


def test_no_two_lines_of_a_family_look_alike_in_colour_or_in_grey():
    prefixes = {"sgd": "sgd", "momentum": "heavy_ball", "adam": "adam"}
    for family, prefix in prefixes.items():
        kinds = [e.name.removeprefix(prefix).lstrip("_") or "none" for e in ENTRIES if e.family == family]
        assert len({STYLES[k][0] for k in kinds}) == len(kinds)
        assert len({(str(STYLES[k][1]), STYLES[k][2]) for k in kinds}) == len(kinds)


def test_files_are_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(TypeError):
        write_all(tmp_path, {"a": b"new", "b": "not bytes"})
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"a": b"old"}
    written = write_all(tmp_path / "deep" / "er", {"a": b"new", "b": b"too"})
    assert [p.read_bytes() for p in written] == [b"new", b"too"]
    assert sorted(p.name for p in (tmp_path / "deep" / "er").iterdir()) == ["a", "b"]


def test_a_directory_is_checked_without_leaving_a_trace(tmp_path):
    check_directory(tmp_path / "new" / "deep")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="not a directory"):
        check_directory(tmp_path / "file")
    with pytest.raises(OSError, match="cannot write in"):
        check_directory(tmp_path / "file" / "below")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_live_in_a_terminal_plain_lines_elsewhere_and_nothing_when_quiet():
    assert isinstance(progress_for(Terminal()), Bars)
    assert isinstance(progress_for(io.StringIO()), Lines)
    assert isinstance(progress_for(Terminal(), quiet=True), Silent)


@pytest.mark.parametrize("kind", [Terminal, io.StringIO])
def test_progress_shows_epoch_loss_accuracy_and_norm(kind):
    file = kind()
    compare(Settings(optimizer="momentum", epochs=2, batch_size=512), progress_for(file))
    text = file.getvalue()
    for word in ("2/2", "loss", "acc", "‖w‖", "weight decay"):
        assert word in text
    if kind is io.StringIO:
        assert "\x1b" not in text
        assert "\r" not in text
        assert len(text.splitlines()) == 3


def test_a_plain_line_appears_when_the_last_is_long_ago(monkeypatch):
    monkeypatch.setattr(Lines, "interval", 0.0)
    file = io.StringIO()
    compare(Settings(optimizer="momentum", epochs=2, batch_size=512), Lines(file))
    assert len(file.getvalue().splitlines()) == 9
