"""JAX: a whole training step under ``jit``, with optax's AdamW, its buffers donated.

It offers no events of the device: there the host's clock is read where all work has been waited for.
"""

from collections.abc import Mapping
from typing import Any

from minigrad.lab.bench import step
from minigrad.lab.bench.clock import Waiting
from minigrad.lab.bench.contenders import common, fresh
from minigrad.lab.bench.job import Job, SkippedError

__all__ = ["make"]


def make(name: str, task: Mapping[str, Any]) -> Job:
    """Prepare `task`."""
    device = common.on_device(task)
    if device:
        _need_a_gpu(common.library("jax"))
    if task["kind"] == "cold":
        return fresh.job(name, task)
    if task["kind"] != "step":
        raise SkippedError("JAX takes part in training steps alone")
    jax, optax = common.library("jax"), common.library("optax")
    facts = {"jax": jax.__version__, "optax": optax.__version__}
    a = step.ADAMW
    optimizer = optax.adamw(a["lr"], a["beta1"], a["beta2"], a["eps"], weight_decay=a["decay"] / a["lr"])
    params = [jax.numpy.asarray(p) for p in step.parameters(task)]
    running = [(jax.numpy.zeros(n), jax.numpy.ones(n)) for kind, *(n, *_) in _sized(task) if kind == "batch_norm"]

    def loss_of(params: Any, running: Any, x: Any, labels: Any) -> Any:
        logits, running = _forward(jax, task, params, running, x)
        return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean(), running

    def update(carried: Any, x: Any, labels: Any) -> Any:
        params, state, running = carried
        (loss, running), grads = jax.value_and_grad(loss_of, has_aux=True)(params, running, x, labels)
        updates, state = optimizer.update(grads, state, params)
        return (optax.apply_updates(params, updates), state, running), loss

    compiled = jax.jit(update, donate_argnums=0)
    carried = params, optimizer.init(params), running

    def one(x: Any, labels: Any) -> Any:
        nonlocal carried
        carried, loss = compiled(carried, x, labels)
        return loss if device else jax.block_until_ready((carried, loss))[1]

    batches = [(jax.numpy.asarray(x), jax.numpy.asarray(labels)) for x, labels in step.batches(task)]
    clock = Waiting(lambda: jax.block_until_ready(carried)) if device else None
    return common.training(one, batches, facts, clock=clock)


def _need_a_gpu(jax: Any) -> None:
    try:
        jax.devices("gpu")
    except RuntimeError as error:
        raise SkippedError("this JAX finds no GPU") from error


def _sized(task: Mapping[str, Any]) -> list[Any]:
    return [layer for layer in task["layers"] if len(layer) > 1]


def _forward(jax: Any, task: Mapping[str, Any], params: Any, running: Any, x: Any) -> Any:
    np, params, running, after = jax.numpy, list(params), list(running), []
    for kind, *sizes in task["layers"]:
        if kind == "dense":
            x = x @ params.pop(0) + params.pop(0)
        elif kind == "conv":
            x = jax.lax.conv_general_dilated(
                x, params.pop(0), (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = x + params.pop(0) if sizes[2] else x
        elif kind == "batch_norm":
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            x = (x - mean) * jax.lax.rsqrt(var + 1e-5) * params.pop(0) + params.pop(0)
            count = x.size // x.shape[-1]
            old_mean, old_var = running.pop(0)
            after.append((0.9 * old_mean + 0.1 * mean, 0.9 * old_var + 0.1 * count / (count - 1) * var))
        elif kind == "relu":
            x = jax.nn.relu(x)
        elif kind == "pool":
            n, h, w, c = x.shape
            x = x.reshape(n, h // 2, 2, w // 2, 2, c).max((2, 4))
        else:
            x = np.reshape(x, (len(x), -1))
    return x, after
