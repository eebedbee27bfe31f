"""Training steps written by hand on NumPy, or with the same calls on CuPy: what all others are divided by.

Every buffer is made once; parameters, gradients and moments are flat arrays, and AdamW is one pass of ``out=`` calls
over them. Images are channels last; a convolution is im2col and one matrix product.
"""

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.backend import namespace
from minigrad.lab.bench import step

__all__ = ["AdamW", "Network"]

Array = Any


class AdamW:
    """Loshchilov and Hutter's Algorithm 2, in place: w ← (1 − η) w − α m̂ / (√v̂ + ε)."""

    def __init__(self, w: Array, g: Array):
        self.w, self.g, self.xp = w, g, namespace(w)
        self.m, self.v, self.a = self.xp.zeros_like(w), self.xp.zeros_like(w), self.xp.empty_like(w)
        self.t = 0

    def step(self) -> None:
        """Take one step."""
        lr, beta1, beta2, eps, decay = (step.ADAMW[name] for name in ("lr", "beta1", "beta2", "eps", "decay"))
        w, g, m, v, a, xp = self.w, self.g, self.m, self.v, self.a, self.xp
        self.t += 1
        xp.multiply(g, 1 - beta1, out=a)
        m *= beta1
        m += a
        xp.multiply(g, g, out=a)
        a *= 1 - beta2
        v *= beta2
        v += a
        xp.multiply(v, 1 / (1 - beta2**self.t), out=a)
        xp.sqrt(a, out=a)
        a += eps
        xp.divide(m, a, out=a)
        a *= lr / (1 - beta1**self.t)
        w *= 1 - decay
        w -= a


class Dense:
    """y = x W + b."""

    def __init__(self, xp: Any, shape: Any, sizes: Any, params: list[Array], grads: list[Array], first: bool):
        self.xp = xp
        (self.w, self.b), (self.dw, self.db) = params, grads
        self.y = xp.empty((shape[0], sizes[1]), self.w.dtype)
        self.dx = None if first else xp.empty(shape, self.w.dtype)

    def forward(self, x: Array) -> Array:
        """Return y."""
        self.x = x
        self.xp.matmul(x, self.w, out=self.y)
        self.y += self.b
        return self.y

    def backward(self, dy: Array) -> Array:
        """Write the gradients of W and b; return that of x, or None in the first layer."""
        self.xp.matmul(self.x.T, dy, out=self.dw)
        self.xp.sum(dy, axis=0, out=self.db)
        return None if self.dx is None else self.xp.matmul(dy, self.w.T, out=self.dx)


class Conv:
    """3×3, padding 1: every window is a row of `columns`."""

    def __init__(self, xp: Any, shape: Any, sizes: Any, params: list[Array], grads: list[Array], first: bool):
        self.xp = xp
        n, h, w, c = self.shape = shape
        dtype, outputs = params[0].dtype, sizes[1]
        self.w, self.dw = params[0].reshape(9 * c, outputs), grads[0].reshape(9 * c, outputs)
        self.b: Array = params[1] if sizes[2] else None
        self.db: Array = grads[1] if sizes[2] else None
        self.wide = xp.zeros((n, h + 2, w + 2, c), dtype)
        self.columns = xp.empty((n, h, w, 3, 3 * c), dtype)
        a, b, d, e = self.wide.strides
        # Three pixels in a row lie beside each other, so that a window is three runs of 3 c numbers.
        self.runs = [
            xp.lib.stride_tricks.as_strided(self.wide[:, i:], (n, h, w, 3 * c), (a, b, d, e)) for i in range(3)
        ]
        self.rows = self.columns.reshape(n * h * w, 9 * c)
        self.y = xp.empty((n, h, w, outputs), dtype)
        self.first = first
        if not first:
            self.back = xp.zeros_like(self.wide)
            self.drows = xp.empty_like(self.rows)

    def forward(self, x: Array) -> Array:
        """Return y."""
        self.wide[:, 1:-1, 1:-1] = x
        for i, run in enumerate(self.runs):
            self.columns[:, :, :, i] = run
        self.xp.matmul(self.rows, self.w, out=self.y.reshape(-1, self.y.shape[-1]))
        if self.b is not None:
            self.y += self.b
        return self.y

    def backward(self, dy: Array) -> Array:
        """Write the gradients of the weight and bias; return that of x, or None in the first layer."""
        flat = dy.reshape(-1, dy.shape[-1])
        self.xp.matmul(self.rows.T, flat, out=self.dw)
        if self.b is not None:
            self.xp.sum(flat, axis=0, out=self.db)
        if self.first:
            return None
        n, h, w, c = self.shape
        self.xp.matmul(flat, self.w.T, out=self.drows)
        windows = self.drows.reshape(n, h, w, 3, 3, c)
        self.back[...] = 0
        for i, j in itertools.product(range(3), range(3)):
            self.back[:, i : i + h, j : j + w] += windows[:, :, :, i, j]
        return self.back[:, 1:-1, 1:-1]


