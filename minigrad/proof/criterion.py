"""The criterion: when L2 in the gradient and weight decay are one algorithm. Everything in this room runs it.

**Theorem.** Let x be the step of door 2 and y that of door 3 from equal weights w, gradient g and state,

    x = w − δ(g + λw),    y = (1 − η)w − δ(g),

where δ(·) is what the rule subtracts. Then y − x = δ(g + λw) − δ(g) − ηw, so

- x = y for every w and g from this state if and only if **rule(g + λw) = rule(g) + ηw**: the first residue is zero;
- the runs then stay equal for ever, whatever the loss, if **the new state does not change** either: all residues are
  zero, so that both doors hand the same weights and the same state to the next step (induction over steps);
- and if for one w, g and state a residue of the state is not zero, the next step begins from unequal states, and the
  loss decides whether that is ever seen. A state that no later step reads could differ without harm; no rule here
  keeps such a state, and the atlas shows for each the run on which the difference appears.

So a rule admits λ = η/α if and only if both hold for every w, g and state. Two yes-or-no questions, four kinds of
rule, and each kind has a member:

    ================================  ==========  ==============
    rule                              same step?  same state?
    ================================  ==========  ==============
    gradient descent                  yes         yes (it has none)
    heavy ball, either form           yes         no
    Nesterov                          no          no
    a fixed preconditioner s ≠ 1      no          yes (it has none)
    ================================  ==========  ==============

`residues` computes them in whatever arithmetic its arguments have: SymPy (`minigrad.proof.symbolic`), z3 (`.smt`),
exact rationals (`.exact`), Hypothesis' draws. What they are expected to find is written once, in `EXPECTED`; what they
find is written nowhere.
"""

from collections.abc import Callable
from typing import Any

from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2

__all__ = ["EXPECTED", "expected", "residues"]

# (same step?, same state?) by rule, as in the table. Of every other rule, known or to come, no is expected twice.
EXPECTED = {
    "sgd": (True, True),
    "heavy_ball": (True, False),
    "heavy_ball_inside": (True, False),
    "nesterov": (False, False),
    "preconditioned": (False, True),
}


def expected(rule: str) -> tuple[bool, bool]:
    """Return whether a rule is expected to take the same step through both doors, and to leave the same state."""
    return EXPECTED.get(rule, (False, False))


def residues(
    rule: Callable[..., tuple[Any, ...]], w: Any, g: Any, *state: Any, l2: Any, decay: Any, **hyper: Any
) -> tuple[Any, ...]:
    """Return door 3 less door 2 after one step from equal weights, gradient and state: ``(weights, *state)``.

    The first entry is rule(g + λw) − rule(g) − ηw, the others the new states' differences. The rule admits these
    λ = `l2` and η = `decay` if and only if all are zero for every w, g and state.

    Args:
        rule: a function of `minigrad.rules`, or one of the same form.
        w: the weights: a number, symbol or array of any arithmetic the rule runs in.
        g: the gradient, likewise.
        state: what the rule carries, as many as it names.
        l2: λ, the coefficient of door 2.
        decay: η, the fraction that door 3 removes.
        hyper: the rule's own hyperparameters, such as ``lr``.
    """
    x, *coupled_state = coupled(rule, L2.gradient)(w, g, *state, l2=l2, **hyper)
    y, *decoupled_state = decoupled(rule)(w, g, *state, decay=decay, **hyper)
    return y - x, *(b - a for a, b in zip(coupled_state, decoupled_state, strict=True))
