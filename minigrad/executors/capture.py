"""`minigrad.capture`: a step recorded once and replayed, on a GPU as one graph, on NumPy as one list of calls."""

from collections.abc import Callable
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.executors.graphs import Captured
from minigrad.executors.replayed import Replayed

__all__ = ["capture"]


def capture(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return `step` as a function that records it on a GPU and replays it; on NumPy, `step` itself.

        @mg.capture
        def step(x, y):
            optimizer.zero_grad()
            loss = mg.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

    Calls have the effect of as many calls of `step`. The first runs it as it is, the second records it, and from then
    on a call runs the host's part of it (the optimizer's t, schedules and numbers, the steps of dropout), copies the
    new arguments to where the recorded ones lie, and launches everything at once. Whatever else `step` does on the
    host (printing, counting, a coefficient of a penalty that changes) is done twice and then never again.

    Arguments are arrays, on the device or on the host, and tensors without gradients, always of the same shapes and
    dtypes; anything else must stay equal. Results are copies: they are not overwritten by the next call, and have no
    graph. The graph has a memory pool of its own, which keeps what the step needs. On a GPU, once the step is
    recorded, the method ``launches()`` says how many kernels and copies a call launches.

    Raises (when called):
        ValueError: an argument has another shape or dtype than when the step was recorded, or is not the same number;
            or so many models are trained at once that their numbers do not fit.
        RuntimeError: an optimizer within cannot take its numbers from the device, or `step` reads the device.

    Whatever is raised from the second call on, by `step` or by minigrad, before the work is launched, the step was not
    made: weights, optimizers and the steps of dropout are as before, and the function can be called again. Gradients
    may be set, and must be forgotten (`zero_grad`), as after any step that was broken off.
    """
    return Replayed(step) if backend.current() is np else Captured(step)
