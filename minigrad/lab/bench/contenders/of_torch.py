"""PyTorch: eager with its three ways to update, channels last, without cuDNN, as a CUDA graph, and compiled."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from minigrad.lab.bench import engine, step, update
from minigrad.lab.bench.contenders import common, fresh, graphs, judge
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["Events", "Graphed", "device", "make", "place"]

GRAPHS = "torch-graphs"
WARM = 3  # calls before the one that is recorded


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare `task`."""
    if task["kind"] == "cold" and not common.on_device(task):
        return fresh.job(name, task)
    torch, facts, more = place(name, task)
    if task["kind"] == "cold":
        return fresh.job(name, task)
    if task["kind"] == "step":
        return _step(torch, name, task, facts, more)
    if task["kind"] == "update":
        return _update(torch, name, task, facts, more)
    first = engine.leaves(task["graph"], task["nodes"])
    leaves = [torch.tensor(a, requires_grad=True, device=device(task)) for a in first]
    if name != GRAPHS:
        return graphs.job(task, leaves, torch.tanh, lambda a: a.detach().cpu(), facts, **more)
    one = Graphed(torch, graphs.passes(task, leaves, torch.tanh))
    return graphs.recorded(task, leaves, lambda a: a.detach().cpu(), one, lambda: facts, **more)


def _how(name: str) -> dict[str, bool]:
    """Return how the contender updates: by the default, many tensors at once, or fused."""
    if name == "torch":
        return {}
    if name == "torch-foreach":
        return {"foreach": True}
    return {"fused": True, **({"capturable": True} if name == GRAPHS else {})}


# --- on a device ------------------------------------------------------------------------------------------------------


def device(task: Mapping[str, Any]) -> str:
    """Return torch's name for where a task is to be done."""
    return "cuda" if common.on_device(task) else "cpu"


def place(name: str, task: Mapping[str, Any]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Return torch, made ready for a task, with its versions and what a job needs on a device: clock and close.

    float32 is computed as float32, and cuDNN tries which convolution is the fastest before anything is timed.
    """
    torch = common.library("torch")
    facts = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    if not common.on_device(task):
        return torch, facts, {}
    if not torch.cuda.is_available():
        raise SkippedError("this torch finds no GPU")
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.enabled = name != "torch-no-cudnn"
    torch.backends.cudnn.benchmark = True
    facts |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}
    return torch, facts, {"clock": Events(torch), "close": torch.cuda.empty_cache}


class Events:
    """The device's clock, by torch's events."""

    def __init__(self, torch: Any):
        self.cuda = torch.cuda

    def mark(self) -> Any:
        """Return a mark behind all work that was queued on the current stream."""
        event = self.cuda.Event(enable_timing=True)
        event.record()
        return event

    def between(self, first: Any, last: Any) -> float:
        """Return the seconds from one mark to another."""
        return float(first.elapsed_time(last)) / 1000

    def wait(self) -> None:
        """Wait until the device has done all work."""
        self.cuda.synchronize()


class Graphed:
    """A function of tensors as a CUDA graph: called as it is a few times, then recorded, then replayed.

    What it returns is overwritten by the next call, and has no history: a graph of autograd's that is still alive
    remembers the stream it was made on, and could not be recorded on another.
    """

    def __init__(self, torch: Any, function: Callable[..., Any]):
        self.torch, self.function = torch, function
        self.calls = 0
        self.stream = torch.cuda.Stream()  # where work is to be done before it is recorded
        self.own: tuple[Any, ...] = ()
        self.graph: Any = None
        self.result: Any = None

    def __call__(self, *arguments: Any) -> Any:
        """Do the work once."""
        self.calls += 1
        if self.calls <= WARM:
            return self._as_it_is(arguments)
        if self.graph is None:
            self._record(arguments)
        for own, given in zip(self.own, arguments, strict=True):
            own.copy_(given)
        self.graph.replay()
        return self.result

    def _as_it_is(self, arguments: tuple[Any, ...]) -> Any:
        cuda = self.torch.cuda
        self.stream.wait_stream(cuda.current_stream())
        with cuda.stream(self.stream):
            found = self.function(*arguments).detach()
        cuda.current_stream().wait_stream(self.stream)
        return found

    def _record(self, arguments: tuple[Any, ...]) -> None:
        self.own = tuple(x.clone() for x in arguments)
        self.graph = self.torch.cuda.CUDAGraph()
        with self.torch.cuda.graph(self.graph):
            self.result = self.function(*self.own).detach()


# --- a training step --------------------------------------------------------------------------------------------------


def _step(torch: Any, name: str, task: Mapping[str, Any], facts: Mapping[str, Any], more: Mapping[str, Any]) -> Job:
    a, layout = step.ADAMW, torch.contiguous_format
    if len(task["shape"]) == 1 and name in ("torch-channels-last", "torch-no-cudnn"):
        raise SkippedError("there are no images")
    model = _network(torch, task).to(device(task))
    batches = [tuple(torch.from_numpy(a).to(device(task)) for a in batch) for batch in step.batches(task)]
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

    run = Graphed(torch, one) if name == GRAPHS else one
    return common.training(run, batches, facts, lambda loss: float(loss.detach()), **more)


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


def _update(torch: Any, name: str, task: Mapping[str, Any], facts: Mapping[str, Any], more: Mapping[str, Any]) -> Job:
    if task["variant"] not in update.TORCH:
        raise SkippedError("PyTorch has no such update")
    kind, options = update.TORCH[task["variant"]]
    if name == "torch-foreach" and options.get("nesterov"):
        raise SkippedError("it writes into the gradients, which are to be used again")
    how = {"dtype": getattr(torch, task["dtype"]), "device": device(task)}
    w, g = judge.first(task, task["size"])
    params = [torch.nn.Parameter(torch.tensor(w, **how)) for _ in range(task["tensors"])]
    for p in params:
        p.grad = torch.tensor(g, **how)
    optimizer = _optimizer(torch, kind, params, lr=task["lr"], **options, **_how(name))
    for _ in range(update.CHECKED):
        optimizer.step()
    return Job(optimizer.step, params[-1].detach()[: update.PLACES].tolist(), facts, **more)


def _optimizer(torch: Any, kind: str, params: Iterable[Any], **options: Any) -> Any:
    return getattr(torch.optim, kind)(params, **options)
