"""Losses, and the normalised exponentials they are made of: the value, and beside it the derivative.

Every loss is a mean, over rows (`cross_entropy`) or over entries, so that its size does not depend on the batch.
"""

import functools
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.ops.elementwise import relu, sigmoid, softplus
from minigrad.ops.operation import op, run
from minigrad.ops.reductions import below_largest, divided, floating, mean
from minigrad.tensor import Tensor

__all__ = ["binary_cross_entropy_with_logits", "cross_entropy", "log_softmax", "mse", "softmax"]

# --- probabilities ----------------------------------------------------------------------------------------------------


@op(reads=())
def softmax(xp: Any, x: Any, axis: int = -1) -> Any:
    """Return eˣ / Σ eˣ along `axis`, without overflow for any x."""
    e = xp.exp(below_largest(xp, x, axis)[0])
    return e / e.sum(axis=axis, keepdims=True)


softmax.vjp(lambda xp, g, y, x, axis: y * (g - xp.sum(g * y, axis=axis, keepdims=True)))


@op(reads=())
def log_softmax(xp: Any, x: Any, axis: int = -1) -> Any:
    """Return x − log Σ eˣ along `axis`, the logarithm of `softmax`, without overflow for any x."""
    low = below_largest(xp, x, axis)[0]
    return low - xp.log(xp.exp(low).sum(axis=axis, keepdims=True))


log_softmax.vjp(lambda xp, g, y, x, axis: g - xp.exp(y) * xp.sum(g, axis=axis, keepdims=True))

# --- classification ---------------------------------------------------------------------------------------------------


def _log_probabilities(xp: Any, logits: Any, labels: Any) -> Any:
    return run(xp, log_softmax, logits, axis=-1)


@op(save=_log_probabilities)
def cross_entropy(xp: Any, logp: Any, logits: Any, labels: Any) -> Any:
    """Return the mean over rows of −log softmax(logits)[label].

    Shapes: logits (…, classes). Integer labels (…), each within [0, classes), or soft labels (…, classes), the
    probabilities of all classes: then −Σ p log softmax(logits), and the labels have a gradient too.

    Raises ValueError for labels of another shape, and for an integer label out of range; labels on a GPU are not
    checked, since that would wait for it.
    """
    if _soft(labels):
        if labels.shape != logits.shape:
            raise ValueError(
                f"labels are integers of shape {logits.shape[:-1]} or probabilities of shape {logits.shape}, got "
                f"{labels.dtype} of shape {labels.shape}"
            )
        # A class that a label excludes adds 0, also where its log-probability is −∞.
        return divided(-xp.sum(labels * xp.where(labels == 0, 0, logp)), _rows(logits))
    labels = _checked(labels, logits)
    rows = logp.reshape(-1, logp.shape[-1])
    return -mean.operation.forward(xp, rows[xp.arange(len(rows)), xp.asarray(labels).reshape(-1)])


cross_entropy.vjp(
    lambda xp, g, y, logp, logits, labels: (
        (_expected(xp, logp, labels) - _target(logits, labels)) * divided(g, _rows(logits))
    ),
    lambda xp, g, y, logp, logits, labels: -logp * divided(g, _rows(logits)),
)


def _rows(logits: Any) -> int:
    return int(logits.size // logits.shape[-1])


def _soft(labels: Any) -> bool:
    """Tell probabilities from class numbers."""
    return getattr(labels, "dtype", np.dtype(int)).kind not in "iu"


def _expected(xp: Any, logp: Any, labels: Any) -> Any:
    """Return the probabilities, times the sum of each row's soft labels; a class number weighs 1."""
    p = xp.exp(logp)
    return p * xp.sum(labels, axis=-1, keepdims=True) if _soft(labels) else p


def _target(logits: Any, labels: Any) -> Any:
    """Return soft labels as they are, class numbers as rows with a 1 at the class."""
    if _soft(labels):
        return labels
    array = backend.namespace(logits)
    labels = array.asarray(labels.data if isinstance(labels, Tensor) else labels)
    return (array.arange(logits.shape[-1]) == labels[..., None]).astype(logits.dtype)


def _checked(labels: Any, logits: Any) -> Any:
    classes, shape = logits.shape[-1], getattr(labels, "shape", ())
    if shape != logits.shape[:-1]:
        raise ValueError(
            f"integer labels for logits of shape {logits.shape} have shape {logits.shape[:-1]}, got {shape}"
        )
    backend.look(labels, functools.partial(_check_range, classes))
    return labels


def _check_range(classes: int, labels: Any) -> None:
    """Raise ValueError unless every label is one of the classes."""
    labels = np.asarray(labels)
    unsigned = labels.view(_unsigned(labels.dtype))  # in which what is negative is large: one look is enough
    if labels.size and np.maximum.reduce(unsigned, axis=None) >= classes:
        label = labels.flat[unsigned.argmax()]
        raise ValueError(f"label {label} is out of range: there are {classes} classes, 0 to {classes - 1}")


@functools.cache
def _unsigned(dtype: Any) -> Any:
    return np.dtype(f"{dtype.byteorder}u{dtype.itemsize}")


@op()
def binary_cross_entropy_with_logits(xp: Any, logits: Any, targets: Any) -> Any:
    """Return the mean over entries of −t log σ(x) − (1 − t) log(1 − σ(x)), for logits x and targets t in [0, 1].

    Computed as max(x, 0) − x t + log(1 + e^−|x|), which overflows for no x. Raises ValueError unless the shapes are
    equal.
    """
    _same_shape(logits, targets, "targets", "logits")
    logits = floating(logits)
    if logits.dtype == object:  # perhaps undecided whether x > 0
        return run(xp, mean, run(xp, softplus, logits) - logits * targets)
    positive = run(xp, relu, logits)
    loss = positive - logits * targets + xp.log1p(xp.exp(logits - positive - positive))
    return run(xp, mean, loss)


binary_cross_entropy_with_logits.vjp(
    lambda xp, g, y, logits, targets: (run(xp, sigmoid, logits) - targets) * divided(g, logits.size),
    lambda xp, g, y, logits, targets: -logits * divided(g, logits.size),
)

# --- regression -------------------------------------------------------------------------------------------------------


@op()
def mse(xp: Any, prediction: Any, target: Any) -> Any:
    """Return the mean over entries of (prediction − target)².

    Raises ValueError unless the shapes are equal: (n, 1) beside (n,) would broadcast to (n, n), a mistake that trains.
    """
    _same_shape(prediction, target, "target", "prediction")
    d = floating(prediction) - target
    return run(xp, mean, d * d)


mse.vjp(
    lambda xp, g, y, prediction, target: (prediction - target) * divided(2 * g, prediction.size),
    lambda xp, g, y, prediction, target: (target - prediction) * divided(2 * g, target.size),
)


def _same_shape(a: Any, b: Any, mine: str, model: str) -> None:
    shapes = [getattr(v, "shape", ()) for v in (a, b)]
    if shapes[0] != shapes[1]:
        raise ValueError(f"{mine} must have the shape of {model}, {shapes[0]}, got {shapes[1]}")
