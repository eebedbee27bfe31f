"""How well a model does, without training it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minigrad import backend, ops
from minigrad.nn import Module
from minigrad.regularization.checks import integer
from minigrad.tensor import no_grad

__all__ = ["evaluate", "hits", "modes_kept"]


def evaluate(
    model: Module, x: Any, y: Any, *, loss: Callable[..., Any] = ops.cross_entropy, batch_size: int = 1024
) -> tuple[float, float | None]:
    """Return the mean data loss and the share of correct answers on (x, y), in evaluation mode, without gradients.

    The accuracy is None where the labels are no integers, and the share of all labels where an example has several
    (logits (N, T, classes), labels (N, T)). `batch_size` bounds memory only; the loss is the mean over examples
    whatever it is. The model's modes, weights and buffers are as before afterwards.
    """
    batch_size = integer("batch_size", batch_size)
    x, y = backend.to_host(x), backend.to_host(y)
    if len(x) != len(y) or not len(x):
        raise ValueError(f"examples and labels must be equally many and some, got shapes {x.shape} and {y.shape}")
    xp = backend.current()
    total, right = xp.zeros((), np.float64), xp.zeros((), np.int64)
    counted = True
    with modes_kept(model), no_grad():
        model.eval()
        for start in range(0, len(x), batch_size):
            labels = xp.asarray(y[start : start + batch_size])
            logits = model(xp.asarray(x[start : start + batch_size]))
            total = total + loss(logits, labels).data.astype(np.float64) * len(labels)  # which float16 may not hold
            found = hits(logits, labels)
            counted = found is not None
            right = right + found if counted else right
    return float(backend.to_host(total)) / len(x), int(backend.to_host(right)) / y.size if counted else None


def hits(logits: Any, labels: Any) -> Any:
    """Return how many of the largest logits are at the integer labels, on the device; None for other labels."""
    if labels.dtype.kind not in "iu" or logits.ndim != labels.ndim + 1:
        return None
    return (logits.data.argmax(axis=-1) == labels).sum()


@contextmanager
def modes_kept(model: Module) -> Iterator[None]:
    """Put every part of the model back into the mode it had, at the end of the block."""
    modes = [(m, m.training) for m in model.modules()]
    try:
        yield
    finally:
        for m, training in modes:
            m.training = training
