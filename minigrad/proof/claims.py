"""What is claimed and what came of it: the common form of every proof in this room."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Claim", "Evidence", "UndecidedError"]


class UndecidedError(ArithmeticError):
    """Neither a proof nor a counterexample was found, or more precision is needed: no verdict is given."""


@dataclass(frozen=True)
class Evidence:
    """What a proof found.

    Attributes:
        holds: whether the statement is true.
        shown: one line: the residue, the counterexample, the bound beside what was measured.
        latex: the same as a formula for a paper, without dollar signs, or empty.
        data: numbers and formulas for the JSON file: strings, numbers, booleans, lists and dictionaries of them.
    """

    holds: bool
    shown: str
    latex: str = ""
    data: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A statement that a proof decides.

    Attributes:
        name: unique within its section, as in ``sgd.identity``.
        statement: what is claimed, in words and symbols, without a full stop.
        expected: True if it should hold, False if it should break (and be shown to).
        prove: decides it; what it raises counts as neither.
    """

    name: str
    statement: str
    expected: bool
    prove: Callable[[], Evidence]
