"""A whole run in one file: model, optimizer and the place in the data."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.data import Batches
from minigrad.nn import Module
from minigrad.rules import scalar_state
from minigrad.training.weights import Path, read, write

__all__ = ["check_belongs", "load_checkpoint", "save_checkpoint"]

_MARK = "array:"  # a string in the JSON part that stands for an array of the file


def save_checkpoint(path: Path, model: Module, optimizer: Any, batches: Batches) -> None:
    """Write everything a run needs to go on, between any two steps, to one safetensors file (whole or not at all).

    That is: parameters and buffers (running statistics, dropout's keys and steps), the optimizer's state and count
    of steps, and the generator, epoch and position of the batches. Hyperparameters and schedules are code and are
    not in the file: make model, optimizer and batches as they were made, then `load_checkpoint`.

    Between steps means in a callback of `fit`, or before or after it. An exception inside a step leaves its batch
    consumed: a checkpoint saved then would go on with the batch after it.
    """
    arrays = {f"model.{name}": a for name, a in model.state_dict().items()}
    about = {
        "kind": "checkpoint",
        "optimizer": _pack(optimizer.state_dict(), "optimizer", arrays),
        "batches": _pack(batches.state_dict(), "batches", arrays),
    }
    write(path, arrays, about)


def load_checkpoint(path: Path, model: Module, optimizer: Any, batches: Batches) -> None:
    """Set a model, its optimizer and its batches to where `save_checkpoint` was called.

    On the CPU the run then goes on bit for bit as if it had not been stopped. Everything is checked before anything
    is written.

    Raises ValueError for a file that is no checkpoint or lacks something, or where shapes differ, for an optimizer of
    another model and for one whose parameters a newer optimizer took over, and TypeError for another dtype.
    """
    check_belongs(optimizer, model)
    if taken := [p for p in optimizer.params if p.owner is not optimizer]:
        raise ValueError(
            f"a newer optimizer took over the parameter of shape {taken[0].shape}: load into that one, or make this "
            "one anew after it"
        )
    arrays, about = read(path)
    if about.get("kind") != "checkpoint":
        raise ValueError(f"{os.fspath(path)} is no checkpoint of a run; read weights with load")
    weights = {name.removeprefix("model."): a for name, a in arrays.items() if name.startswith("model.")}
    with _named(path, "model"):
        model.check_state_dict(weights)
    with _named(path, "batches"):
        places = _part("batches", about, arrays)
        batches.check_state_dict(places)
    with _named(path, "optimizer"):
        state = _part("optimizer", about, arrays)
        if not isinstance(state.get("t", []), list):
            raise ValueError(f"t must be a list, got {state['t']!r}")
        for name in state.keys() - {"rule", "step", "t", *scalar_state(optimizer.rule)}:
            if not isinstance(state[name], np.ndarray):
                raise ValueError(f"{name} must be an array, got {state[name]!r}")
        optimizer.load_state_dict(state)  # checks all before it writes; the rest cannot fail
    model.load_state_dict(weights)
    batches.load_state_dict(places)


def check_belongs(optimizer: Any, model: Module) -> None:
    """Raise ValueError if `optimizer` has no parameter of `model`."""
    if not {id(p) for p in model.parameters()} & {id(p) for p in optimizer.params}:
        raise ValueError(
            "no parameter of the optimizer belongs to the model, so nothing would be trained: make the optimizer from "
            "model.parameters()"
        )


@contextlib.contextmanager
def _named(path: Path, part: str) -> Iterator[None]:
    """Put the path and the part into the errors of what does not fit, a missing entry becoming a ValueError."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{os.fspath(path)}, {part}: {error.args[0] if error.args else error}") from error


def _part(name: str, about: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(about.get(name), dict):
        raise ValueError("the checkpoint lacks this part" if name not in about else "this part is no dict")
    return _unpack(about[name], arrays)  # type: ignore[no-any-return]


def _pack(tree: Any, name: str, arrays: dict[str, Any]) -> Any:
    """Return `tree` as JSON can hold it; its arrays move to `arrays`, by the path that leads to them."""
    if isinstance(tree, dict):
        for key in tree:
            if not isinstance(key, str):
                raise TypeError(f"the keys of {name} must be strings, got {key!r}")
        return {key: _pack(value, f"{name}.{key}", arrays) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_pack(value, f"{name}.{i}", arrays) for i, value in enumerate(tree)]
    if isinstance(tree, np.generic):
        return tree.item()
    if isinstance(tree, str) and tree.startswith(_MARK):
        raise ValueError(f"{name} must not start with {_MARK!r}, got {tree!r}")
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    if hasattr(tree, "dtype"):
        arrays[name] = backend.to_host(tree)
        return _MARK + name
    raise TypeError(f"{name} must be made of arrays, numbers, strings, lists and dicts, got {type(tree).__name__}")


def _unpack(tree: Any, arrays: dict[str, Any]) -> Any:
    if isinstance(tree, dict):
        return {key: _unpack(value, arrays) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_unpack(value, arrays) for value in tree]
    if isinstance(tree, str) and tree.startswith(_MARK):
        if (name := tree.removeprefix(_MARK)) not in arrays:
            raise ValueError(f"the checkpoint lacks its array {name}")
        return arrays[name]
    return tree
