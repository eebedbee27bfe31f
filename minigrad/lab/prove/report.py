"""The outcomes as a table for people and as JSON for programs."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from minigrad.extras import need
from minigrad.lab.prove.run import SECTIONS, Outcome, Section

__all__ = ["as_dict", "as_json", "as_markdown", "print_report", "summary"]

WIDTH = 118
PROVERS = ("sympy", "z3-solver", "python-flint", "hypothesis", "numpy")


def as_dict(outcomes: Sequence[Outcome], thorough: bool) -> dict[str, Any]:
    """Return the outcomes as they go into JSON, without times: equal code and versions give equal results."""
    from minigrad import __version__

    return {
        "format": 1,
        "minigrad": __version__,
        "thorough": thorough,
        "provers": {name: found for name in PROVERS if (found := _version(name))},
        "claims": [outcome.as_dict() for outcome in outcomes],
    }


def _version(name: str) -> str | None:
    """Return the version of a prover, or None where it is not installed: a section needs no other than its own."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def as_json(found: Mapping[str, Any]) -> bytes:
    """Return `as_dict` as JSON, one entry a line."""
    return (json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def as_markdown(found: Mapping[str, Any]) -> bytes:
    """Return `as_dict` as a page: a table per section. A long section is summed up, but for its failures."""
    version, provers = found["minigrad"], ", ".join(f"{name} {v}" for name, v in found["provers"].items())
    lines = [
        "# What was proved", "",
        f"Written by `minigrad prove{' --thorough' if found['thorough'] else ''}`, version {version}, with {provers}. "
        "“Breaks” is a result like any other: those claims are false, and the numbers show it. What the sections mean "
        "is said in [../proof.md](../proof.md).", "",
    ]  # fmt: skip
    for section in SECTIONS.values():
        of = [claim for claim in found["claims"] if claim["section"] == section.name]
        if of:
            lines += [f"## {section.title}", "", *_rows(section, of), ""]
    return "\n".join(lines).encode()


def _rows(section: Section, claims: list[dict[str, Any]]) -> list[str]:
    listed = [c for c in claims if not section.many or c["found"] != c["expected"]]
    rows = [f"| {_cell(c['statement'])} | **{c['found']}** | {_cell(c['shown'])} |" for c in listed]
    table = ["| claim | found | shown |", "|---|---|---|", *rows] if rows else []
    if len(listed) < len(claims):
        rest = [c for c in claims if c not in listed]
        held = sum(c["found"] == "holds" for c in rest)
        summed = (
            f"{held} claims hold and {len(rest) - held} break, as they should; [prove.json](prove.json) has every one."
        )
        table += ["", summed] if rows else [summed]
    return table


def _cell(words: str) -> str:
    for reserved in "\\|*_`<>":
        words = words.replace(reserved, "\\" + reserved)
    return words


def print_report(outcomes: Sequence[Outcome], file: Any = None) -> None:
    """Print a table per section to `file` (standard output): each claim, what was found, and whether it should be."""
    console = need("rich.console", "proof").Console(file=file, highlight=False)
    console.width = max(console.width, WIDTH) if console.is_terminal else WIDTH
    for section in SECTIONS.values():
        of = [outcome for outcome in outcomes if outcome.section == section.name]
        if of:
            console.print(_table(section, of))
    console.print(summary(outcomes), markup=False, soft_wrap=True)


def summary(outcomes: Sequence[Outcome]) -> str:
    """Return one sentence: how many claims, how many as expected, which not."""
    wrong = [outcome for outcome in outcomes if not outcome.ok]
    holding = sum(outcome.expected for outcome in outcomes)
    counted = f"{len(outcomes)} claims: {holding} that should hold, {len(outcomes) - holding} that should break"
    if not wrong:
        return f"{counted}. All as expected."
    listed = ", ".join(f"{o.section}.{o.name} ({o.found})" for o in wrong)
    return f"{counted}. {len(wrong)} not as expected: {listed}."


def _table(section: Section, outcomes: list[Outcome]) -> Any:
    text = need("rich.text", "proof").Text
    made = need("rich.table", "proof").Table(
        title=f"{section.title}: {len(outcomes)} claims",
        title_justify="left",
        title_style="bold",
        box=need("rich.box", "proof").SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    made.add_column("", no_wrap=True)
    made.add_column("found", no_wrap=True)
    made.add_column("claim", ratio=1)
    made.add_column("shown", ratio=1)
    listed = [o for o in outcomes if not (section.many and o.ok)]
    for o in listed:
        shown = o.evidence.shown if o.evidence else o.error or ""
        made.add_row(_mark(o.ok), o.found, text(o.statement), text(shown))
    if len(listed) < len(outcomes):
        rest = [o for o in outcomes if o.ok]
        held = sum(o.found == "holds" for o in rest)
        summed = f"{held} hold and {len(rest) - held} break, as they should"
        made.add_row(_mark(True), "", summed, "prove.json has every one")
    return made


def _mark(ok: bool) -> Any:
    return need("rich.text", "proof").Text("✓" if ok else "✗", style="green" if ok else "bold red")
