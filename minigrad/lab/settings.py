"""What a comparison is asked to do, checked before any work starts."""

import difflib
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigrad.lab import schedules
from minigrad.lab.variants import FAMILIES, Entry, Numbers, entries
from minigrad.regularization.checks import nonnegative

__all__ = ["DEFAULT_EPOCHS", "DTYPES", "MODELS", "OPTIMIZERS", "Settings", "one_of"]

MODELS = ("mlp", "cnn")
OPTIMIZERS = ("all", *FAMILIES)
DTYPES = ("float32", "float64")
BACKENDS = ("numpy", "cupy")
DEFAULT_EPOCHS = {"mlp": 100, "cnn": 20}
# α and η by family: strong enough that the doors can be told apart by eye, weak enough that every net learns.
DEFAULT_NUMBERS = {"sgd": (0.1, 2e-4), "momentum": (0.02, 2e-4), "adam": (2e-3, 1e-4)}


@dataclass(frozen=True)
class Settings:
    """The settings of a comparison. `lr`, `decay` and `epochs` left at None take each family's, or model's, own.

    Raises ValueError or TypeError for whatever could not be trained with.
    """

    model: str = "mlp"
    optimizer: str = "all"
    lr: float | None = None
    decay: float | None = None
    schedule: str = "constant"
    epochs: int | None = None
    batch_size: int = 32
    seed: int = 0
    dtype: str = "float64"
    backend: str = "numpy"
    on: str = "weights"

    def __post_init__(self) -> None:
        one_of("model", self.model, MODELS)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, schedules.NAMES)
        one_of("dtype", self.dtype, DTYPES)
        one_of("backend", self.backend, BACKENDS)
        one_of("choice of parameters", self.on, ("weights", "all"))
        counts = (("epochs", self.passes, 1), ("batch size", self.batch_size, 1), ("seed", self.seed, 0))
        for name, value, least in counts:
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name} must be an integer ≥ {least}, got {value!r}")
        if self.lr is not None and nonnegative("lr", self.lr) == 0:
            raise ValueError("lr must be > 0: λ = η/α has no meaning at α = 0")
        if self.decay is not None and nonnegative("decay", self.decay) >= 1:
            raise ValueError(f"decay must be < 1: it is the fraction of a weight removed per step, got {self.decay!r}")
        largest = float(np.finfo(self.dtype).max)
        for family in self.families:
            l2 = self.numbers(family, None).l2
            if not math.isfinite(l2) or l2 > largest:
                raise ValueError(f"λ = decay/lr = {l2:g} is beyond {self.dtype}; choose a larger lr or a smaller decay")

    @property
    def families(self) -> tuple[str, ...]:
        """The families that take part."""
        return FAMILIES if self.optimizer == "all" else (self.optimizer,)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries that take part, in order."""
        return entries(self.optimizer)

    @property
    def passes(self) -> int:
        """How often each entry sees the training set: `epochs`, or the model's default."""
        return DEFAULT_EPOCHS[self.model] if self.epochs is None else self.epochs

    def numbers(self, family: str, steps_per_epoch: int | None) -> Numbers:
        """Return the hyperparameters of `family`; with `steps_per_epoch`, the schedule too."""
        lr, decay = DEFAULT_NUMBERS[family]
        lr = lr if self.lr is None else float(self.lr)
        decay = decay if self.decay is None else float(self.decay)
        schedule = None if steps_per_epoch is None else schedules.make(self.schedule, self.passes, steps_per_epoch)
        return Numbers(lr=lr, decay=decay, on=self.on, schedule=schedule)

    def as_dict(self) -> dict[str, Any]:
        """Return the settings as they go into JSON, the number of epochs filled in."""
        return {**asdict(self), "epochs": self.passes}


def one_of(what: str, name: str, known: Iterable[str]) -> str:
    """Return `name` if it is known; ValueError suggests the nearest name and lists them all."""
    known = tuple(known)
    if name not in known:
        near = difflib.get_close_matches(str(name).lower(), known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}? " if near else ""
        raise ValueError(f"unknown {what} {name!r}; {hint}known: {', '.join(known)}")
    return name
