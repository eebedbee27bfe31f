"""What ``minigrad bench`` takes, and what it does."""

import argparse
import difflib
import fnmatch
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from minigrad.backend import use_backend
from minigrad.extras import need
from minigrad.lab import output
from minigrad.lab.bench import check, figure, machine, page, record, report
from minigrad.lab.bench.bench import Plan, as_json, bench
from minigrad.lab.bench.contenders import LABELS
from minigrad.lab.bench.progress import telling
from minigrad.lab.bench.turns import Pace
from minigrad.lab.bench.work import ON_A_DEVICE, WORKS, chosen
from minigrad.regularization.checks import integer, nonnegative

__all__ = ["DESCRIPTION", "HELP", "Order", "add_arguments", "checked", "execute", "run"]

HELP = "measure speed beside other libraries and the machine's limits"
DESCRIPTION = (
    "Measure a training step, the update alone, the engine's cost per node and the cold start, beside NumPy written by "
    "hand, PyTorch, JAX, autograd and MyGrad where they are installed, and beside what the machine can do. Every "
    "contender works in a process of its own, the processes take turns, and a contender whose results are wrong is not "
    "timed. Print tables, and write bench.json, bench.md, bench.png and bench.svg. With --check, measure quickly and "
    "compare ratios with a recorded run; ends with status 1 if one has grown by more than the slack. With --backend "
    "cupy, all of this on a GPU, by events among its work: the step eager and captured, the update beside a copy of as "
    "many bytes, launches; the files carry the name of the GPU."
)
QUICK = Pace(rounds=5, turn=0.05)
OUT = Path("minigrad-bench")


