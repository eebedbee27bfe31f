"""The machinery of ``minigrad bench``, on invented contenders. No time is asserted."""

import io
import json
import re
import socket
from pathlib import Path
from xml.etree import ElementTree

import pytest

from minigrad.lab.bench import check, figure, machine, page, process, progress, report, statistics
from minigrad.lab.bench.bench import Plan, as_json, bench
from minigrad.lab.bench.case import Case
from minigrad.lab.bench.contenders import LABELS, MODULES
from minigrad.lab.bench.turns import Pace, Turns
from minigrad.lab.bench.work import WORKS, Work, chosen

INVENTED = "tests.lab.bench_contenders"
TINY = Pace(rounds=2, turn=1e-4, pause=0.0, timeout=20.0, most=3)


@pytest.fixture(autouse=True)
def _from_anywhere(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def work(*names, cases=1, clock=None, name="step", **more):
    task = {"clock": clock or {}}
    facts = {"parameters": 1000, "tensors": 1, "variant": "adam_decay", "bytes": 28000, "nodes": 10, "graph": "chain"}
    made = [Case(f"case {i}", task, (1e-6, 1e-6), facts=facts) for i in range(cases)]
    return Work(name, "Invented", lambda quick: made, names, names[0], judge="judge", **more)


def modules(*names):
    return dict.fromkeys((*names, "judge"), INVENTED)


def run(*names, pace=TINY, **more):
    invented = work(*names, **more)
    return bench(Plan([invented], pace=pace), lambda *_: None, modules(*names))


def entries(found, case=0):
    return {entry["name"]: entry for entry in found["works"][0]["cases"][case]["contenders"]}


# --- contenders -------------------------------------------------------------------------------------------------------


def test_a_contender_with_wrong_values_is_reported_and_never_timed():
    found = entries(run("numpy", "wrong", "nan", "short"))
    assert [found[name]["status"] for name in found] == ["timed", "wrong", "wrong", "wrong"]
    assert "seconds" not in found["wrong"]
    assert found["wrong"]["reason"].startswith("1, 2.1 instead of 1, 2: 5e+04 times")
    assert found["numpy"]["off"] == 0


def test_a_contender_that_dies_is_reported_without_paths_and_the_others_go_on():
    found = entries(run("numpy", "dies", "dies-early", "raises", "skips", "prints"))
    assert {name: entry["status"] for name, entry in found.items()} == {
        "numpy": "timed", "dies": "died", "dies-early": "died", "raises": "failed", "skips": "skipped",
        "prints": "timed",
    }  # fmt: skip
    assert found["dies"]["reason"] == "killed by SIGABRT: RuntimeError: it was too much for place.py"
    assert found["dies-early"]["reason"] == "ended with status 3"
    assert found["raises"]["reason"] == "ZeroDivisionError: no such λ in place.py"
    assert found["skips"]["reason"] == "the moon is full"


def test_a_contender_that_does_not_answer_in_time_is_given_up():
    found = entries(run("numpy", "silent", pace=Pace(1, 1e-4, 0.0, 3.0, 2)))
    assert found["silent"]["status"] == "died"
    assert found["silent"]["reason"] == "no answer within 3 s"


def test_who_died_in_one_case_gets_a_new_process_in_the_next():
    found = run("numpy", "dies", cases=2)
    assert [entries(found, case)["dies"]["status"] for case in (0, 1)] == ["died", "died"]
    assert "SIGABRT" in entries(found, 1)["dies"]["reason"]


@pytest.mark.parametrize("fresh", [False, True])
def test_every_contender_has_a_process_of_its_own_which_it_keeps_unless_cases_are_to_begin_afresh(fresh):
    found = run("numpy", "minigrad-plain", cases=2, fresh=fresh)
    pids = [entries(found, case)[name]["facts"]["process"] for case in (0, 1) for name in ("numpy", "minigrad-plain")]
    assert len(set(pids)) == (4 if fresh else 2)


def test_threads_are_set_before_the_process_starts():
    invented = work("numpy", "threads")
    found = bench(Plan([invented], threads=1, pace=TINY), lambda *_: None, modules("numpy", "threads"))
    assert entries(found)["threads"]["facts"] == {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    assert set(process.environment(3).values()) >= {"3"}
    assert found["machine"]["environment"]["OPENBLAS_NUM_THREADS"] == "1"


def test_without_the_judge_nobody_is_timed():
    invented = work("numpy")
    found = bench(
        Plan([invented], pace=TINY), lambda *_: None, {"numpy": INVENTED, "judge": "tests.lab.no_such_module"}
    )
    assert entries(found)["numpy"]["status"] == "failed"
    assert "nothing to check against" in entries(found)["numpy"]["reason"]


def test_a_case_that_needs_more_memory_than_there_is_is_skipped():
    big = Case("big", {"clock": {}}, memory=2**60)
    with Turns(work("numpy"), modules("numpy"), ["numpy"], 1, TINY).open() as turns:
        (outcome,) = turns.case(big, lambda what: None)
    assert outcome.status == "skipped"
    assert "GiB of memory" in outcome.reason


def test_all_processes_end_with_the_bench():
    with Turns(work("numpy"), modules("numpy"), ["numpy"], 1, TINY).open() as turns:
        turns.case(work("numpy").cases(True)[0], lambda what: None)
        running = list(turns._running.values())  # its own, and the judge's
        assert [one._process.poll() for one in running] == [None, None]
    assert None not in [one._process.poll() for one in running]


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_a_ratio_is_taken_within_each_round_so_that_a_slow_spell_drops_out():
    mine, reference = [[2.0], [20.0], [2.0]], [[1.0], [10.0], [1.0]]
    assert statistics.ratio(mine, reference) == {"median": 2.0, "min": 2.0, "max": 2.0, "best": 2.0}


def test_the_spread_names_quartiles_extremes_and_the_median_of_every_round():
    found = statistics.spread([[1.0, 2.0, 3.0], [3.0, 4.0, 5.0]])
    assert found == {
        "median": 3.0, "q1": 2.25, "q3": 3.75, "min": 1.0, "max": 5.0, "rounds": [2.0, 4.0], "repeats": 6,
    }  # fmt: skip
    assert statistics.spread([[1.0]])["q3"] == 1.0


def test_ratios_are_to_the_reference_the_fastest_peer_and_the_fastest_limit():
    clock = {"numpy": 2e-3, "minigrad-plain": 3e-3, "torch": 1e-3, "roofline": 5e-4}
    found = entries(run(*clock, clock=clock, limits=("roofline",)))
    ratios = found["minigrad-plain"]["ratio"]
    assert {word: (r["to"], round(r["median"], 6)) for word, r in ratios.items()} == {
        "reference": ("numpy", 1.5), "peer": ("torch", 3.0), "limit": ("roofline", 6.0),
    }  # fmt: skip
    assert found["torch"]["ratio"]["peer"]["to"] == "numpy"


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def results():
    clock = {"numpy": 2e-3, "minigrad-plain": 3e-3, "minigrad-numba": 1e-3, "torch": 4e-3, "roofline": 5e-4}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        works = [
            work(*clock, "wrong", "skips", clock=clock, name=name, limits=("roofline",), cases=2)
            for name in ("step", "update", "engine", "cold", "limits")
        ]
        return bench(Plan(works, pace=TINY), lambda *_: None, modules(*clock, "wrong", "skips"))


def test_the_json_has_what_its_readers_rely_on(results):
    read = json.loads(as_json(results))
    assert read["format"] == 1
    assert read.keys() == {"format", "minigrad", "quick", "pace", "machine", "works"}
    assert read["pace"] == {"rounds": 2, "turn": 1e-4, "pause": 0.0, "most": 3}
    for one in read["works"]:
        assert one.keys() == {"name", "title", "reference", "limits", "share", "cases"}
        for case in one["cases"]:
            assert case.keys() == {"name", "facts", "tolerance", "contenders"}
            for entry in case["contenders"]:
                assert entry["status"] in ("timed", "wrong", "skipped", "failed", "died")
                assert ("seconds" in entry) == ("ratio" in entry) == (entry["status"] == "timed")
                assert ("reason" in entry) == (entry["status"] != "timed")


def test_no_path_and_no_name_of_the_machine_is_written(results):
    text = as_json(results).decode() + report_text(results)
    assert socket.gethostname() not in text
    assert not re.search(r"/(home|tmp|usr|opt|work|root)\b", text)
    assert process.clean("File /a/b.c/d.py: no") == "File d.py: no"


def report_text(found):
    file = io.StringIO()
    report.print_report(found, file)
    return file.getvalue()


def test_the_report_names_machine_ratios_and_why_somebody_is_missing(results):
    text = report_text(results)
    assert "…" not in text
    for word in ("threads for every contender", "minigrad, numba", "/ fastest peer", "% of the roofline", "per node"):
        assert word in text
    assert "skips skipped (10 cases, first step, case 0): the moon is full" in text
    assert "wrong wrong (10 cases, first step, case 0): 1, 2.1 instead of 1, 2" in text


def test_times_are_told_in_units_that_suit_them():
    assert [report.seconds(x) for x in (2.0, 0.0123, 4.56e-5, 7e-8)] == ["2 s", "12.3 ms", "45.6 µs", "70 ns"]


def test_the_report_says_how_many_rounds_cases_had_that_were_measured_again(results):
    assert "2 rounds, with turns of" in report.machine(results)
    again = json.loads(json.dumps(results))
    again["works"][0]["cases"][0]["contenders"][0]["seconds"]["rounds"].append(1.0)
    assert "2 to 3 rounds, with turns of" in report.machine(again)


def test_the_report_says_how_long_a_turn_of_every_work_is_and_of_how_many_repeats(results):
    assert "turns of about 0.0001 s and 1 to 3 repeats" in report.machine(results)
    shared = json.loads(json.dumps(results))
    shared["works"][1]["share"] = 0.5
    assert "turns of about 0.0001 s (Invented: 5e-05 s) and 1 to 3 repeats" in report.machine(shared)
    for one in shared["works"]:
        del one["share"]  # as in results of before it was written down
    assert "turns of about 0.0001 s (Invented: 2e-05 s) and" in report.machine(shared)


def test_the_page_has_every_work_every_contender_that_was_timed_and_the_reasons_of_the_others(results):
    text = page.render(results).decode()
    for work in results["works"]:
        assert f"## {work['title']}" in text
        for case in work["cases"]:
            assert case["name"] in text
            for entry in case["contenders"]:
                assert LABELS.get(entry["name"], entry["name"]) in text
    for line in report.out(results):
        assert line in text


def test_a_lesson_is_told_with_what_was_expected_and_what_was_found(results):
    def entry(name, seconds, **ratio):
        return {"name": name, "status": "timed", "seconds": {"median": seconds, "rounds": [seconds]}, "ratio": ratio}

    beside = {"median": 0.5, "min": 0.4, "max": 0.8}
    contenders = [entry("before", 2e-3), entry("after", 1e-3, reference=beside)]
    case = {"name": "A step", "facts": {"expected": "Twice as fast."}, "contenders": contenders}
    found = {**results, "works": [{"name": "lessons", "title": "Steps", "cases": [case]}]}
    text = page.render(found).decode()
    assert "**A step.** Twice as fast." in text
    assert "2 ms before, 1 ms after: 2.00 times as fast (1.25 to 2.50 in single rounds)" in text


def test_the_figure_is_the_same_bytes_for_the_same_results_and_an_svg_without_a_date(results):
    files = figure.render(results)
    assert files == figure.render(json.loads(json.dumps(results)))
    assert set(files) == {"bench.png", "bench.svg"}
    ElementTree.fromstring(files["bench.svg"])
    assert b"<dc:date>" not in files["bench.svg"]


def test_the_figure_fits_an_a4_page(results):
    width, height = figure.draw(results).get_size_inches()
    assert width <= 18 / 2.54 + 0.05
    assert height <= 26.5 / 2.54


def test_every_contender_has_a_label_and_a_mark_and_no_two_look_alike():
    assert set(LABELS) == set(MODULES) - {"judge"} == {*figure.STYLES, "before", "after"}
    assert len(set(figure.STYLES.values())) == len(figure.STYLES)
    assert len({mark for _, mark, _ in figure.STYLES.values()}) >= len(figure.STYLES) - 1


def test_the_recorded_page_is_what_the_record_says():
    results = Path(__file__).parents[2] / "docs/results"
    found = json.loads((results / "bench.json").read_text("utf-8"))
    assert page.render(found) == (results / "bench.md").read_bytes()


# --- the check --------------------------------------------------------------------------------------------------------


def changed(found, factor):
    other = json.loads(json.dumps(found))
    for one in other["works"]:
        for case in one["cases"]:
            for entry in case["contenders"]:
                if entry["name"] == "minigrad-plain" and "ratio" in entry:
                    for word in ("median", "min", "max", "best"):
                        entry["ratio"]["reference"][word] *= factor
    return other


def test_the_check_passes_on_equal_and_better_ratios_and_fails_on_a_worse_one(results):
    assert all(c.ok for c in check.compare(results, results))
    assert all(c.ok for c in check.compare(results, changed(results, 0.5)))
    assert all(c.ok for c in check.compare(results, changed(results, 1.29)))
    worse = check.compare(results, changed(results, 1.31))
    assert {c.contender for c in worse if not c.ok} == {"minigrad-plain"}
    assert all(c.ok for c in check.compare(results, changed(results, 1.31), slack=0.4))


def test_a_ratio_that_has_grown_is_forgiven_if_a_second_measurement_does_not_find_it(results):
    worse, fine = (check.compare(results, changed(results, factor)) for factor in (2.0, 1.0))
    assert all(c.ok for c in check.best(worse, fine))
    assert not all(c.ok for c in check.best(worse, worse))
    assert check.best(fine, worse) == fine


def test_the_check_looks_at_ratios_not_at_times(results):
    slower = json.loads(json.dumps(results))
    for one in slower["works"]:
        for case in one["cases"]:
            for entry in case["contenders"]:
                if "seconds" in entry:
                    entry["seconds"]["median"] *= 100
    assert all(c.ok for c in check.compare(results, slower))


def test_the_check_fails_where_minigrad_is_no_longer_timed(results):
    gone = json.loads(json.dumps(results))
    entry = gone["works"][0]["cases"][0]["contenders"][1]
    entry.update(status="wrong", reason="1 instead of 2")
    del entry["ratio"], entry["seconds"]
    (failed,) = [c for c in check.compare(results, gone) if not c.ok]
    assert failed.reason == "wrong: 1 instead of 2"
    file = io.StringIO()
    report.print_comparison(check.compare(results, gone), file)
    assert "1 exceed it" in file.getvalue()
    assert "wrong: 1 instead of 2" in file.getvalue()


def test_the_check_refuses_what_has_nothing_in_common_with_the_run(results):
    with pytest.raises(ValueError, match="no ratio of minigrad in common"):
        check.compare({"works": []}, results)
    with pytest.raises(ValueError, match="no result of the bench"):
        check.compare({"works": [{"name": "step"}]}, results)


# --- plans and progress -----------------------------------------------------------------------------------------------


def test_quick_cases_are_among_the_full_ones_and_names_are_unique():
    for one in WORKS.values():
        names = [case.name for case in one.cases(False)]
        assert len(set(names)) == len(names)
        quick = {case.name: case for case in one.cases(True)}
        full = {case.name: case for case in one.cases(False)}
        assert all(full[name].task == case.task for name, case in quick.items())
        assert set(one.contenders) <= set(MODULES)
        assert one.reference in one.contenders


def test_an_unknown_work_is_refused_with_the_nearest_that_is_known():
    with pytest.raises(ValueError, match="unknown work 'engin'; did you mean engine?"):
        chosen(["engin"])
    assert [one.name for one in chosen(["engine", "limits"])] == ["limits", "engine"]


def test_the_reference_takes_part_even_if_it_is_not_asked_for():
    assert Plan([], contenders=["minigrad-numba"]).names(WORKS["update"]) == ["roofline", "minigrad-numba"]
    assert "torch-compile" in Plan([]).names(WORKS["step"])
    assert "torch-compile" not in Plan([], quick=True).names(WORKS["step"])


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_progress_is_a_bar_in_a_terminal_lines_elsewhere_and_nothing_when_quiet(monkeypatch):
    for file, words in ((Terminal(), ("━", "2/2", "step, b: done")), (io.StringIO(), ("[2/2] step, b: done",))):
        with progress.telling(2, file=file) as tell:
            tell(0, "step, a", "numpy prepares")
            tell(1, "step, a", "done")
            tell(2, "step, b", "done")
        assert all(word in file.getvalue() for word in words)
        assert ("━" in file.getvalue()) == file.isatty()
    quiet = io.StringIO()
    with progress.telling(2, quiet=True, file=quiet) as tell:
        tell(2, "step, b", "done")
    assert quiet.getvalue() == ""


def test_the_machine_is_described_without_saying_whose_it_is():
    found = machine.describe(2)
    assert found["threads"] == 2
    assert found["versions"]["numpy"]
    assert socket.gethostname() not in json.dumps(found)


def test_who_is_left_out_of_a_case_is_named_with_the_reason():
    case = Case("long", {"clock": {}}, (1e-6, 1e-6), without={"torch": "it would take too long"})
    with Turns(work("numpy"), modules("numpy", "torch"), ["numpy", "torch"], 1, TINY).open() as turns:
        numpy, torch = turns.case(case, lambda what: None)
    assert numpy.status == "timed"
    assert (torch.status, torch.reason) == ("skipped", "it would take too long")
