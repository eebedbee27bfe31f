"""The two small networks that are compared."""

from typing import Any

import numpy as np

from minigrad import nn

__all__ = ["network"]


def network(model: str, seed: int, dtype: Any) -> nn.Module:
    """Return the network called `model`; equal seeds give equal weights.

    "mlp": 64–32–10 with relu. "cnn": two 3×3 convolutions (8 and 16 channels), each with relu and 2×2 max-pooling,
    and a linear layer.
    """
    rng = np.random.default_rng(seed)
    if model == "mlp":
        first, second = nn.Linear(64, 32, rng=rng, dtype=dtype), nn.Linear(32, 10, rng=rng, dtype=dtype)
        return nn.Sequential(first, nn.ReLU(), second)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, rng=rng, padding=1, dtype=dtype),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3, rng=rng, padding=1, dtype=dtype),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2 * 2 * 16, 10, rng=rng, dtype=dtype),
    )
