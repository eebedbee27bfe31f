"""A contender's process as the bench sees it: asked one thing at a time, and allowed to die."""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import Any, Self

__all__ = ["DiedError", "Process", "clean", "environment"]

# Every library is to compute float32 in float32, and to leave the others some of the device's memory.
ON_A_DEVICE = {
    "NVIDIA_TF32_OVERRIDE": "0", "CUPY_TF32": "0", "JAX_DEFAULT_MATMUL_PRECISION": "highest", "JAX_PLATFORMS": "cuda",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
}  # fmt: skip
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "NPROC")  # NPROC: XLA's


class DiedError(Exception):
    """A contender's process ended, or did not answer in time."""


def environment(threads: int, backend: str = "numpy") -> dict[str, str]:
    """Return the variables that hold every library to `threads` threads, and to the device of the back end.

    They must be set before the library is imported.
    """
    flags = f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"
    more = {"JAX_PLATFORMS": "cpu"} if backend == "numpy" else ON_A_DEVICE
    return {**dict.fromkeys(THREADS, str(threads)), "XLA_FLAGS": flags, **more}


def clean(message: str) -> str:
    """Return one line of a message without the directories of this machine."""
    lines = [line for line in message.strip().splitlines() if line.strip()]
    return re.sub(r"(?:/[\w.+@~-]+)+/", "", lines[-1].strip())[:200] if lines else ""


class Process:
    """The process of the contender `name`, made by ``module.make``. To be used in a ``with``."""

    def __init__(self, name: str, module: str, threads: int, backend: str = "numpy"):
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 -- closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "minigrad.lab.bench.worker", module, name, str(threads)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
            env={**os.environ, **environment(threads, backend)}, encoding="utf-8",
        )  # fmt: skip
        self._answers: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Return the answer to `request`; DiedError if there is none within `timeout` seconds."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            line = self._answers.get(timeout=timeout)
        except OSError:
            line = ""
        except queue.Empty:
            self._process.kill()
            self.close()
            raise DiedError(f"no answer within {timeout:g} s") from None
        if not line:
            raise DiedError(self._end())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process, by force if it does not go."""
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()  # it leaves when nobody can ask any more
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if not self._errors.closed:
            self._errors.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._answers.put(line)
        self._answers.put("")

    def _end(self) -> str:
        """Return how the process ended, with the last line it wrote."""
        code = self._process.wait()
        how = f"ended with status {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        self._errors.seek(0)
        said = clean(self._errors.read().decode("utf-8", "replace"))
        self.close()
        return f"{how}: {said}" if said else how
