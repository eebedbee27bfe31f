"""HIPS/autograd, with AdamW by hand on its arrays: it has none."""

from collections.abc import Mapping
from typing import Any

import numpy

from minigrad.lab.bench import engine, step
from minigrad.lab.bench.contenders import by_hand, common, fresh, graphs
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["make"]


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare `task`."""
    if task["kind"] == "cold":
        return fresh.job(name, task)
    autograd, np = common.library("autograd"), common.library("autograd.numpy")
    from importlib.metadata import version

    facts = {"autograd": version("autograd"), "numpy": numpy.__version__}
    if task["kind"] == "engine":
        return _engine(autograd, np, task, facts)
    if len(task["shape"]) > 1:
        raise SkippedError("autograd has no convolution of images")
    return _step(autograd, np, task, facts)


def _step(autograd: Any, np: Any, task: Mapping[str, Any], facts: Mapping[str, Any]) -> Job:
    params = step.parameters(task)
    grads = [np.zeros_like(p) for p in params]
    optimizers = [by_hand.AdamW(p, g) for p, g in zip(params, grads, strict=True)]

    def loss_of(params: Any, x: Any, labels: Any) -> Any:
        params = list(params)
        for kind, *_ in task["layers"]:
            x = np.dot(x, params.pop(0)) + params.pop(0) if kind == "dense" else np.maximum(x, 0)
        low = x - np.max(x, axis=1, keepdims=True)
        logp = low - np.log(np.sum(np.exp(low), axis=1, keepdims=True))
        return -np.mean(logp[np.arange(len(labels)), labels])

    both = autograd.value_and_grad(loss_of)

    def one(x: Any, labels: Any) -> Any:
        loss, found = both(params, x, labels)
        for optimizer, g in zip(optimizers, found, strict=True):
            optimizer.g = g
            optimizer.step()
        return loss

    return common.training(one, step.batches(task), facts)


def _engine(autograd: Any, np: Any, task: Mapping[str, Any], facts: Mapping[str, Any]) -> Job:
    leaves = engine.leaves(task["graph"], task["nodes"])
    both = autograd.value_and_grad(lambda leaves: np.sum(graphs.build(task, leaves, np.tanh)))
    value, found = both(leaves)

    def repeat() -> None:
        both(leaves)

    return Job(repeat, [float(value), float(found[0].sum()), float(found[-1].sum())], facts)
