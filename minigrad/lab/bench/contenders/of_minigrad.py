"""minigrad, by executor; without a name, as it is by default."""

import gc
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

import minigrad as mg
from minigrad import backend
from minigrad.lab.bench import engine, footprint, step, update
from minigrad.lab.bench.contenders import common, fresh, graphs, judge
from minigrad.lab.bench.job import Job, SkippedError
from minigrad.optim import AdamW, Optimizer
from minigrad.regularization import VARIANTS

__all__ = ["adamw", "make", "network", "one_step"]

FACTS = {"minigrad": mg.__version__, "numpy": np.__version__}
CAPTURED = "minigrad-captured"


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare `task`."""
    if task["kind"] == "cold":
        return fresh.job(name, task)
    xp = common.place(task)
    if task["kind"] == "step":
        return _step(name, task, xp)
    return _update(name, task, xp) if task["kind"] == "update" else _engine(name, task)


def adamw(name: str, params: Iterable[Any]) -> Optimizer:
    """Return AdamW with the executor that the contender is called after, or the default one."""
    a = step.ADAMW
    options = {"betas": (a["beta1"], a["beta2"]), "eps": a["eps"], "decay": a["decay"]}
    return _with_executor(name, AdamW, params, lr=a["lr"], **options)


def _with_executor(name: str, kind: Any, *arguments: Any, **options: Any) -> Optimizer:
    try:
        found: Optimizer = kind(*arguments, **options, executor=_executor(name))
    except ImportError as error:
        raise SkippedError(str(error)) from error
    return found


def _executor(name: str) -> str:
    return name.removeprefix("minigrad").removeprefix("-captured").removeprefix("-") or "auto"


def _captured(name: str, step: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[[], dict[str, Any]]]:
    """Return `step`, captured if the contender is called so, and what says then what a call launches and holds."""
    if not name.startswith(CAPTURED):
        return step, dict
    captured = mg.capture(step)

    def facts() -> dict[str, Any]:
        program = getattr(captured, "program", None)
        return {"launches": captured.launches()} | ({"held_bytes": program.memory.held} if program else {})

    return captured, facts


# --- a training step --------------------------------------------------------------------------------------------------


def _step(name: str, task: Mapping[str, Any], xp: Any) -> Job:
    mg.keep_freed_memory()
    model = network(task)
    optimizer = adamw(name, model.parameters())

    def backward(loss: Any) -> None:
        loss.backward()
        optimizer.zero_grad()

    batches = [(xp.asarray(x), xp.asarray(labels)) for x, labels in step.batches(task)]
    memory = {}
    if name == "minigrad" and not common.on_device(task):
        x, labels = batches[0]
        memory = footprint.measure(lambda: mg.cross_entropy(model(x), labels), backward)
    run, more = _captured(name, one_step(model, optimizer))
    clock, close = common.clock(task), common.release(task)
    job = common.training(run, batches, FACTS, lambda loss: float(loss.data), clock, close)
    job.facts = {**FACTS, **memory, **more()}
    return job


def one_step(model: Any, optimizer: Optimizer) -> Callable[[Any, Any], Any]:
    """Return a function of x and labels that makes one training step; its result is the loss before it."""

    def one(x: Any, labels: Any) -> Any:
        optimizer.zero_grad()
        loss = mg.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss

    return one


def network(task: Mapping[str, Any]) -> Any:
    """Return the network of a training step, with its first weights."""
    rng = np.random.default_rng(0)
    layers: list[Any] = []
    for kind, *sizes in task["layers"]:
        if kind == "dense":
            layers.append(mg.nn.Linear(*sizes, rng=rng))
        elif kind == "conv":
            layers.append(mg.nn.Conv2d(sizes[0], sizes[1], 3, rng=rng, padding=1, bias=sizes[2]))
        else:
            plain = {"relu": mg.nn.ReLU, "pool": mg.nn.MaxPool2d, "flatten": mg.nn.Flatten}
            layers.append(mg.nn.BatchNorm(*sizes) if kind == "batch_norm" else plain[kind]())
    model = mg.nn.Sequential(*layers)
    for p, first in zip(model.parameters(), step.parameters(task), strict=True):
        p.data[...] = backend.current().asarray(first)
    return model


# --- the update alone -------------------------------------------------------------------------------------------------


def _update(name: str, task: Mapping[str, Any], xp: Any) -> Job:
    tensors, size = task["tensors"], task["size"]
    w, g = (xp.asarray(a.astype(task["dtype"], copy=False)) for a in judge.first(task, size))
    params = [mg.nn.Parameter(w) for _ in range(tensors)]
    optimizer = _optimizer(name, task, params)
    for p in params:
        p.grad_home[...] = g
        p.grad = p.grad_home
    one, more = _captured(name, optimizer.step)
    for _ in range(update.CHECKED):
        one()
    values = backend.to_host(params[-1].data[: update.PLACES])
    return Job(one, [float(v) for v in values], {**FACTS, **more()}, common.release(task), common.clock(task))


def _optimizer(name: str, task: Mapping[str, Any], params: list[Any]) -> Optimizer:
    variant = task["variant"]
    rule = VARIANTS[variant].rule
    try:
        own = update.numbers(variant)
    except KeyError as missing:
        raise SkippedError(f"no value is chosen for {missing}") from missing
    return _with_executor(name, Optimizer, params, rule, task["lr"], own, **update.regularised(variant))


# --- the engine -------------------------------------------------------------------------------------------------------


def _engine(name: str, task: Mapping[str, Any]) -> Job:
    if name == "minigrad-uncollected":
        gc.disable()  # a graph has no cycles: there is nothing in it for the collector
    leaves = [mg.tensor(a, requires_grad=True) for a in engine.leaves(task["graph"], task["nodes"])]
    clock, close = common.clock(task), common.release(task)
    if name != CAPTURED:
        return graphs.job(task, leaves, mg.tanh, backend.to_host, FACTS, clock=clock, close=close)
    one, more = _captured(name, graphs.passes(task, leaves, mg.tanh))
    return graphs.recorded(task, leaves, backend.to_host, one, lambda: {**FACTS, **more()}, clock=clock, close=close)
