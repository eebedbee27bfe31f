"""The results as a page of Markdown, for the documentation."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from minigrad.lab.bench import machine as machines
from minigrad.lab.bench import overhead
from minigrad.lab.bench.contenders import LABELS
from minigrad.lab.bench.report import beside, machine, out, per, rate, seconds
from minigrad.lab.bench.target import Target
from minigrad.lab.bench.targets import targets

__all__ = ["render"]


def render(found: Mapping[str, Any]) -> bytes:
    """Return the page: the machine, what each number means, and a table per kind of work."""
    there = machines.device(found)
    command = "minigrad bench" if there is None else "minigrad bench --backend cupy"
    parts = [
        "# Measured speed" if there is None else f"# Measured speed on {there['name']}",
        f"Written by `{command}`. {machine(found)}",
        "Each contender works in a process of its own, and the processes take turns. What a contender computes is "
        "checked before it is timed. Ratios are medians over rounds of the ratio within a round, so that what slows "
        "the machine for a while drops out.",
        f"![Training steps, updates, cost per node and cold start, beside other libraries]({machines.stem(found)}.svg)",
    ]
    if reached := targets(found):
        parts += ["## What was to be reached", _targets(reached)]
    for work in found["works"]:
        parts.append(f"## {work['title']}")
        parts.append(SECTIONS.get(work["name"], _by_case)(work))
        if there is not None and work["name"] == "step" and (rows := overhead.rows(work["cases"])):
            parts += ["### Where the time of a step goes", _overhead(rows)]
    if lines := out(found):
        parts += ["## Not timed", "\n".join(f"- {line}" for line in lines)]
    return ("\n\n".join(parts) + "\n").encode()


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _targets(reached: Sequence[Target]) -> str:
    """Return a row per target: in how many cases it was reached, and the case that is farthest from it."""
    rows = []
    for target in reached:
        case, value = target.worst
        bound = f"{'≥' if target.above else '≤'} {target.bound:g}{target.unit}"
        worst = f"{value:.2f}{target.unit}, {case}"
        rows.append([target.claim, bound, f"{target.count} of {len(target.found)}", worst])
    return _table(["target", "bound", "reached", "farthest from it"], rows)


def _timed(case: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [entry for entry in case["contenders"] if entry["status"] == "timed"]


def _label(name: str) -> str:
    return LABELS.get(name, name)


def _by_case(work: Mapping[str, Any]) -> str:
    """Return a table for every case: time, spread, and what it is beside the reference, the fastest peer, the limit."""
    tables = []
    for case in work["cases"]:
        rows = []
        clocks = ["host's clock", "host queues in"] if any("wall" in entry for entry in _timed(case)) else []
        for entry in _timed(case):
            s, ratios = entry["seconds"], entry["ratio"]
            ratio = [f"{ratios[to]['median']:.2f}" if to in ratios else "" for to in ("reference", "peer")]
            spread = f"{seconds(s['q1'])} – {seconds(s['q3'])}"
            row = [_label(entry["name"]), seconds(s["median"]), spread, *ratio, per(work, case, entry)]
            rows.append(row + (beside(entry) if clocks else []))
        head = [case["name"], "median", "quartiles", f"/ {_label(work['reference'])}", "/ fastest peer", "", *clocks]
        tables.append(_table(head, rows))
        tables += [line for line in (_memory(case),) if line]
    return "\n\n".join(tables)


def _overhead(rows: Sequence[Sequence[Any]]) -> str:
    """Return the table that tells launches, the engine and convolutions apart."""

    def told(i: int, value: Any) -> str:
        if value is None or i < 2:
            return "" if value is None else str(value)
        return seconds(value) if i < 8 else f"{value:.2f}"

    return f"{overhead.SAID}\n\n" + _table(overhead.HEAD, [[told(i, x) for i, x in enumerate(row)] for row in rows])


def _memory(case: Mapping[str, Any]) -> str:
    """Return what a step of minigrad holds, where that was measured."""
    own: Mapping[str, Any] = next((e.get("facts", {}) for e in _timed(case) if e["name"] == "minigrad"), {})
    if "peak_bytes" not in own:
        return ""
    held, peak = own["held_bytes"], own["peak_bytes"]
    return (
        f"Beside parameters, gradients, state and batch, the way back of this step reads {_mega(held)} of what the way "
        f"there computed; at its peak minigrad holds {_mega(peak)}, {peak / held:.2f} times that"
        f"{_captured(case, held)}."
    )


def _captured(case: Mapping[str, Any], needed: float) -> str:
    for entry in _timed(case):
        if entry["name"] == "minigrad-captured" and "held_bytes" in entry.get("facts", {}):
            held = entry["facts"]["held_bytes"]
            return f", and captured {_mega(held)}, {held / needed:.2f} times"
    return ""


def _mega(count: float) -> str:
    return f"{count / 1e6:.3g} MB"


def _update(work: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(e["name"] for c in work["cases"] for e in c["contenders"]))
    rows = []
    for case in work["cases"]:
        entries = {e["name"]: e for e in case["contenders"]}
        rows.append([case["name"], *(rate(case, entries.get(name)) for name in names)])
    said = "GB/s of the least traffic that there could be, and the share of the roofline, measured beside it."
    return f"{said}\n\n{_table(['update', *map(_label, names)], rows)}"


def _lessons(work: Mapping[str, Any]) -> str:
    """Return for every step what was expected, and what was found."""
    parts = []
    for case in work["cases"]:
        entries = {e["name"]: e for e in _timed(case)}
        if len(entries) < 2:
            continue
        before, after = (seconds(entries[name]["seconds"]["median"]) for name in ("before", "after"))
        ratio = entries["after"]["ratio"]["reference"]
        found = f"{before} before, {after} after: {1 / ratio['median']:.2f} times as fast"
        spread = f"{1 / ratio['max']:.2f} to {1 / ratio['min']:.2f} in single rounds"
        parts.append(f"**{case['name']}.** {case['facts']['expected']}\n\nMeasured: {found} ({spread}).")
    return "\n\n".join(parts)


SECTIONS = {"update": _update, "lessons": _lessons}
