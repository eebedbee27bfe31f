"""Activations and other layers without parameters or state."""

from typing import Any

from minigrad import ops
from minigrad.nn.layers import pair
from minigrad.nn.module import Module
from minigrad.tensor import Tensor

__all__ = ["GELU", "AvgPool2d", "Flatten", "MaxPool2d", "ReLU", "Sigmoid", "Tanh"]


class ReLU(Module):
    """max(x, 0)."""

    def forward(self, x: Any) -> Tensor:
        """Return max(x, 0)."""
        return ops.relu(x)


class Tanh(Module):
    """The hyperbolic tangent."""

    def forward(self, x: Any) -> Tensor:
        """Return tanh x."""
        return ops.tanh(x)


class Sigmoid(Module):
    """1 / (1 + e⁻ˣ)."""

    def forward(self, x: Any) -> Tensor:
        """Return 1 / (1 + e⁻ˣ)."""
        return ops.sigmoid(x)


class GELU(Module):
    """The tanh form of GELU; see `minigrad.ops.gelu`."""

    def forward(self, x: Any) -> Tensor:
        """Return GELU of x."""
        return ops.gelu(x)


class Flatten(Module):
    """All axes but the first become one."""

    def forward(self, x: Any) -> Tensor:
        """Return x of shape (N, ...) as (N, product of the rest)."""
        return ops.reshape(x, (x.shape[0], -1))


class _Pool2d(Module):
    """A window that moves over images; what it makes of each is said by its heirs."""

    def __init__(self, size: Any = 2, stride: Any = None):
        pair("size", size)
        if stride is not None:
            pair("stride", stride)
        self.size = size
        self.stride = stride

    def options(self) -> str:
        """Return the window, and a stride that differs."""
        return f"{self.size}" + ("" if self.stride is None else f", stride={self.stride}")


class MaxPool2d(_Pool2d):
    """The largest entry of each window, per channel; x is (N, H, W, C). The stride is the window's size by default."""

    def forward(self, x: Any) -> Tensor:
        """Return x of shape (N, H, W, C), pooled."""
        return ops.max_pool2d(x, self.size, self.stride)


class AvgPool2d(_Pool2d):
    """The mean of each window, per channel; x is (N, H, W, C). The stride is the window's size by default."""

    def forward(self, x: Any) -> Tensor:
        """Return x of shape (N, H, W, C), pooled."""
        return ops.avg_pool2d(x, self.size, self.stride)
