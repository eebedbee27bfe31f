"""The results drawn: a page of A4 at most, in colours (Okabe and Ito) and marks that can be told apart in grey too."""

import io
from collections.abc import Callable, Mapping
from typing import Any

from minigrad.extras import need
from minigrad.lab.bench.contenders import LABELS
from minigrad.lab.bench.machine import stem
from minigrad.lab.figure import BLACK, BLUE, GREEN, ORANGE, PURPLE, RC, RED, SKY

__all__ = ["STYLES", "draw", "render"]

GREY = "#777777"

# colour, mark, dashes
STYLES: dict[str, tuple[str, str, str]] = {
    "numpy": (BLACK, "|", "-"),
    "cupy": (BLACK, "x", "-"),
    "minigrad": (BLUE, "o", "-"),
    "minigrad-captured": (BLUE, "$c$", "--"),
    "minigrad-captured-numba": (RED, "$n$", "-."),
    "minigrad-plain": (SKY, "o", "--"),
    "minigrad-numpy": (BLUE, "s", "-."),
    "minigrad-numba": (RED, "D", "-"),
    "minigrad-uncollected": (SKY, "H", ":"),
    "torch": (GREEN, "v", "--"),
    "torch-foreach": (GREEN, "<", ":"),
    "torch-fused": (GREEN, "^", "-"),
    "torch-channels-last": (GREEN, ">", "-."),
    "torch-no-cudnn": (GREEN, "8", ":"),
    "torch-graphs": (GREEN, "p", "--"),
    "torch-compile": (GREEN, "*", "-"),
    "jax": (PURPLE, "P", "-"),
    "autograd": (ORANGE, "X", "--"),
    "mygrad": (GREY, "h", ":"),
    "gemm": (BLACK, "1", ":"),
    "gemm-cupy": (BLACK, "4", ":"),
    "gemm-torch": (GREY, "2", ":"),
    "roofline": (BLACK, ".", ":"),
    "copy": (GREY, "3", ":"),
}
WIDTH = 7.1  # inches, 18 cm


def render(found: Mapping[str, Any]) -> dict[str, bytes]:
    """Return the figure as PNG and SVG, by the names of their files. Equal results give equal bytes."""
    matplotlib = need("matplotlib", "lab")
    files = {}
    with matplotlib.rc_context(RC):
        figure = draw(found)
        for kind, options in (("png", {"dpi": 200}), ("svg", {"metadata": {"Date": None}})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, **options)
            files[f"{stem(found)}.{kind}"] = buffer.getvalue()
    return files


def draw(found: Mapping[str, Any]) -> Any:
    """Return the figure: a row for each work that was measured, and the names below."""
    rows: list[tuple[float, Callable[[Any, Mapping[str, Any]], set[str]], Mapping[str, Any]]] = []
    for work in found["works"]:
        if work["name"] in PANELS and any(_timed(case) for case in work["cases"]):
            height, panel = PANELS[work["name"]]
            rows.append((height(work), panel, work))
    heights = [height for height, _, _ in rows] + [0.7]
    figure = need("matplotlib.figure", "lab").Figure(
        figsize=(WIDTH, min(10.4, 0.6 + sum(heights))), layout="constrained"
    )
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    shown: set[str] = set()
    for part, (_, panel, work) in zip(parts, rows, strict=False):
        shown |= panel(part, work)
    _legend(parts[-1], [name for name in STYLES if name in shown])
    return figure


