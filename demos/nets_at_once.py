"""Hundreds of small nets as one: every weight has a leading axis, the net, and so have the numbers of the optimizer.

Nothing is written for it. A matrix product of stacks is many products, the sum of the nets' losses has the gradient of
each, and an optimizer takes arrays for numbers.
"""

import itertools

import numpy as np

import minigrad as mg
from minigrad import backend


def start(nets, sizes, seed, dtype=np.float32):
    """Return weights and biases, layer by layer; all nets begin as one net does."""
    rng = np.random.default_rng(seed)
    params = []
    for inputs, outputs in itertools.pairwise(sizes):
        for one, role in ((mg.nn.he_normal(rng, (inputs, outputs), dtype), "weight"), (np.zeros((1, outputs)), "bias")):
            params.append(mg.nn.Parameter(np.repeat(one[None].astype(dtype), nets, axis=0), role))
    return params


def logits(params, x):
    """Return the logits of every net, (nets, batch, classes), on one batch (batch, features)."""
    for i in range(0, len(params), 2):
        x = mg.matmul(x if i == 0 else mg.relu(x), params[i]) + params[i + 1]
    return x


def losses_summed(params, x, labels):
    """Return the sum of the nets' losses: its gradient by the weights of net i is that of the loss of net i."""
    z = logits(params, x)
    return mg.cross_entropy(z, backend.current().broadcast_to(labels, z.shape[:-1])) * float(z.shape[0])


class Nets:
    """The nets, and an optimizer with an array for every number in `numbers`, one entry a net.

    The regulariser acts on every parameter, biases too, whatever the door.
    """

    def __init__(self, optimizer, numbers, sizes, seed, dtype=np.float32):
        arrays = {key: np.asarray(x, float) for key, x in numbers.items()}
        self.params = start(len(next(iter(arrays.values()))), sizes, seed, dtype)
        self.optimizer = optimizer(self.params, on="all", **arrays)

    def step(self, x, labels):
        """Make one step of every net on the same batch."""
        self.optimizer.zero_grad()
        losses_summed(self.params, x, labels).backward()
        self.optimizer.step()

    def losses(self, x, labels):
        """Return the loss and the accuracy of every net, as arrays on the device."""
        xp = backend.current()
        with mg.no_grad():
            logp = mg.log_softmax(logits(self.params, x)).data
        hits = (logp.argmax(axis=-1) == labels).mean(axis=-1)
        return -logp[:, xp.arange(len(labels)), labels].mean(axis=-1), hits
