"""PyTorch: eager with its three ways to update, channels last, and compiled."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minigrad.lab.bench import engine, step, update
from minigrad.lab.bench.contenders import common, fresh, graphs, judge
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["make"]


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare `task`."""
    if task["kind"] == "cold":
        return fresh.job(name, task)
    torch = common.library("torch")
    facts = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    if task["kind"] == "step":
        return _step(torch, name, task, facts)
    if task["kind"] == "update":
        return _update(torch, name, task, facts)
    leaves = [torch.tensor(a, requires_grad=True) for a in engine.leaves(task["graph"], task["nodes"])]
    return graphs.job(task, leaves, torch.tanh, lambda a: a.detach(), facts)


def _how(name: str) -> dict[str, bool]:
    """Return how the contender updates: by the default, many tensors at once, or fused."""
    if name == "torch":
        return {}
    return {"foreach": True} if name == "torch-foreach" else {"fused": True}


# --- a training step --------------------------------------------------------------------------------------------------


def _step(torch: Any, name: str, task: Mapping[str, Any], facts: Mapping[str, Any]) -> Job:
    a, layout = step.ADAMW, torch.contiguous_format
    model = _network(torch, task)
    batches = [(torch.from_numpy(x), torch.from_numpy(labels)) for x, labels in step.batches(task)]
    if len(task["shape"]) == 1 and name == "torch-channels-last":
        raise SkippedError("there are no images")
    if len(task["shape"]) > 1:
        layout = torch.channels_last if name == "torch-channels-last" else layout
        batches = [(x.permute(0, 3, 1, 2).contiguous(memory_format=layout), labels) for x, labels in batches]
        model = model.to(memory_format=layout)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=a["lr"], betas=(a["beta1"], a["beta2"]), eps=a["eps"],
        weight_decay=a["decay"] / a["lr"], **_how(name),
    )  # fmt: skip

    def loss_of(x: Any, labels: Any) -> Any:
        return torch.nn.functional.cross_entropy(model(x), labels)

    loss_function = torch.compile(loss_of) if name == "torch-compile" else loss_of

    def one(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = loss_function(x, labels)
        loss.backward()
        optimizer.step()
        return loss

    return common.training(one, batches, facts, lambda loss: float(loss.detach()))


def _network(torch: Any, task: Mapping[str, Any]) -> Any:
    """Return the network with channels first: weights are (outputs, inputs, …), and flattened images permuted."""
    first, layers, image = step.parameters(task), [], None
    for (kind, *sizes), shape, _ in step.sequence(task):
        if kind == "flatten":
            image = shape[1:]
        if kind == "dense":
            layers.append(torch.nn.Linear(*sizes))
            w = first.pop(0)
            if image is not None:
                w, image = w.reshape(*image, -1).transpose(2, 0, 1, 3).reshape(w.shape), None
            _fill(torch, layers[-1].weight, w.T)
            _fill(torch, layers[-1].bias, first.pop(0))
        elif kind == "conv":
            layers.append(torch.nn.Conv2d(*sizes[:2], 3, padding=1, bias=sizes[2]))
            _fill(torch, layers[-1].weight, first.pop(0).transpose(3, 2, 0, 1))
            if sizes[2]:
                _fill(torch, layers[-1].bias, first.pop(0))
        elif kind == "batch_norm":
            layers.append(torch.nn.BatchNorm2d(*sizes))
            _fill(torch, layers[-1].weight, first.pop(0))
            _fill(torch, layers[-1].bias, first.pop(0))
        else:
            plain = {"relu": torch.nn.ReLU, "flatten": torch.nn.Flatten}
            layers.append(torch.nn.MaxPool2d(2) if kind == "pool" else plain[kind]())
    return torch.nn.Sequential(*layers)


def _fill(torch: Any, parameter: Any, array: Any) -> None:
    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.ascontiguousarray(array)))


# --- the update alone -------------------------------------------------------------------------------------------------


def _update(torch: Any, name: str, task: Mapping[str, Any], facts: Mapping[str, Any]) -> Job:
    if task["variant"] not in update.TORCH:
        raise SkippedError("PyTorch has no such update")
    kind, options = update.TORCH[task["variant"]]
    if name == "torch-foreach" and options.get("nesterov"):
        raise SkippedError("it writes into the gradients, which are to be used again")
    w, g = judge.first(task, task["size"])
    params = [torch.nn.Parameter(torch.tensor(w)) for _ in range(task["tensors"])]
    for p in params:
        p.grad = torch.tensor(g)
    optimizer = _optimizer(torch, kind, params, lr=task["lr"], **options, **_how(name))
    for _ in range(update.CHECKED):
        optimizer.step()
    return Job(optimizer.step, params[-1].detach()[: update.PLACES].tolist(), facts)


def _optimizer(torch: Any, kind: str, params: Iterable[Any], **options: Any) -> Any:
    return getattr(torch.optim, kind)(params, **options)
