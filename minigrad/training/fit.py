"""The training loop.

What the loop in many notes gets wrong, and where it is put right here: the penalty is one of `minigrad.regularization`
with its ½ and its choice of parameters, and is never counted as data loss; the mean over an epoch weighs a short last
batch by its length; nothing is read from the device at every step; test data is met in evaluation mode.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from minigrad import ops
from minigrad.data import Batches
from minigrad.executors.captured import capture as executors
from minigrad.nn import Module
from minigrad.regularization import Penalty
from minigrad.regularization.checks import integer
from minigrad.regularization.selection import is_weight
from minigrad.training.checkpoint import check_belongs
from minigrad.training.clip import clip_by_norm, clip_by_value, joint_norm
from minigrad.training.evaluate import evaluate, hits, modes_kept
from minigrad.training.history import History, Meter, Record
from minigrad.training.progress import Quiet, reporter

__all__ = ["State", "fit"]


@dataclass
class State:
    """What a callback sees after a step. ``state.stop = True`` ends the run there.

    Attributes:
        model, optimizer, batches: those of the run; `save_checkpoint` takes these three.
        step: steps made by the optimizer, 1 after the first.
        data_loss: mean over the step's batch, at the weights it began with: a 0-d array on the device. Reading it
            (``float``) waits for a GPU.
        penalty: what was added to it for `backward`, likewise; 0 without one.
        history: the records so far.
        stop: set it to end the run.
    """

    model: Module
    optimizer: Any
    batches: Batches
    step: int = 0
    data_loss: Any = None
    penalty: Any = 0.0
    history: History = field(default_factory=History)
    stop: bool = False


def fit(
    model: Module,
    optimizer: Any,
    batches: Batches,
    *,
    epochs: int,
    loss: Callable[..., Any] = ops.cross_entropy,
    penalty: Callable[..., Any] | None = None,
    test: tuple[Any, Any] | None = None,
    clip_value: float | None = None,
    clip_norm: float | None = None,
    log_every: int = 50,
    capture: bool = False,
    callbacks: Callable[[State], Any] | Iterable[Callable[[State], Any]] = (),
    progress: bool | Quiet = True,
    label: str = "",
) -> History:
    """Train `model` until `batches` have completed `epochs` epochs, and return the history.

    Each step: forget the gradients, compute the data loss and, apart from it, the penalty, call `backward` on their
    sum, clip, let the optimizer step. The run continues from where the batches stand: after `load_checkpoint` the
    same call goes on, mid-epoch, bit for bit as the uninterrupted run would have (on the CPU). The history begins
    anew: the means of an epoch that is resumed in its middle cover the rest of it only, as its record's ``examples``
    says, and an epoch of which no step is left gets no record. To train longer, call it again with a larger `epochs`.

    An exception inside a step, a KeyboardInterrupt among them, leaves its batch consumed and perhaps not learned from:
    a checkpoint that is to be exact is saved between two steps, in a callback.

    Args:
        model: called with a batch's x.
        optimizer: of the parameters to train.
        batches: the training data.
        epochs: counted from the beginning of the run, not of this call.
        loss: ``loss(model(x), y)``, a mean over the batch.
        penalty: door 1: an L2, L1, … of `minigrad.regularization`, or any function of a list of parameters. It is
            added to the loss for `backward` and reported apart.
        test: (x, y) to evaluate on after every epoch, without gradients, in evaluation mode.
        clip_value: move gradients into [−clip_value, clip_value] (`clip_by_value`).
        clip_norm: scale gradients to a joint norm of at most clip_norm (`clip_by_norm`), after clip_value. Both act
            *before the optimizer's door*: they see a penalty in the loss, but neither ``l2=`` nor ``decay=``.
        log_every: steps between two records. Only then, and at the end of an epoch, anything is read from the device.
        capture: record the step and replay it, with the same results (`minigrad.capture`). Steps are recorded for full
            batches; a shorter last one takes the step itself. What `model`, `loss` and `penalty` do on the host is done
            twice and then never again, and what a callback changes about them (modes, coefficients) is not seen: hence
            not the default.
        callbacks: functions of a `State`, called after every step; after the last one of an epoch its record is in
            ``state.history`` already. One that sets ``state.stop`` ends the run.
        progress: a live bar in a terminal and plain lines without one; False for silence; or a reporter of one's own.
        label: shown before the progress.

    Warns (UserWarning) where the time scale of weight decay, 1/η steps, is shorter than an epoch.

    Raises ValueError if `epochs` are complete already, if the optimizer has no parameter of the model, or where a
    coefficient of the penalty depends on the step and `capture` would freeze it; TypeError for a penalty that is no
    function; RuntimeError for a step that cannot be captured, which says why; and whatever model, loss and callbacks
    raise. The modes of the model are afterwards what they were.
    """
    epochs, log_every = integer("epochs", epochs), integer("log_every", log_every)
    _check(model, optimizer, batches, epochs, penalty, capture)
    optimizer.describe(steps_per_epoch=len(batches))  # warns of a decay that forgets within an epoch
    calls = [callbacks] if callable(callbacks) else list(callbacks)
    params = list(optimizer.params)
    weights = [p for p in params if is_weight(p)] or params
    state = State(model, optimizer, batches, step=optimizer.steps)
    meter = Meter()

    def step(x: Any, y: Any) -> tuple[Any, Any, Any]:
        optimizer.zero_grad()
        prediction = model(x)
        data_loss = loss(prediction, y)
        omega = _omega(penalty, params, optimizer.steps)
        (data_loss if penalty is None else data_loss + omega).backward()
        if clip_value is not None:
            clip_by_value(params, clip_value)
        if clip_norm is not None:
            clip_by_norm(params, clip_norm)
        optimizer.step()
        return data_loss.data, getattr(omega, "data", omega), hits(prediction, y)

    of_full_batch = executors.capture(step) if capture else step
    full = min(batches.batch_size, batches.examples)
    with modes_kept(model), reporter(progress, label) as show:
        show.start(epochs * len(batches), batches.epoch * len(batches) + batches.position, epochs)
        while batches.epoch < epochs and not state.stop:
            model.train()
            epoch, began = batches.epoch, time.perf_counter()
            for x, y in batches:
                run = of_full_batch if len(y) == full else step
                state.data_loss, state.penalty, right = run(x, y)
                state.step = optimizer.steps
                meter.add(state.data_loss, right, state.penalty, len(y), y.size)
                show.advance(epoch + 1)
                if state.step % log_every == 0:
                    record: Record = {"step": state.step, "epoch": epoch + batches.position / len(batches)}
                    state.history.steps.append(record | meter.record(joint_norm(p.data for p in weights)))
                    show.step(state.history.steps[-1])
                if batches.position == len(batches):
                    record = {"epoch": epoch + 1, "step": state.step, "seconds": time.perf_counter() - began}
                    record |= meter.epoch_record(joint_norm(p.data for p in weights))
                    if test is not None:
                        record["test_loss"], record["test_accuracy"] = evaluate(model, *test, loss=loss)
                    state.history.epochs.append(record)
                    show.epoch(record)
                for call in calls:
                    call(state)
                if state.stop:
                    break
    state.history.stopped = state.stop
    return state.history


def _omega(penalty: Any, params: list[Any], step: int) -> Any:
    if penalty is None:
        return 0.0
    return penalty(params, step=step) if isinstance(penalty, Penalty) else penalty(params)


def _check(model: Module, optimizer: Any, batches: Batches, epochs: int, penalty: Any, capture: bool) -> None:
    if penalty is not None and not callable(penalty):
        raise TypeError(
            f"penalty must be a function of the parameters, such as L2(0.01), got {penalty!r}; weight decay is no "
            "penalty and belongs to the optimizer: decay="
        )
    if capture and isinstance(penalty, Penalty) and any(map(callable, penalty.coefficients.values())):
        raise ValueError(
            f"a captured step would freeze the coefficient of {penalty!r}, which depends on the step: pass "
            'capture=False, or let the optimizer add it to the gradient (regularizer=, at="gradient")'
        )
    check_belongs(optimizer, model)
    if batches.epoch >= epochs:
        raise ValueError(
            f"the batches have completed {batches.epoch} epochs already, and epochs={epochs} counts from the beginning "
            f"of the run: to train {epochs} more, pass epochs={batches.epoch + epochs}"
        )
