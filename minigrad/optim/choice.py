"""From a user's words to one regulariser behind one door, or a refusal that says what is possible."""

from collections.abc import Callable
from typing import Any, TypedDict

from minigrad.regularization.checks import Scheduled, called, nonnegative
from minigrad.regularization.column import Column
from minigrad.regularization.decay import TIMES, Decay
from minigrad.regularization.doors import Rule, Step, coupled, decoupled, plain, proximal
from minigrad.regularization.penalties import L2, Penalty
from minigrad.regularization.selection import On

__all__ = ["Options", "Regularizer", "choose", "is_zero", "through", "translate"]

Regularizer = Penalty | Decay
Schedule = Callable[[int], float]


class Options(TypedDict, total=False):
    """The keywords that every optimizer takes beside its rule's own; `Optimizer` explains them."""

    l2: Scheduled
    decay: Scheduled
    times: str | None
    on: On | None
    schedule: Schedule | None
    decay_schedule: Schedule | None
    regularizer: Regularizer | None
    at: str | None
    executor: str | Callable[..., Any]


def choose(
    lr: Scheduled,
    *,
    l2: Scheduled,
    decay: Scheduled,
    times: str | None,
    on: On | None,
    decay_schedule: Schedule | None,
    regularizer: Regularizer | None,
    at: str | None,
) -> tuple[Regularizer | None, str | None]:
    """Return the regulariser and the place where it acts, or (None, None); refuse every contradiction."""
    penalty = L2(l2, "weights" if on is None else on)  # made here, both of them, so that their checks are made
    shrinkage = Decay(decay, times, "all" if on is None else on)
    l2, decay = penalty.coefficients["l2"], shrinkage.rate
    if not is_zero(l2) and not is_zero(decay):
        raise ValueError(
            f"l2={l2!r} couples and decay={decay!r} decouples: choose one. For plain gradient descent they are the "
            "same at l2 = decay / lr"
        )
    if regularizer is not None:
        if not (is_zero(l2) and is_zero(decay)):
            raise ValueError("give either regularizer= and at=, or one of l2= and decay=")
        if on is not None or times != TIMES[1]:
            raise ValueError(f"regularizer= has its own on= and times=: write them there, {regularizer!r}")
        at = place(regularizer, at)
    elif at is not None:
        raise ValueError(f"at={at!r} says where regularizer= acts, and there is none; l2= and decay= have their places")
    elif not is_zero(l2):
        if times != TIMES[1]:
            raise ValueError(
                f"times={times!r} says what decay= is multiplied by, and there is l2={l2!r}: in the gradient, every "
                "rule multiplies it by lr"
            )
        regularizer, at = penalty, "gradient"
    elif not is_zero(decay):
        regularizer, at = shrinkage, "shrink"
    _check_schedules(lr, regularizer, decay_schedule)
    return regularizer, at


def place(regularizer: Any, at: str | None) -> str:
    """Return where `regularizer` acts: `at`, if it can."""
    if not isinstance(regularizer, Penalty | Decay):
        raise TypeError(
            f"regularizer must be L2, L1, ElasticNet or Decay (minigrad.regularization), got {regularizer!r}"
        )
    name = type(regularizer).__name__
    if isinstance(regularizer, Decay):
        if at not in (None, "shrink"):
            raise ValueError(f'{name} has no {at!r}: only at="shrink" is possible; in the gradient, use L2')
        return "shrink"
    if at in ("gradient", "prox"):
        return at
    asked = f"{name} has no 'shrink'" if at == "shrink" else f"where does {name} act? at={at!r} does not say"
    hint = '; the shrink that does to plain SGD what L2(c) does is Decay(c, times="lr")' if name == "L2" else ""
    raise ValueError(f'{asked}: at="gradient" and at="prox" are possible{hint}')


def through(rule: Rule, regularizer: Regularizer | None, at: str | None) -> Step:
    """Return `rule` behind the door that `at` names: the pure update of a regularised group."""
    if isinstance(regularizer, Penalty):
        face = type(regularizer)
        return coupled(rule, face.gradient) if at == "gradient" else proximal(rule, face.prox)
    return plain(rule) if regularizer is None else decoupled(rule)


def translate(name: str, lr: Any, value: Any, couples: str, by: str) -> str:
    """Return what to write instead of ``weight_decay=value``: `couples` with l2 (and `by`), or `name` with decay."""
    try:
        value = nonnegative("weight_decay", value)
        rate = nonnegative("lr", called("lr", lr, 0) if callable(lr) else lr)
        per_step = f"{rate * value:.12g}"
    except (TypeError, ValueError) as error:
        return (
            f"{name} has no weight_decay: the word names two things. Write l2= for an L2 penalty in the gradient, or "
            f'decay= with times="lr" for weight decay; and {error}'
        )
    written = "lr=..." if callable(lr) else f"lr={rate!r}"
    when = "in the first step" if callable(lr) else "in every step (while no schedule changes lr)"
    also = "" if callable(lr) else f", the same as decay={per_step}"
    return (
        f"{name} has no weight_decay: the word names two things, so say which.\n"
        f"  L2 in the gradient (torch.optim.SGD, Adam): {couples}(params, {written}, l2={value!r}, "
        f'on="all"{by}, ...)\n'
        f'  weight decay (torch.optim.AdamW, Keras):    {name}(params, {written}, decay={value!r}, times="lr", ...), '
        f"which removes {per_step} of every parameter {when}{also}\n"
        "Both act on every parameter, as weight_decay does; where on= is not said, l2 acts on weights alone."
    )


def _check_schedules(lr: Scheduled, regularizer: Any, decay_schedule: Any) -> None:
    decays = isinstance(regularizer, Decay)
    if decay_schedule is not None and regularizer is not None and not (decays and regularizer.times == "schedule"):
        raise ValueError(f'decay_schedule= multiplies a Decay with times="schedule", and there is {regularizer!r}')
    if decays and regularizer.times == "schedule" and callable(lr) and decay_schedule is None:
        raise ValueError(
            "lr is a function of the step, so the decay cannot tell the schedule from the learning rate. Either give "
            'lr as a number and the function as schedule=, which multiplies both; or say times="lr" (decay is '
            "multiplied by lr) or times=None (by nothing)"
        )


def is_zero(value: Scheduled) -> bool:
    """Tell whether a number is 0 for good: no function of the step, and not one of many models' numbers."""
    return not callable(value) and not isinstance(value, Column) and value == 0
