"""What a device's memory can do: the arrays of an update read and written, and a plain copy of as many bytes."""

from collections.abc import Callable, Mapping
from typing import Any

from minigrad import backend
from minigrad.lab.bench.contenders import common
from minigrad.lab.bench.job import Job

__all__ = ["copy", "roofline", "source"]

WIDE = 16  # bytes, the most that a thread reads at once
NAME = "access"


def copy(task: Mapping[str, Any]) -> Job:
    """Copy, on the device, half as many bytes as an update moves: read once and written once they are as many."""
    xp = common.place(task)
    count = _bytes(task) // 2
    here, there = xp.ones(count, "uint8"), xp.ones(count, "uint8")
    return _job(task, lambda: xp.copyto(there, here), {"bytes": 2 * count})


def roofline(task: Mapping[str, Any]) -> Job:
    """Read w, g and the state, write w and the state, and compute next to nothing: the fastest there is.

    An entry or 16 bytes at a time, whichever is faster at this size.
    """
    xp, n = common.place(task), task["tensors"] * task["size"]
    dtype = task.get("dtype", "float32")
    arrays = [xp.full(n, 0.5, dtype) for _ in range(2 + task["states"])]
    ways = [1] + [k for k in (WIDE // arrays[0].itemsize,) if n % k == 0]
    kernels = {k: _kernel(source(task["states"], dtype, k), n // k, arrays) for k in ways}
    best = min(ways, key=lambda k: _seconds(kernels[k]))
    return _job(task, kernels[best], {"kernel": f"CUDA, {best} entries a thread", "bytes": _bytes(task)})


def source(states: int, dtype: str, wide: int) -> str:
    """Return CUDA C of w ← w/2 + g and s ← s/2 + g for every state s, `wide` entries a thread."""
    real = {"float32": "float", "float64": "double"}[dtype]
    fields = [f"x{j}" for j in range(wide)]
    names = ["w", *(f"s{i}" for i in range(states))]
    arguments = ["place *__restrict__ w", "const place *__restrict__ g"]
    arguments += [f"place *__restrict__ {name}" for name in names[1:]]
    half = f"({real})0.5"
    lines = [
        f"typedef struct __attribute__((aligned({wide} * sizeof({real})))) {{ {real} {', '.join(fields)}; }} place;",
        f'extern "C" __global__ void {NAME}(const long long n, {", ".join(arguments)}) {{',
        "    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
        "    if (i >= n) return;",
        "    const place d = g[i];",
    ]
    for name in names:
        lines.append(f"    place of_{name} = {name}[i];")
        lines += [f"    of_{name}.{x} = {half} * of_{name}.{x} + d.{x};" for x in fields]
        lines.append(f"    {name}[i] = of_{name};")
    return "\n".join([*lines, "}"]) + "\n"


def _kernel(text: str, count: int, arrays: list[Any]) -> Callable[[], None]:
    return lambda: backend.launch(text, NAME, count, arrays)


def _job(task: Mapping[str, Any], repeat: Callable[[], Any], facts: Mapping[str, Any]) -> Job:
    repeat()
    return Job(repeat, facts=facts, close=common.release(task), clock=common.clock(task))


def _seconds(kernel: Callable[[], None]) -> float:
    """Return the least seconds of five calls, after two that compile and wake the device."""
    watch, seconds = backend.Stopwatch(), []
    for _ in range(7):
        first = watch.mark()
        kernel()
        last = watch.mark()
        watch.wait()
        seconds.append(watch.between(first, last))
    return min(seconds[2:])


def _bytes(task: Mapping[str, Any]) -> int:
    """Return how many bytes an update reads and writes: w, g and the state, and w and the state."""
    itemsize = {"float32": 4, "float64": 8}[task.get("dtype", "float32")]
    return int(task["tensors"] * task["size"] * itemsize * (3 + 2 * task["states"]))
