"""Batches: a data set in random order, a few examples at a time, from a place that can be returned to."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.regularization.checks import integer

__all__ = ["Batches"]


class Batches:
    """Shuffled batches of examples: ``for x, y in Batches(images, labels, 32, seed=0): ...`` is one epoch.

    Every epoch has its own order, drawn from one generator. The last batch of an epoch may be short; it is not
    dropped. Batches are bare arrays on the current back end, images and labels uploaded once each when the batch is
    made. An epoch that was broken off is continued by the next loop, so `epoch` and `position` always say where the
    run stands, and `state_dict` can be taken, and loaded, anywhere.

    Args:
        x: examples along the first axis, on the host.
        y: as many labels: integers, soft labels, or any targets.
        batch_size: examples per batch.
        seed: of the generator that shuffles; or
        rng: the generator itself, which nobody else should draw from.
        classes: integer labels must lie in [0, classes).

    Attributes:
        epoch: how many epochs are complete.
        position: how many batches of the current epoch have been handed out.

    Raises ValueError for lengths that differ, labels out of range (found here, on the host: no GPU is asked), a batch
    size below 1, or unless exactly one of `seed` and `rng` is given.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        batch_size: int,
        *,
        seed: int | None = None,
        rng: np.random.Generator | None = None,
        classes: int | None = None,
    ):
        self.x, self.y = backend.to_host(x), backend.to_host(y)
        self.classes = classes
        self.batch_size = integer("batch_size", batch_size)
        _check_labels(self.x, self.y, classes)
        if (seed is None) == (rng is None):
            raise ValueError("give either seed= or rng=: the order of the examples has one explicit source")
        self.rng = rng if rng is not None else np.random.default_rng(seed)
        self.epoch = 0
        self.position = 0
        self._order: Any = None  # the current epoch's, or None before its first batch
        self._origin: Any = None  # the generator's state from which that order was drawn

    @property
    def examples(self) -> int:
        """How many examples there are."""
        return len(self.x)

    def __len__(self) -> int:
        """How many batches an epoch has."""
        return (self.examples + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        """Yield the batches (x, y) that are left of the current epoch."""
        epoch = self.epoch
        while self.epoch == epoch and self.position < len(self):
            if self._order is None:
                self._shuffle()
            rows = self._order[self.position * self.batch_size : (self.position + 1) * self.batch_size]
            self.position += 1
            xp = backend.current()
            yield xp.asarray(self.x[rows]), xp.asarray(self.y[rows])
        if self.epoch == epoch:
            self.epoch += 1
            self.position = 0
            self._order = None

    def _shuffle(self) -> None:
        self._origin = self.rng.bit_generator.state
        self._order = self.rng.permutation(self.examples)

    def state_dict(self) -> dict[str, Any]:
        """Return where the run stands, as numbers, strings, lists and dicts that JSON can hold."""
        origin = self.rng.bit_generator.state if self._order is None else self._origin
        return {
            "epoch": self.epoch,
            "position": self.position,
            "examples": self.examples,
            "batch_size": self.batch_size,
            "generator": _plain(origin),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go to where `state` was taken: the next batch is the one that followed there.

        Raises ValueError if it was taken from batches of another number or size, or another kind of generator, or
        lacks something, and TypeError if it is no dict; nothing has changed then.
        """
        self.check_state_dict(state)
        self.rng.bit_generator.state = state["generator"]
        self.epoch = int(state["epoch"])
        self.position = int(state["position"])
        self._order = None
        if self.position:
            self._shuffle()

    def check_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raise what `load_state_dict` would raise for `state`, changing nothing."""
        if not isinstance(state, Mapping):
            raise TypeError(f"expected a dict, as state_dict() returns it, got {type(state).__name__}")
        names = ("epoch", "position", "examples", "batch_size", "generator")
        if missing := [n for n in names if n not in state]:
            raise ValueError(f"the state of the batches lacks {', '.join(missing)}")
        for name, own in (("examples", self.examples), ("batch_size", self.batch_size)):
            if integer(name, state[name]) != own:
                raise ValueError(f"these batches have {name} {own}, the state was taken with {state[name]}")
        integer("epoch", state["epoch"], least=0)
        if integer("position", state["position"], least=0) > len(self):
            raise ValueError(f"position must be an integer in [0, {len(self)}], the state says {state['position']!r}")
        kind = self.rng.bit_generator.state["bit_generator"]
        if not isinstance(state["generator"], Mapping):
            raise ValueError(f"generator must be a dict, the state says {state['generator']!r}")
        if state["generator"].get("bit_generator") != kind:
            raise ValueError(f"the generator is {kind}, the state's is {state['generator'].get('bit_generator')}")
        try:
            type(self.rng.bit_generator)(0).state = state["generator"]
        except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
            raise ValueError(f"generator is no state of {kind}: {error!r}") from error

    def __repr__(self) -> str:
        return (
            f"Batches({self.examples} examples, batch_size={self.batch_size}: {len(self)} per epoch; "
            f"epoch {self.epoch}, batch {self.position})"
        )


def _check_labels(x: Any, y: Any, classes: int | None) -> None:
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ValueError(f"examples and labels must be equally many, got shapes {x.shape} and {y.shape}")
    if not len(x):
        raise ValueError("there are no examples")
    if y.dtype.kind in "iu":
        low, high = int(y.min()), int(y.max())
        if low < 0:
            raise ValueError(f"labels must be ≥ 0, got {low} at index {int(y.argmin())}")
        if classes is not None and high >= classes:
            raise ValueError(f"labels must be below classes={classes}, got {high} at index {int(y.argmax())}")
    elif classes is not None and not (y.ndim > 1 and y.shape[-1] == classes):
        raise ValueError(
            f"with classes={classes}, labels are integers or soft labels of shape (N, {classes}), "
            f"got dtype {y.dtype} and shape {y.shape}"
        )


def _plain(state: Any) -> Any:
    """Return a bit generator's state with lists for arrays and Python numbers for NumPy's."""
    if isinstance(state, dict):
        return {key: _plain(value) for key, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state
