"""The atlas as claims: every relation of every cell is decided, and the criterion says the same as the cells do."""

from functools import partial
from typing import Any

from minigrad.proof.atlas.decide import ALL_SITUATIONS, cells, decide, decide_step
from minigrad.proof.atlas.equal import vanishes
from minigrad.proof.atlas.pairs import PAIRS
from minigrad.proof.atlas.question import Question
from minigrad.proof.atlas.render import cell_as_json
from minigrad.proof.atlas.search import differing_step
from minigrad.proof.atlas.situations import SITUATIONS
from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.criterion import residues
from minigrad.rules import RULES, state_names

__all__ = ["claims"]

_CRITERION = ("doors-2-3", "constant")  # the cell the criterion is about


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims: cells by pair and rule, or by situation where all are asked; and the criterion, by rule.

    If `thorough`, every rule is asked about every situation.
    """
    found: dict[str, list[tuple[str, str, str]]] = {}
    for pair, rule, situation in cells(thorough=thorough):
        many = thorough or rule in ALL_SITUATIONS
        found.setdefault(f"{pair}.{rule}" + (f".{situation}" if many else ""), []).append((pair, rule, situation))
    decided = [
        Claim(name, f"every relation is decided: {_title(asked)}", True, partial(_decided, asked))
        for name, asked in found.items()
    ]
    agreeing = [
        Claim(
            f"criterion.{rule}",
            f"{rule}: the cell {' '.join(_CRITERION)} says what the criterion's residues say, on symbols and numbers",
            True,
            partial(_criterion, rule),
        )
        for rule in RULES
    ]
    return decided + agreeing


def _title(asked: list[tuple[str, str, str]]) -> str:
    pair, rule, _ = asked[0]
    sides = PAIRS[pair]
    where = asked[0][2] if len(asked) == 1 else f"{len(asked)} situations"
    return f"{sides.left.name} and {sides.right.name}, {rule}, {where}"


def _decided(asked: list[tuple[str, str, str]]) -> Evidence:
    found = [decide(*names) for names in asked]
    shown = "; ".join(
        f"{cell.situation} {cell.marks}" if len(found) > 1 else
        ", ".join(f"{relation} {v.mark} {v.text}" for relation, v in cell.verdicts.items())
        for cell in found
    )  # fmt: skip
    formulas = [v.latex for cell in found for v in cell.verdicts.values() if v.latex]
    data = {"cells": [cell_as_json(cell) for cell in found]}
    return Evidence(
        all(cell.decided for cell in found), shown, formulas[0] if len(found) == 1 and formulas else "", data
    )


def _criterion(rule: str) -> Evidence:
    """Compare the verdict on one step with whether the residues vanish; where they do not, run them on its numbers.

    A residue vanishes if it does so on every branch of the rule.
    """
    pair, situation = _CRITERION
    q = Question(PAIRS[pair], rule, SITUATIONS[situation])
    verdict, _ = decide_step(q)
    names = ["w", "g", *state_names(q.rule)]
    numbers: dict[str, Any] = q.numbers(q.base(), 1) | ({"t": q.symbol("t")} if q.takes_t else {})
    on_symbols = [residues(b.rule, *(q.symbol(n) for n in names), **numbers) for b in q.branches]
    zero = [all(map(vanishes, each)) for each in zip(*on_symbols, strict=True)]
    shown = ", ".join(f"{n}: {'0' if z else 'not 0'}" for n, z in zip(("w", *names[2:]), zero, strict=True))
    if all(zero):
        return Evidence(verdict.kind == "equal", f"residues {shown}; verdict: {verdict.kind}")
    found = differing_step(q)
    if found is None:
        return Evidence(False, f"residues {shown}, but no numbers were found at which they are not 0")
    values, left, right = found
    at = q.numbers({n: values[n] for n in q.hyper}, 1) | ({"t": int(values["t"])} if q.takes_t else {})
    exact = residues(q.rule, *(values[n] for n in names), **at)
    same = [b - a for a, b in zip(_flat(left), _flat(right), strict=True)] == list(exact)
    seen = zero[0] == (left.weights == right.weights)  # a weight's residue that is not 0 is seen in the weights
    holds = verdict.kind == "different" and same and any(exact) and seen
    return Evidence(
        holds, f"residues {shown}; on the counterexample {', '.join(map(str, exact))}; verdict: {verdict.kind}"
    )


def _flat(place: Any) -> list[Any]:
    return [*place.weights, *(x for row in place.states for x in row)]
