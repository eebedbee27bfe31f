"""Hundreds of small nets as one: every weight has a leading axis, the net, and so have lr and decay.

Nothing is written for it. A matrix product of stacks is many products; a rule behind a door is made of operators, and
a hyperparameter of shape (nets, 1, 1) broadcasts against weights of shape (nets, inputs, outputs).
"""

import itertools

import numpy as np

import minigrad as mg
from minigrad import backend
from minigrad.regularization import variant
from minigrad.rules import state_names

FIXED = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def start(nets, sizes, seed, dtype=np.float32):
    """Return weights and biases, layer by layer; all nets begin as one net does."""
    rng = np.random.default_rng(seed)
    params = []
    for inputs, outputs in itertools.pairwise(sizes):
        one = mg.nn.he_normal(rng, (inputs, outputs), dtype), np.zeros((1, outputs), dtype)
        params += [backend.current().asarray(np.repeat(first[None], nets, axis=0)) for first in one]
    return params


def logits(params, x):
    """Return the logits of every net, (nets, batch, classes), on one batch (batch, features)."""
    for i in range(0, len(params), 2):
        x = mg.matmul(x if i == 0 else mg.relu(x), params[i]) + params[i + 1]
    return x


def losses_summed(x, labels, *params):
    """Return the sum of the nets' losses: its gradient by the weights of net i is that of the loss of net i."""
    z = logits(params, x)
    return mg.cross_entropy(z, backend.current().broadcast_to(labels, z.shape[:-1])) * float(z.shape[0])


class Nets:
    """The nets, and the update of a variant with an array for every hyperparameter in `hyper`, one entry a net.

    The regulariser acts on every parameter, biases too, whatever the door.
    """

    def __init__(self, name, hyper, sizes, seed, dtype=np.float32):
        xp = backend.current()
        chosen = variant(name)
        self.hyper = {key: xp.asarray(np.asarray(x, dtype).reshape(-1, 1, 1)) for key, x in hyper.items()}
        self.fixed = {key: x for key, x in FIXED.items() if key in chosen.hyper}
        self.step_of, self.takes_t = chosen.step, "t" in chosen.hyper
        self.params = start(len(next(iter(self.hyper.values()))), sizes, seed, dtype)
        self.state = [[xp.zeros_like(p) for _ in state_names(chosen.rule)] for p in self.params]
        self.gradients = mg.grad(losses_summed, tuple(range(2, 2 + len(self.params))))
        self.t = 0

    def step(self, x, labels):
        """Make one step of every net on the same batch."""
        self.t += 1
        hyper = {**self.hyper, **self.fixed, **({"t": self.t} if self.takes_t else {})}
        gradients = self.gradients(x, labels, *self.params)
        for i, g in enumerate(gradients):
            self.params[i], *self.state[i] = self.step_of(self.params[i], g, *self.state[i], **hyper)

    def losses(self, x, labels):
        """Return the loss and the accuracy of every net, as arrays on the device."""
        xp = backend.current()
        with mg.no_grad():
            logp = mg.log_softmax(logits(self.params, x)).data
        hits = (logp.argmax(axis=-1) == labels).mean(axis=-1)
        return -logp[:, xp.arange(len(labels)), labels].mean(axis=-1), hits