class BatchNorm:
    """Over all axes but the last, with running statistics."""

    def __init__(self, xp: Any, shape: Any, sizes: Any, params: list[Array], grads: list[Array], first: bool):
        self.xp = xp
        (self.scale, self.bias), (self.dscale, self.dbias) = params, grads
        self.shape = (math.prod(shape[:-1]), shape[-1])
        self.z, self.y, self.dx = (xp.empty(self.shape, self.scale.dtype) for _ in range(3))
        self.running_mean, self.running_var = xp.zeros_like(self.scale), xp.ones_like(self.scale)

    def forward(self, x: Array) -> Array:
        """Return y."""
        count, flat = self.shape[0], x.reshape(self.shape)
        mean = flat.mean(axis=0)
        self.xp.subtract(flat, mean, out=self.z)
        self.xp.multiply(self.z, self.z, out=self.y)
        var = self.y.mean(axis=0)
        self.inverse = 1 / self.xp.sqrt(var + 1e-5)
        self.z *= self.inverse
        self.xp.multiply(self.z, self.scale, out=self.y)
        self.y += self.bias
        self.running_mean += 0.1 * (mean - self.running_mean)
        self.running_var += 0.1 * (count / (count - 1) * var - self.running_var)
        return self.y.reshape(x.shape)

    def backward(self, dy: Array) -> Array:
        """Write the gradients of scale and bias; return that of x."""
        count, flat = self.shape[0], dy.reshape(self.shape)
        self.xp.multiply(flat, self.z, out=self.dx)
        self.xp.sum(self.dx, axis=0, out=self.dscale)
        self.xp.sum(flat, axis=0, out=self.dbias)
        self.xp.multiply(self.z, -self.dscale / count, out=self.dx)
        self.dx += flat
        self.dx -= self.dbias / count
        self.dx *= self.scale * self.inverse
        return self.dx.reshape(dy.shape)


class Relu:
    """max(x, 0), in place."""

    def __init__(self, xp: Any, shape: Any, *_: Any):
        self.xp = xp
        self.mask = xp.empty(shape, bool)

    def forward(self, x: Array) -> Array:
        """Return y, which is x's array."""
        self.xp.greater(x, 0, out=self.mask)
        return self.xp.maximum(x, 0, out=x)

    def backward(self, dy: Array) -> Array:
        """Return the gradient, in the array of dy."""
        return self.xp.multiply(dy, self.mask, out=dy)


