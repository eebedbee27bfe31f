"""Handwritten digits that come with scikit-learn: real, and small enough to train on in seconds."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad.extras import need

__all__ = ["Split", "digits"]


@dataclass(frozen=True)
class Split:
    """A data set in two parts, as arrays on the host; labels are integers in [0, classes)."""

    train_images: np.ndarray[Any, Any]
    train_labels: np.ndarray[Any, Any]
    test_images: np.ndarray[Any, Any]
    test_labels: np.ndarray[Any, Any]
    classes: int

    @property
    def train(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The images and labels to train on."""
        return self.train_images, self.train_labels

    @property
    def test(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        """The images and labels to test on."""
        return self.test_images, self.test_labels


def digits(dtype: Any = np.float32, *, flat: bool = True, test: float = 0.2, seed: int = 0) -> Split:
    """Return scikit-learn's 1797 handwritten digits, 8 × 8 grey values scaled to [0, 1], in two parts.

    The split is stratified: of each digit, the same share (rounded) is for testing. It depends on `seed` alone.

    Args:
        dtype: of the images.
        flat: images of shape (N, 64); otherwise (N, 8, 8, 1), channels last.
        test: share of examples for testing, in (0, 1).
        seed: of the split.

    Raises ImportError, naming the extra, where scikit-learn is not installed, and ValueError for a share outside
    (0, 1). Source: UCI ML repository, "Optical recognition of handwritten digits" (its test set), 1998.
    """
    if not 0 < test < 1:
        raise ValueError(f"test must lie in (0, 1), got {test!r}")
    bunch = need("sklearn.datasets", "lab").load_digits()
    images = (bunch.data / 16).astype(dtype).reshape((-1, 64) if flat else (-1, 8, 8, 1))
    labels = bunch.target.astype(np.int64)
    rng = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), bool)
    for digit in range(10):
        members = np.flatnonzero(labels == digit)
        chosen[rng.permutation(members)[: round(test * len(members))]] = True
    return Split(images[~chosen], labels[~chosen], images[chosen], labels[chosen], classes=10)
