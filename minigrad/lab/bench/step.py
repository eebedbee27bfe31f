"""Training steps: the networks, their first weights, their data, and how nearly losses must agree.

A network is a list of layers that JSON can carry: ``["dense", inputs, outputs]``, ``["conv", inputs, outputs, bias]``
(3×3, padding 1), ``["batch_norm", features]``, ``["relu"]``, ``["pool"]`` (2×2, the largest), ``["flatten"]``. Images
are channels last. The loss is softmax cross-entropy over ten classes, the mean of a batch.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from minigrad.lab.bench.case import UNIT, Case

__all__ = ["ADAMW", "CHECKED", "batches", "cases", "gemms", "mlp", "on_a_device", "parameters", "sequence"]

Layer = list[Any]

ADAMW = {"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "decay": 1e-2}
CHECKED = 5
BATCHES = 4
SAFETY = 32  # of the random-walk model of rounding below


def cases(quick: bool) -> list[Case]:
    """Return the training steps."""
    found = [
        mlp(32, 64, 32, 10),
        mlp(128, 64, 128, 128, 10),
        mlp(128, 784, 512, 512, 10),
        mlp(256, 1024, 2048, 2048, 10),
        _cnn(64, 8, 1, 16, 32),
        _cnn(64, 32, 3, 32, 64),
        _deep(64, 32, 3, 32, 64, 128),
    ]
    return [found[i] for i in (0, 1, 4)] if quick else found


def on_a_device(quick: bool) -> list[Case]:
    """Return the same training steps, for a device."""
    return [case.on("cupy") for case in cases(quick)]


def mlp(batch: int, *sizes: int, seed: int = 0) -> Case:
    """Return dense layers of these sizes with relu between them; weights and data are drawn from `seed`."""
    layers: list[Layer] = []
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [["dense", inputs, outputs], ["relu"]]
    return _case(f"mlp {'-'.join(map(str, sizes))} b{batch}", [sizes[0]], batch, layers[:-1], seed)


def _cnn(batch: int, size: int, channels: int, *widths: int) -> Case:
    """Return convolution, relu and pooling once per width, and a dense layer."""
    layers: list[Layer] = []
    side, inputs = size, channels
    for width in widths:
        layers += [["conv", inputs, width, True], ["relu"], ["pool"]]
        side, inputs = side // 2, width
    layers += [["flatten"], ["dense", side * side * inputs, 10]]
    name = f"cnn {size}×{size}×{channels} {','.join(map(str, widths))} b{batch}"
    return _case(name, [size, size, channels], batch, layers)


def _deep(batch: int, size: int, channels: int, *widths: int) -> Case:
    """Return two convolutions with batch norm and relu, and pooling, once per width, and a dense layer."""
    layers: list[Layer] = []
    side, inputs = size, channels
    for width in widths:
        for _ in range(2):
            layers += [["conv", inputs, width, False], ["batch_norm", width], ["relu"]]
            inputs = width
        layers.append(["pool"])
        side //= 2
    layers += [["flatten"], ["dense", side * side * inputs, 10]]
    name = f"cnn {size}×{size}×{channels} {','.join(f'2×{w}' for w in widths)} batch norm b{batch}"
    return _case(name, [size, size, channels], batch, layers)


def _case(name: str, shape: list[int], batch: int, layers: list[Layer], seed: int = 0) -> Case:
    task = {"kind": "step", "shape": shape, "batch": batch, "layers": layers, "seed": seed}
    facts = {
        "parameters": sum(math.prod(s) for _, s in shapes(layers)),
        "update_bytes": 28 * sum(math.prod(s) for _, s in shapes(layers)),
        "gemm_flops": sum(2 * m * n * k for m, k, n, _ in gemms(task)),
    }
    return Case(name, task, _tolerance(layers), facts=facts)


def _tolerance(layers: Sequence[Layer]) -> tuple[float, ...]:
    """Return how far the losses of the first steps may differ from those in float64.

    A sum of n products errs by about √n u (a random walk; the bound is n u), and layers add up; so does every step
    taken with such gradients: 32 (1 + t) u Σ √n. Adam divides by |g|, so that a gradient made of rounding errors alone
    moves its weight by α in either direction; it moves the loss by that times the gradient, which is rounding again.
    """
    fan_in = [math.prod(s[:-1]) for role, s in shapes(layers) if role == "weight"]
    normalised = sum(layer[0] == "batch_norm" for layer in layers)  # each doubles what reaches it: mean and variance
    one = SAFETY * UNIT["float32"] * (sum(map(math.sqrt, fan_in)) * (1 + normalised))
    return tuple(one * (1 + t) for t in range(CHECKED))


def shapes(layers: Sequence[Layer]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the role and shape of every parameter, in order."""
    for kind, *sizes in layers:
        if kind == "dense":
            yield "weight", tuple(sizes)
            yield "bias", (sizes[1],)
        elif kind == "conv":
            yield "weight", (3, 3, *sizes[:2])
            if sizes[2]:
                yield "bias", (sizes[1],)
        elif kind == "batch_norm":
            yield "scale", (sizes[0],)
            yield "bias", (sizes[0],)


def parameters(task: Mapping[str, Any]) -> list[Any]:
    """Return the first weights as float32 arrays, in order: He's normal weights; biases and scales not at rest."""
    rng = np.random.default_rng(task["seed"])
    found = []
    for role, shape in shapes(task["layers"]):
        spread = math.sqrt(2 / math.prod(shape[:-1])) if role == "weight" else 0.1
        found.append((spread * rng.standard_normal(shape) + (role == "scale")).astype(np.float32))
    return found


def batches(task: Mapping[str, Any]) -> list[tuple[Any, Any]]:
    """Return the batches that take turns: images or rows as float32, labels as int64."""
    rng = np.random.default_rng(task["seed"] + 1)
    shape, n = task["shape"], task["batch"]
    return [
        (rng.standard_normal((n, *shape)).astype(np.float32), rng.integers(0, 10, n).astype(np.int64))
        for _ in range(BATCHES)
    ]


def sequence(task: Mapping[str, Any]) -> Iterator[tuple[Layer, tuple[int, ...], bool]]:
    """Yield every layer, the shape of what enters it, and whether it is the first, which needs no gradient below."""
    shape = (task["batch"], *task["shape"])
    for i, layer in enumerate(task["layers"]):
        yield layer, shape, i == 0
        n, *rest = shape
        if layer[0] == "dense":
            shape = (n, layer[2])
        elif layer[0] == "conv":
            shape = (*shape[:3], layer[2])
        elif layer[0] == "pool":
            shape = (n, rest[0] // 2, rest[1] // 2, rest[2])
        elif layer[0] == "flatten":
            shape = (n, math.prod(rest))


def gemms(task: Mapping[str, Any]) -> list[tuple[int, int, int, str]]:
    """Return the matrix products of a step as (m, k, n, transposed): (m, k) times (k, n), and which lies transposed.

    Three per layer: x W, xᵀ dy, dy Wᵀ; the first layer has no third. A convolution counts as im2col lays it out.
    """
    found = []
    for layer, shape, first in sequence(task):
        if layer[0] not in ("dense", "conv"):
            continue
        m, k, n = math.prod(shape[:-1]), layer[1] * (9 if layer[0] == "conv" else 1), layer[2]
        found += [(m, k, n, ""), (k, m, n, "a")] + ([] if first else [(m, n, k, "b")])
    return found
