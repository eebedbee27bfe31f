"""One training step of one network, AdamW on a two-layer perceptron, by every library that is installed.

A contender is made by ``make(arrays, x, labels, on_gpu)`` and is a function that makes one step and returns the loss
where it lies: ``float`` of it waits for the device.
"""

import os

import numpy as np

import minigrad as mg
from minigrad import backend, nn, optim
from minigrad.extras import need

LR, DECAY, BETAS, EPS = 1e-3, 1e-5, (0.9, 0.999), 1e-8
CLASSES = 10


def first(width, batch, seed):
    """Return the weights that all begin with, and the batch they all see: NumPy arrays on the host."""
    rng = np.random.default_rng(seed)
    arrays = []
    for inputs, outputs in ((width, width), (width, CLASSES)):
        arrays += [nn.he_normal(rng, (inputs, outputs), np.float32), np.zeros(outputs, np.float32)]
    return arrays, rng.standard_normal((batch, width), dtype=np.float32), rng.integers(0, CLASSES, batch)


def minigrad_eager(arrays, x, labels, on_gpu):
    name = "cupy" if on_gpu else "numpy"
    with mg.use_backend(name):
        params = [nn.Parameter(a, role="weight" if a.ndim == 2 else "bias") for a in arrays]
        x, labels = (backend.current().asarray(a) for a in (x, labels))
    optimizer = optim.AdamW(params, lr=LR, betas=BETAS, eps=EPS, decay=DECAY)

    def step():
        optimizer.zero_grad()
        loss = mg.cross_entropy(mg.linear(mg.relu(mg.linear(x, *params[:2])), *params[2:]), labels)
        loss.backward()
        optimizer.step()
        return loss

    return lambda: _number(name, step)


def minigrad_captured(arrays, x, labels, on_gpu):
    name = "cupy" if on_gpu else "numpy"
    with mg.use_backend(name):
        step = mg.capture(minigrad_eager(arrays, x, labels, on_gpu))
    return lambda: _number(name, step)


def _number(name, step):
    with mg.use_backend(name):
        loss = step()
    return loss if hasattr(loss, "__float__") else loss.data


def torch_eager(arrays, x, labels, on_gpu, compiled=False):
    torch = need("torch", "oracle")
    device = "cuda" if on_gpu else "cpu"
    if on_gpu and not torch.cuda.is_available():
        raise ImportError("this torch has no CUDA")
    torch.set_num_threads(1)
    params = [torch.tensor(a, device=device, requires_grad=True) for a in arrays]
    x, labels = torch.tensor(x, device=device), torch.tensor(labels, device=device)
    optimizer = torch.optim.AdamW(params, lr=LR, betas=BETAS, eps=EPS, weight_decay=DECAY / LR, fused=True)

    def loss_of(w1, b1, w2, b2):
        return torch.nn.functional.cross_entropy(torch.relu(x @ w1 + b1) @ w2 + b2, labels)

    loss_of = torch.compile(loss_of) if compiled else loss_of

    def step():
        optimizer.zero_grad()
        loss = loss_of(*params)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def torch_compiled(arrays, x, labels, on_gpu):
    return torch_eager(arrays, x, labels, on_gpu, compiled=True)


def jax_compiled(arrays, x, labels, on_gpu):
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    jax, optax = need("jax", "oracle"), need("optax", "oracle")
    try:
        device = jax.devices("gpu" if on_gpu else "cpu")[0]
    except RuntimeError as error:
        raise ImportError("this JAX has no CUDA") from error
    params, x, labels = jax.device_put((arrays, x, labels), device)
    rule = optax.adamw(LR, *BETAS, EPS, weight_decay=DECAY / LR)

    def loss_of(params):
        w1, b1, w2, b2 = params
        z = jax.nn.relu(x @ w1 + b1) @ w2 + b2
        return optax.softmax_cross_entropy_with_integer_labels(z, labels).mean()

    def update(params, state):
        loss, gradients = jax.value_and_grad(loss_of)(params)
        updates, state = rule.update(gradients, state, params)
        return optax.apply_updates(params, updates), state, loss

    update, carried = jax.jit(update), (params, rule.init(params))

    def step():
        nonlocal carried
        *carried, loss = update(*carried)
        return loss

    return step


MAKERS = {
    "minigrad": minigrad_eager,
    "minigrad-captured": minigrad_captured,
    "torch": torch_eager,
    "torch-compile": torch_compiled,
    "jax": jax_compiled,
}
LABELS = {
    "minigrad": "minigrad",
    "minigrad-captured": "minigrad, captured",
    "torch": "torch, fused AdamW",
    "torch-compile": "torch.compile, fused AdamW",
    "jax": "JAX jit, optax",
}
