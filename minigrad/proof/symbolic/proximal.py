"""The proximal step of L2 is decay in other numbers: which numbers, and behind which rules.

With λ = η/α, door 3 after the step (w/(1 + η) of what the step left) is set equal to door 3 before it, at an unknown
learning rate and an unknown decay, for all w and g; gradient descent decides what they are. Whether the same two
numbers serve another rule is then decided for that rule.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigrad.extras import need
from minigrad.proof.branches import Branch, only_branch
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic.decide import Verdict, decide
from minigrad.proof.symbolic.identity import assumed
from minigrad.proof.symbolic.letters import Expr, letter, letters_of, name_of, rule_called
from minigrad.regularization.doors import decoupled, proximal
from minigrad.regularization.penalties import L2
from minigrad.rules import sgd, state_names

sympy: Any = need("sympy", "proof")

__all__ = ["Proximal", "proximal_as_decay", "solve_proximal"]

Rule = Callable[..., tuple[Any, ...]]


@dataclass(frozen=True)
class Proximal:
    """Weight decay at (`lr`, `decay`) less the proximal step at (α, λ = η/α), from equal weights and state.

    Attributes:
        rule: the rule's name.
        lr: the learning rate at which decay was run, as a formula in α and η.
        decay: the decay, likewise.
        step: the weights' difference, decided.
        state: that of each part of the state.
    """

    rule: str
    lr: Expr
    decay: Expr
    step: Verdict
    state: dict[str, Verdict]

    @property
    def same(self) -> bool:
        """Whether the two are one algorithm: the same weights and the same state, always."""
        return self.step.zero and all(v.zero for v in self.state.values())


def solve_proximal() -> tuple[Expr, Expr]:
    """Return the only (α', η') at which decay is the proximal step of L2 under gradient descent, for all w and g."""
    lr, decay = sympy.symbols("lr decay", real=True)
    w, g = letter("w"), letter("g")
    (gap, *_) = _residues(sgd, lr, decay)
    equations = sympy.Poly(sympy.expand(gap), w, g).coeffs()
    found = sympy.solve(equations, [lr, decay], dict=True)
    if len(found) != 1:
        raise UndecidedError(f"{len(found)} solutions, expected one")
    return sympy.factor(found[0][lr]), sympy.factor(found[0][decay])


def proximal_as_decay(rule: Rule | str, branch: Branch | None = None) -> Proximal:
    """Decide whether decay at the (α', η') of `solve_proximal` is the proximal step of L2 behind `rule`, too.

    Raises ValueError for an unknown rule, or for one that branches on its scalars if no `branch` is given.
    """
    rule = rule_called(rule)
    branch = branch or only_branch(rule)
    lr, decay = solve_proximal()
    step, *state = (decide(r, assumed(branch)) for r in _residues(branch.rule, lr, decay))
    return Proximal(name_of(rule), lr, decay, step, dict(zip(state_names(rule), state, strict=True)))


def _residues(rule: Rule, lr: Expr, decay: Expr) -> list[Expr]:
    w, g, state, hyper = letters_of(rule)
    l2 = letter("decay") / letter("lr")
    x = proximal(rule, L2.prox)(w, g, *state, l2=l2, **hyper)
    y = decoupled(rule)(w, g, *state, decay=decay, **{**hyper, "lr": lr})
    return [b - a for a, b in zip(x, y, strict=True)]
