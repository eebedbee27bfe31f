"""The machinery of ``minigrad prove``; the proofs themselves are tested in tests/proof."""

import dataclasses
import importlib
import io
import json
import os
import re
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from matplotlib.mathtext import MathTextParser

from minigrad.cli import main
from minigrad.lab.prove import SECTIONS, Section, chosen, latex, report, run, tasks
from minigrad.lab.prove.run import Task, decide
from minigrad.proof.claims import Evidence

INVENTED = Section("invented", "Invented", "tests.lab.invented_claims")


@pytest.fixture
def _invented(monkeypatch):
    monkeypatch.setitem(SECTIONS, "invented", INVENTED)


def outcomes(thorough, workers=1):
    return run(tasks([INVENTED], thorough), workers)


def test_claims_are_decided_in_another_process_and_held_against_what_was_expected():
    two, three, process = outcomes(False)
    assert two.ok
    assert three.ok
    assert (two.found, three.found) == ("holds", "breaks")
    assert process.evidence.shown != str(os.getpid())


def test_a_claim_that_should_hold_and_does_not_or_breaks_and_should_not_or_raises_is_not_as_expected():
    wrong, slips, raises = outcomes(True)[-3:]
    assert not any(o.ok for o in (wrong, slips, raises))
    assert [o.found for o in (wrong, slips, raises)] == ["breaks", "holds", "undecided"]
    assert raises.error == "ZeroDivisionError: no such λ"
    assert raises.statement == "λ = 1/0"


def test_a_claim_that_is_gone_is_undecided():
    (gone,) = run([Task(INVENTED, "gone", False, "it is there", False)], 1)
    assert (gone.found, gone.statement, gone.expected) == ("undecided", "it is there", False)
    assert "gone" in gone.error


def test_a_claim_whose_process_dies_is_undecided_and_takes_no_other_with_it(monkeypatch):
    monkeypatch.setenv("MINIGRAD_TESTS_DIE", "1")  # the workers inherit it
    *decided, dead = outcomes(False, workers=2)
    assert all(o.ok for o in decided)
    assert (dead.found, dead.error) == ("undecided", "the process that ran it died")


def test_a_claim_that_takes_too_long_is_undecided(monkeypatch):
    monkeypatch.setenv("MINIGRAD_TESTS_LATE", "1")
    monkeypatch.setattr(sys.modules[Task.__module__], "LIMIT", 1)
    late = decide(tasks([INVENTED])[-1])
    assert (late.found, late.error) == ("undecided", "UndecidedError: no answer within 1 seconds")


def test_what_is_infinite_goes_into_json_and_what_is_not_ascii_into_latex(monkeypatch):
    infinite = outcomes(True)[3]
    (claim,) = json.loads(report.as_json(report.as_dict([infinite], True)))["claims"]
    assert claim["data"] == {"x": ["inf"]}
    monkeypatch.setitem(SECTIONS, "invented", INVENTED)
    assert rb"\ensuremath{\lambda} \ensuremath{\to} \ensuremath{\infty}" in latex.document([infinite])


def test_two_claims_of_one_name_are_refused(monkeypatch):
    module = importlib.import_module(INVENTED.module)
    twice = module.claims() * 2
    monkeypatch.setattr(module, "claims", lambda thorough: twice)
    with pytest.raises(RuntimeError, match="two claims of invented have one name"):
        tasks([INVENTED])


def test_every_section_offers_claims_of_unique_names_without_proving_them():
    names = [f"{task.section.name}.{task.claim}" for task in tasks(chosen())]
    assert len(set(names)) == len(names)
    assert {name.partition(".")[0] for name in names} == set(SECTIONS)


