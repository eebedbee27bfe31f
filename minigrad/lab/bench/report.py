"""The results as tables for people."""

from collections.abc import Mapping, Sequence
from typing import Any

from minigrad.extras import need
from minigrad.lab.bench import machine as machines
from minigrad.lab.bench.check import Comparison
from minigrad.lab.bench.contenders import LABELS
from minigrad.lab.bench.work import works

__all__ = ["beside", "device", "machine", "out", "per", "print_comparison", "print_report", "rate", "seconds"]

WIDTH = 118


def print_report(found: Mapping[str, Any], file: Any = None) -> None:
    """Print the machine, and a table per case; of the update alone, a line per variant and size."""
    console = _console(file)
    console.print(machine(found), markup=False, soft_wrap=True)
    for work in found["works"]:
        if work["name"] == "update":
            console.print(_update(work))
        else:
            console.print(_by_case(work, machines.device(found) is not None))
    for line in out(found):
        console.print(line, markup=False, soft_wrap=True)


def print_comparison(comparisons: Sequence[Comparison], file: Any = None) -> None:
    """Print recorded and new ratios, and whether each is within the slack."""
    title = "Ratios to the reference, of the fastest repeats"
    table = _table(title, "", "case", "contender", "recorded", "new")
    for c in comparisons:
        now = c.reason if c.found is None else f"{c.found:.2f}"
        table.add_row(_mark(c.ok), c.case, LABELS.get(c.contender, c.contender), f"{c.recorded:.2f}", now)
    console = _console(file)
    console.print(table)
    slower = [c for c in comparisons if not c.ok]
    told = f"{len(comparisons)} ratios of minigrad, at most {comparisons[0].slack:.0%} more is allowed"
    console.print(f"{told}: {len(slower)} exceed it." if slower else f"{told}: none exceeds it.", markup=False)


def seconds(value: float) -> str:
    """Return a time in the unit that suits it, to three digits."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value / 1e-9:.3g} ns"


def machine(found: Mapping[str, Any]) -> str:
    """Return where and how long was measured, in one line."""
    m = found["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    return device(found) + (
        f"{m['processor']}, {m['cores']} cores, {m['threads']} threads for every contender, {m['blas']}, "
        f"load {m['load_before']} before. {m['python']}, {versions}. "
        f"{_rounds(found)} rounds, with turns of {_turns(found)}: medians and quartiles."
    )


def _rounds(found: Mapping[str, Any]) -> str:
    """Return how many rounds the cases had: not all the same where some were measured again."""
    cases = [case for work in found["works"] for case in work["cases"]]
    counts = {len(e["seconds"]["rounds"]) for case in cases for e in case["contenders"] if e["status"] == "timed"}
    counts = counts or {found["pace"]["rounds"]}
    return f"{min(counts)} to {max(counts)}" if len(counts) > 1 else str(*counts)


def _turns(found: Mapping[str, Any]) -> str:
    """Return how long a turn of every work is, and how many repeats it has: one lasts as long as it lasts."""
    pace, known = found["pace"], works("numpy" if machines.device(found) is None else "cupy")
    titles: dict[float, list[str]] = {}
    for work in found["works"]:
        share = work["share"] if "share" in work else known[work["name"]].share  # results once did not have it
        titles.setdefault(share * pace["turn"], []).append(work["title"])
    (usual, _), *others = sorted(titles.items(), reverse=True) or [(pace["turn"], [])]
    told = "".join(f" ({' and '.join(of)}: {length:g} s)" for length, of in others)
    return f"about {usual:g} s{told} and 1 to {pace['most']} repeats"


def device(found: Mapping[str, Any]) -> str:
    """Return which GPU was measured, and how, as sentences; nothing for the host."""
    d = machines.device(found)
    if d is None:
        return ""
    return (
        f"{d['name']}, {d['memory_gib']} GiB of memory ({d['free_gib']} free), compute capability "
        f"{d['compute_capability']}, driver {d['driver']}, CUDA {d['cuda']}, CuPy {d['cupy']}. Seconds are those "
        "between events among the device's work, many repeats apart; of JAX, which offers none, the host's between two "
        "waits; of cold starts, the host's. float32 is computed as float32: no library uses TF32. The host: "
    )


def beside(entry: Mapping[str, Any]) -> list[str]:
    """Return the seconds by the host's clock, and those in which the host queues the work of a device."""
    return [seconds(entry[word]) if word in entry else "" for word in ("wall", "host")]


