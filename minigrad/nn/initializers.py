"""How weights begin. Drawn on the host in float64 by an explicit generator, then rounded to the dtype.

So a float32 and a float64 model made from the same seed begin at the same weights, up to that rounding, and so do
models on the CPU and on a GPU.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["Initializer", "fans", "glorot_uniform", "he_normal", "he_uniform", "zeros"]

Initializer = Callable[[np.random.Generator, tuple[int, ...], Any], np.ndarray[Any, Any]]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return how many inputs reach one output and how many outputs one input reaches.

    Shapes are (inputs, outputs), or (height, width, inputs, outputs) for a convolution, where the window counts.
    """
    if len(shape) < 2:
        raise ValueError(f"a weight needs an input and an output axis to have fans, got shape {shape}")
    window = math.prod(shape[:-2])
    return window * shape[-2], window * shape[-1]


def he_normal(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Draw from a normal distribution with standard deviation √(2 / fan_in), for layers before a ReLU.

    Keras and Flax cut the normal off at two standard deviations; this does not (nor does PyTorch).
    Source: He et al., "Delving deep into rectifiers", arXiv 1502.01852, §2.2.
    """
    return (rng.standard_normal(shape) * math.sqrt(2 / fans(shape)[0])).astype(dtype)


def he_uniform(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Draw from [−b, b] with b = √(6 / fan_in), whose variance is that of `he_normal`.

    PyTorch's default for its layers is another one, b = 1/√fan_in.
    """
    bound = math.sqrt(6 / fans(shape)[0])
    return rng.uniform(-bound, bound, shape).astype(dtype)


def glorot_uniform(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Draw from [−b, b] with b = √(6 / (fan_in + fan_out)), for layers before tanh. Keras's default.

    Source: Glorot and Bengio, "Understanding the difficulty of training deep feedforward networks", 2010, eq. 16.
    """
    bound = math.sqrt(6 / sum(fans(shape)))
    return rng.uniform(-bound, bound, shape).astype(dtype)


def zeros(rng: np.random.Generator, shape: tuple[int, ...], dtype: Any) -> np.ndarray[Any, Any]:
    """Return zeros; nothing is drawn."""
    return np.zeros(shape, dtype)
