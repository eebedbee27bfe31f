"""Branch by branch: a rule that asks its scalars something is, for each sequence of answers, a rule that asks nothing.

On numbers a rule answers its own questions. Symbols cannot: whether ρₜ > 5 depends on t and β₂. So the rule is traced
once per answer (`minigrad.executors.branches`), each trace is run as a rule, and the answer is an assumption. What is
claimed of the rule is then to be shown of every branch; numbers found for a branch are run through the rule itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

from minigrad.executors.branches import branches as traces
from minigrad.executors.branches import relations
from minigrad.executors.listing import condition
from minigrad.executors.trace import Apply, Expression, Symbol, Trace, UntraceableError, evaluate
from minigrad.rules import hyper_names, scalar_state, state_names

__all__ = ["Branch", "branches", "only_branch"]

Rule = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Branch:
    """A rule where its scalars give certain answers.

    Attributes:
        rule: what it does there, for any kind of number: the rule itself if it never asks.
        where: the answers in words, as in ``ρₜ > 5``; empty if it never asks.
    """

    rule: Rule
    where: str = ""
    _traced: Trace | None = None

    def relations(self, **scalars: Any) -> list[Any]:
        """Return what is assumed of the scalars, in their own arithmetic: booleans for numbers, formulas for symbols.

        `scalars` are the hyperparameters and the scalar state by name.
        """
        return relations(self._traced, scalars) if self._traced else []

    @property
    def asks(self) -> frozenset[str]:
        """The names of the scalars on which the answers depend."""
        if self._traced is None:
            return frozenset()
        source = {s.target: s.expression for s in self._traced.statements}

        def read(x: Expression) -> frozenset[str]:
            match x:
                case Symbol(name):
                    return read(source[x]) if x in source else frozenset({name})
                case Apply(_, operands):
                    return frozenset().union(*map(read, operands))
            return frozenset()

        return frozenset().union(*(read(x) for c in self._traced.conditions for x in c.operands))


@cache
def branches(rule: Rule) -> tuple[Branch, ...]:
    """Return the branches of a rule. One that cannot be traced has one, itself, and fails where it asks."""
    try:
        found = traces(_step(rule), state_names(rule), hyper_names(rule), tuple(scalar_state(rule)))
    except (UntraceableError, ValueError):
        return (Branch(rule),)
    if not any(traced.conditions for traced in found):
        return (Branch(rule),)
    return tuple(Branch(_along(rule, t), ", ".join(map(condition, t.conditions)), t) for t in found)


def only_branch(rule: Rule) -> Branch:
    """Return the branch of a rule that has one. Raises ValueError for a rule that has several."""
    found = branches(rule)
    if len(found) > 1:
        said = " or ".join(b.where for b in found)
        raise ValueError(f"{rule.__name__} is another function where {said}; say which of its branches is meant")
    return found[0]


def _step(rule: Rule) -> Rule:
    """The rule in the form of a step, whose first result is δ in place of w − δ."""

    def step(w: Any, g: Any, *state: Any, **hyper: Any) -> tuple[Any, ...]:
        return rule(g, *state, **hyper)

    return step


def _along(rule: Rule, traced: Trace) -> Rule:
    names, begins = state_names(rule), scalar_state(rule)

    @wraps(rule)
    def along(g: Any, *state: Any, **hyper: Any) -> tuple[Any, ...]:
        return evaluate(traced, {"w": None, "g": g, **begins, **dict(zip(names, state, strict=False)), **hyper})

    return along
