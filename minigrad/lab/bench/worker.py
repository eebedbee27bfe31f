"""The process of one contender: ``python -m minigrad.lab.bench.worker MODULE NAME THREADS``.

It reads a request per line, as JSON, and answers each in a line: ``prepare`` a task, ``run`` it so many times, ``drop``
it, ``quit``. Between requests it sleeps. What the libraries print goes to standard error.
"""

import gc
import importlib
import json
import os
import sys
from dataclasses import asdict
from typing import Any

from minigrad.lab.bench.clock import timed
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["main"]


def main(module: str, name: str, threads: int) -> None:
    """Answer requests until told to quit, or until nobody asks any more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints must not garble the answers
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    contender = _Contender(module, name)
    for line in sys.stdin:
        request = json.loads(line)
        if request["ask"] == "quit":
            break
        answers.write(json.dumps(contender.answer(request)) + "\n")
        answers.flush()
    contender.drop()


class _Contender:
    def __init__(self, module: str, name: str):
        self.module = module
        self.name = name
        self.job: Job | None = None

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            if request["ask"] == "run":
                return self._run(request["repeats"], request["warm"])
            self.drop()
            return {} if request["ask"] == "drop" else self._prepare(request["task"])
        except SkippedError as skipped:
            return {"skipped": str(skipped)}
        except Exception as error:
            return {"failed": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"}

    def drop(self) -> None:
        close = None if self.job is None else self.job.close
        self.job = None
        gc.collect()
        if close is not None:
            close()

    def _prepare(self, task: dict[str, Any]) -> dict[str, Any]:
        self.job = importlib.import_module(self.module).make(self.name, task)
        return {"values": self.job.values, "facts": dict(self.job.facts)}

    def _run(self, repeats: int, warm: int) -> dict[str, Any]:
        """Return what the repeats took; `warm` repeats before are not timed."""
        if self.job is None:
            raise RuntimeError("nothing is prepared")
        gc.collect()
        return {name: value for name, value in asdict(timed(self.job, repeats, warm)).items() if value is not None}


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
