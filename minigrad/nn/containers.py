"""Modules made of modules."""

from collections.abc import Callable
from typing import Any

from minigrad.nn.module import Module

__all__ = ["Sequential"]


class Sequential(Module):
    """One layer after another: ``Sequential(layer, layer, ...)``. A plain function may stand between layers."""

    def __init__(self, *layers: Callable[[Any], Any]):
        for i, layer in enumerate(layers):
            if not callable(layer) or isinstance(layer, type):
                raise TypeError(f"layer {i} must be a module or a function, got {layer!r}")
        self.layers = list(layers)

    def forward(self, x: Any) -> Any:
        """Return the last layer's value of the layer's before it, and so on down to x."""
        for layer in self.layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, i: int) -> Any:
        return self.layers[i]
