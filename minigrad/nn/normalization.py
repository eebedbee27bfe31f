"""Layers that normalise."""

import math
from typing import Any

import numpy as np

from minigrad import backend, ops
from minigrad.autodiff import sum_rows
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.regularization.checks import as_number, integer, nonnegative
from minigrad.tensor import Tensor

__all__ = ["BatchNorm", "LayerNorm"]


class BatchNorm(Module):
    """Normalise each feature (last axis) over all other axes of the batch, then scale and shift it.

    In training the batch's own mean and (biased) variance are used, and the running statistics move towards them:
    running ← (1 − momentum) · running + momentum · batch, with the batch's *unbiased* variance. That is PyTorch's
    convention, momentum 0.1. Keras and Flax write running ← momentum · running + (1 − momentum) · batch, where 0.99
    is usual, with the biased variance. In evaluation the running statistics are used and stay as they are.

    The running statistics are buffers, not parameters: saved with the model, touched by no optimizer and no decay.

    Args:
        features: length of the last axis.
        momentum: weight of the newest batch, in [0, 1].
        eps: added to the variance, ≥ 0.
        dtype: of parameters and running statistics.

    Source: Ioffe and Szegedy, "Batch normalization", arXiv 1502.03167, Algorithm 1.
    """

    def __init__(self, features: int, *, momentum: float = 0.1, eps: float = 1e-5, dtype: Any = np.float32):
        self.momentum = as_number("momentum", momentum)
        if not 0 <= self.momentum <= 1:
            raise ValueError(f"momentum must lie in [0, 1], got {momentum!r}")
        self.eps = nonnegative("eps", eps)
        features, xp = integer("features", features), backend.current()
        self.scale = Parameter(np.ones(features, dtype), role="scale")
        self.bias = Parameter(np.zeros(features, dtype), role="bias")
        self.running_mean = xp.zeros(features, dtype)
        self.running_var = xp.ones(features, dtype)

    def forward(self, x: Any) -> Tensor:
        """Return x of shape (..., features) normalised.

        Raises ValueError where the last axis of x has another length, and in training for a batch with one value
        per feature, which has no variance; the running statistics are then as before.
        """
        if x.shape[-1:] != self.scale.shape:
            raise ValueError(f"x has shape {x.shape}, and its last axis must have length features = {self.scale.size}")
        if not self.training:
            xp = backend.namespace(self.running_var)
            inverse = 1 / xp.sqrt(self.running_var + self.eps)
            return (x - self.running_mean) * inverse * self.scale + self.bias  # type: ignore[no-any-return]
        self._follow(x.data if isinstance(x, Tensor) else x)
        return ops.batch_norm(x, self.scale, self.bias, self.eps)

    def _follow(self, x: Any) -> None:
        count = math.prod(x.shape[:-1])
        if count < 2:
            raise ValueError(
                f"a batch of shape {x.shape} has one value per feature and hence no variance to train with"
            )
        xp = backend.namespace(x)
        x = x.astype(np.float32) if x.dtype.char == "e" else x  # a sum may be beyond float16 where the mean is not
        mean = sum_rows(xp, x) / count
        deviation = x - mean
        deviation *= deviation
        for running, moved in (
            (self.running_mean, self.momentum * mean),
            (self.running_var, self.momentum / (count - 1) * sum_rows(xp, deviation)),
        ):
            xp.multiply(running, 1 - self.momentum, out=running)
            xp.add(running, moved, out=running)

    def options(self) -> str:
        """Return the number of features."""
        return str(self.scale.size)


class LayerNorm(Module):
    """Normalise the last axis of each example, then scale and shift it; the same in training and evaluation.

    Source: Ba, Kiros and Hinton, "Layer normalization", arXiv 1607.06450, eq. 4.
    """

    def __init__(self, features: int, *, eps: float = 1e-5, dtype: Any = np.float32):
        self.eps = nonnegative("eps", eps)
        features = integer("features", features)
        self.scale = Parameter(np.ones(features, dtype), role="scale")
        self.bias = Parameter(np.zeros(features, dtype), role="bias")

    def forward(self, x: Any) -> Tensor:
        """Return x of shape (..., features) normalised."""
        return ops.layer_norm(x, self.scale, self.bias, self.eps)

    def options(self) -> str:
        """Return the number of features."""
        return str(self.scale.size)
