"""Writes down what CuPy offers, for the stand-in: ``python -m tests.device.record_names`` where CuPy is installed.

Needs no GPU: ``import cupy`` works without one. Run it again for a new CuPy, and read the difference: a name that is
gone is a function minigrad must not use any more.
"""

import functools
import importlib
import inspect
import json
from pathlib import Path

FILE = Path(__file__).with_name("cupy_names.json")
MODULES = (
    "cupy", "cupy.lib.stride_tricks", "cupy.cuda", "cupy.cuda.runtime", "cupy.cuda.nvrtc", "cupy.cuda.function",
)  # fmt: skip
CLASSES = (
    "cupy.ndarray", "cupy.ufunc", "cupy.cuda.Stream", "cupy.cuda.Graph", "cupy.cuda.Event", "cupy.cuda.MemoryPool",
    "cupy.cuda.Device", "cupy.cuda.function.Module", "cupy.cuda.function.Function",
)  # fmt: skip


def described(owner, name):
    """What stands under a name: "ufunc", the parameters of a function where Python can tell them, or None."""
    value = getattr(owner, name)
    if type(value).__name__ == "ufunc":
        return "ufunc"
    if inspect.isclass(value) or not callable(value):
        return None
    try:
        parameters = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [f"{p}" if p.kind in (p.VAR_POSITIONAL, p.VAR_KEYWORD) else p.name for p in parameters]


def found(path):
    """Every name of a module or class, public or an operator, with what stands under it."""
    owner = functools.reduce(getattr, path.split(".")[1:], importlib.import_module("cupy"))
    public = [n for n in dir(owner) if not n.startswith("_") or (path in CLASSES and n.endswith("__"))]
    public = [n for n in public if n not in dir(object)]
    return {n: described(owner, n) for n in public}


def text():
    """The file: what CuPy has, by module and class, a name a line."""
    cupy = importlib.import_module("cupy")
    parts = [f' "version": {json.dumps(cupy.__version__)}']
    for path in (*MODULES, *CLASSES):
        lines = [f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(found(path).items())]
        parts.append(f" {json.dumps(path)}: {{\n" + ",\n".join(lines) + "\n }")
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
