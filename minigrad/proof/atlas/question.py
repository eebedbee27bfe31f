"""A cell's question: a pair, a rule, a situation; and how both of its sides are run on given values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.extras import need
from minigrad.proof.atlas.model import Batch, Place, Rule, advance, linear, scale_invariant
from minigrad.proof.atlas.pairs import Pair, Side
from minigrad.proof.atlas.situations import Situation
from minigrad.proof.branches import Branch, branches
from minigrad.proof.symbolic.letters import letter
from minigrad.rules import RULES, hyper_names, scalar_state, state_names

sympy: Any = need("sympy", "proof")

__all__ = ["Question"]

_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Question:
    """Is the left side the right one, for this rule in this situation?"""

    pair: Pair
    rule_name: str
    situation: Situation

    @property
    def rule(self) -> Rule:
        """The base rule."""
        return RULES[self.rule_name]

    @property
    def branches(self) -> tuple[Branch, ...]:
        """What the rule does, for each answer to what it asks of its scalars; on symbols, one of these is run."""
        return branches(self.rule)

    def assumed(self, branch: Branch, numbers: Values, t: Any, scalars: Values) -> list[Any]:
        """Return what a branch assumes, in the arithmetic of the `numbers`; `scalars` are the scalar state."""
        own = {name: numbers[name] for name in hyper_names(self.rule) if name != "t"}
        return branch.relations(**own, **scalars, t=t)

    # --- names ----------------------------------------------------------------------------------------------------

    @property
    def hyper(self) -> tuple[str, ...]:
        """The names of the hyperparameters that are given."""
        own = tuple(n for n in hyper_names(self.rule) if n not in ("lr", "t"))
        extra = (("scale",) if self.situation.scaled else ()) + (("limit",) if self.situation.clip else ())
        return ("lr", "decay" if self.pair.linked else "l2", *own, *extra)

    @property
    def weights(self) -> tuple[str, ...]:
        """The names of the parameters."""
        return self._indexed("w", len(self.situation.roles))

    @property
    def states(self) -> tuple[tuple[str, ...], ...]:
        """The names of every parameter's state."""
        n = len(self.situation.roles)
        return tuple(tuple(self._indexed(s, n)[i] for s in state_names(self.rule)) for i in range(n))

    @property
    def slopes(self) -> tuple[str, ...]:
        """The names of the numbers that make the data loss linear in the weights, or scale it."""
        if self.situation.data == "zero":
            return ()
        if self.situation.data == "scale-invariant":
            return ("a",)
        return self._indexed("g", len(self.situation.uses) * self.situation.batches)

    @property
    def takes_t(self) -> bool:
        """Whether the rule counts steps."""
        return "t" in hyper_names(self.rule)

    @staticmethod
    def _indexed(name: str, n: int) -> tuple[str, ...]:
        return (name,) if n == 1 else tuple(name + str(i + 1).translate(_SUBSCRIPT) for i in range(n))

    # --- symbols --------------------------------------------------------------------------------------------------

    def symbol(self, name: str) -> Any:
        """Return the symbol for a name: positive for rates, multipliers and limits, not negative for second moments."""
        own = {"scale": "S", "limit": "c", "s": "s"}
        if name in own:
            return sympy.Symbol(own[name], positive=True)
        stem = name.rstrip("₀₁₂₃₄₅₆₇₈₉")
        index = name[len(stem) :]
        if stem == "l2":
            return sympy.Symbol("λ" + index, positive=True)
        found = letter(stem)
        return type(found)(found.name + index, **found.assumptions0) if index else found

    def base(self) -> dict[str, Any]:
        """Return a symbol for every hyperparameter that is given."""
        return {name: self.symbol(name) for name in self.hyper}

    # --- running --------------------------------------------------------------------------------------------------

    def numbers(self, base: Values, s: Any) -> dict[str, Any]:
        """Return the numbers in force in a step with multiplier `s`: where η is given, λ is η/α, of the unscheduled."""
        found = dict(base)
        if self.pair.linked:
            found["l2"] = base["decay"] / base["lr"]
        if self.situation.schedule:
            found["lr"] = s * base["lr"]
            if self.situation.schedule == "both" and self.pair.linked:
                found["decay"] = s * base["decay"]
        return found

    def batches(self, data: Values, weights: Sequence[Any], occurs: bool = True) -> list[Batch]:
        """Return the losses of a step's micro-batches, with the slopes (and curvatures, if any) that `data` names.

        On symbols a scale-invariant loss is any whose gradient is at right angles to the weights. ``held`` is a
        gradient, one entry for each weight, in place of any such loss.
        """
        situation = self.situation
        if not occurs:
            return [lambda uses: None] * situation.batches
        n = len(situation.uses)
        if "held" in data:
            return [linear(data["held"])]
        if situation.data == "zero":
            return [linear([0] * n)]
        if situation.data == "scale-invariant":
            a = data["a"]
            symbolic = any(isinstance(w, sympy.Expr) for w in weights)
            return [linear([-a * weights[1], a * weights[0]]) if symbolic else scale_invariant(a)]
        found = []
        for j in range(situation.batches):
            slopes = self.slopes[j * n : (j + 1) * n]
            bent = [data.get(name.replace("g", "h"), 0) for name in slopes]
            found.append(linear([data[name] for name in slopes], bent))
        return found

    def place(self, values: Values) -> Place:
        """Return the place that `values` name: weights, states and t; a state that is not named begins, t is 1."""
        zero = 0 * values[self.weights[0]]
        begins = [zero + scalar_state(self.rule).get(name, 0) for name in state_names(self.rule)]
        states = tuple(tuple(values.get(n, b) for n, b in zip(row, begins, strict=True)) for row in self.states)
        weights = tuple(values[name] for name in self.weights)
        return Place(weights, states, (values.get("t", 1),) * len(weights))

    def step(
        self, side: Side, place: Place, data: Values, numbers: Values, occurs: bool = True, rule: Rule | None = None
    ) -> Place:
        """Return the place after one step of a side; `rule` stands in for the question's."""
        batches = self.batches(data, place.weights, occurs)
        return advance(side, rule or self.rule, self.situation, place, batches, dict(numbers))

    def named(self, place: Place) -> dict[str, Any]:
        """Return a place's weights and states by name."""
        found = dict(zip(self.weights, place.weights, strict=True))
        for names, state in zip(self.states, place.states, strict=True):
            found |= dict(zip(names, state, strict=True))
        return found
