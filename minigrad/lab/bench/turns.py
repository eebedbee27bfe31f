"""Contenders prepared, checked, and timed by turns: one works while the others sleep."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from minigrad.backend import free_memory
from minigrad.lab.bench.case import Case
from minigrad.lab.bench.process import DiedError, Process, clean
from minigrad.lab.bench.work import Work

__all__ = ["Outcome", "Pace", "Turns", "available_memory"]

TINY = 1e-300  # divides what should be nothing


@dataclass(frozen=True)
class Pace:
    """How long is measured.

    Attributes:
        rounds: how often every contender has its turn.
        turn: seconds that a turn is to last; it has one repeat at least.
        pause: seconds between turns, in which the threads of the last contender go to sleep.
        timeout: seconds after which a silent contender is given up.
        most: repeats that a turn has at most.
    """

    rounds: int = 7
    turn: float = 0.25
    pause: float = 0.03
    timeout: float = 900.0
    most: int = 2000


@dataclass
class Outcome:
    """What came of one contender in one case.

    Attributes:
        contender: its name.
        status: "timed", "wrong" (its values are not the judge's; it is not timed), "skipped", "failed", or "died".
        reason: why it was not timed.
        off: the largest difference from the judge's values, as a fraction of the tolerance; None without a judge.
        turns: for every round, the seconds of each repeat; on a device, of each stretch of repeats, the mean.
        each: how many repeats make a stretch.
        beside: on a device, for every round, the seconds of a repeat by the host's clock ("wall"), and those in which
            the host queues one ("host").
        facts: what the contender says of itself.
    """

    contender: str
    status: str = "timed"
    reason: str = ""
    off: float | None = None
    turns: list[list[float]] = field(default_factory=list)
    each: int = 1
    beside: dict[str, list[float]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)

    def stop(self, status: str, reason: str) -> None:
        """Note that the contender is out, and why. What was measured is not kept."""
        self.status, self.reason, self.turns, self.beside = status, clean(reason), [], {}


class Turns:
    """The processes of the contenders of one work.

    Args:
        work: what is measured.
        modules: for every contender's name, and the judge's, the module whose ``make(name, task)`` gives a `Job`.
        names: those that take part.
        threads: of every process.
        pace: how long is measured.
    """

    def __init__(self, work: Work, modules: Mapping[str, str], names: Sequence[str], threads: int, pace: Pace):
        self.work = work
        self.modules = modules
        self.names = names
        self.threads = threads
        self.pace = replace(pace, turn=work.share * pace.turn)
        self._running: dict[str, Process] = {}

    @contextmanager
    def open(self) -> Iterator["Turns"]:
        """Keep processes from case to case, and end them all on leaving."""
        try:
            yield self
        finally:
            self._end()

    def case(self, case: Case, watch: Callable[[str], None]) -> list[Outcome]:
        """Return what came of every contender that can do `case`; `watch` hears who is at work."""
        outcomes = [Outcome(name) for name in self.names if not case.only or name in case.only]
        for outcome in outcomes:
            if outcome.contender in case.without:
                outcome.stop("skipped", case.without[outcome.contender])
        if case.memory * len(outcomes) > (available_memory() if self.work.backend == "numpy" else free_memory()):
            for outcome in outcomes:
                outcome.stop("skipped", f"{len(outcomes)} contenders need {case.memory / 2**30:.1f} GiB of memory each")
            return outcomes
        expected = self._judge(case, outcomes, watch)
        repeats = {}
        for outcome in outcomes:
            if outcome.status == "timed":
                watch(f"{outcome.contender} prepares")
                self._prepare(case, outcome, expected)
                repeats[outcome.contender] = self._calibrate(outcome)
        for n in range(self.pace.rounds):
            watch(f"round {n + 1} of {self.pace.rounds}")
            k = n % max(1, len(outcomes))
            for outcome in outcomes[k:] + outcomes[:k]:  # another one begins every round
                if outcome.status == "timed":
                    self._turn(outcome, *repeats[outcome.contender])
        for outcome in outcomes:
            if outcome.contender in self._running:
                self._ask(outcome, {"ask": "drop"})
        if self.work.fresh:
            self._end()
        return outcomes

    def _judge(self, case: Case, outcomes: list[Outcome], watch: Callable[[str], None]) -> list[float] | None:
        """Return the values that all must agree with; without them, nobody is timed."""
        if self.work.judge is None or not case.tolerance:
            return None
        watch("the judge prepares")
        judge = Outcome(self.work.judge)
        if judge.contender not in self._running:
            self._start(judge.contender)
        answer = self._ask(judge, {"ask": "prepare", "task": dict(case.task)})
        if answer is not None:
            self._ask(judge, {"ask": "drop"})
        if answer is None:
            for outcome in outcomes:
                outcome.stop("failed", f"there is nothing to check against: {judge.reason}")
            return None
        values: list[float] = answer["values"]
        return values

    def _prepare(self, case: Case, outcome: Outcome, expected: list[float] | None) -> None:
        if outcome.contender not in self._running:
            self._start(outcome.contender)
        answer = self._ask(outcome, {"ask": "prepare", "task": dict(case.task)})
        if answer is None:
            return
        outcome.facts = answer["facts"]
        if expected is None or outcome.contender in self.work.limits:
            return
        outcome.off = _off(answer["values"], expected, case)
        if not outcome.off <= 1:
            found = ", ".join(f"{v:.6g}" for v in answer["values"][:5])
            right = ", ".join(f"{v:.6g}" for v in expected[:5])
            outcome.stop("wrong", f"{found} instead of {right}: {outcome.off:.3g} times the tolerance")

    def _calibrate(self, outcome: Outcome) -> tuple[int, int]:
        """Return how many repeats make a turn, and how many are to be made before it, untimed."""
        if outcome.status != "timed":
            return 0, 0
        count, best = 1, float("inf")
        for attempt in range(8):  # the first repeats make room and wake threads, and say little
            answer = self._ask(outcome, {"ask": "run", "repeats": count, "warm": 0})
            if answer is None:
                return 0, 0
            seconds = answer["each"] * sum(answer["seconds"])
            best = min(best, *answer["seconds"], float("inf"))
            if seconds > 4 * self.pace.turn or (attempt > 1 and seconds > self.pace.turn / 4):
                break
            count = min(self.pace.most, count * (1 if attempt < 2 else 4))
        repeats = max(1, min(self.pace.most, round(self.pace.turn / max(best, 1e-9))))
        return repeats, min(3, repeats - 1)

    def _turn(self, outcome: Outcome, repeats: int, warm: int) -> None:
        time.sleep(self.pace.pause)
        answer = self._ask(outcome, {"ask": "run", "repeats": repeats, "warm": warm})
        if answer is not None:
            outcome.turns.append(answer["seconds"])
            outcome.each = answer["each"]
            for word in ("wall", "host"):
                if word in answer:
                    outcome.beside.setdefault(word, []).append(answer[word])

    def _start(self, name: str) -> None:
        self._running[name] = Process(name, self.modules[name], self.threads, self.work.backend)

    def _ask(self, outcome: Outcome, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the answer, or None where the contender is out; `outcome` then says why."""
        try:
            answer = self._running[outcome.contender].ask(request, self.pace.timeout)
        except DiedError as died:
            del self._running[outcome.contender]
            outcome.stop("died", str(died))
            return None
        for status in ("skipped", "failed"):
            if status in answer:
                outcome.stop(status, answer[status])
                return None
        return answer

    def _end(self) -> None:
        for process in self._running.values():
            process.close()
        self._running.clear()


def available_memory() -> float:
    """Return how many bytes may be used: nine tenths of what is free, where that can be known."""
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable"):
                    return 0.9 * 1024 * int(line.split()[1])
    except OSError:
        pass
    return float("inf")


def _off(values: Sequence[float], expected: Sequence[float], case: Case) -> float:
    """Return the largest difference as a fraction of what is tolerated; ∞ for NaN, or for another number of values."""
    if len(values) != len(expected):
        return float("inf")
    found = [
        0.0 if v == e else abs(v - e) / max(t * max(case.floor, abs(e)), TINY)
        for v, e, t in zip(values, expected, case.tolerance, strict=False)
    ]
    return float("inf") if any(f != f for f in found) else max(found)