@dataclass(frozen=True)
class Order:
    """What was asked for, all of it possible.

    Attributes:
        plan: what is measured.
        directory: where the files go; None with --check.
        recorded: the results to compare with, or None.
        earlier: the results of which what is measured replaces a part, or None.
        slack: by what fraction a ratio may have grown.
        quiet: whether to tell of progress.
    """

    plan: Plan
    directory: Path | None
    recorded: dict[str, Any] | None
    earlier: dict[str, Any] | None
    slack: float
    quiet: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``minigrad bench`` to `parser`."""
    add = parser.add_argument
    add("works", nargs="*", metavar="WORK",
        help=f"{', '.join(WORKS)}; on a GPU {', '.join(ON_A_DEVICE)} (default: all)")  # fmt: skip
    add("--backend", default="numpy", metavar="NAME", help="numpy (default), or cupy for a CUDA GPU")
    add("--rounds", type=int, metavar="N", help=f"turns of every contender (default: {Pace.rounds}; quick: "
        f"{QUICK.rounds})")  # fmt: skip
    add("--threads", type=int, metavar="N", help="threads of every contender (default: one per core)")
    add("--contenders", nargs="+", default=[], metavar="NAME", help=f"only these: {', '.join(LABELS)} (default: all)")
    add("--cases", nargs="+", default=[], metavar="PATTERN", help='of works that have such cases, only these: "update, '
        '* 1e6" or "step, mlp*" (default: all)')  # fmt: skip
    add("--quick", action="store_true", help="a few cases, in about a minute")
    add("--out", type=Path, metavar="DIR", help=f"where the files go (default: {OUT})")
    add("--into", type=Path, metavar="FILE", help="a recorded bench.json of this machine and these libraries: what "
        "is measured takes the place of the same cases there, and all is written to --out")  # fmt: skip
    add("--check", type=Path, metavar="FILE", help="a recorded bench.json; measure quickly, compare, write nothing")
    add("--slack", type=float, metavar="F",
        help=f"with --check: by what fraction a ratio may have grown (default: {check.SLACK})")  # fmt: skip
    add("--quiet", action="store_true", help="no progress; only the tables and the names of the files")


def checked(options: argparse.Namespace) -> Order:
    """Return what `options` ask for. ValueError, ImportError or OSError say what cannot be done."""
    _fitting(options)
    slack = check.SLACK if options.slack is None else nonnegative("slack", options.slack)
    with use_backend(options.backend):  # which says what is missing for it
        here = machine.describe(1, options.backend)
    works = chosen(options.works, options.backend)
    _known(options.contenders)
    recorded = None if options.check is None else record.read(options.check)
    if recorded is not None:
        record.alike("--check", recorded, here)
    quick = options.quick or recorded is not None
    pace = QUICK if quick else Pace()
    if options.rounds is not None:
        pace = replace(pace, rounds=integer("rounds", options.rounds))
    contenders = options.contenders or (() if recorded is None else [n for n in LABELS if check.compared(n)])
    for module in ("rich", "matplotlib"):
        need(module, "lab")
    plan = Plan(works, quick, contenders, _threads(options.threads, recorded), pace, options.cases, options.backend)
    for pattern in options.cases:
        titles = [f"{work.name}, {case.name}" for work in works for case in work.cases(quick)]
        if not fnmatch.filter(titles, pattern):
            raise ValueError(f"no case matches --cases {pattern!r}; there are, for instance, {', '.join(titles[:3])}")
    if recorded is not None and not plan.pairs() & check.ratios(recorded):
        asked = ", ".join(work.name for work in works)
        raise ValueError(f"--check has nothing to compare: {options.check} and {asked} share no ratio of minigrad")
    directory = None if recorded is not None else output.check_directory(options.out or OUT)
    earlier = None if options.into is None else record.read(options.into)
    if earlier is not None:
        record.alike("--into", earlier, here)
        record.completable(earlier, plan, here)
    return Order(plan, directory, recorded, earlier, slack, options.quiet)


def _fitting(options: argparse.Namespace) -> None:
    """Refuse options that the others would make idle."""
    if options.check is None and options.slack is not None:
        raise ValueError("--slack is how much --check allows, and --check was not given")
    for name in ("into", "out"):
        if options.check is not None and getattr(options, name) is not None:
            raise ValueError(f"--check writes nothing, so --{name} cannot be given with it")


def execute(order: Order) -> int:
    """Measure, print, and write or compare.

    Return 1 if a contender was wrong, minigrad failed, or a ratio has grown too much.
    """
    started = time.perf_counter()
    count = sum(len(order.plan.cases(work)) for work in order.plan.works)
    with telling(count, quiet=order.quiet) as tell:
        found = bench(order.plan, tell)
    taken = time.perf_counter() - started
    if order.recorded is not None:
        comparisons = check.compare(order.recorded, found, order.slack)
        if not all(comparison.ok for comparison in comparisons):
            comparisons = _again(order, order.recorded, comparisons)
        report.print_comparison(comparisons)
        return int(not all(comparison.ok for comparison in comparisons))
    report.print_report(found)
    if order.earlier is not None:
        found = record.completed(order.earlier, found)
    found = json.loads(as_json(found))  # page and figure are of what is written, to its last digit
    assert order.directory is not None
    stem = machine.stem(found)
    written = output.write_all(
        order.directory,
        {f"{stem}.json": as_json(found), f"{stem}.md": page.render(found), **figure.render(found)},
    )
    print(f"{count} cases in {taken:.0f} s. Written: {', '.join(map(str, written))}")
    bad = [f"{e['name']} {e['status']}" for w in found["works"] for c in w["cases"] for e in c["contenders"] if _bad(e)]
    if bad:
        print(f"minigrad: {', '.join(dict.fromkeys(bad))}; see above", file=sys.stderr)
    return int(bool(bad))


def _again(order: Order, recorded: dict[str, Any], comparisons: list[check.Comparison]) -> list[check.Comparison]:
    """Measure the works in which a ratio has grown once more, four times as long, before anything is called slower."""
    grown = {comparison.case.partition(",")[0] for comparison in comparisons if not comparison.ok}
    works = [work for work in order.plan.works if work.name in grown]
    plan = replace(order.plan, works=works, pace=replace(order.plan.pace, turn=4 * order.plan.pace.turn))
    with telling(sum(len(plan.cases(work)) for work in works), quiet=order.quiet) as tell:
        found = bench(plan, tell)
    return check.best(comparisons, check.compare(recorded, found, order.slack))


def _bad(entry: Mapping[str, Any]) -> bool:
    own = entry["name"].startswith("minigrad")
    return entry["status"] == "wrong" or (own and entry["status"] in ("failed", "died"))


def run(options: argparse.Namespace) -> int:
    """Do what `options` ask for; return the exit code."""
    return execute(checked(options))


def _known(names: Sequence[str]) -> None:
    for name in names:
        if name not in LABELS:
            near = difflib.get_close_matches(name, LABELS, n=1, cutoff=0.4)
            known = f"did you mean {near[0]}?" if near else f"known: {', '.join(LABELS)}"
            raise ValueError(f"unknown contender {name!r}; {known}")


def _threads(asked: int | None, recorded: dict[str, Any] | None) -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if asked is not None:
        threads = integer("threads", asked)
        if threads > cores:
            raise ValueError(f"there are {cores} cores, {threads} threads would wait for each other")
        return threads
    return min(cores, recorded["machine"]["threads"]) if recorded is not None else cores
