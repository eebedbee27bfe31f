"""Flat buffers: the parameters of a group as one contiguous slice, their gradients and state beside them.

Where many models are trained at once, a group is a contiguous matrix instead: a row is one model's flat buffer.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from minigrad import backend
from minigrad.autodiff import wrote
from minigrad.nn.parameter import Parameter

__all__ = ["Group", "lay_out"]


class Group:
    """Neighbouring parameters that share one update: equal in dtype, and all regularised or none.

    Attributes:
        params: the parameters, in the order in which they lie here.
        places: the index of each in the optimizer's `params`.
        regularised: whether the regulariser acts on them.
        weights, grads: flat arrays, or matrices of one row for each model; `data` and the gradient of each parameter
            are views into them.
        state: arrays like them, one for each state of the rule that is an array.
        numbers: for each state of the rule that is one number, by name, its value for each parameter.
        bounds: parameter i occupies ``weights[..., bounds[i]:bounds[i + 1]]``.
        t: how many steps each parameter has taken part in.
    """

    def __init__(
        self,
        params: list[Parameter],
        places: list[int],
        regularised: bool,
        weights: Any,
        grads: Any,
        state: list[Any],
        numbers: Mapping[str, Any],
    ):
        self.params = params
        self.places = places
        self.regularised = regularised
        self.weights = weights
        self.grads = grads
        self.state = state
        self.numbers = {name: [start] * len(params) for name, start in numbers.items()}
        models = weights.shape[0] if weights.ndim == 2 else 1
        self.bounds = [0, *accumulate(p.size // models for p in params)]
        self.t = [0] * len(params)
        self._views = self.split(weights)
        self._homes = self.split(grads)
        self._present: list[bool] | None = None
        self._runs: list[tuple[int, int]] = []
        self._slices: dict[tuple[int, int], list[Any]] = {}

    def split(self, flat: Any) -> list[Any]:
        """Return the part of an array like `weights` that belongs to each parameter, as a view of its shape."""
        return [flat[..., a:b].reshape(p.shape) for p, (a, b) in zip(self.params, pairwise(self.bounds), strict=True)]

    def adopt(self, owner: Any) -> None:
        """Move the parameters' values in; from here on they are views, and `owner` is who steps them."""
        for p, view, home in zip(self.params, self._views, self._homes, strict=True):
            view[...] = p.data
            p.data = view
            p.grad_home = home
            p.owner = owner

    def survey(self, owner: Any) -> tuple[list[bool], list[tuple[int, Any]]]:
        """Return which parameters have a gradient, and the gradients that lie elsewhere with their positions.

        Writes nothing. A gradient that is a view may lie where another belongs (two were swapped): it is copied.

        Raises:
            RuntimeError: a parameter's values are no longer those in the buffer.
            TypeError, ValueError: a gradient that was set by hand has another type, dtype or shape.
        """
        present: list[bool] = []
        elsewhere: list[tuple[int, Any]] = []
        for i, p in enumerate(self.params):
            if p.data is not self._views[i]:
                raise RuntimeError(_moved(p, owner))
            g = p.grad
            present.append(g is not None)
            if g is not None and g is not self._homes[i]:
                _check_gradient(p, g)
                elsewhere.append((i, g if g.base is None else g.copy()))
        return present, elsewhere

    def collect(self, elsewhere: list[tuple[int, Any]]) -> None:
        """Copy the gradients that lie elsewhere to where they belong."""
        for i, g in elsewhere:
            self._homes[i][...] = g
            self.params[i].grad = self._homes[i]

    def runs(self, present: list[bool]) -> list[tuple[int, int]]:
        """Return the longest runs (first, last + 1) of neighbours that have a gradient, the same t and equal numbers.

        All of a run advance together, so the same gradients make the same runs again.
        """
        if present != self._present:
            self._present, self._runs = present, []
            for i, here in enumerate(present):
                if here and self._runs and self._runs[-1][1] == i and self._alike(i - 1, i):
                    self._runs[-1] = (self._runs[-1][0], i + 1)
                elif here:
                    self._runs.append((i, i + 1))
        return self._runs

    def _alike(self, i: int, j: int) -> bool:
        return self.t[i] == self.t[j] and all(of[i] == of[j] for of in self.numbers.values())

    def forget_runs(self) -> None:
        """Find the runs anew at the next step: some t or number was changed."""
        self._present = None

    def arguments(self, first: int, last: int) -> tuple[Any, Any, list[Any]]:
        """Return weights, gradients and state of a run, as an executor takes them: the same arrays for the same run."""
        if (first, last) not in self._slices:
            part = slice(self.bounds[first], self.bounds[last])
            self._slices[first, last] = [a[..., part] for a in (self.weights, self.grads, *self.state)]
        weights, grads, *state = self._slices[first, last]
        return weights, grads, [*state, *(of[first] for of in self.numbers.values())] if self.numbers else state

    def advance(self, first: int, last: int, numbers: Sequence[Any] = ()) -> None:
        """Note that the parameters of a run were written, and the next values of their numbers."""
        for of, value in zip(self.numbers.values(), numbers, strict=True):
            of[first:last] = [value] * (last - first)
        for i in range(first, last):
            self.t[i] += 1
        wrote(*self.params[first:last])

    def kept(self) -> Callable[[], None]:
        """Return a function that puts back what a step changes on the host: counts, numbers, where gradients are."""
        t, numbers = list(self.t), {name: list(of) for name, of in self.numbers.items()}
        of_params = [(p, p._written[0], p.grad) for p in self.params]

        def restore() -> None:
            self.t, self.numbers = t, numbers
            self.forget_runs()
            for p, written, grad in of_params:
                p._written[0], p.grad = written, grad

        return restore


