"""A training run that a test can make again, step by step, from the same start."""

import numpy as np

import minigrad as mg
from minigrad import nn, optim
from minigrad.regularization import L2
from minigrad.training import clip_by_norm

__all__ = ["OPTIMIZERS", "Run", "batches", "bits", "eager", "network"]

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((8, 16, 6)).astype(np.float32), RNG.integers(0, 3, (8, 16))

OPTIMIZERS = {
    "sgd": lambda p, **k: optim.SGD(p, 0.1, **k),
    "momentum": lambda p, **k: optim.SGD(p, 0.1, momentum=0.9, **k),
    "adamw": lambda p, **k: optim.AdamW(p, 0.1, **k),
    "nadam": lambda p, **k: optim.NAdam(p, 0.1, **k),  # whose state has a number
    "radam": lambda p, **k: optim.RAdam(p, 0.1, **k),  # which changes its branch at the sixth step
    "lion": lambda p, **k: optim.Lion(p, 0.1, **k),
}


def network(dtype=np.float32):
    """Six numbers to three classes, with statistics and masks on the way."""
    rng = np.random.default_rng(0)
    return nn.Sequential(
        nn.Linear(6, 8, rng=rng, dtype=dtype), nn.BatchNorm(8, dtype=dtype), nn.ReLU(), nn.Dropout(0.4, rng=rng),
        nn.Linear(8, 3, rng=rng, dtype=dtype),
    )  # fmt: skip


def bits(*parts):
    """All that models and optimizers save, arrays as bytes."""
    found = {f"{i} {k}": x for i, part in enumerate(parts) for k, x in part.state_dict().items()}
    return {k: x.tobytes() if isinstance(x, np.ndarray) else x for k, x in found.items()}


class Run:
    """A model, its optimizer and a step of it."""

    def __init__(self, name, dtype=np.float32, executor="auto"):
        self.model = network(dtype)
        schedule = optim.schedules.cosine(20)
        options = {"decay": 0.01, "on": "weights", "schedule": schedule, "executor": executor}
        self.optimizer = OPTIMIZERS[name](self.model.parameters(), **options)

    def step(self, x, y):
        self.optimizer.zero_grad()
        loss = mg.cross_entropy(self.model(x), y)
        (loss + L2(0.01)(self.model.parameters())).backward()
        clip_by_norm(self.model.parameters(), 1.0)
        self.optimizer.step()
        return loss

    def state(self):
        return bits(self.model, self.optimizer)


def batches(steps, dtype=np.float32):
    return [(mg.tensor(X[k % 8].astype(dtype)).data, mg.tensor(Y[k % 8]).data) for k in range(steps)]


def eager(name, steps, dtype=np.float32):
    """Losses, state and the next numbers of a run that was not captured."""
    run = Run(name, dtype)
    losses = [run.step(*b).item() for b in batches(steps, dtype)]
    return losses, run.state(), run.optimizer.hyper(steps)
