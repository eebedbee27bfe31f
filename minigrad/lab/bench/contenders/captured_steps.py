"""The lessons of captured steps: one step of training, recorded in several ways."""

import copy
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from unittest.mock import patch

import numpy as np

import minigrad as mg
from minigrad.executors.captured import program
from minigrad.executors.captured.line import Line
from minigrad.executors.captured.storage import Memory
from minigrad.lab.bench import step
from minigrad.lab.bench.contenders import of_minigrad

__all__ = ["PAIRS"]

SMALL, IMAGES = "mlp 64-32-10 b32", "cnn 32×32×3 32,64 b64"
WORTH_HALVES = 2**18  # bytes

Way = Callable[[Callable[..., Any]], Callable[..., Any]]


def training(name: str, way: Way) -> Callable[[], Any]:
    """Return one training step of the network of that name, made what `way` makes of it; its result is the loss."""
    (task,) = (case.task for case in step.cases(quick=False) if case.name == name)
    mg.keep_freed_memory()
    model = of_minigrad.network(task)
    optimizer = of_minigrad.adamw("minigrad", model.parameters())
    x, labels = step.batches(task)[0]
    run = way(of_minigrad.one_step(model, optimizer))
    return lambda: run(x, labels).data


def eager(one: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step as it is."""
    return one


def recorded(one: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step captured."""
    return mg.capture(one)


def as_it_lay(one: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step captured, with its arrays where they lay while it was recorded."""
    return _under(one, Memory, "lay_out", lambda self, lines: lambda array: array)


def looped(one: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step captured, its calls in a loop."""

    def compiled(lines: list[Line]) -> Callable[[], None]:
        calls = [_compiled([line]) for line in lines]

        def run() -> None:
            for call in calls:
                call()

        return run

    return _under(one, program, "_compiled", compiled)


def halved(one: Callable[..., Any]) -> Callable[..., Any]:
    """Return the step captured, with large entrywise calls and copies cut into halves for two threads."""
    other = ThreadPoolExecutor(1)

    def compiled(lines: list[Line]) -> Callable[[], None]:
        calls = [(_compiled([first]), [_compiled([line]) for line in more]) for first, *more in map(_halves, lines)]

        def run() -> None:
            for first, more in calls:
                waiting = [other.submit(half) for half in more]
                first()
                for half in waiting:
                    half.result()

        return run

    return _under(one, program, "_compiled", compiled)


_compiled = program._compiled


def _under(one: Callable[..., Any], of: Any, name: str, way: Any) -> Callable[..., Any]:
    """Return the step captured, recorded under another way of doing things."""
    captured = mg.capture(one)

    def call(*arguments: Any) -> Any:
        if captured.launches() is not None:
            return captured(*arguments)
        with patch.object(of, name, way):
            return captured(*arguments)

    return call


def _halves(line: Line) -> list[Line]:
    """Return the call, or two that do half of it each, along the first axis."""
    if len(line.targets) != 1 or not (line.entrywise or line.function is np.copyto):
        return [line]
    (target,) = line.targets
    if target.nbytes < WORTH_HALVES or len(target) == 1 or line.state is not None:
        return [line]
    middle = len(target) // 2
    return [_part(line, slice(None, middle)), _part(line, slice(middle, None))]


def _part(line: Line, part: slice) -> Line:
    (target,) = line.targets
    half = copy.copy(line)
    half.replace(
        lambda x: x[part] if isinstance(x, np.ndarray) and x.ndim == target.ndim and len(x) == len(target) else x
    )
    return half


PAIRS: Mapping[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "A small network's step, captured": (
        lambda: training(SMALL, eager),
        lambda: training(SMALL, recorded),
    ),
    "Captured: statements in place of a loop over calls": (
        lambda: training(SMALL, looped),
        lambda: training(SMALL, recorded),
    ),
    "Captured: arrays laid out anew": (
        lambda: training(IMAGES, as_it_lay),
        lambda: training(IMAGES, recorded),
    ),
    "Captured: large calls in halves, on two threads": (
        lambda: training(IMAGES, recorded),
        lambda: training(IMAGES, halved),
    ),
}
