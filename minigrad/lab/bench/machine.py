"""The machine that was measured: what a reader must know, and nothing that tells whose it is."""

import importlib.util
import os
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.lab.bench.process import environment

__all__ = ["describe", "device", "stem"]

PACKAGES = ("numpy", "numba", "torch", "jax", "optax", "autograd", "mygrad")


def describe(threads: int, where: str = "numpy") -> dict[str, Any]:
    """Return processor, caches, memory, system, BLAS, versions, threads, and how busy the machine was at the start.

    With `where` "cupy" also the device: its name, memory, compute capability, and what drives it.
    """
    blas = (np.show_config(mode="dicts") or {}).get("Build Dependencies", {}).get("blas", {})
    found = {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "caches": _caches(),
        "memory_gib": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "blas": f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip(),
        "versions": {name: metadata.version(name) for name in PACKAGES if importlib.util.find_spec(name)},
        "threads": threads,
        "environment": environment(threads, where),
        "load_before": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }
    return found if where == "numpy" else {**found, "device": _device()}


def device(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the device that results were measured on, or None for those of the host."""
    there: dict[str, Any] | None = found.get("machine", {}).get("device")
    return there


def stem(found: Mapping[str, Any]) -> str:
    """Return how the files of results are called: "bench", or "bench-" and the device's name."""
    there = device(found)
    return "bench" if there is None else "bench-" + re.sub(r"[^a-z0-9]+", "-", there["name"].lower()).strip("-")


def _device() -> dict[str, Any]:
    first = backend.devices()[0]
    return {
        "name": first["name"],
        "memory_gib": round(first["memory"] / 2**30, 1),
        "free_gib": round(backend.free_memory() / 2**30, 1),
        "compute_capability": first["capability"],
        "multiprocessors": first["multiprocessors"],
        "l2_mib": None if first["l2"] is None else round(first["l2"] / 2**20, 1),
        "driver": _driver() or f"for CUDA {first['driver']}",
        "cuda": first["cuda"],
        "cupy": first["cupy"],
    }


def _driver() -> str | None:
    """Return the release of NVIDIA's driver, where Linux shows it."""
    try:
        told = Path("/proc/driver/nvidia/version").read_text("utf-8")
    except OSError:
        return None
    found = re.search(r"\b\d{3}\.\d+(\.\d+)?\b", told)
    return found[0] if found else None


def _processor() -> str:
    try:
        found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text("utf-8"), re.MULTILINE)
    except OSError:
        found = None
    return found[1].strip() if found else platform.processor() or "unknown"


def _caches() -> dict[str, str]:
    """Return the caches of the first core: level and kind, size."""
    found = {}
    for place in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        try:
            level, kind, size = ((place / name).read_text("ascii").strip() for name in ("level", "type", "size"))
        except OSError:
            continue
        found[f"L{level}{ {'Data': 'd', 'Instruction': 'i'}.get(kind, '') }".replace(" ", "")] = size
    return found


def _memory() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None
