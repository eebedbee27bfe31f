"""The doors: where regularisation enters training. This page is the whole subject.

A rule turns a gradient into a step (`minigrad.rules`); a door turns a rule into an update of the weights. Set side by
side, the doors differ in where one line stands, and that is all that ever distinguishes L2 from weight decay.

Door 1, the loss, has no line here: Ω(w) is added to the loss, autodiff finds ∇Ω by itself, and the update is `plain`.
"""

from collections.abc import Callable
from typing import Any

from minigrad.rules import hyper_names

__all__ = ["coupled", "decoupled", "plain", "proximal", "shrink"]

Rule = Callable[..., tuple[Any, ...]]
Step = Callable[..., tuple[Any, ...]]


def plain(rule: Rule) -> Step:
    """The update alone: w − δ. With a penalty in the loss, this is door 1."""

    def step(w: Any, g: Any, *state: Any, **hyper: Any) -> tuple[Any, ...]:
        delta, *state = rule(g, *state, **hyper)  # type: ignore[assignment]
        return w - delta, *state

    return step


def coupled(rule: Rule, gradient: Callable[..., Any]) -> Step:
    """Door 2, the gradient: ∇Ω(w) is added to g before the rule sees it.

    What PyTorch's SGD and Adam, and many others, call ``weight_decay``. A rule with state remembers the penalty;
    a rule that rescales g rescales the penalty with it.
    """

    def step(w: Any, g: Any, *state: Any, **hyper: Any) -> tuple[Any, ...]:
        penalty, hyper = _split(hyper, gradient)
        g = g + gradient(w, **penalty)
        delta, *state = rule(g, *state, **hyper)  # type: ignore[assignment]
        return w - delta, *state

    return step


def shrink(w: Any, decay: Any) -> Any:
    """Weight decay: (1 − η) w, where η is the fraction removed in this step."""
    return (1 - decay) * w


def decoupled(rule: Rule, shrink: Callable[..., Any] = shrink) -> Step:
    """Door 3, the update: w is shrunk and the rule never knows. Weight decay (SGDW, AdamW).

    Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101, Algorithms 1 and 2,
    whose λ s_t is the `decay` here.
    """

    def step(w: Any, g: Any, *state: Any, decay: Any, **hyper: Any) -> tuple[Any, ...]:
        delta, *state = rule(g, *state, **hyper)  # type: ignore[assignment]
        return shrink(w, decay) - delta, *state

    return step


def proximal(rule: Rule, prox: Callable[..., Any]) -> Step:
    """Door 3, after the step: the penalty's proximal map is applied to w − δ.

    With `sgd` this is proximal gradient descent (for L1: the soft threshold, which makes weights exactly zero).
    Behind a rule that rescales g it is another algorithm, not the proximal step of that rule's own metric. Not to be
    confused with `decoupled`: for L2 it is decay with η/(1+η) and α/(1+η) in place of η and α.

    Source: Parikh and Boyd, "Proximal algorithms", 2014, §4.2.
    """

    def step(w: Any, g: Any, *state: Any, lr: Any, **hyper: Any) -> tuple[Any, ...]:
        penalty, hyper = _split(hyper, prox)
        delta, *state = rule(g, *state, lr=lr, **hyper)  # type: ignore[assignment]
        return prox(w - delta, lr=lr, **penalty), *state

    return step


def _split(hyper: dict[str, Any], function: Callable[..., Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide hyperparameters into those `function` names and the rest, which is the rule's."""
    names = hyper_names(function)
    return {k: x for k, x in hyper.items() if k in names}, {k: x for k, x in hyper.items() if k not in names}
