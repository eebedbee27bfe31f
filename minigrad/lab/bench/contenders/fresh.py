"""A fresh interpreter for every repeat, with a clock of its own that starts before its first import."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from minigrad.lab.bench.job import Job, SkippedError
from minigrad.lab.bench.process import clean

__all__ = ["job"]

IMPORTS = {
    "numpy": {
        "numpy": "import numpy", "minigrad": "import minigrad", "torch": "import torch", "jax": "import jax, optax",
        "autograd": "import autograd", "mygrad": "import mygrad",
    },
    # Until the device answers.
    "cupy": {
        "cupy": "import cupy; cupy.ones(1).item()",
        "minigrad": "import minigrad as mg; mg.use_backend('cupy'); mg.tensor([1.0]).numpy()",
        "torch": "import torch; torch.ones(1, device='cuda').item()",
        "jax": "import jax, optax; jax.device_put(1.0, jax.devices('gpu')[0]).block_until_ready()",
    },
}  # fmt: skip

CACHES = (
    "XDG_CACHE_HOME", "LOCALAPPDATA", "NUMBA_CACHE_DIR", "CUPY_CACHE_DIR", "CUDA_CACHE_PATH",
)  # fmt: skip

# A 64-32-10 network, one batch of 32, one step of AdamW: as a user of each library would write it.
BY_HAND = """
import numpy, {library} as np
rng = numpy.random.default_rng(0)
drawn = [rng.standard_normal(s).astype("f") / 8 for s in ((64, 32), 32, (32, 10), 10)]
w1, b1, w2, b2 = params = [np.asarray(a) for a in drawn]
x, labels = np.asarray(rng.standard_normal((32, 64)).astype("f")), np.asarray(rng.integers(0, 10, 32))
rows = np.arange(32)
h = np.maximum(x @ w1 + b1, 0)
e = np.exp(h @ w2 + b2)
d = e / e.sum(1, keepdims=True)
loss = -np.log(d[rows, labels]).mean()
d[rows, labels] -= 1
d /= 32
dh = d @ w2.T * (h > 0)
for w, g in zip(params, (x.T @ dh, dh.sum(0), h.T @ d, d.sum(0))):
    m, v = 0.1 * g, 0.001 * g * g
    w *= 0.99
    w -= 1e-3 * (m / 0.1) / (np.sqrt(v / 0.001) + 1e-8)
float(w.sum())
"""
STEPS = {
    "numpy": BY_HAND,
    "cupy": BY_HAND,
    "minigrad": """
import minigrad as mg, numpy as np
mg.use_backend("{backend}")
rng = np.random.default_rng(0)
model = mg.nn.Sequential(mg.nn.Linear(64, 32, rng=rng), mg.nn.ReLU(), mg.nn.Linear(32, 10, rng=rng))
optimizer = mg.optim.AdamW(model.parameters(), lr=1e-3, decay=1e-2, executor="{executor}")
x, labels = rng.standard_normal((32, 64)).astype("f"), rng.integers(0, 10, 32)
mg.cross_entropy(model(mg.tensor(x)), mg.tensor(labels).data).backward()
optimizer.step()
float(optimizer.params[-1].numpy().sum())
""",
    "torch": """
import torch
model = torch.nn.Sequential(torch.nn.Linear(64, 32), torch.nn.ReLU(), torch.nn.Linear(32, 10)).to("{device}")
optimizer = torch.optim.AdamW(model.parameters(), weight_decay=10.0)
x, labels = torch.randn(32, 64, device="{device}"), torch.randint(0, 10, (32,), device="{device}")
torch.nn.functional.cross_entropy(model(x), labels).backward()
optimizer.step()
float(model[-1].bias.sum())
""",
    "jax": """
import jax, optax, numpy as np
rng = np.random.default_rng(0)
params = [jax.numpy.asarray(rng.standard_normal(s) / 8) for s in ((64, 32), 32, (32, 10), 10)]
x, labels = jax.numpy.asarray(rng.standard_normal((32, 64))), jax.numpy.asarray(rng.integers(0, 10, 32))
optimizer = optax.adamw(1e-3, weight_decay=10.0)
state = optimizer.init(params)
def loss(params):
    w1, b1, w2, b2 = params
    logits = jax.nn.relu(x @ w1 + b1) @ w2 + b2
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
@jax.jit
def step(params, state):
    updates, state = optimizer.update(jax.grad(loss)(params), state, params)
    return optax.apply_updates(params, updates), state
jax.block_until_ready(step(params, state))
""",
}


def job(name: str, task: Mapping[str, Any]) -> Job:
    """Return the job whose repeat starts an interpreter and returns the seconds its work took."""
    where = task.get("backend", "numpy")
    if task["what"] == "import":
        line = IMPORTS[where][name]
        return Job(lambda: _seconds(line, None), facts=_beyond(name) if where == "numpy" else {})
    script = _script(name, where)
    if task["cache"] == "empty":
        return Job(lambda: _with_empty_cache(script))
    kept = tempfile.TemporaryDirectory()
    _seconds(script, kept.name)  # fills it
    return Job(lambda: _seconds(script, kept.name), close=kept.cleanup)


def _script(name: str, where: str) -> str:
    library, _, executor = name.partition("-")
    if library not in STEPS:
        raise SkippedError("it has no optimizer to step")
    words = {
        "library": library, "executor": executor or "auto", "backend": where,
        "device": "cpu" if where == "numpy" else "cuda",
    }  # fmt: skip
    return re.sub(r"\{(library|executor|backend|device)\}", lambda word: words[word[1]], STEPS[library])


def _beyond(name: str) -> dict[str, float]:
    """Return, for minigrad, what its import adds once NumPy is there: the median of five."""
    if name != "minigrad":
        return {}
    script = "import numpy; start = time.perf_counter(); import minigrad"
    return {"beyond_numpy": sorted(_seconds(script, None) for _ in range(5))[2]}


def _with_empty_cache(script: str) -> float:
    with tempfile.TemporaryDirectory() as cache:
        return _seconds(script, cache)


def _seconds(script: str, cache: str | None) -> float:
    code = f"import time; start = time.perf_counter()\n{script}\nprint('seconds', time.perf_counter() - start)"
    places = {} if cache is None else dict.fromkeys(CACHES, cache)
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **places}, capture_output=True, text=True, check=False
    )
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("seconds "):
            with contextlib.suppress(ValueError):
                return float(line.split()[1])
    said = clean(done.stderr)
    if "ModuleNotFoundError" in said or "SkippedError" in said:
        raise SkippedError(said.partition(": ")[2])
    raise RuntimeError(said or f"the interpreter ended with status {done.returncode}")
