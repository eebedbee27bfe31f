"""The steps of `minigrad.lab.bench.lessons`: for each, the code as it was, and the code that took its place."""

from collections.abc import Callable, Mapping
from typing import Any
from unittest.mock import patch

import numpy as np

import minigrad as mg
from minigrad import autodiff, backend
from minigrad.executors import plain
from minigrad.executors.cores import Cores
from minigrad.executors.emitted import Blocked, Compiled
from minigrad.lab.bench import step
from minigrad.lab.bench.contenders import captured_steps
from minigrad.lab.bench.job import Job, SkippedError
from minigrad.ops import convolution, operation
from minigrad.regularization import variant

__all__ = ["PAIRS", "make"]

Work = Callable[[], Any]


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare the code "before" or "after"; its values are the sum and the weighted sum of what it computes."""
    work = PAIRS[task["lesson"]][("before", "after").index(name)]()
    found = np.asarray(work(), np.float64).ravel()
    weights = np.cos(np.arange(found.size))

    def repeat() -> None:
        work()

    return Job(repeat, [float(found.mean()), float((found * weights).mean())])


def _random(*shape: int) -> Any:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


# --- the update -------------------------------------------------------------------------------------------------------

ADAMW = variant("adamw")
NUMBERS = {**step.ADAMW, "t": 3}


def _update(execute: Callable[..., Any], size: int = 10**6) -> Work:
    w, g, m, v = (abs(_random(size)) for _ in range(4))

    def work() -> Any:
        w[...], m[...], v[...] = 1, 0.1, 0.1
        execute(ADAMW.step, w, g, [m, v], NUMBERS)
        return w

    return work


def _compiled() -> Any:
    try:
        return Compiled(("m", "v"))
    except ImportError as error:
        raise SkippedError(str(error)) from error


def _behind_a_product(way: Callable[[Cores], Callable[..., None]]) -> Work:
    a, b = _random(256, 1024), _random(1024, 1024)
    run = _compiled()
    w, g, m, v = (abs(_random(10**6)) for _ in range(4))
    ready = run.ready(ADAMW.step, w, g, [m, v], NUMBERS)
    arrays, numbers, (scalars, cores) = ready
    constants = [np.float32(x) for x in scalars(numbers)[0]]
    carry_out = way(cores)

    def work() -> Any:
        a @ b
        w[...], m[...], v[...] = 1, 0.1, 0.1
        carry_out(arrays, constants)
        return w

    return work


# --- convolution ------------------------------------------------------------------------------------------------------


def _images() -> tuple[Any, Any]:
    return _random(64, 32, 32, 32), _random(3, 3, 32, 32)


def _windows_by_reshape() -> Work:
    x, _ = _images()
    a, b, c, d = x.strides

    def work() -> Any:
        windows = np.lib.stride_tricks.as_strided(x, (64, 30, 30, 3, 3, 32), (a, b, c, b, c, d))
        return windows.reshape(64, 30, 30, 288)[::16]

    return work


def _windows_by_rows() -> Work:
    x, weight = _images()

    def work() -> Any:
        with _with_cache(None):
            ((_, columns),) = convolution._columns(np, x, weight, convolution._Layout(x, weight, 1, 0))
        return columns.reshape(64, 30, 30, 288)[::16]

    return work


def _windows_of_one_channel(few: int) -> Work:
    x, weight = _random(64, 32, 32, 1), _random(3, 3, 1, 32)

    def work() -> Any:
        with patch.object(convolution, "_FEW", few), _with_cache(None):
            ((_, columns),) = convolution._columns(np, x, weight, convolution._Layout(x, weight, 1, 1))
        return columns[::64]

    return work


def _with_cache(size: int | None) -> Any:
    """Return a block in which convolutions believe in another cache."""
    return patch.object(backend, "cache", lambda x: size)


def _convolution(size: int | None) -> Work:
    x, weight = _images()

    def work() -> Any:
        with _with_cache(size):
            return mg.conv2d(x, weight, padding=1).data

    return work


def _back(turns: bool) -> Work:
    x, weight = _images()
    layout = convolution._Layout(x, weight, 1, 1)
    if turns:
        return lambda: convolution._back_to_images(np, x, x, weight, 1, 1)
    return lambda: convolution._handed_out(np, x, x, weight, layout)


# --- the engine -------------------------------------------------------------------------------------------------------


def _sums(way: Callable[[Any], Any]) -> Work:
    x = 1 + _random(64, 32, 32, 32)
    return lambda: way(x)


def _gradient(lands: bool) -> Work:
    x, g, home = _random(128, 1024), _random(128, 1024), np.empty((1024, 1024), np.float32)

    def work() -> Any:
        if lands:
            np.matmul(x.T, g, out=home)
        else:
            home[...] = np.matmul(x.T, g)
        return home

    return work


def _training(keeps: bool) -> Work:
    if keeps and not mg.keep_freed_memory():
        raise SkippedError("the C library is not glibc")
    rng = np.random.default_rng(0)
    layers = [mg.nn.Conv2d(3, 32, 3, rng=rng, padding=1), mg.nn.ReLU(), mg.nn.MaxPool2d()]
    model = mg.nn.Sequential(*layers, mg.nn.Flatten(), mg.nn.Linear(8192, 10, rng=rng))
    optimizer = mg.optim.SGD(model.parameters(), lr=0.0)
    x, labels = _random(64, 32, 32, 3), np.arange(64) % 10

    def work() -> Any:
        optimizer.zero_grad()
        loss = mg.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.data

    return work


def _pooling(way: Callable[[Any, Any, Any], Any]) -> Work:
    x, g = np.maximum(_random(64, 32, 32, 32), 0), _random(64, 16, 16, 32)
    y = mg.max_pool2d(x).data
    return lambda: way(g, y, x)


def _by_four_passes(g: Any, y: Any, x: Any) -> Any:
    places = list(convolution._places(x.shape, (2, 2), (2, 2)))
    won = [((x[place] == y) | (x[place] != x[place])).astype(x.dtype) for place in places]
    share = g / sum(won)
    back = np.zeros_like(x)
    for place, one in zip(places, won, strict=True):
        back[place] = share * one
    return back


def _chain(written_out: bool) -> Work:
    x, w = (mg.tensor(1 + 1e-3 * _random(8), requires_grad=True) for _ in range(2))
    multiply = mg.multiply.operation

    def one(a: Any) -> Any:
        x.grad = w.grad = None
        for _ in range(1000):
            a = call(a, w)
        a.sum().backward()
        return x.grad

    if written_out:
        call: Any = mg.multiply
        return lambda: one(x)
    call = operation.general_call(multiply)

    def work() -> Any:
        with patch.object(multiply, "binary", None):
            return one(x)

    return work


def _relu(way: Callable[[Any, Any], Any]) -> Work:
    g, y = _random(64, 32, 32, 32), np.maximum(_random(64, 32, 32, 32)[::-1], 0)
    return lambda: way(g, y)


PAIRS: dict[str, tuple[Callable[[], Work], Callable[[], Work]]] = {
    "AdamW's update in blocks": (
        lambda: _update(plain.execute),
        lambda: _update(Blocked(("m", "v"))),
    ),
    "AdamW's update compiled": (
        lambda: _update(Blocked(("m", "v"))),
        lambda: _update(_compiled()),
    ),
    "AdamW's update on all cores, behind a product": (
        lambda: _behind_a_product(lambda cores: cores._alone),
        lambda: _behind_a_product(lambda cores: cores._together),
    ),
    "AdamW's update on the faster of both, behind a product": (
        lambda: _behind_a_product(lambda cores: cores._together),
        lambda: _behind_a_product(lambda cores: cores),
    ),
    "Convolution: windows copied row by row": (_windows_by_reshape, _windows_by_rows),
    "Convolution: windows of few channels": (
        lambda: _windows_of_one_channel(0),
        lambda: _windows_of_one_channel(convolution._FEW),
    ),
    "Convolution: windows of some images at a time": (
        lambda: _convolution(None),
        lambda: _convolution(backend.cache(np.empty(0))),
    ),
    "Convolution: gradient of the images": (
        lambda: _back(turns=False),
        lambda: _back(turns=True),
    ),
    "Pooling: gradient of the largest": (
        lambda: _pooling(_by_four_passes),
        lambda: _pooling(lambda g, y, x: convolution._back_to_largest(np, g, y, x, 2, None)),
    ),
    "Relu beside a small array": (
        lambda: _relu(lambda g, y: np.maximum(g, 0)),
        lambda: _relu(lambda g, y: mg.relu.operation.forward(np, g)),
    ),
    "Sums over a batch": (
        lambda: _sums(lambda x: x.sum(axis=(0, 1, 2))),
        lambda: _sums(lambda x: autodiff.sum_rows(np, x)),
    ),
    "Nodes of two operands, written out": (
        lambda: _chain(written_out=False),
        lambda: _chain(written_out=True),
    ),
    "Gradient of a weight, written where it belongs": (
        lambda: _gradient(lands=False),
        lambda: _gradient(lands=True),
    ),
    "Training step that keeps freed memory": (
        lambda: _training(keeps=False),
        lambda: _training(keeps=True),
    ),
    "Relu's gradient by where": (
        lambda: _relu(lambda g, y: g * (y > 0)),
        lambda: _relu(lambda g, y: np.where(y > 0, g, 0)),
    ),
    **captured_steps.PAIRS,
}
