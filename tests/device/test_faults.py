"""A training step is clean of the host, and each way to soil it is caught by name."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.data import Batches
from minigrad.ops.operation import op
from minigrad.optim import SGD, AdamW
from minigrad.regularization import L2
from minigrad.training import clip_by_norm, fit
from tests.device.log import ReadError

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((32, 6)).astype(np.float32), RNG.integers(0, 3, 32)


def network(*middle):
    rng = np.random.default_rng(0)
    return nn.Sequential(nn.Linear(6, 8, rng=rng), *middle, nn.ReLU(), nn.Linear(8, 3, rng=rng))


def step(model, optimizer, x, y, spoil=lambda loss, x: loss):
    optimizer.zero_grad()
    loss = spoil(mg.cross_entropy(model(x), y), x)
    loss.backward()
    optimizer.step()
    return loss


def uploaded():
    return mg.tensor(X).data, mg.tensor(Y).data


# --- a correct step ---------------------------------------------------------------------------------------------------

FORWARD = {
    "matmul": 2, "add": 2, "maximum": 2,  # linear, relu, linear; and the first of the next line
    "max": 1, "minimum": 1, "subtract": 2, "exp": 1, "sum": 2, "log": 1, "divide": 1,  # log-softmax, mean
    "arange": 1, "getitem": 1, "negative": 1,  # cross-entropy
}  # fmt: skip
BACKWARD = {
    "ones_like": 1, "divide": 1, "exp": 1, "arange": 1, "equal": 1, "astype": 1, "subtract": 1, "multiply": 2,
    "greater": 1, "matmul": 3, "sum": 2, "setitem": 2,  # relu; weights, in their place; biases, put there
}  # fmt: skip
UPDATE = {"multiply": 1, "subtract": 1, "setitem": 1}  # w ← w − α g
LAUNCHES = {k: sum(part.get(k, 0) for part in (FORWARD, BACKWARD, UPDATE)) for k in {**FORWARD, **BACKWARD, **UPDATE}}


def test_a_step_reads_nothing_uploads_nothing_and_launches_this(device):
    model = network()
    optimizer = SGD(model.parameters(), lr=0.1, executor="plain")
    x, y = uploaded()
    step(model, optimizer, x, y)
    device.clear()
    with device.unread():
        step(model, optimizer, x, y)
    assert device.uploads == device.downloads == device.waits == []
    assert device.counted() == LAUNCHES


@pytest.mark.parametrize("name", ["dropout", "batch norm", "layer norm", "penalty", "clipping"])
def test_no_layer_penalty_or_clipping_reads_the_device(name, device):
    rng = np.random.default_rng(1)
    layers = {"dropout": nn.Dropout(0.5, rng=rng), "batch norm": nn.BatchNorm(8), "layer norm": nn.LayerNorm(8)}
    model = network(*([layers[name]] if name in layers else []))
    optimizer = AdamW(model.parameters(), lr=0.1, decay=0.01, schedule=lambda k: 1 / (k + 1))

    def more(loss, x):
        if name == "clipping":
            loss.backward(retain_graph=True)
            clip_by_norm(model.parameters(), 0.1)
        return loss + L2(0.1)(model.parameters()) if name == "penalty" else loss

    x, y = uploaded()
    device.clear()
    with device.unread():
        for _ in range(3):
            step(model, optimizer, x, y, more)


def test_images_are_convolved_and_pooled_without_reading_the_device(device):
    rng = np.random.default_rng(1)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, rng=rng, padding=1), nn.BatchNorm(2), nn.GELU(), nn.MaxPool2d(2),
        nn.Conv2d(2, 2, 2, rng=rng),
        nn.AvgPool2d(2), nn.Flatten(), nn.Linear(2, 3, rng=rng),
    )  # fmt: skip
    optimizer = AdamW(model.parameters(), lr=0.1, decay=0.01)
    x, y = mg.tensor(RNG.standard_normal((4, 6, 6, 1)).astype(np.float32)), mg.tensor(Y[:4]).data
    device.clear()
    with device.unread():
        step(model, optimizer, x, y)
    assert sum(size for _, size in device.uploads) <= 4096
    assert {name for name, _ in device.uploads} == {"pinned copy"}  # the update's numbers, of each group
    assert device.launches.count("update") == len(optimizer.groups) == 1


def test_fit_reads_once_per_record_and_uploads_images_and_labels_once_per_batch(device):
    model = network(nn.BatchNorm(8), nn.Dropout(0.3, rng=np.random.default_rng(1)))
    optimizer = AdamW(model.parameters(), lr=0.1, decay=1e-3)
    batches = Batches(X, Y, 8, seed=0)
    device.clear()
    history = fit(model, optimizer, batches, epochs=3, penalty=L2(0.1), log_every=3, progress=False)
    assert device.downloads == ["get()"] * (len(history.steps) + len(history.epochs))
    assert device.waits == device.downloads
    batch = [("asarray()", 8 * 6 * 4), ("asarray()", 8 * 8)]
    assert [u for u in device.uploads if u[0] == "asarray()" and u[1] > 8] == batch * 12
    assert {u[0] for u in device.uploads} == {"asarray()", "pinned copy"}


# --- faults -----------------------------------------------------------------------------------------------------------


@op()
def exp_of_the_host(xp, x):
    """Return eˣ, on the host."""
    return np.exp(x)


exp_of_the_host.vjp(lambda xp, g, y, x: g * y)


@op()
def exp_with_the_hosts_gradient(xp, x):
    """Return eˣ, whose gradient is computed on the host."""
    return xp.exp(x)


exp_with_the_hosts_gradient.vjp(lambda xp, g, y, x: np.multiply(g, y))


def branch(loss, x):
    return loss if loss.data > 0 else -loss


def said(loss, x):
    str(loss)
    return loss


def with_a_mask(loss, x):
    return loss + x[x > 0].sum()


def written_by_a_mask(loss, x):
    x.copy()[x > 0] = 0
    return loss


def waited(loss, x):
    import cupy

    cupy.cuda.get_current_stream().synchronize()
    return loss


def plus(f):
    """The loss, and f of the batch."""
    return lambda loss, x: loss + f(x)


xp = mg.backend.namespace


FAULTS = {
    "np. in an operation": (lambda loss, x: exp_of_the_host(loss), TypeError, r"numpy\.exp was given a device array"),
    "np. in a gradient": (
        lambda loss, x: exp_with_the_hosts_gradient(loss), TypeError, r"numpy\.multiply was given a device array",
    ),
    "np.asarray of an array": (plus(lambda x: np.asarray(x).sum()), TypeError, "implicit conversion to a NumPy"),
    "np.sum of an array": (plus(lambda x: np.sum(x)), TypeError, r"numpy\.sum was given a device array"),
    "an array of the host": (plus(lambda x: (mg.tensor(x) * X).sum()), TypeError, "multiply: an array of the"),
    "the host's on the left": (plus(lambda x: X * x), TypeError, r"numpy\.multiply was given a device array"),
    "a host index": (plus(lambda x: mg.tensor(x)[np.array([0, 0])].sum()), TypeError, "an index of the host"),
    "a name CuPy lacks": (plus(lambda x: xp(x).vecdot(x, x).sum()), AttributeError, "'vecdot'"),
    "a method CuPy lacks": (plus(lambda x: x.__array_namespace__().sum(x)), AttributeError, "_namespace__"),
    "an argument CuPy lacks": (
        plus(lambda x: xp(x).sum(x, where=x > 0)), TypeError, r"cupy\.sum has no argument where",
    ),
    "a list for an array": (plus(lambda x: xp(x).sum([1.0])), TypeError, r"cupy\.sum takes"),
    "float(loss)": (lambda loss, x: loss * float(loss.data), ReadError, r"float\(\) waits"),
    "loss.item()": (lambda loss, x: loss * loss.item(), ReadError, r"item\(\) waits"),
    "loss.numpy()": (lambda loss, x: loss * loss.numpy().item(), ReadError, r"get\(\) waits"),
    "tolist": (lambda loss, x: loss * loss.data.tolist(), ReadError, r"tolist\(\) waits"),
    "a branch on an array": (branch, ReadError, r"bool\(\) waits"),
    "a loss that is printed": (said, ReadError, r"get\(\) waits"),
    "a mask as an index": (with_a_mask, ReadError, "a boolean index waits"),
    "a mask that is written by": (written_by_a_mask, ReadError, "a boolean index waits"),
    "nonzero": (plus(lambda x: xp(x).nonzero(x)[0].sum()), ReadError, r"nonzero\(\) waits"),
    "a wait": (waited, ReadError, r"Stream\.synchronize waits"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_caught_by_name(name, device):
    spoil, error, message = FAULTS[name]
    model = network()
    optimizer = SGD(model.parameters(), lr=0.1)
    x, y = uploaded()
    with device.unread(), pytest.raises(error, match=message):
        step(model, optimizer, x, y, spoil)


def test_a_copy_to_the_device_and_a_launch_too_many_are_seen_in_the_log(device):
    model = network()
    optimizer = SGD(model.parameters(), lr=0.1, executor="plain")
    x, y = uploaded()
    logs = []
    for spoil in (lambda loss, x: loss, plus(lambda x: 0.0), plus(lambda x: mg.tensor(X[0, 0]))):
        device.clear()
        step(model, optimizer, x, y, spoil)
        logs.append((len(device.launches), device.uploads))
    (correct, none), (more, still_none), (_, one) = logs
    assert more > correct
    assert none == still_none == []
    assert one == [("array()", 4)]
