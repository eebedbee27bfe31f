"""Claims decided in worker processes, one claim a task."""

import difflib
import importlib
import math
import signal
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from minigrad.extras import need
from minigrad.lab import workers
from minigrad.proof.claims import Claim, Evidence, UndecidedError

__all__ = ["SECTIONS", "Outcome", "Section", "Task", "chosen", "decide", "run", "tasks"]


@dataclass(frozen=True)
class Section:
    """A means of proof.

    Attributes:
        name: what it is called on the command line.
        title: its heading in a report.
        module: where its ``claims()`` are.
        needs: what that imports beyond NumPy, all of the extra "proof".
        many: whether it has so many claims that a report sums them up and lists only those not as expected;
            ``prove.json`` has every one.
    """

    name: str
    title: str
    module: str
    needs: tuple[str, ...] = ()
    many: bool = False


SECTIONS = {
    section.name: section
    for section in (
        Section("symbolic", "Symbols (SymPy)", "minigrad.proof.symbolic", ("sympy",)),
        Section("smt", "All T, any loss, any schedule (z3)", "minigrad.proof.smt", ("z3",)),
        Section("exact", "Exact rationals through the whole engine", "minigrad.proof.exact", ("flint", "sympy")),
        Section("balls", "Certified trajectories (arb balls)", "minigrad.proof.balls", ("flint",)),
        Section("floating", "In floating point", "minigrad.proof.floating"),
        Section("atlas", "The atlas", "minigrad.proof.atlas", ("sympy", "hypothesis"), many=True),
        Section("literature", "Of the literature", "minigrad.proof.literature", ("sympy",)),
        Section("vectors", "Test vectors", "minigrad.testing.vectors", ("flint",), many=True),
    )
}


# Seconds for one claim. What is claimed takes a few; a rule that is wrong may square a number without end.
LIMIT, THOROUGH_LIMIT = 60, 600


@dataclass(frozen=True)
class Task:
    """A claim by the names under which any process finds it, and what it says."""

    section: Section
    claim: str
    thorough: bool
    statement: str
    expected: bool


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
            "data": _finite(e.data) if e else {},
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
    todo = []
    for section in sections:
        for module in ("rich", *section.needs):
            need(module, "proof")
        for claim in _claims(section, thorough).values():
            todo.append(Task(section, claim.name, thorough, claim.statement, claim.expected))
    return todo


def run(todo: Sequence[Task], count: int | None = None, *, quiet: bool = True) -> list[Outcome]:
    """Decide every task in `count` worker processes (by default one per processor); tell of it unless `quiet`.

    A claim whose process dies is undecided; the others are decided all the same.
    """
    decided = workers.completed(decide, todo, count, lost=_lost)
    return workers.watched(decided, len(todo), _name, wrong=_wrong, quiet=quiet)


def decide(task: Task) -> Outcome:
    """Decide one claim in this process; whatever it raises, and that it takes too long, is an outcome."""
    try:
        claim = _claims(task.section, task.thorough)[task.claim]
        with _limited(THOROUGH_LIMIT if task.thorough else LIMIT), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # overflow and the like, of rules that are wrong: the evidence shows it
            return replace(_failed(task, ""), evidence=claim.prove(), error=None)
    except Exception as error:
        return _failed(task, f"{type(error).__name__}: {' '.join(str(error).split())}")


@contextmanager
def _limited(seconds: int) -> Iterator[None]:
    """Raise UndecidedError within this block after so many seconds, where the system has alarms."""

    def late(*_: Any) -> None:
        raise UndecidedError(f"no answer within {seconds} seconds")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _finite(data: Any) -> Any:
    """Return data that JSON can hold: what is infinite or no number becomes a word."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return str(data) if isinstance(data, float) and not math.isfinite(data) else data


def _lost(task: Task) -> Outcome:
    return _failed(task, "the process that ran it died")


def _failed(task: Task, error: str) -> Outcome:
    return Outcome(task.section.name, task.claim, task.statement, task.expected, None, error)


def _name(outcome: Outcome) -> str:
    return f"{outcome.section}.{outcome.name}"


def _wrong(outcome: Outcome) -> str:
    return "" if outcome.ok else f"not as expected: {_name(outcome)} {outcome.found}"


def _claims(section: Section, thorough: bool) -> dict[str, Claim]:
    claims = importlib.import_module(section.module).claims(thorough)
    named = {claim.name: claim for claim in claims}
    if len(named) != len(claims):
        raise RuntimeError(f"two claims of {section.name} have one name")
    return named