def _by_case(work: Mapping[str, Any], on_device: bool) -> Any:
    per = {"engine": "per node", "limits": "rate"}.get(work["name"], "of limit")
    reference = LABELS.get(work["reference"], work["reference"])
    more = ["wall", "host"] if on_device else []
    table = _table(work["title"], "contender", "median", "[quartiles]", f"/ {reference}", "/ fastest peer", per, *more)
    for case in work["cases"]:
        table.add_section()
        table.add_row(_bold(case["name"]))
        for entry in case["contenders"]:
            if entry["status"] == "timed":
                table.add_row(*_row(work, case, entry), *(beside(entry) if on_device else []))
    return table


def _row(work: Mapping[str, Any], case: Mapping[str, Any], entry: Mapping[str, Any]) -> list[str]:
    s, ratios = entry["seconds"], entry["ratio"]
    return [
        f"  {LABELS.get(entry['name'], entry['name'])}",
        seconds(s["median"]),
        f"[{seconds(s['q1'])}, {seconds(s['q3'])}]",
        *(f"{ratios[to]['median']:.2f}" if to in ratios else "" for to in ("reference", "peer")),
        per(work, case, entry),
    ]


def per(work: Mapping[str, Any], case: Mapping[str, Any], entry: Mapping[str, Any]) -> str:
    """Return what the time means: per node, as a rate, or beside the limit."""
    median, facts, own = entry["seconds"]["median"], case["facts"], entry.get("facts", {})
    if "nodes" in facts:
        more = f", {own['bytes_per_node']:.0f} B" if "bytes_per_node" in own else ""
        more += f", {own['launches'] / facts['nodes']:.2f} launches" if own.get("launches") else ""
        return f"{1e6 * median / facts['nodes']:.2f} µs{more}"
    if entry["name"] in work["limits"] and "gemm_flops" in facts:
        return f"{facts['gemm_flops'] / median / 1e9:.0f} GFLOP/s"
    if entry["name"] in work["limits"] and "bytes" in facts:
        return f"{facts['bytes'] / median / 1e9:.1f} GB/s"
    if "beyond_numpy" in own:
        return f"{seconds(own['beyond_numpy'])} beyond NumPy"
    return f"{entry['ratio']['limit']['median']:.2f} ×" if "limit" in entry["ratio"] else ""


def _update(work: Mapping[str, Any]) -> Any:
    """Return a line per case: GB/s of the least traffic there could be, and the share of the roofline."""
    names = list(dict.fromkeys(e["name"] for c in work["cases"] for e in c["contenders"]))
    table = _table(f"{work['title']}: GB/s, and % of the roofline", "update", *(LABELS.get(n, n) for n in names))
    for case in work["cases"]:
        entries = {e["name"]: e for e in case["contenders"]}
        table.add_row(case["name"], *(rate(case, entries.get(name)) for name in names))
    return table


def rate(case: Mapping[str, Any], entry: Mapping[str, Any] | None) -> str:
    """Return GB/s of an update, and its share of the roofline; why it was not timed, unless it was skipped."""
    if entry is None or entry["status"] != "timed":
        return "" if entry is None or entry["status"] == "skipped" else entry["status"]
    rate = case["facts"]["bytes"] / entry["seconds"]["median"] / 1e9
    if "reference" not in entry["ratio"] or entry["ratio"]["reference"]["to"] == entry["name"]:
        return f"{rate:.1f}"
    return f"{rate:.1f} {100 / entry['ratio']['reference']['median']:.0f}%"


def out(found: Mapping[str, Any]) -> list[str]:
    """Return a line for each reason for which a contender was not timed, with where that was."""
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for work in found["works"]:
        for case in work["cases"]:
            for entry in case["contenders"]:
                if entry["status"] != "timed":
                    key = (entry["status"], entry["name"], entry.get("reason", ""))
                    reasons.setdefault(key, []).append(f"{work['name']}, {case['name']}")
    lines = []
    for (status, name, reason), cases in reasons.items():
        where = cases[0] if len(cases) == 1 else f"{len(cases)} cases, first {cases[0]}"
        lines.append(f"{LABELS.get(name, name)} {status} ({where}): {reason}")
    return lines


def _console(file: Any) -> Any:
    console = need("rich.console", "lab").Console(file=file, highlight=False)
    console.width = max(console.width, WIDTH) if console.is_terminal else WIDTH
    return console


def _table(title: str, *columns: str) -> Any:
    table = need("rich.table", "lab").Table(
        title=title, title_justify="left", title_style="bold", box=need("rich.box", "lab").SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )  # fmt: skip
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i == 0 or column in ("case", "contender") else "right")
    return table


def _mark(ok: bool) -> Any:
    return need("rich.text", "lab").Text("✓" if ok else "✗", style="green" if ok else "bold red")


def _bold(text: str) -> Any:
    return need("rich.text", "lab").Text(text, style="bold")