def lay_out(
    params: Sequence[Parameter],
    selects: Callable[[Any], bool] | None,
    states: int,
    numbers: Mapping[str, Any],
    models: int | None = None,
) -> list[Group]:
    """Return the groups of `params` on fresh buffers, one per dtype, the regularised first; nothing is moved yet.

    Args:
        params: the parameters, each once.
        selects: the regulariser's predicate, or None without one.
        states: how many state arrays the rule carries; they start at zero.
        numbers: the states of the rule that are one number, with their start values.
        models: the length of the parameters' leading axis, where each entry of it is a model of its own.
    """
    kinds: dict[Any, list[int]] = {}
    for i, p in enumerate(params):
        kinds.setdefault((backend.namespace(p.data), p.data.dtype), []).append(i)
    groups = []
    for members in kinds.values():
        acts = {i: selects is not None and bool(selects(params[i])) for i in members}
        chosen, others = [i for i in members if acts[i]], [i for i in members if not acts[i]]
        total = sum(params[i].size for i in members)
        weights, grads, *state = (backend.zeros(total, params[members[0]].data) for _ in range(2 + states))
        start = 0
        for places, regularised in ((chosen, True), (others, False)):
            if places:
                own = [params[i] for i in places]
                part = slice(start, start + sum(p.size for p in own))
                w, g, *s = (
                    a[part] if models is None else a[part].reshape(models, -1) for a in (weights, grads, *state)
                )
                groups.append(Group(own, places, regularised, w, g, s, numbers))
                start = part.stop
    return groups


def _moved(p: Parameter, owner: Any) -> str:
    if p.owner is not owner:
        return (
            f"a newer optimizer took over the parameter of shape {p.shape}; step that one, or make this one anew "
            "after it"
        )
    return (
        f"the data of the parameter of shape {p.shape} was bound to another array, which this optimizer does not know; "
        "write into it instead: p.data[...] = values"
    )


def _check_gradient(p: Parameter, g: Any) -> None:
    if not isinstance(g, type(p.data)) and not (isinstance(g, np.generic) and isinstance(p.data, np.ndarray)):
        raise TypeError(
            f"the gradient of the parameter of shape {p.shape} must be an array like its data, "
            f"{type(p.data).__name__}, got {type(g).__name__}"
        )
    if g.shape != p.shape:
        raise ValueError(f"the gradient of the parameter of shape {p.shape} has shape {g.shape}")
    if g.dtype != p.dtype:
        raise TypeError(f"the gradient of the parameter of shape {p.shape} and dtype {p.dtype} has dtype {g.dtype}")
