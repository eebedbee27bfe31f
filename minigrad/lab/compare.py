"""The main job: the same network, start and batches, trained once per variant, each held against its partner."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from minigrad import backend, data
from minigrad.extras import need
from minigrad.lab.progress import Progress, Silent
from minigrad.lab.settings import Settings
from minigrad.lab.trial import Run, train

__all__ = ["Results", "compare", "whole_run"]


@dataclass(frozen=True)
class Results:
    """The runs of a comparison, in order, by name; `examples` is how many the training set has."""

    settings: Settings
    runs: dict[str, Run]
    distances: dict[str, list[float]]
    examples: int

    @property
    def steps(self) -> int:
        """The number of steps of every run."""
        return next(iter(self.runs.values())).steps[-1]

    def as_dict(self) -> dict[str, Any]:
        """Return everything as it goes into JSON. Equal settings on one machine give equal results."""
        from minigrad import __version__

        return {
            "format": 1,
            "minigrad": __version__,
            "settings": self.settings.as_dict(),
            "steps": self.steps,
            "variants": [self._of(run) for run in self.runs.values()],
        }

    def _of(self, run: Run) -> dict[str, Any]:
        entry, n, last = run.entry, run.numbers, run.curve[-1]
        return {
            "name": entry.name,
            "family": entry.family,
            "label": entry.label,
            "door": entry.door,
            "lr": n.lr,
            "decay": n.decay,
            "l2": n.l2,
            "l1": n.l1,
            "momentum": n.momentum if entry.family == "momentum" else None,
            "partner": entry.partner,
            "data_loss": last.data_loss,
            "penalty": run.penalty,
            "train_accuracy": last.accuracy,
            "test_accuracy": run.test_accuracy,
            "norm": last.norm,
            "zeros": run.zeros,
            "one_step": run.one_step.as_dict() if run.one_step else None,
            "whole_run": self.distances[entry.name][-1] if entry.partner else None,
            "curves": {
                "step": run.steps,
                "data_loss": [m.data_loss for m in run.curve],
                "train_accuracy": [m.accuracy for m in run.curve],
                "norm": [m.norm for m in run.curve],
                "distance": self.distances.get(entry.name),
            },
        }


def compare(settings: Settings, progress: Progress | None = None) -> Results:
    """Train every entry that `settings` name, one after the other, from the same weights on the same batches.

    BLAS is held to one thread meanwhile: matrices this small gain nothing from more, lose several times over where the
    cores are shared, and the results should not depend on how many there are.

    Raises ImportError or RuntimeError where the data set or the back end is not to be had, BoundExceededError and
    DivergenceError as `train` does.
    """
    progress = progress or Silent()
    one_thread = need("threadpoolctl", "lab").threadpool_limits(1, user_api="blas")  # scikit-learn brings it
    with one_thread, backend.use_backend(settings.backend):
        split = data.digits(dtype=settings.dtype, flat=settings.model == "mlp")
        runs: dict[str, Run] = {}
        with progress:
            for entry in settings.entries:
                progress.begin(entry, len(runs) + 1, len(settings.entries), settings.passes)
                runs[entry.name] = train(entry, settings, split, progress.watch)
                progress.end()
    distances = {name: whole_run(run, runs[run.entry.partner]) for name, run in runs.items() if run.entry.partner}
    return Results(settings, runs, distances, len(split.train_labels))


def whole_run(run: Run, partner: Run) -> list[float]:
    """Return ‖θ − θ′‖ / ‖θ₀‖ over all parameters, at each step of the curves.

    θ′ are the partner's, θ₀ the common start, which gives all distances of a comparison one unit.
    """
    unit = np.linalg.norm(run.points[0].astype(np.float64))
    return [
        float(np.linalg.norm(a.astype(np.float64) - b) / unit) for a, b in zip(run.points, partner.points, strict=True)
    ]
