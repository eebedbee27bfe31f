"""What a bug report needs: versions, BLAS, threads, extras and GPUs."""

import importlib
import importlib.util
import os
import platform
import re
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import backend

__all__ = ["describe"]

DISTRIBUTION = "minigrad-doors"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def describe() -> str:
    """Return the description as lines of ``name  value``."""
    from minigrad import __version__

    rows = [
        ("minigrad", __version__),
        ("python", f"{platform.python_version()} ({platform.python_implementation()})"),
        ("platform", platform.platform()),
        ("numpy", np.__version__),
        ("BLAS", _blas()),
        ("threads", _threads()),
        *((f"extra {name}", text) for name, text in _extras()),
        ("GPUs", "\n".join(backend.describe_devices())),
    ]
    width = max(len(name) for name, _ in rows)
    indented = "\n" + " " * (width + 2)
    return "\n".join(f"{name:<{width}}  " + text.replace("\n", indented) for name, text in rows)


def _blas() -> str:
    configuration: Any = np.show_config(mode="dicts")
    blas = (configuration or {}).get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _threads() -> str:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [f"{available} cores available"]
    if importlib.util.find_spec("threadpoolctl"):
        pools = importlib.import_module("threadpoolctl").threadpool_info()
        parts += [f"{pool['num_threads']} for {pool['internal_api']}" for pool in pools]
    parts += [f"{name}={os.environ[name]}" for name in THREAD_VARIABLES if name in os.environ]
    return ", ".join(parts)


def _extras() -> list[tuple[str, str]]:
    """Return each extra with its packages: their versions, or that they are missing."""
    found: dict[str, list[str]] = {}
    for extra, line in _required():
        name = re.match(r"[\w.-]+", line)
        if name and name[0] != DISTRIBUTION:
            found.setdefault(extra, []).append(_installed(name[0]))
    return [(extra, ", ".join(packages)) for extra, packages in found.items()]


def _required() -> list[tuple[str, str]]:
    """Return (extra, requirement) as the installed distribution states them, or the checkout that is run from."""
    try:
        lines = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        if not project.is_file():
            return []
        extras = tomllib.loads(project.read_text("utf-8"))["project"]["optional-dependencies"]
        return [(extra, line) for extra, lines in extras.items() for line in lines]
    matches = ((re.search(r"extra\s*==\s*['\"](\w+)['\"]", line), line) for line in lines)
    return [(match[1], line) for match, line in matches if match]


def _installed(package: str) -> str:
    try:
        return f"{package} {metadata.version(package)}"
    except metadata.PackageNotFoundError:
        return f"{package} not installed"
