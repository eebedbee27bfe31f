"""The three doors with λ = η/α, rule by rule, and how far apart the weights end: ``python demos/three_doors.py``."""

import numpy as np

import minigrad as mg
from minigrad.regularization import L2, coupled, decoupled, plain
from minigrad.rules import adam, heavy_ball, hyper_names, lion, sgd, state_names

ALPHA, ETA = 0.02, 0.005
LAMBDA = ETA / ALPHA  # the identity
HYPER = {"lr": ALPHA, "momentum": 0.9, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}

rng = np.random.default_rng(2)
x = rng.normal(size=(200, 6)) * np.array([3, 2, 1, 0.5, 0.2, 0.1])
y = x @ rng.normal(size=6) + rng.normal(size=200)
start = rng.normal(size=6)

data_gradient = mg.grad(lambda w: mg.mse(x @ w, y))
total_gradient = mg.grad(lambda w: mg.mse(x @ w, y) + L2.value(w, l2=LAMBDA))


def train(rule, door, steps):
    step, gradient, extra = {
        "loss": (plain(rule), total_gradient, {}),
        "gradient": (coupled(rule, L2.gradient), data_gradient, {"l2": LAMBDA}),
        "update": (decoupled(rule), data_gradient, {"decay": ETA}),
    }[door]
    w, state = start, [np.zeros(6) for _ in state_names(rule)]
    for t in range(1, steps + 1):
        hyper = {name: value for name, value in (HYPER | {"t": t}).items() if name in hyper_names(rule)}
        w, *state = step(w, gradient(w), *state, **hyper, **extra)
    return w


print("largest difference of any weight\nrule        steps   loss – gradient   gradient – update")
for rule in (sgd, heavy_ball, adam, lion):
    for steps in (1, 2, 100):
        loss, gradient, update = (train(rule, door, steps) for door in ("loss", "gradient", "update"))
        print(f"{rule.__name__:<12}{steps:>5}{abs(loss - gradient).max():>18.1e}{abs(gradient - update).max():>20.1e}")
