"""Weights in files: safetensors, a whole file or none, nothing pickled."""

import contextlib
import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.extras import need
from minigrad.nn import Module

__all__ = ["load", "read", "save", "write"]

Path = str | os.PathLike[str]

_FLOATS = ("float16", "float32", "float64")
_DTYPES = frozenset(("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)), *_FLOATS))
_READABLE = frozenset(("BOOL", *(f"{kind}{bits}" for kind in "IU" for bits in (8, 16, 32, 64)), "F16", "F32", "F64"))
_KEY = "minigrad"


def save(path: Path, weights: Module | Mapping[str, Any]) -> None:
    """Write the parameters and buffers of a module, or a dict of arrays and tensors, to a safetensors file.

    The file is complete or not there: it is written under another name beside `path` and then renamed, so a failure
    leaves an older file at `path` as it was.

    Raises TypeError for anything else, among it the state of an optimizer (`save_checkpoint` takes that), for a dtype
    the format lacks (objects, complex numbers) or a name that is no string, ImportError without safetensors, and
    OSError where the file cannot be written.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"save(path, weights): path must be a path, got {type(path).__name__}")
    if not isinstance(weights, Module | Mapping):
        raise TypeError(
            f"save(path, weights): weights must be a module or a dict of arrays, got {type(weights).__name__}; "
            "training.save_checkpoint saves a model with its optimizer"
        )
    arrays = weights.state_dict() if isinstance(weights, Module) else weights
    write(path, arrays, {"kind": "weights"})


def load(path: Path, module: Module | None = None) -> Any:
    """Return a file's arrays by name, on the host; or write them into `module`, and return that.

    Names, shapes and dtypes are checked before anything is written: see `Module.load_state_dict`. Files of other
    programs are read too, as far as NumPy has their dtypes: bfloat16, for one, it lacks.

    Raises ValueError for a checkpoint of a whole run, which `load_checkpoint` reads, and for a file that is no complete
    safetensors file, TypeError for a dtype that cannot be read, and OSError where there is no file.
    """
    arrays, about = read(path)
    if about.get("kind") == "checkpoint":
        raise ValueError(f"{os.fspath(path)} is a checkpoint of a run; read it with training.load_checkpoint")
    return arrays if module is None else module.load_state_dict(arrays)


def write(path: Path, arrays: Mapping[str, Any], about: dict[str, Any]) -> None:
    """Write arrays and what JSON can hold `about` them to a safetensors file, whole or not at all."""
    safetensors = need("safetensors.numpy", "lab")
    _check_file(path)
    content = safetensors.save({name: _storable(name, a) for name, a in arrays.items()}, {_KEY: json.dumps(about)})
    target = os.path.realpath(path)
    temporary = f"{target}.{os.getpid()}.tmp"
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(temporary)
        raise


def read(path: Path) -> tuple[dict[str, np.ndarray[Any, Any]], dict[str, Any]]:
    """Return the arrays of a safetensors file, and what minigrad wrote about them ({} if another program did)."""
    safetensors = need("safetensors", "lab")
    _check_file(path)
    try:
        with safetensors.safe_open(os.fspath(path), framework="numpy") as file:
            about = _about(path, (file.metadata() or {}).get(_KEY, "{}"))
            names = list(file.keys())
            for name in names:
                if (dtype := file.get_slice(name).get_dtype()) not in _READABLE:
                    raise TypeError(
                        f"{os.fspath(path)}: {name} has dtype {dtype}, which cannot be read here; convert it to F32 "
                        "where the file was made"
                    )
            return {name: file.get_tensor(name) for name in names}, about
    except safetensors.SafetensorError as error:
        raise ValueError(f"{os.fspath(path)} is no complete safetensors file: {error}") from error


def _about(path: Path, text: str) -> dict[str, Any]:
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{os.fspath(path)}: the metadata under {_KEY!r} are no JSON: {error}") from error
    if not isinstance(about, dict):
        raise ValueError(f"{os.fspath(path)}: the metadata under {_KEY!r} must be a dict, got {about!r}")
    return about


def _check_file(path: Path) -> None:
    if os.path.isdir(path):
        raise IsADirectoryError(f"{os.fspath(path)} is a directory; name a file in it")


def _storable(name: Any, value: Any) -> np.ndarray[Any, Any]:
    if not isinstance(name, str):
        raise TypeError(f"names must be strings, got {name!r}")
    if not hasattr(value, "dtype"):
        raise TypeError(
            f"{name} must be an array or a tensor, got {type(value).__name__}; the state of an optimizer goes into "
            "training.save_checkpoint, with its model"
        )
    array = backend.to_host(value)
    if array.dtype.name not in _DTYPES:
        raise TypeError(f"{name} has dtype {array.dtype}, which safetensors cannot hold")
    return np.array(array, dtype=array.dtype.newbyteorder("<"), order="C")
