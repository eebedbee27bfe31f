"""MyGrad, with AdamW by hand on its arrays: it has none."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.lab.bench import engine, step
from minigrad.lab.bench.contenders import by_hand, common, fresh, graphs
from minigrad.lab.bench.job import Job

__all__ = ["make"]


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare `task`."""
    if task["kind"] == "cold":
        return fresh.job(name, task)
    mygrad = common.library("mygrad")
    facts = {"mygrad": mygrad.__version__, "numpy": np.__version__}
    if task["kind"] == "engine":
        leaves = [mygrad.tensor(a) for a in engine.leaves(task["graph"], task["nodes"])]
        return graphs.job(task, leaves, mygrad.tanh, lambda a: getattr(a, "data", a), facts, lambda: None)
    return _step(mygrad, task, facts)


def _step(mygrad: Any, task: Mapping[str, Any], facts: Mapping[str, Any]) -> Job:
    nnet = common.library("mygrad.nnet")
    images = len(task["shape"]) > 1
    params = [mygrad.tensor(p) for p in _parameters(task)]
    optimizers = [by_hand.AdamW(p.data, np.zeros_like(p.data)) for p in params]
    batches = [(_first(x), labels) for x, labels in step.batches(task)] if images else step.batches(task)

    def one(x: Any, labels: Any) -> Any:
        left, x = list(params), mygrad.tensor(x, constant=True)
        for kind, *sizes in task["layers"]:
            if kind == "dense":
                x = mygrad.matmul(x, left.pop(0)) + left.pop(0)
            elif kind == "conv":
                x = nnet.layers.conv_nd(x, left.pop(0), stride=1, padding=1)
                x = x + left.pop(0).reshape(1, -1, 1, 1) if sizes[2] else x
            elif kind == "batch_norm":
                x = nnet.layers.batchnorm(x, gamma=left.pop(0), beta=left.pop(0), eps=1e-5)
            elif kind == "relu":
                x = nnet.activations.relu(x)
            elif kind == "pool":
                x = nnet.layers.max_pool(x, (2, 2), 2)
            else:
                x = x.reshape(len(x), -1)
        loss = nnet.losses.softmax_crossentropy(x, labels)
        loss.backward()
        for p, optimizer in zip(params, optimizers, strict=True):
            optimizer.g = p.grad
            optimizer.step()
        return loss

    return common.training(one, batches, facts, lambda loss: float(loss.data))


def _first(x: Any) -> Any:
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def _parameters(task: Mapping[str, Any]) -> list[Any]:
    """Return the first weights with channels first."""
    found, image = step.parameters(task), None
    places = iter(range(len(found)))
    for (kind, *sizes), shape, _ in step.sequence(task):
        if kind == "flatten":
            image = shape[1:]
        for _ in range(len(list(step.shapes([[kind, *sizes]])))):
            i = next(places)
            if kind == "conv" and found[i].ndim == 4:
                found[i] = np.ascontiguousarray(found[i].transpose(3, 2, 0, 1))
            elif kind == "dense" and found[i].ndim == 2 and image is not None:
                moved = found[i].reshape(*image, -1).transpose(2, 0, 1, 3)
                found[i], image = np.ascontiguousarray(moved.reshape(found[i].shape)), None
    return found
