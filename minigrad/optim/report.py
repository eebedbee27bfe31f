"""An optimizer in words: what is regularised, by how much per step, and on which time scale."""

import math
import re
from typing import Any

from minigrad.regularization.column import Column, largest
from minigrad.regularization.penalties import L2

__all__ = ["text", "too_fast", "variant_name"]

DOORS = {
    "gradient": "in the gradient (door 2)",
    "shrink": "in the update (door 3)",
    "prox": "as a proximal step after the update (door 3)",
}


def text(optimizer: Any) -> str:
    """Return the description that ``print(optimizer)`` shows. Warns of nothing and raises nothing."""
    step = optimizer.steps
    try:
        hyper = optimizer.hyper(step)
        numbers = ", ".join(f"{name}={_short(x)}" for name, x in hyper.items())
    except (TypeError, ValueError) as error:
        return f"{_title(optimizer)}\n  step {step} will be refused: {error}"
    lines = [f"{_title(optimizer)}", f"  numbers at step {step}: {numbers}"]
    regularised = [p for group in optimizer.groups if group.regularised for p in group.params]
    others = [p for group in optimizer.groups if not group.regularised for p in group.params]
    if optimizer.regularizer is not None:
        what = "decayed" if optimizer.at == "shrink" else f"under {type(optimizer.regularizer).__name__}"
        lines.append(f"  {what} {DOORS[optimizer.at]}: {_amount(regularised)}")
        lines.append(f"    {_strength(optimizer, hyper)}")
        if optimizer.at == "prox" and optimizer.rule.__name__ != "sgd":
            name = optimizer.rule.__name__
            lines.append(f"    behind {name} this is another rule than the proximal step in the metric of {name}")
    lines.append(f"  not regularised: {_amount(others)}")
    return "\n".join(lines)


def too_fast(optimizer: Any) -> str | None:
    """Return what is wrong if the decay of one epoch from the next step on adds up to more than 1, or None."""
    length = optimizer.steps_per_epoch
    if length is None or optimizer.regularizer is None:
        return None
    try:
        epoch = [
            fraction(optimizer, optimizer.hyper(step)) for step in range(optimizer.steps, optimizer.steps + length)
        ]
    except (TypeError, ValueError):
        return None  # `step` will refuse it in plainer words
    removed = None if epoch[0] is None else float(largest(sum(epoch)))
    if removed is None or removed <= 1:
        return None
    return (
        f"the time scale of the decay, 1/η = {length / removed:.3g} steps, is shorter than an epoch of {length} "
        "steps: weights forget what they learned before they have seen all the data. η is the fraction removed per "
        f"step, here {removed / length:.3g} on average" + (" for one of the models" if optimizer.models else "")
    )


def fraction(optimizer: Any, hyper: dict[str, Any]) -> Any:
    """Return η, the fraction of w that regularisation removes per step, or None where it removes no fraction.

    A column, where each model has its own.

    With L2 in the gradient that is αλ for plain SGD, and αλ/(1 − β) for momentum, in the long run.
    """
    if optimizer.at == "shrink":
        return hyper["decay"]
    if not isinstance(optimizer.regularizer, L2):
        return None
    product = hyper["lr"] * hyper["l2"]
    if optimizer.at == "prox":
        return product / (1 + product)
    if optimizer.rule.__name__ in ("sgd", "heavy_ball", "heavy_ball_inside", "nesterov"):
        return product / (1 - hyper.get("momentum", 0))
    return None


def variant_name(optimizer: Any) -> str:
    """Return the name under which `minigrad show` prints the optimizer's update, for instance ``adam_prox_l1``."""
    rule = str(optimizer.rule.__name__)
    if optimizer.regularizer is None:
        return rule
    word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(optimizer.regularizer).__name__).lower()
    return f"{rule}_prox_{word}" if optimizer.at == "prox" else f"{rule}_{word}"


def _title(optimizer: Any) -> str:
    models = f", {optimizer.models} models at once" if optimizer.models else ""
    return f"{type(optimizer).__name__}: {variant_name(optimizer)} on {_amount(optimizer.params)}{models}"


def _strength(optimizer: Any, hyper: dict[str, Any]) -> str:
    eta = fraction(optimizer, hyper)
    if eta is None:
        if isinstance(optimizer.regularizer, L2):
            return f"the rule rescales λw, λ = {_short(hyper['l2'])}: no fixed fraction per step, no time scale"
        return "removes no fraction of w, so there is no time scale 1/η"
    ruled = optimizer.rule.__name__ != "sgd" and optimizer.at == "gradient"
    when = "fraction removed per step, in the long run" if ruled else "fraction removed per step"
    if largest(eta) == 0:
        return f"{when}: η = 0 at this step"
    if optimizer.steps_per_epoch is None:
        epochs = ""
    else:
        epochs = f" = {_span(_inverse(eta * optimizer.steps_per_epoch), '.3g')} epochs"
    return f"{when}: η = {_short(eta)}; time scale 1/η = {_span(_inverse(eta), '.4g')} steps{epochs}"


def _amount(params: list[Any]) -> str:
    size = sum(p.size for p in params)
    return f"{len(params)} parameter{'s' * (len(params) != 1)} ({size} number{'s' * (size != 1)})"


def _short(x: Any) -> str:
    return _span(x, ".6g") if isinstance(x, float | Column) else str(x)


def _span(x: Any, form: str) -> str:
    """Return a number, or from where to where those of a column reach."""
    if not isinstance(x, Column):
        return format(float(x), form)  # an exact number has no such form
    low, high = format(min(x), form), format(max(x), form)
    return low if low == high else f"{low} … {high}"


def _inverse(x: Any) -> Any:
    return Column(1 / v if v else math.inf for v in x) if isinstance(x, Column) else 1 / x