def _step(part: Any, work: Mapping[str, Any]) -> set[str]:
    """Draw every contender's time beside that of the work by hand, a line per network."""
    axes, shown = part.subplots(), set()
    cases = [case for case in work["cases"] if _timed(case)]
    for i, case in enumerate(cases):
        for name, entry in _timed(case).items():
            if "reference" in entry["ratio"]:
                colour, mark, _ = STYLES[name]
                size = 7 if mark.startswith("$") else 5  # a letter needs more than a mark
                axes.plot(
                    entry["ratio"]["reference"]["median"], -i, marker=mark, color=colour, markersize=size, alpha=0.9
                )
                shown.add(name)
    axes.axvline(1, color=BLACK, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xticks([0.25, 0.5, 1, 2, 4, 8, 16], ["¼", "½", "1", "2", "4", "8", "16"])
    axes.minorticks_off()
    axes.set_yticks([-i for i in range(len(cases))], [case["name"] for case in cases])
    axes.set_ylim(-len(cases) + 0.5, 0.5)
    axes.set_title(f"Training step with AdamW: time / time of {LABELS[work['reference']]}", loc="left")
    return shown


def _update(part: Any, work: Mapping[str, Any]) -> set[str]:
    """Draw AdamW's rate against size, and the share of the roofline of every variant at the size most have."""
    left, right = part.subplots(1, 2)
    shown = set()
    cases = [c for c in work["cases"] if c["facts"]["tensors"] == 1]
    rates: dict[str, list[tuple[float, float]]] = {}
    for case in cases:
        if case["facts"]["variant"] == "adam_decay" and case["facts"].get("dtype") != "float64":
            for name, entry in _timed(case).items():
                rate = case["facts"]["bytes"] / entry["seconds"]["median"] / 1e9
                rates.setdefault(name, []).append((case["facts"]["parameters"], rate))
    for name, points in rates.items():
        _line(left, name, sorted(points))
        shown.add(name)
    left.set_xscale("log")
    left.set_yscale("log")
    left.set_xlabel("parameters")
    left.set_title("AdamW's update: GB/s", loc="left")
    sizes = [c["facts"]["parameters"] for c in cases]
    size = max(set(sizes), key=lambda n: (sizes.count(n), n))
    shares: dict[str, list[float]] = {}
    for case in cases:
        for name, entry in _timed(case).items():
            if case["facts"]["parameters"] == size and name not in work["limits"] and "reference" in entry["ratio"]:
                shares.setdefault(name, []).append(1 / entry["ratio"]["reference"]["median"])
    for name, values in shares.items():
        _line(right, name, list(enumerate(sorted(values), 1)))
        shown.add(name)
    right.axhline(1, color=BLACK, linestyle=":", linewidth=0.8)
    right.set_ylim(bottom=0)
    right.set_xlabel("rules behind doors, slowest first")
    right.xaxis.get_major_locator().set_params(integer=True)
    right.set_title(f"Share of the roofline, {_power(size)} parameters", loc="left")
    return shown


def _engine(part: Any, work: Mapping[str, Any]) -> set[str]:
    """Draw the time per node against the number of nodes, a panel per graph."""
    graphs = list(dict.fromkeys(case["facts"]["graph"] for case in work["cases"]))
    shown = set()
    panels = part.subplots(1, len(graphs), sharey=True, squeeze=False)[0]
    for axes, graph in zip(panels, graphs, strict=True):
        points: dict[str, list[tuple[float, float]]] = {}
        for case in work["cases"]:
            if case["facts"]["graph"] == graph:
                nodes = case["facts"]["nodes"]
                for name, entry in _timed(case).items():
                    points.setdefault(name, []).append((nodes, 1e6 * entry["seconds"]["median"] / nodes))
        for name, line in points.items():
            _line(axes, name, line)
            shown.add(name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(graph, loc="left", fontsize=8)
        axes.set_xlabel("nodes")
    panels[0].set_ylabel("µs per node, there and back")
    return shown


def _cold(part: Any, work: Mapping[str, Any]) -> set[str]:
    """Draw seconds from the start of the interpreter."""
    axes, shown = part.subplots(), set()
    cases = [case for case in work["cases"] if _timed(case)]
    for i, case in enumerate(cases):
        for name, entry in _timed(case).items():
            colour, mark, _ = STYLES[name]
            axes.plot(entry["seconds"]["median"], -i, mark, color=colour, markersize=5, alpha=0.9)
            shown.add(name)
    axes.set_xscale("log")
    axes.set_yticks([-i for i in range(len(cases))], [case["name"] for case in cases])
    axes.set_ylim(-len(cases) + 0.5, 0.5)
    axes.set_title("From a cold start: seconds", loc="left")
    return shown


PANELS: dict[str, tuple[Callable[[Mapping[str, Any]], float], Callable[[Any, Mapping[str, Any]], set[str]]]] = {
    "step": (lambda work: 0.7 + 0.27 * len(work["cases"]), _step),
    "update": (lambda work: 2.4, _update),
    "engine": (lambda work: 2.2, _engine),
    "cold": (lambda work: 0.6 + 0.25 * len(work["cases"]), _cold),
}


def _power(n: int) -> str:
    """Return 50000000 as "5·10⁷"."""
    digit, _, exponent = f"{n:.0e}".partition("e+")
    raised = str(int(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return ("" if digit == "1" else f"{digit}·") + f"10{raised}"


def _timed(case: Mapping[str, Any]) -> dict[str, Any]:
    return {e["name"]: e for e in case["contenders"] if e["status"] == "timed" and e["name"] in STYLES}


def _line(axes: Any, name: str, points: list[tuple[float, float]]) -> None:
    colour, mark, dashes = STYLES[name]
    axes.plot(*zip(*points, strict=True), color=colour, marker=mark, linestyle=dashes, markersize=3.5, linewidth=1)


def _legend(part: Any, names: list[str]) -> None:
    lines = need("matplotlib.lines", "lab")
    handles = []
    for name in names:
        colour, mark, dashes = STYLES[name]
        made = lines.Line2D([], [], color=colour, marker=mark, linestyle=dashes, markersize=5, linewidth=1)
        made.set_label(LABELS[name])
        handles.append(made)
    part.legend(handles=handles, loc="center", ncols=4, frameon=False, handlelength=2.2, columnspacing=1, fontsize=7)
