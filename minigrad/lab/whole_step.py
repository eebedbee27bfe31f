"""A whole training step with any variant, forward, backward and update, as the calls of NumPy's that carry it out."""

import numpy as np

from minigrad import backend, capture, cross_entropy, nn
from minigrad.executors.captured.replayed import Replayed
from minigrad.lab.bench import update
from minigrad.optim import Optimizer
from minigrad.regularization.variants import Variant, variant

__all__ = ["whole_step"]

BATCH, SIZES = 16, (4, 8, 3)


def whole_step(name: str) -> str:
    """Return the listing of one step of a small network under the variant called `name`.

    Raises ValueError for an unknown name.
    """
    v = variant(name)
    with backend.module(np):
        return _listing(v)


def _listing(v: Variant) -> str:
    rng = np.random.default_rng(0)
    inputs, hidden, classes = SIZES
    model = nn.Sequential(nn.Linear(inputs, hidden, rng=rng), nn.ReLU(), nn.Linear(hidden, classes, rng=rng))
    options = update.regularised(v.name)
    optimizer = Optimizer(model.parameters(), v.rule, update.LR, update.numbers(v.name), **options)

    @capture
    def step(x, labels):  # type: ignore[no-untyped-def]
        optimizer.zero_grad()
        loss = cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    x = rng.standard_normal((BATCH, inputs)).astype(np.float32)
    labels = rng.integers(0, classes, BATCH)
    for _ in range(2):
        step(x, labels)
    sizes = "-".join(map(str, SIZES))
    network = f"a step of a network {sizes} with relu and softmax cross-entropy, on {BATCH} rows"
    assert isinstance(step, Replayed)
    return f"# {v.name}: {v.summary}\n# {network}\n{step.listing()}".rstrip("\n")
