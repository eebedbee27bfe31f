"""Layers with weights: linear and convolutional."""

from typing import Any

import numpy as np

from minigrad import ops
from minigrad.nn.initializers import Initializer, he_normal
from minigrad.nn.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.regularization.checks import integer
from minigrad.tensor import Tensor

__all__ = ["Conv2d", "Linear", "pair"]


class Linear(Module):
    """y = x W + b, with W of shape (inputs, outputs): ``Linear(inputs, outputs, rng=...)``.

    W is stored the way it is written in the formula and in Keras and Flax; PyTorch stores its transpose. The bias
    starts at zero (PyTorch draws it).

    Args:
        inputs: length of the last axis of x.
        outputs: length of the last axis of y.
        rng: draws the initial weights, on the host.
        bias: whether b is there.
        init: how W begins; see `minigrad.nn.initializers`.
        dtype: of the parameters.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        rng: np.random.Generator,
        bias: bool = True,
        init: Initializer = he_normal,
        dtype: Any = np.float32,
    ):
        inputs, outputs = integer("inputs", inputs), integer("outputs", outputs)
        self.weight = Parameter(init(rng, (inputs, outputs), dtype), role="weight")
        self.bias = Parameter(np.zeros(outputs, dtype), role="bias") if bias else None

    def forward(self, x: Any) -> Tensor:
        """Return x W + b for x of shape (..., inputs)."""
        return ops.linear(x, self.weight, self.bias)

    def options(self) -> str:
        """Return the sizes."""
        inputs, outputs = self.weight.shape
        return f"{inputs}, {outputs}" + (", bias=False" if self.bias is None else "")


class Conv2d(Module):
    """Two-dimensional convolution (cross-correlation), channels last: ``Conv2d(inputs, outputs, size, rng=...)``.

    x has shape (N, H, W, inputs), the weight (height, width, inputs, outputs) and the bias (outputs,). Keras and Flax
    agree; PyTorch has the channels first.

    Args:
        inputs: number of channels of x.
        outputs: number of channels of the result.
        size: height and width of the window; one number for a square.
        rng: draws the initial weights, on the host.
        stride: step of the window.
        padding: zeros added on each side.
        bias: whether one is added.
        init: how the weight begins.
        dtype: of the parameters.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int | tuple[int, int],
        *,
        rng: np.random.Generator,
        stride: Any = 1,
        padding: Any = 0,
        bias: bool = True,
        init: Initializer = he_normal,
        dtype: Any = np.float32,
    ):
        inputs, outputs = integer("inputs", inputs), integer("outputs", outputs)
        height, width = pair("size", size)
        pair("stride", stride)
        pair("padding", padding, least=0)
        self.weight = Parameter(init(rng, (height, width, inputs, outputs), dtype), role="weight")
        self.bias = Parameter(np.zeros(outputs, dtype), role="bias") if bias else None
        self.stride = stride
        self.padding = padding

    def forward(self, x: Any) -> Tensor:
        """Return the convolution of x of shape (N, H, W, inputs)."""
        return ops.conv2d(x, self.weight, self.bias, stride=self.stride, padding=self.padding)

    def options(self) -> str:
        """Return the sizes, and what differs from the defaults."""
        height, width, inputs, outputs = self.weight.shape
        size = height if height == width else (height, width)
        more = [f"{k}={v}" for k, v, usual in (("stride", self.stride, 1), ("padding", self.padding, 0)) if v != usual]
        return ", ".join([f"{inputs}, {outputs}, {size}", *more, *(["bias=False"] if self.bias is None else [])])


def pair(name: str, value: Any, least: int = 1) -> tuple[int, int]:
    """Return two integers ≥ `least`, given as a pair or as one number for both; raise ValueError for anything else."""
    both = value if isinstance(value, tuple | list) else (value, value)
    if len(both) != 2:
        raise ValueError(f"{name} must be an integer or a pair of them, got {value!r}")
    return integer(name, both[0], least), integer(name, both[1], least)
