"""What a cell compares: two sides, each a door with the numbers it is given, and what may be chosen anew on the left.

The doors are looked up in `minigrad.regularization.doors` whenever a side is run, so that the atlas is of the doors
that train: change one and the atlas changes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigrad.regularization import doors
from minigrad.regularization.penalties import L2

__all__ = ["PAIRS", "Pair", "Side"]

Rule = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        name: as in the tables.
        words: the same, for a legend.
        update: from a rule to the update of a regularised parameter.
        takes: the name of the coefficient that the update is given: l2, decay, or none.
        in_loss: whether the penalty is added to the loss.
        on: which parameters are regularised where the situation tells weights from the rest.
    """

    name: str
    words: str
    update: Callable[[Rule], Callable[..., tuple[Any, ...]]]
    takes: str | None
    in_loss: bool
    on: str


LOSS = Side("door 1", "the loss: Ω(w) is added to it", lambda rule: doors.plain(rule), None, True, "weights")
GRADIENT = Side(
    "door 2", "the gradient: λw is added to it", lambda rule: doors.coupled(rule, L2.gradient), "l2", False, "weights"
)
SHRINK = Side("door 3", "the update: (1 − η)w − δ", lambda rule: doors.decoupled(rule), "decay", False, "all")
BEFORE = Side("shrink", "before the step: (1 − η)w − δ", SHRINK.update, "decay", False, "all")
PROX = Side(
    "prox", "after the step: (w − δ)/(1 + αλ)", lambda rule: doors.proximal(rule, L2.prox), "l2", False, "weights"
)


@dataclass(frozen=True)
class Pair:
    """Two sides to compare.

    Attributes:
        name: as it is asked for.
        title: as a heading.
        left, right: the sides.
        free: which numbers of the left side may be chosen anew, where the given ones do not make the sides equal.
    """

    name: str
    title: str
    left: Side
    right: Side
    free: tuple[str, ...]

    @property
    def linked(self) -> bool:
        """Whether one side has a decay and the other an L2, so that λ = η/α is what is given."""
        return "decay" in (self.left.takes, self.right.takes)

    @property
    def given(self) -> str:
        """The hyperparameters of the comparison, in words."""
        return "λ = η/α" if self.linked else "the same λ"


PAIRS: dict[str, Pair] = {
    pair.name: pair
    for pair in (
        Pair("doors-1-2", "Doors 1 and 2: the penalty in the loss, L2 in the gradient", LOSS, GRADIENT, ("l2",)),
        Pair("doors-2-3", "Doors 2 and 3: L2 in the gradient, weight decay", GRADIENT, SHRINK, ("l2",)),
        Pair("shrink-prox", "Shrink and prox: decay before the step, L2's proximal step after it",
             BEFORE, PROX, ("decay", "lr")),
    )
}  # fmt: skip
