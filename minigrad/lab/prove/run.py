"""Claims decided in worker processes, one claim a task."""

import difflib
import importlib
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from minigrad.extras import need
from minigrad.proof.claims import Claim, Evidence

__all__ = ["SECTIONS", "Outcome", "Section", "Task", "chosen", "decide", "run", "tasks"]


@dataclass(frozen=True)
class Section:
    """A means of proof.

    Attributes:
        name: what it is called on the command line.
        title: its heading in a report.
        module: where its ``claims()`` are.
        elsewhere: where its claims can be read one by one; a report then lists only those not as expected.
    """

    name: str
    title: str
    module: str
    elsewhere: str = ""


SECTIONS = {
    section.name: section
    for section in (
        Section("symbolic", "Symbols (SymPy)", "minigrad.proof.symbolic"),
        Section("smt", "All T, any loss, any schedule (z3)", "minigrad.proof.smt"),
        Section("exact", "Exact rationals through the whole engine", "minigrad.proof.exact"),
        Section("balls", "Certified trajectories (arb balls)", "minigrad.proof.balls"),
        Section("floating", "In floating point", "minigrad.proof.floating"),
        Section("atlas", "The atlas", "minigrad.proof.atlas", "minigrad atlas"),
        Section("literature", "Of the literature", "minigrad.proof.literature"),
        Section("vectors", "Test vectors", "minigrad.testing.vectors", "docs/testing.md"),
    )
}
EXTRA = ("hypothesis", "sympy", "z3", "flint", "rich", "matplotlib")


@dataclass(frozen=True)
class Task:
    """A claim by the names under which any process finds it."""

    section: Section
    claim: str
    thorough: bool


@dataclass(frozen=True)
class Outcome:
    """What came of one claim: the evidence, or the error that kept it from being decided."""

    section: str
    name: str
    statement: str
    expected: bool
    evidence: Evidence | None
    error: str | None = None

    @property
    def ok(self) -> bool:
        """Whether what should hold holds, and what should break breaks."""
        return self.evidence is not None and self.evidence.holds == self.expected

    @property
    def found(self) -> str:
        """``"holds"``, ``"breaks"`` or ``"undecided"``."""
        return "undecided" if self.evidence is None else ("holds" if self.evidence.holds else "breaks")

    def as_dict(self) -> dict[str, Any]:
        """Return everything as it goes into JSON."""
        e = self.evidence
        return {
            "section": self.section,
            "name": self.name,
            "statement": self.statement,
            "expected": "holds" if self.expected else "breaks",
            "found": self.found,
            "shown": e.shown if e else self.error,
            "latex": e.latex if e else "",
            "data": e.data if e else {},
        }


def chosen(names: Sequence[str] = ()) -> list[Section]:
    """Return the sections of these names, in the book's order; all if none is named. ValueError suggests names."""
    for name in names:
        if name not in SECTIONS:
            near = difflib.get_close_matches(name, SECTIONS, n=1, cutoff=0.4)
            known = f"did you mean {near[0]}?" if near else f"known: {', '.join(SECTIONS)}"
            raise ValueError(f"unknown section {name!r}; {known}")
    return [section for section in SECTIONS.values() if not names or section.name in names]


def tasks(sections: Iterable[Section], thorough: bool = False) -> list[Task]:
    """Return every claim of the sections, undecided. ImportError names the extra that a section misses."""
    for module in EXTRA:
        need(module, "proof")
    return [Task(section, name, thorough) for section in sections for name in _claims(section, thorough)]


def run(todo: Sequence[Task], workers: int | None = None) -> Iterator[tuple[int, Outcome]]:
    """Decide every task; yield its index and the outcome as they come.

    Each runs in one of `workers` fresh processes (by default one per processor), so that no proof can disturb another
    by what it registers, by its precision or by its memory. A claim whose process dies is an outcome too.
    """
    workers = workers or min(os.cpu_count() or 1, len(todo) or 1)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        waiting = {pool.submit(decide, task): i for i, task in enumerate(todo)}
        try:
            for done in as_completed(waiting):
                i = waiting[done]
                try:
                    outcome = done.result()
                except BrokenProcessPool:
                    outcome = _failed(todo[i], "the process that ran it, or ran beside it, died")
                yield i, outcome
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def decide(task: Task) -> Outcome:
    """Decide one claim in this process."""
    try:
        claim = _claims(task.section, task.thorough)[task.claim]
    except Exception as error:
        return _failed(task, _said(error))
    try:
        evidence, failure = claim.prove(), None
    except Exception as error:  # whatever it raises, the claim is undecided, and the others are still to be run
        evidence, failure = None, _said(error)
    return Outcome(task.section.name, claim.name, claim.statement, claim.expected, evidence, failure)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _failed(task: Task, error: str) -> Outcome:
    return Outcome(task.section.name, task.claim, task.claim, True, None, error)


def _claims(section: Section, thorough: bool) -> dict[str, Claim]:
    claims = importlib.import_module(section.module).claims(thorough)
    named = {claim.name: claim for claim in claims}
    if len(named) != len(claims):
        raise RuntimeError(f"two claims of {section.name} have one name")
    return named
