"""An AdamW is verified, and two with a published defect are found out: ``python demos/verify_your_optimizer.py``."""

import numpy as np

from minigrad.testing import vectors
from minigrad.testing.properties import PropertyError, check_decoupled, matches

FIXED = {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


def adamw(w, lr, decay, beta1=0.9, beta2=0.999, eps=1e-8, defect=None):
    """Return ``step(g)``, which returns the new weights: all that the properties ask of an optimizer."""
    m, v, t = np.zeros_like(w), np.zeros_like(w), 0

    def step(g):
        nonlocal w, m, v, t
        t += 1
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        update = lr * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + eps)
        w = {
            None: lambda: w - decay * w - update,
            "the new weight decays": lambda: (1 - decay) * (w - update),
            "the coefficient is subtracted": lambda: w - decay - update,
        }[defect]()
        return w

    return step


check_decoupled(adamw)
matches(adamw, "adamw", fixed=FIXED)
vectors.check(adamw, "adamw")
print("adamw: decoupled, the steps of the book, and within rounding of the exact values")

for defect in ("the new weight decays", "the coefficient is subtracted"):
    try:
        check_decoupled(lambda w, lr, decay, defect=defect: adamw(w, lr, decay, defect=defect))
    except PropertyError as found:
        print(f"\n{defect}: {found}")
