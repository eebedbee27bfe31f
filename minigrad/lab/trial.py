"""One entry trained from the common start, measured as it goes."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.data import Batches, Split
from minigrad.lab.networks import network
from minigrad.lab.partners import DivergenceError, Form, OneStep, flat, point
from minigrad.lab.settings import Settings
from minigrad.lab.variants import ENTRIES, Entry, Numbers, Omega
from minigrad.ops.losses import cross_entropy
from minigrad.tensor import no_grad

__all__ = ["Measure", "Run", "train"]

SNAPSHOTS = {"mlp": 120, "cnn": 24}


@dataclass(frozen=True)
class Measure:
    """What is known of a network: data loss and accuracy on the training set, and ‖w‖ of its weights."""

    data_loss: float
    accuracy: float
    norm: float


@dataclass
class Run:
    """What one entry's training showed: curves, final numbers, and the one-step comparison with its partner.

    `points` are copies of all parameters at the `steps` of the curves; `compare` turns them into distances.
    """

    entry: Entry
    numbers: Numbers
    steps: list[int] = field(default_factory=list)
    curve: list[Measure] = field(default_factory=list)
    points: list[np.ndarray[Any, Any]] = field(default_factory=list)
    penalty: float | None = None
    test_accuracy: float = 0.0
    zeros: float = 0.0
    one_step: OneStep | None = None


Watch = Callable[[int, Measure], None]


def train(entry: Entry, settings: Settings, split: Split, watch: Watch) -> Run:
    """Train `entry` as `settings` say; ``watch(epoch, measure)`` is called at the start and after every epoch.

    Raises BoundExceededError where the entry and its partner should be one algorithm and are not, and DivergenceError
    where numbers are no longer finite.
    """
    batches = Batches(*split.train, settings.batch_size, seed=settings.seed, classes=split.classes)
    numbers = settings.numbers(entry.family, len(batches))
    model = network(settings.model, settings.seed, settings.dtype)
    params = list(model.parameters())
    optimizer = entry.make(params, numbers)
    omega = entry.penalty(numbers) if entry.penalty else None
    run = Run(entry, numbers)
    partner = _partner(entry, settings, numbers)
    run.one_step = OneStep(entry, partner.form, numbers) if partner else None
    train_set = [backend.current().asarray(a) for a in split.train]
    total = settings.passes * len(batches)
    every = -(-total // SNAPSHOTS[settings.model])

    def snapshot(step: int) -> None:
        run.steps.append(step)
        run.curve.append(_finite(_measure(model, params, *train_set), entry, step))
        run.points.append(flat([p.data for p in params]))

    with np.errstate(over="ignore", invalid="ignore"):  # what diverges is reported by name
        snapshot(0)
        watch(0, run.curve[-1])
        step = 0
        for epoch in range(settings.passes):
            for x, y in batches:
                _step(run, model, params, optimizer, omega if entry.in_loss else None, partner, step, x, y)
                step += 1
                if step % every == 0 or step == total:
                    snapshot(step)
            watch(epoch + 1, run.curve[-1])
        with no_grad():
            run.penalty = None if omega is None else omega(params).item()
    if run.penalty is not None and not np.isfinite(run.penalty):
        raise DivergenceError(_diverged(entry, step))
    images, labels = (backend.current().asarray(a) for a in split.test)
    run.test_accuracy = _measure(model, params, images, labels).accuracy
    weights = flat([p.data for p in params if p.role == "weight"])
    run.zeros = float(np.mean(weights == 0))
    return run


def _finite(measure: Measure, entry: Entry, step: int) -> Measure:
    if not (np.isfinite(measure.data_loss) and np.isfinite(measure.norm)):
        raise DivergenceError(_diverged(entry, step))
    return measure


def _diverged(entry: Entry, step: int) -> str:
    return f"{entry.name} diverged: its numbers are no longer finite after {step} steps; choose a smaller learning rate"


@dataclass(frozen=True)
class _Partner:
    form: Form
    omega: Omega | None  # of the partner's loss, where it has one
    own_gradient: bool  # whether its gradient is another than the run's


def _partner(entry: Entry, settings: Settings, numbers: Numbers) -> _Partner | None:
    if entry.partner is None:
        return None
    other = next(e for e in ENTRIES if e.name == entry.partner)
    elsewhere = network(settings.model, settings.seed, settings.dtype)
    form = Form(other, numbers, list(elsewhere.parameters()))
    omega = other.penalty(numbers) if other.penalty and other.in_loss else None
    return _Partner(form, omega, own_gradient=entry.in_loss or other.in_loss)


def _step(
    run: Run, model: Any, params: list[Any], optimizer: Any, omega: Omega | None, partner: _Partner | None,
    step: int, x: Any, y: Any,
) -> None:  # fmt: skip
    """Make one step of training, and the partner's form of it, from the same weights, gradient and state."""
    theirs = None
    if partner and partner.own_gradient:
        theirs = _gradients(model, params, optimizer, partner.omega, x, y)
    ours = _gradients(model, params, optimizer, omega, x, y)
    if partner is None or run.one_step is None:
        optimizer.step()
        return
    before = point(optimizer, params)
    other = partner.form.step(step, before, ours if theirs is None else theirs)
    optimizer.step()
    data_gradient = theirs if theirs is not None and partner.omega is None else ours
    after = point(optimizer, params)
    if not all(np.isfinite(flat(arrays)).all() for arrays in (data_gradient, after.weights, other.weights)):
        raise DivergenceError(_diverged(run.entry, step + 1))
    run.one_step.observe(step, before, data_gradient, after, other)


def _gradients(model: Any, params: list[Any], optimizer: Any, omega: Omega | None, x: Any, y: Any) -> list[Any]:
    """Return copies of the gradients of the data loss, plus `omega` if given; they are left in the parameters too."""
    optimizer.zero_grad()
    loss = cross_entropy(model(x), y)
    if omega is not None:
        loss = loss + omega(params)
    loss.backward()
    return [p.grad.ravel().copy() for p in params]


def _measure(model: Any, params: list[Any], images: Any, labels: Any) -> Measure:
    with no_grad():
        logits = model(images)
        data_loss = float(cross_entropy(logits, labels).data)
        accuracy = float((logits.data.argmax(axis=-1) == labels).mean())
    weights = flat([p.data for p in params if p.role == "weight"])
    return Measure(data_loss, accuracy, float(np.linalg.norm(weights.astype(np.float64))))
