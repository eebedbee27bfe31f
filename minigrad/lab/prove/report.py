"""The outcomes as a table for people and as JSON for programs."""

import json
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from minigrad.extras import need
from minigrad.lab.prove.run import SECTIONS, Outcome

__all__ = ["as_json", "print_report", "summary"]

WIDTH = 118
LISTED = 60  # a section with more claims is summed up, its failures excepted
PROVERS = ("sympy", "z3-solver", "python-flint", "hypothesis", "numpy")


def as_json(outcomes: Sequence[Outcome], thorough: bool) -> bytes:
    """Return the outcomes as JSON, without times: equal code and versions give equal bytes."""
    from minigrad import __version__

    found = {
        "format": 1,
        "minigrad": __version__,
        "thorough": thorough,
        "provers": {name: version(name) for name in PROVERS},
        "claims": [outcome.as_dict() for outcome in outcomes],
    }
    return (json.dumps(found, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


def print_report(outcomes: Sequence[Outcome], file: Any = None) -> None:
    """Print a table per section to `file` (standard output): each claim, what was found, and whether it should be."""
    console = need("rich.console", "proof").Console(file=file, highlight=False)
    console.width = max(console.width, WIDTH) if console.is_terminal else WIDTH
    for section in SECTIONS.values():
        of = [outcome for outcome in outcomes if outcome.section == section.name]
        if of:
            console.print(_table(section.title, of))
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


def _table(title: str, outcomes: list[Outcome]) -> Any:
    text = need("rich.text", "proof").Text
    made = need("rich.table", "proof").Table(
        title=f"{title}: {len(outcomes)} claims",
        title_justify="left",
        title_style="bold",
        box=need("rich.box", "proof").SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    made.add_column("", no_wrap=True)
    made.add_column("found", no_wrap=True)
    made.add_column("claim", ratio=1)
    made.add_column("shown", ratio=1)
    listed = outcomes if len(outcomes) <= LISTED else [o for o in outcomes if not o.ok]
    for o in listed:
        shown = o.evidence.shown if o.evidence else o.error or ""
        made.add_row(_mark(o.ok), o.found, text(o.statement), text(shown))
    if len(listed) < len(outcomes):
        rest = [o for o in outcomes if o.ok]
        held = sum(o.found == "holds" for o in rest)
        made.add_row(_mark(True), "", f"{held} more claims hold and {len(rest) - held} break, as they should", "")
    return made


def _mark(ok: bool) -> Any:
    return need("rich.text", "proof").Text("✓" if ok else "✗", style="green" if ok else "bold red")
