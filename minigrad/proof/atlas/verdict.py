"""What a cell says: a verdict for each of three relations, each with what shows it."""

from dataclasses import dataclass, field
from typing import Any

__all__ = ["KINDS", "RELATIONS", "Cell", "Verdict"]

RELATIONS = {
    "step": "same step: the weights and the state after one step, from equal weights and any state",
    "trajectory": "same trajectory: the weights after any number of steps, from the zero state, given any loss",
    "stationary": "same stationary points: where weights and state stay as they are while the data gradient is held, "
    "and under a schedule its multiplier s as well",
}

KINDS = {
    "equal": ("=", "equal"),
    "otherwise": ("≈", "equal with other hyperparameters"),
    "different": ("≠", "different"),
    "not applicable": ("–", "not applicable"),
    "undecided": ("?", "undecided: neither a proof nor a counterexample was found"),
}


@dataclass(frozen=True)
class Verdict:
    """What was found about one relation.

    Attributes:
        kind: a key of `KINDS`.
        text: one line: the reason.
        proof: what proves it, as text, or empty.
        hyper: the other hyperparameters, by name, where they make the sides equal.
        example: the smallest counterexample found at the given hyperparameters: ``given``, ``left`` and ``right`` are
            numbers by name, all exact; empty where the sides are equal.
        latex: the hyperparameters or the common step as LaTeX, or empty.
    """

    kind: str
    text: str
    proof: str = ""
    hyper: dict[str, str] = field(default_factory=dict)
    example: dict[str, Any] = field(default_factory=dict)
    latex: str = ""

    @property
    def mark(self) -> str:
        """One character for it."""
        return KINDS[self.kind][0]


@dataclass(frozen=True)
class Cell:
    """A pair, a rule, a situation, and the three verdicts."""

    pair: str
    rule: str
    situation: str
    step: Verdict
    trajectory: Verdict
    stationary: Verdict

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The verdicts by relation."""
        return {name: getattr(self, name) for name in RELATIONS}

    @property
    def marks(self) -> str:
        """Three characters, one for each relation."""
        return "".join(v.mark for v in self.verdicts.values())

    @property
    def decided(self) -> bool:
        """Whether every relation is."""
        return all(v.kind != "undecided" for v in self.verdicts.values())
