"""The atlas to look at: JSON, tables for the terminal, and a page of the docs with every proof and counterexample."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from minigrad.proof.atlas.pairs import PAIRS
from minigrad.proof.atlas.situations import SITUATIONS
from minigrad.proof.atlas.verdict import KINDS, RELATIONS, Cell, Verdict
from minigrad.rules import RULES

__all__ = ["as_json", "cell_as_json", "describe", "from_json", "render_page", "render_terminal"]

COMMAND = "minigrad atlas --out docs/results"


def as_json(atlas: Sequence[Cell]) -> dict[str, Any]:
    """Return the atlas as what JSON can hold: ``{"relations": ..., "kinds": ..., "cells": [...]}``."""
    return {
        "relations": RELATIONS,
        "kinds": {kind: {"mark": mark, "words": words} for kind, (mark, words) in KINDS.items()},
        "cells": [cell_as_json(cell) for cell in atlas],
    }


def cell_as_json(cell: Cell) -> dict[str, Any]:
    """Return one cell, without what is empty."""
    names = {"pair": cell.pair, "rule": cell.rule, "situation": cell.situation}
    return names | {r: {k: x for k, x in asdict(v).items() if x} for r, v in cell.verdicts.items()}


def from_json(data: dict[str, Any]) -> list[Cell]:
    """Return the atlas that `as_json` gave. Raises ValueError for anything else."""
    try:
        return [
            Cell(c["pair"], c["rule"], c["situation"], *(Verdict(**c[relation]) for relation in RELATIONS))
            for c in data["cells"]
        ]
    except (KeyError, TypeError) as error:
        raise ValueError(f"this is no atlas as as_json() gives it: {error}") from error


# --- tables -----------------------------------------------------------------------------------------------------------


def render_terminal(atlas: Sequence[Cell], width: int = 100) -> str:
    """Return plain text: for each pair a table of marks, a row for each situation; of one cell alone, all there is."""
    if len(atlas) == 1:
        return "\n".join([_heading(atlas[0]), *(f"  {line}" for line in describe(atlas[0]))])
    lines = []
    for pair, rules, situations, marks in _tables(atlas):
        lines += [PAIRS[pair].title, f"given {PAIRS[pair].given}", ""]
        label = max(map(len, situations)) + 2
        for part in _split(rules, label, width):
            lines.append(" " * label + "  ".join(part))
            for situation in situations:
                row = "  ".join(marks.get((rule, situation), "").center(len(rule)) for rule in part)
                lines.append(f"{situation:{label}}{row}".rstrip())
            lines.append("")
    lines += ["Three marks: " + ", ".join(f"same {r}" for r in ("step", "trajectory", "stationary points")) + "."]
    lines += ["  ".join(f"{mark} {words}" for mark, words in KINDS.values() if mark != "?" or not _all_decided(atlas))]
    return "\n".join(lines)


def _all_decided(atlas: Iterable[Cell]) -> bool:
    return all(cell.decided for cell in atlas)


def _split(names: list[str], label: int, width: int) -> list[list[str]]:
    """Divide columns into parts that fit."""
    parts: list[list[str]] = [[]]
    for name in names:
        if parts[-1] and label + sum(len(n) + 2 for n in [*parts[-1], name]) > width:
            parts.append([])
        parts[-1].append(name)
    return parts


def _tables(atlas: Sequence[Cell]) -> list[tuple[str, list[str], list[str], dict[tuple[str, str], str]]]:
    """Return, for each pair: its name, rules and situations in order, and the marks by rule and situation."""
    found = []
    for pair in PAIRS:
        of_pair = [cell for cell in atlas if cell.pair == pair]
        if of_pair:
            rules = [r for r in RULES if any(c.rule == r for c in of_pair)]
            situations = [s for s in SITUATIONS if any(c.situation == s for c in of_pair)]
            found.append((pair, rules, situations, {(c.rule, c.situation): c.marks for c in of_pair}))
    return found


def _heading(cell: Cell) -> str:
    pair = PAIRS[cell.pair]
    return f"{pair.left.name} and {pair.right.name}, {cell.rule}, {cell.situation}, given {pair.given}"


# --- a cell in words --------------------------------------------------------------------------------------------------


def describe(cell: Cell) -> list[str]:
    """Return a line or two for each relation: the verdict, why, and what shows it."""
    lines = []
    pair = PAIRS[cell.pair]
    for relation, v in cell.verdicts.items():
        shown = {"step": "step", "trajectory": "trajectory", "stationary": "stationary points"}[relation]
        lines.append(
            f"same {shown} {v.mark} {KINDS[v.kind][1].split(':')[0]}: {v.text}" + (f". {v.proof}" if v.proof else "")
        )
        if v.example:
            lines.append(f"given {pair.given}, {_example(cell, relation, v.example)}")
    return lines


def _example(cell: Cell, relation: str, example: dict[str, Any]) -> str:
    pair = PAIRS[cell.pair]
    at = f"at {_listed(example['given'])}: "
    if relation == "stationary":
        instead = example["instead"]
        weights = " or ".join(f"{example['weight']} = {w}" for w in instead)
        rests = " anywhere" if instead == "any" else f" at {weights}" if instead else " nowhere"
        stays = f"{example['rests']} stays at {_listed(example['at'])}; "
        moves = f"{example['moves']} goes from there to {_listed(example['to'])}, and rests{rests}"
        return _typeset(at + stays + moves)
    sides = []
    for side, values in ((pair.left.name, example["left"]), (pair.right.name, example["right"])):
        ends = (f"{n}: {' → '.join(x)}" if relation == "trajectory" else f"{n}′ = {x}" for n, x in values.items())
        sides.append(f"{side} {', '.join(ends)}")
    return _typeset(at + "; ".join(sides))


def _listed(values: dict[str, str]) -> str:
    return ", ".join(f"{name}: {x}" if " " in name else f"{name} = {x}" for name, x in values.items())


def _typeset(line: str) -> str:
    """Write minus signs where numbers have hyphens."""
    return re.sub(r"(?<= )-(?=\d)", "−", line)


# --- the page ---------------------------------------------------------------------------------------------------------


def render_page(atlas: Sequence[Cell], figure: str = "atlas.svg") -> str:
    """Return the page as Markdown: what is compared, a table for each pair, then every proof and counterexample.

    `figure` is where the page finds the figure.
    """
    lines = [
        "# The atlas: where the doors are one, and where they part",
        "",
        f"Generated by `{COMMAND}`; `minigrad atlas --rule R --pair P --situation S` shows a part of it. No verdict on",
        "this page is written in source: each was proved on symbols, or comes with numbers to check by hand.",
        "",
        f"![The atlas as a figure]({figure})",
        "",
        "## How to read it",
        "",
        "Each cell has three marks, for three relations that are often confused:",
        "",
        *(f"{i}. {words}" for i, words in enumerate(RELATIONS.values(), 1)),
        "",
        "| mark | verdict |",
        "|:---:|---|",
        *(
            f"| {mark} | {words} |"
            for kind, (mark, words) in KINDS.items()
            if kind != "undecided" or not _all_decided(atlas)
        ),
        "",
        "g is the gradient of the data loss, δ what the rule subtracts; a prime marks what a step leaves (w′), and",
        "other hyperparameters than the given ones (λ′), which under a schedule are those of a step with multiplier s.",
        "The data loss of a run's counterexample is g·u + h·u²/2, summed over the uses u of the weights, and over",
        "micro-batches where there are some, with h = 0 unless it is listed; that of batch norm is",
        "a(w₁ + w₂)²/(2(w₁² + w₂²)). In formulas the gradient behind batch norm is a·(−w₂, w₁) with any a, and clip",
        "is any function that keeps the sign. Stationary points are given by their weight, for each sign of g; q",
        "stands for any number ≥ 0 (AMSGrad's largest second moment may exceed g² by any q). Under a schedule they are",
        "those of a step with multiplier s, taken again and again: functions of s, compared at every s > 0. One that",
        "contains s moves when the schedule goes on.",
        "",
        "A rule that counts its steps (Adam, AMSGrad, Adamax, NAdam, RAdam) rests where the limit of its steps,",
        "t → ∞, moves neither the weights nor the state: βᵗ and t βᵗ are 0, so that corrections for bias are over;",
        "NAdam's 0.96^(tψ) is 0, so that its momentum is β₁, and so is the product of its momenta, Πμ. RAdam takes",
        "the branch of the limit, where ρ∞ stands for ρₜ: it is rectified for good if β₂ > 2/3, and otherwise never.",
        "A rule that branches on its scalars is proved on every branch; a counterexample is run through the rule",
        "itself.",
        "",
        "≠ says that the sides differ at the given hyperparameters. Others were solved for as well, for the left side",
        "and one for all weights; where they stand within a root, a sign or a clip, as Adam's λ does, no solver was",
        "asked.",
        "",
        "| situation | what is done |",
        "|---|---|",
        *(f"| {s.name} | {s.words} |" for s in SITUATIONS.values() if any(c.situation == s.name for c in atlas)),
        "",
    ]
    for pair, rules, situations, marks in _tables(atlas):
        lines += [
            f"## {PAIRS[pair].title}",
            "",
            f"Given {PAIRS[pair].given}: {PAIRS[pair].left.words}; {PAIRS[pair].right.words}.",
        ]
        lines += ["", "| | " + " | ".join(rules) + " |", "|---|" + ":---:|" * len(rules)]
        lines += [f"| {s} | " + " | ".join(marks.get((r, s), "") for r in rules) + " |" for s in situations]
        lines += [""]
    lines += ["## Every proof and every counterexample", ""]
    for pair in (p for p in PAIRS if any(c.pair == p for c in atlas)):
        lines += [f"### {PAIRS[pair].left.name} and {PAIRS[pair].right.name}, given {PAIRS[pair].given}", ""]
        for cell in (c for c in atlas if c.pair == pair):
            lines += [f"**{cell.rule}, {cell.situation}** {cell.marks}", "", *(f"- {x}" for x in describe(cell)), ""]
    return "\n".join(lines).rstrip() + "\n"
