"""The bench itself: works, case by case, into one dictionary that goes into JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatch
from typing import Any

from minigrad.lab.bench import machine
from minigrad.lab.bench.case import Case
from minigrad.lab.bench.contenders import MODULES
from minigrad.lab.bench.progress import Tell
from minigrad.lab.bench.statistics import of_case
from minigrad.lab.bench.turns import Pace, Turns
from minigrad.lab.bench.work import Work

__all__ = ["FORMAT", "Plan", "as_json", "bench"]

FORMAT = 1

# Seldom the fastest, or long to prepare: not in a quick run, unless asked for.
SLOW = (
    "torch-foreach", "torch-channels-last", "torch-no-cudnn", "torch-compile", "gemm-torch", "autograd", "mygrad",
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is measured, by whom, and how long.

    Attributes:
        works: the kinds of work.
        quick: whether only the quick cases.
        contenders: who takes part, by name; all if empty. The reference of a work always does.
        threads: of every contender.
        pace: how long is measured.
        patterns: which cases: of a work that has some whose "work, case" matches one, as file names match ``*.py``,
            only those.
        backend: "numpy", or "cupy" where the works are those of a device.
    """

    works: Sequence[Work]
    quick: bool = False
    contenders: Sequence[str] = ()
    threads: int = 1
    pace: Pace = field(default_factory=Pace)
    patterns: Sequence[str] = ()
    backend: str = "numpy"

    def cases(self, work: Work) -> list[Case]:
        """Return what is measured of `work`."""
        every = work.cases(self.quick)
        return [c for c in every if any(fnmatch(f"{work.name}, {c.name}", p) for p in self.patterns)] or every

    def names(self, work: Work) -> list[str]:
        """Return who takes part in `work`, in the order of its tables."""
        taken = [n for n in work.contenders if not self.contenders or n in self.contenders or n == work.reference]
        return [n for n in taken if not (self.quick and n in SLOW and n not in self.contenders)]

    def pairs(self) -> set[tuple[str, str]]:
        """Return every case, as "work, case", with each of those who take part in it."""
        return {
            (f"{work.name}, {case.name}", name)
            for work in self.works
            for case in self.cases(work)
            for name in self.names(work)
            if not case.only or name in case.only
        }


def bench(plan: Plan, tell: Tell, modules: Mapping[str, str] = MODULES) -> dict[str, Any]:
    """Measure everything in `plan`; return what goes into JSON. A contender that fails is reported, never raised."""
    from minigrad import __version__

    described = machine.describe(plan.threads, plan.backend)
    works, done = [], 0
    for work in plan.works:
        cases = []
        with Turns(work, modules, plan.names(work), plan.threads, plan.pace).open() as turns:
            for case in plan.cases(work):
                title = f"{work.name}, {case.name}"
                outcomes = turns.case(case, lambda what, title=title, done=done: tell(done, title, what))  # type: ignore[misc]
                done += 1
                tell(done, title, "done")
                entry = {"name": case.name, "facts": dict(case.facts), "contenders": of_case(work, outcomes)}
                cases.append({**entry, "tolerance": list(case.tolerance)} if case.tolerance else entry)
        works.append({**work.as_dict(), "cases": cases})
    return {
        "format": FORMAT,
        "minigrad": __version__,
        "quick": plan.quick,
        "pace": {name: value for name, value in asdict(plan.pace).items() if name != "timeout"},
        "machine": described,
        "works": works,
    }


def as_json(found: Mapping[str, Any]) -> bytes:
    """Return the results as JSON, numbers to six digits: no clock is better."""
    return (json.dumps(_rounded(found), ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, Mapping):
        return {key: _rounded(v) for key, v in value.items()}
    return [_rounded(v) for v in value] if isinstance(value, list | tuple) else value