@pytest.mark.usefixtures("_invented")
def test_the_command_writes_json_and_latex_and_ends_with_0(tmp_path, capsys):
    assert main(["prove", "invented", "--workers", "1", "--out", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "3 claims: 2 that should hold, 1 that should break. All as expected." in told.out
    assert "[3/3]" in told.err
    read = json.loads((tmp_path / "prove.json").read_text("utf-8"))
    assert [c["found"] for c in read["claims"]] == ["holds", "breaks", "holds"]
    assert read["claims"][0]["data"] == {"sum": 2}
    assert r"$\displaystyle 1 + 1 = 2$" in (tmp_path / "prove.tex").read_text("ascii")


@pytest.mark.usefixtures("_invented")
def test_the_command_ends_with_1_if_any_claim_is_not_as_expected(tmp_path, capsys):
    options = ["--thorough", "--quiet", "--workers", "1", "--out", str(tmp_path)]
    assert main(["prove", "invented", *options]) == 1
    told = capsys.readouterr()
    assert told.err == ""
    assert "3 not as expected: invented.wrong (breaks), invented.slips (holds), invented.raises" in told.out
    read = json.loads((tmp_path / "prove.json").read_text("utf-8"))
    assert read["thorough"] is True
    assert read["claims"][-1]["shown"] == "ZeroDivisionError: no such λ"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["symbollic"], "unknown section 'symbollic'; did you mean symbolic?"),
        (["qqqq"], "unknown section 'qqqq'; known: symbolic, smt"),
        (["smt", "--workers", "0"], "workers must be an integer ≥ 1, got 0"),
        (["--thorow"], "unknown option '--thorow'; did you mean --thorough?"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_proved(arguments, message, capsys):
    assert main(["prove", *arguments]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert message in told.err


@pytest.mark.parametrize(
    ("module", "section"),
    [("z3", "smt"), ("sympy", "symbolic"), ("flint", "exact"), ("hypothesis", "atlas"), ("rich", "floating")],
)
def test_a_missing_extra_is_named(module, section, monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, module, None)
    assert main(["prove", section, "--out", str(tmp_path)]) == 2
    assert '"proof"' in capsys.readouterr().err


def test_a_section_needs_no_more_than_it_imports(monkeypatch, capsys):
    for module in ("z3", "sympy", "flint", "hypothesis", "matplotlib"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(report, "version", only_numpy)
    decided = [decide(task) for task in tasks(chosen(["floating"])) if task.claim == "bits.exact"]
    report.print_report(decided)
    assert "All as expected" in capsys.readouterr().out
    found = report.as_dict(decided, False)
    assert found["provers"] == {"numpy": np.__version__}
    assert f"with numpy {np.__version__}." in report.as_markdown(found).decode()
    assert latex.document(decided)


def only_numpy(name):
    if name != "numpy":
        raise PackageNotFoundError(name)
    return np.__version__


def test_a_section_of_many_claims_is_summed_up_but_its_failures_are_listed(monkeypatch):
    monkeypatch.setitem(SECTIONS, "invented", dataclasses.replace(INVENTED, many=True))
    decided = outcomes(True)
    said = io.StringIO()
    report.print_report(decided, said)
    page = report.as_markdown(report.as_dict(decided, True)).decode()
    for text in (said.getvalue(), page):
        assert "2 hold and 2 break, as they should" in text.replace(" claims", "")
        assert "prove.json" in text
        assert "it holds" in text
        assert "1 + 1 is 2" not in text


def test_latex_names_every_letter_or_gives_its_number():
    assert latex.text("λ = η/α") == r"\ensuremath{\lambda} = \ensuremath{\eta}/\ensuremath{\alpha}"
    assert latex.text("m̂ & v̂_1") == r"\ensuremath{\hat{m}} \& \ensuremath{\hat{v}}\_1"
    assert latex.text("x ≠ ½") == r"x \ensuremath{\ne} \ensuremath{\tfrac12}"
    assert latex.text("Hölder é") == r"H\"{o}lder \'{e}"
    assert latex.text("猫") == r"\texttt{U+732B}"


def test_a_document_is_complete_and_ascii():
    made = latex.document([])
    assert made.startswith(rb"\documentclass")
    assert made.rstrip().endswith(rb"\end{document}")


def test_evidence_goes_into_json_as_it_is():
    outcome = outcomes(False)[0]
    assert outcome.evidence == Evidence(True, "1 + 1 is 2", "1 + 1 = 2", {"sum": 2})
    assert json.loads(report.as_json(report.as_dict([outcome], False)))["claims"][0]["latex"] == "1 + 1 = 2"


# --- what is recorded in docs/results ---------------------------------------------------------------------------------

RESULTS = Path(__file__).resolve().parents[2] / "docs/results"


@pytest.fixture(scope="module")
def recorded():
    return json.loads((RESULTS / "prove.json").read_text("utf-8"))


def test_the_recorded_claims_are_those_that_are_made_and_all_are_as_expected(recorded):
    names = [(claim["section"], claim["name"]) for claim in recorded["claims"]]
    assert names == [(task.section.name, task.claim) for task in tasks(chosen())]
    assert all(claim["found"] == claim["expected"] for claim in recorded["claims"])


def test_the_recorded_page_is_what_its_json_says(recorded):
    assert (RESULTS / "prove.md").read_bytes() == report.as_markdown(recorded)


def test_every_recorded_formula_is_latex_and_every_letter_has_a_name(recorded):
    parser = MathTextParser("path")
    other_names = {r"\tfrac": r"\frac", r"\Bigl": r"\left", r"\Bigr": r"\right", r"\le ": r"\leq "}
    for claim in recorded["claims"]:
        formula = re.sub(r"\\tfrac(\d)(\d)", r"\\frac{\1}{\2}", claim["latex"])
        for name, known in other_names.items():  # LaTeX, but not of matplotlib's subset
            formula = formula.replace(name, known)
        if formula:
            parser.parse(f"${formula}$")
        assert "U+" not in latex.text(claim["statement"] + claim["shown"])
