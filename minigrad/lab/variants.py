"""What `minigrad compare` compares: one optimizer family after another, each behind every door.

An `Entry` says how its optimizer is made, which penalty it has and whether that penalty stands in the loss (door 1),
and which other entry is its partner: the same regularisation through another door, or the same loop without a slip.
Within a family every entry has the same α, η and λ = η/α. No entry is computed through another.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from minigrad import optim
from minigrad.regularization import L1, L2
from minigrad.regularization.selection import On

__all__ = ["ENTRIES", "FAMILIES", "L1_SHARE", "Entry", "Numbers", "entries"]

FAMILIES = ("sgd", "momentum", "adam")
L1_SHARE = 0.2  # c = λ/5 pulls as hard as λw where |w| is 0.2, about the size of the weights


@dataclass(frozen=True)
class Numbers:
    """The hyperparameters of one family: α, η, the momentum β, the schedule, and who is regularised."""

    lr: float
    decay: float
    on: On = "weights"
    schedule: Any = None
    momentum: float = 0.9

    @property
    def l2(self) -> float:
        """λ = η/α."""
        return self.decay / self.lr

    @property
    def stationary_l2(self) -> float:
        """(1 − β) η/α, with which L2 behind momentum has the stationary points of decay."""
        return (1 - self.momentum) * self.l2

    @property
    def l1(self) -> float:
        """The coefficient c of c Σ|w|, a fifth of λ."""
        return L1_SHARE * self.l2


Omega = Callable[[Iterable[Any]], Any]


@dataclass(frozen=True)
class Entry:
    """One row of the comparison.

    Attributes:
        name: as in ``minigrad show`` where the door is one of the optimizer's.
        family: "sgd", "momentum" or "adam".
        label: in words, for tables and legends.
        door: "none", "loss", "gradient", "update", or "slips" for the loss with the slips of a loop often seen.
        make: ``make(params, numbers)``, the optimizer.
        penalty: ``penalty(numbers)``, Ω as a function of the parameters; None where nothing is penalised.
        partner: the name of the entry it is compared with, or None.
        identical: whether λ = η/α makes it and its partner one algorithm, up to rounding.
    """

    name: str
    family: str
    label: str
    door: str
    make: Callable[[Iterable[Any], Numbers], Any]
    penalty: Callable[[Numbers], Omega] | None = None
    partner: str | None = None
    identical: bool = False

    @property
    def in_loss(self) -> bool:
        """Whether the penalty is added to the data loss before backward(): door 1."""
        return self.door in ("loss", "slips")


def _sgd(**door: Callable[[Numbers], Any]) -> Callable[[Iterable[Any], Numbers], Any]:
    return lambda params, n: optim.SGD(params, lr=n.lr, schedule=n.schedule, **_at(door, n))


def _momentum(**door: Callable[[Numbers], Any]) -> Callable[[Iterable[Any], Numbers], Any]:
    return lambda params, n: optim.SGD(params, lr=n.lr, momentum=n.momentum, schedule=n.schedule, **_at(door, n))


def _adam(**door: Callable[[Numbers], Any]) -> Callable[[Iterable[Any], Numbers], Any]:
    return lambda params, n: optim.Adam(params, lr=n.lr, schedule=n.schedule, **_at(door, n))


def _at(door: dict[str, Callable[[Numbers], Any]], numbers: Numbers) -> dict[str, Any]:
    return {name: value(numbers) for name, value in door.items()}


def _l2(n: Numbers) -> L2:
    return L2(n.l2, on=n.on)


def _stationary_l2(n: Numbers) -> L2:
    return L2(n.stationary_l2, on=n.on)


def _l1(n: Numbers) -> L1:
    return L1(n.l1, on=n.on)


def _slips(n: Numbers) -> Omega:
    """What a loop often seen adds: no ½, and every parameter, biases too; the coefficient is the same."""
    return lambda params: n.l2 * sum((p**2.0).sum() for p in params)


def _on(n: Numbers) -> On:
    return n.on


def _eta(n: Numbers) -> float:
    return n.decay


def _lambda(n: Numbers) -> float:
    return n.l2


ENTRIES: tuple[Entry, ...] = (
    Entry("sgd", "sgd", "none", "none", _sgd()),
    Entry("sgd_loss_l2", "sgd", "L2 in the loss", "loss", _sgd(), _l2, "sgd_decay", True),
    Entry("sgd_l2", "sgd", "L2 in the gradient", "gradient", _sgd(l2=_lambda, on=_on), _l2, "sgd_decay", True),
    Entry("sgd_decay", "sgd", "weight decay", "update", _sgd(decay=_eta, on=_on), None, "sgd_l2", True),
    Entry("sgd_slips", "sgd", "a loop often seen", "slips", _sgd(), _slips, "sgd_loss_l2"),
    Entry("sgd_loss_l1", "sgd", "L1 in the loss", "loss", _sgd(), _l1, "sgd_prox_l1"),
    Entry(
        "sgd_prox_l1", "sgd", "L1 as soft threshold", "update",
        _sgd(regularizer=_l1, at=lambda n: "prox"), _l1, "sgd_loss_l1",
    ),
    Entry(
        "heavy_ball_l2", "momentum", "L2, λ = η/α", "gradient",
        _momentum(l2=_lambda, on=_on), _l2, "heavy_ball_decay",
    ),
    Entry(
        "heavy_ball_l2_stationary", "momentum", "L2, λ = (1−β)η/α", "gradient",
        _momentum(l2=lambda n: n.stationary_l2, on=_on), _stationary_l2, "heavy_ball_decay",
    ),
    Entry(
        "heavy_ball_decay", "momentum", "weight decay", "update",
        _momentum(decay=_eta, on=_on), None, "heavy_ball_l2",
    ),
    Entry("adam", "adam", "none", "none", _adam()),
    Entry("adam_loss_l2", "adam", "L2 in the loss", "loss", _adam(), _l2, "adam_decay"),
    Entry("adam_l2", "adam", "L2 in the gradient", "gradient", _adam(l2=_lambda, on=_on), _l2, "adam_decay"),
    Entry("adam_decay", "adam", "weight decay (AdamW)", "update", _adam(decay=_eta, on=_on), None, "adam_l2"),
)  # fmt: skip


def entries(family: str = "all") -> tuple[Entry, ...]:
    """Return the entries of one family, or of all."""
    return ENTRIES if family == "all" else tuple(e for e in ENTRIES if e.family == family)
