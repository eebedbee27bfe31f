"""What the machine can do, measured beside the contenders: matrix products, and arrays read and written."""

import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.lab.bench import step
from minigrad.lab.bench.contenders import bandwidth, common, of_torch
from minigrad.lab.bench.contenders.common import library
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["make"]

BLOCK = 2**15


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare the products of a step, or the access pattern of an update."""
    if name == "copy":
        return bandwidth.copy(task)
    if name == "roofline":
        return bandwidth.roofline(task) if common.on_device(task) else _roofline(task)
    return _products(name, task)


def _products(name: str, task: Mapping[str, Any]) -> Job:
    """Multiply matrices of the sizes of a step, lying in memory as they do there, in float32 and with ``out=``."""
    shapes = [tuple(s) for s in task["products"]] if task["kind"] == "gemm" else step.gemms(task)
    rng = np.random.default_rng(0)
    work: list[tuple[Any, Any, Any]] = []
    for m, k, n, transposed in shapes:
        a = rng.random((k, m), np.float32).T if transposed == "a" else rng.random((m, k), np.float32)
        b = rng.random((n, k), np.float32).T if transposed == "b" else rng.random((k, n), np.float32)
        work.append((a, b, np.empty((m, n), np.float32)))
    there: list[tuple[Any, ...]]
    if name == "gemm-torch":
        torch, facts, more = of_torch.place(name, task)
        there = [tuple(torch.from_numpy(a).to(of_torch.device(task)) for a in arrays) for arrays in work]
        return Job(lambda: _each(torch.mm, there), facts=facts, **more)
    xp = common.place(task)
    there = [tuple(xp.asarray(a) for a in arrays) for arrays in work]
    facts = {xp.__name__: xp.__version__}
    return Job(lambda: _each(xp.matmul, there), [], facts, common.release(task), common.clock(task))


def _each(multiply: Callable[..., Any], work: Sequence[Any]) -> None:
    for a, b, c in work:
        multiply(a, b, out=c)


def _roofline(task: Mapping[str, Any]) -> Job:
    """Read w, g and the state, write w and the state, and compute next to nothing: the fastest there is.

    numba in parallel or serial, whichever is faster at this size; without numba, NumPy in blocks.
    """
    n, states = task["tensors"] * task["size"], task["states"]
    arrays = [np.full(n, 0.5, np.float32) for _ in range(2 + states)]
    try:
        library("numba")
        kernels = {"numba, parallel": _numba(states, True), "numba, serial": _numba(states, False)}
    except SkippedError:
        kernels = {"NumPy, in blocks": _blocked}
    by = min(kernels, key=lambda name: _best(kernels[name], arrays))
    kernel = kernels[by]
    return Job(lambda: kernel(*arrays), facts={"kernel": by, "bytes": 4 * n * (3 + 2 * states)})


@functools.cache
def _numba(states: int, parallel: bool) -> Callable[..., None]:
    """Compile w[i] ← c w[i] + g[i] and s[i] ← c s[i] + g[i] for every state s; c < 1 keeps all finite and normal."""
    numba = library("numba")
    names = [f"s{i}" for i in range(states)]
    lines = [f"def kernel({', '.join(['w', 'g', *names])}):", "    for i in prange(w.size):", "        x = g[i]"]
    lines += [f"        {s}[i] = c * {s}[i] + x" for s in ["w", *names]]
    space: dict[str, Any] = {"prange": numba.prange, "c": np.float32(0.5)}
    exec("\n".join(lines), space)
    kernel: Callable[..., None] = numba.njit(parallel=parallel)(space["kernel"])
    return kernel


def _best(kernel: Callable[..., None], arrays: Sequence[Any]) -> float:
    """Return the least seconds of five calls, after two that compile and wake threads."""
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        kernel(*arrays)
        seconds.append(time.perf_counter() - start)
    return min(seconds[2:])


def _blocked(w: Any, g: Any, *states: Any) -> None:
    half = 0.5
    for k in range(math.ceil(w.size / BLOCK)):
        part = slice(k * BLOCK, (k + 1) * BLOCK)
        x = g[part]
        for s in (w, *states):
            a = s[part]
            a *= half
            a += x