class Pool:
    """The largest of each 2×2 window. Behind a relu: where zeros tie, the relu passes no gradient on anyway."""

    def __init__(
        self, xp: Any, shape: Any, sizes: Any, params: list[Array], grads: list[Array], first: bool, dtype: Any
    ):
        self.xp = xp
        n, h, w, c = shape
        self.y, self.dx = xp.empty((n, h // 2, w // 2, c), dtype), xp.empty(shape, dtype)
        self.mask, self.dx_parts = xp.empty(self.y.shape, bool), _quarters(self.dx)

    def forward(self, x: Array) -> Array:
        """Return y."""
        self.parts = _quarters(x)
        self.xp.maximum(self.parts[0], self.parts[1], out=self.y)
        self.xp.maximum(self.y, self.parts[2], out=self.y)
        return self.xp.maximum(self.y, self.parts[3], out=self.y)

    def backward(self, dy: Array) -> Array:
        """Return the gradient of x."""
        for part, dx in zip(self.parts, self.dx_parts, strict=True):
            self.xp.equal(part, self.y, out=self.mask)
            self.xp.multiply(dy, self.mask, out=dx)
        return self.dx


class Flatten:
    """All axes but the first become one."""

    def __init__(self, xp: Any, shape: Any, *_: Any):
        self.shape = shape

    def forward(self, x: Array) -> Array:
        """Return y."""
        return x.reshape(len(x), -1)

    def backward(self, dy: Array) -> Array:
        """Return the gradient of x."""
        return dy.reshape(self.shape)


class CrossEntropy:
    """The mean over rows of −log softmax(logits)[label]."""

    def __init__(self, xp: Any, rows: int, classes: int, dtype: Any):
        self.xp = xp
        self.p, self.each = xp.empty((rows, classes), dtype), xp.arange(rows)

    def forward(self, logits: Array, labels: Array) -> Array:
        """Return the loss."""
        self.xp.subtract(logits, logits.max(axis=1, keepdims=True), out=self.p)
        of_label = self.p[self.each, labels]
        self.xp.exp(self.p, out=self.p)
        total = self.p.sum(axis=1, keepdims=True)
        self.p /= total
        return (self.xp.log(total[:, 0]) - of_label).mean()

    def backward(self, labels: Array) -> Array:
        """Return the gradient of the logits."""
        self.p[self.each, labels] -= 1
        self.p *= 1 / len(self.p)
        return self.p


KINDS: dict[str, Any] = {
    "dense": Dense, "conv": Conv, "batch_norm": BatchNorm, "relu": Relu, "pool": Pool, "flatten": Flatten,
}  # fmt: skip


class Network:
    """A network of `minigrad.lab.bench.step` with its optimizer, in any floating type, on an array module."""

    def __init__(self, task: Mapping[str, Any], dtype: Any, xp: Any = np):
        first = step.parameters(task)
        w = xp.asarray(np.concatenate([p.ravel() for p in first]).astype(dtype))
        g = xp.zeros_like(w)
        bounds = [0, *itertools.accumulate(p.size for p in first)]
        params, grads = (
            [flat[a:b].reshape(p.shape) for p, (a, b) in zip(first, itertools.pairwise(bounds), strict=True)]
            for flat in (w, g)
        )
        self.layers = []
        for (kind, *sizes), shape, is_first in step.sequence(task):
            count = len(list(step.shapes([[kind, *sizes]])))
            own = [params.pop(0) for _ in range(count)], [grads.pop(0) for _ in range(count)]
            more = (dtype,) if kind == "pool" else ()
            self.layers.append(KINDS[kind](xp, shape, sizes, *own, is_first, *more))
        self.loss = CrossEntropy(xp, task["batch"], 10, dtype)
        self.optimizer = AdamW(w, g)

    def step(self, x: Array, labels: Array) -> Array:
        """Take one step and return the loss before it, where it was computed."""
        for layer in self.layers:
            x = layer.forward(x)
        loss = self.loss.forward(x, labels)
        dy = self.loss.backward(labels)
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        self.optimizer.step()
        return loss


def _quarters(x: Array) -> list[Array]:
    return [x[:, i::2, j::2] for i in range(2) for j in range(2)]
