"""`minigrad.capture`: a step recorded once and replayed, on a GPU as one graph, on NumPy as one list of calls."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.executors.captured.graphs import Captured
from minigrad.executors.captured.replayed import Replayed

__all__ = ["capture"]


def capture(step: Callable[..., Any]) -> Captured | Replayed:
    """Return `step` as a function that records it and replays it: on a GPU as one graph, on NumPy as a list of calls.

        @mg.capture
        def step(x, y):
            optimizer.zero_grad()
            loss = mg.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    Calls have the effect of as many calls of `step`, to the last bit. The first runs it as it is, the second records
    it, and from then on a call copies the new arguments to where the recorded ones lie, runs the host's part of the
    step again (the optimizer's t, schedules and numbers, the steps of dropout), and makes all recorded launches or
    calls: on a GPU at once, on NumPy one after the other, each into memory that is there already, without the engine,
    which is most of the time of a small network. Whatever else `step` does on the host (printing, counting, a
    coefficient of a penalty that changes, random numbers of NumPy's) is done twice and then never again. On NumPy that
    includes arithmetic on arrays that belong to no tensor, unless a tensor or its data takes part in it.

    Arguments are arrays, on the device or on the host, and tensors without gradients, always of the same shapes and
    dtypes; anything else must stay equal. Results are copies: they are not overwritten by the next call, and have no
    graph. Memory that the step needs is kept.

    Once the step is recorded, the method ``launches()`` says how many kernels and copies, or calls of NumPy's, a call
    makes. On NumPy, ``listing()`` returns them in Python, each under the line of source that asked for it: the whole
    step, forward, backward and update, line by line.

    Raises (when called):
        ValueError: an argument has another shape or dtype than when the step was recorded, or is not the same number;
            or, on a GPU, so many models are trained at once that their numbers do not fit.
        RuntimeError: `step` reads numbers from its arrays; or, on a GPU, an optimizer within cannot take its numbers
            from the device.

    Whatever is raised while the step is recorded, or on a GPU before the work is launched, the step was not made:
    weights, optimizers and the steps of dropout are as before, and the function can be called again. Gradients may be
    set, and must be forgotten (`zero_grad`), as after any step that was broken off. On NumPy a later call that raises
    (at a label out of range, or a schedule that refuses) ends where it is, as the step itself would.
    """
    return Replayed(step) if backend.current() is np else Captured(step)
