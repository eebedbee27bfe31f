"""What only a GPU can show. The same lines run on the stand-in, so that they are known to run."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend
from minigrad.executors.fused import Fused
from minigrad.proof.rounding import unit_roundoff
from tests.device.machine import standing_in
from tests.device.runs import OPTIMIZERS, Run, batches, eager
from tests.executors.emitting import CASES, bits, case, drawn


@pytest.fixture(params=["stand-in", pytest.param("gpu", marks=pytest.mark.gpu)], autouse=True)
def _there(request, monkeypatch, tmp_path_factory):
    if request.param == "gpu":
        with mg.use_backend("cupy"):
            yield
    else:
        with standing_in(monkeypatch, tmp_path_factory.getbasetemp()):
            yield


SOME = [name for name in CASES if name.startswith(("adam/", "radam/")) or name.endswith("/decay")]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SOME)
def test_a_fused_update_has_numpys_bits_subnormals_infinities_and_nan_among_them(name, dtype):
    c = case(name)
    data = drawn(("w", "g", *(n for n in c.names if n not in c.scalars)), dtype)
    with np.errstate(all="ignore"):
        expected = c.step(data["w"], data["g"], *c.state(data), **c.numbers())
    there = {name: backend.current().asarray(x) for name, x in data.items()}
    Fused(c.names)(c.step, there["w"], there["g"], c.state(there), c.numbers())
    found = [backend.to_host(there[n]) for n in ("w", *c.names) if n not in c.scalars]
    arrays = [x for x in expected if hasattr(x, "dtype")]
    assert [bits(x) for x in found] == [bits(x) for x in arrays]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_layer_agrees_within_the_bound_of_its_sums(dtype):
    """Two sums of n products, in whatever order, differ by at most 2γₙ Σ|xw|; γₙ = nu / (1 − nu) (Higham, §3.1)."""
    rng = np.random.default_rng(0)
    x, w, b, g = (rng.standard_normal(s).astype(dtype) for s in ((64, 300), (300, 50), (50,), (64, 50)))

    def both():
        leaves = [mg.tensor(a, requires_grad=True) for a in (x, w, b)]
        y = mg.linear(*leaves)
        y.backward(mg.tensor(g).data)
        return [y.numpy(), *(backend.to_host(leaf.grad) for leaf in leaves)]

    there = both()
    with mg.use_backend("numpy"):
        here = both()
    u = unit_roundoff(np.dtype(dtype))
    sizes = [(abs(x) @ abs(w) + abs(b), 301), (abs(g) @ abs(w).T, 50), (abs(x).T @ abs(g), 64), (abs(g).sum(0), 64)]
    for a, c, (size, n) in zip(there, here, sizes, strict=True):
        assert (abs(a.astype(np.float64) - c) <= 2.01 * n * u / (1 - n * u) * size).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_captured_run_is_the_eager_one(name):
    """Bit for bit: the same kernels on the same numbers; no index is repeated, so that no sum has a free order."""
    expected = eager(name, 10)
    run = Run(name)
    captured = mg.capture(run.step)
    losses = [captured(*b).item() for b in batches(10)]
    assert (losses, run.state(), run.optimizer.hyper(10)) == expected


def test_the_masks_of_dropout_are_the_hosts():
    x = np.ones((33, 7), np.float32)
    there = mg.dropout(mg.tensor(x), 0.4, (1, 2), 3).numpy()
    assert (there == mg.dropout(x, 0.4, (1, 2), 3).numpy()).all()
