"""The figure of a comparison: ‖w‖, data loss and the distance of partners, against steps, a column per family.

Colours are those of Okabe and Ito, which colour-blind readers can tell apart; dashes and widths tell the lines apart
in grey. Where variants coincide, the wide line lies under the narrow ones, so that all can be seen.
"""

import io
import textwrap
from typing import Any

from minigrad.extras import need
from minigrad.lab.compare import Results
from minigrad.lab.progress import FAMILY_NAMES
from minigrad.lab.trial import Run

__all__ = ["draw", "render"]

ORANGE, SKY, GREEN, BLUE, RED, PURPLE, BLACK = (
    "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7", "#000000",
)  # fmt: skip

# colour, dashes, width, height in the stack
STYLES: dict[str, tuple[str, Any, float, int]] = {
    "none": (BLACK, (0, (1, 1.3)), 1.3, 6),
    "loss_l2": (SKY, "-", 4.2, 2),
    "l2": (RED, (0, (4.5, 2.2)), 2.2, 3),
    "decay": (BLUE, "-", 1.0, 4),
    "slips": (PURPLE, (0, (6, 1.5, 1.2, 1.5)), 1.5, 5),
    "loss_l1": (GREEN, "-", 2.4, 3),
    "prox_l1": (ORANGE, (0, (2.6, 1.6)), 1.3, 5),
    "l2_stationary": (PURPLE, (0, (6, 1.5, 1.2, 1.5)), 1.5, 5),
}
PREFIXES = {"sgd": "sgd", "momentum": "heavy_ball", "adam": "adam"}

PARTNERS = (
    "Partners: L2 and weight decay; the loop often seen and L2 in the loss; L1 in the loss and as soft threshold. "
    "θ₀: the common start."
)
PARTNERS_WITHOUT_SGD = "Partners: L2 and weight decay. θ₀: the common start."

RC = {
    "font.size": 8,
    "axes.labelsize": 8,
    "axes.titlesize": 9,
    "legend.fontsize": 7.2,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.5,
    "svg.hashsalt": "minigrad",
    "path.simplify": True,
}


def render(results: Results) -> dict[str, bytes]:
    """Return the figure as ``{"compare.png": ..., "compare.svg": ...}``. Equal results give equal bytes."""
    matplotlib = need("matplotlib", "lab")
    files = {}
    with matplotlib.rc_context(RC):
        figure = draw(results)
        for kind, options in (("png", {"dpi": 200}), ("svg", {"metadata": {"Date": None}})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, **options)
            files[f"compare.{kind}"] = buffer.getvalue()
    return files


def draw(results: Results) -> Any:
    """Return the figure: at most 18 cm wide, so that it fits between the margins of an A4 page."""
    figures = need("matplotlib.figure", "lab")
    families = results.settings.families
    figure = figures.Figure(figsize=(7.1 if len(families) > 1 else 4.2, 8.0), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.04, h_pad=0.04, hspace=0.03, wspace=0.03)
    places = figure.add_gridspec(4, len(families), height_ratios=(1, 1, 1, 0.62))
    grid: list[list[Any]] = []
    for row in range(3):
        grid.append([])
        for column in range(len(families)):
            shared = {"sharex": grid[0][0] if grid[0] else None, "sharey": grid[row][0] if grid[row] else None}
            grid[row].append(figure.add_subplot(places[row, column], **shared))
            grid[row][column].tick_params(labelbottom=row == 2, labelleft=column == 0)
    for column, family in enumerate(families):
        runs = [r for r in results.runs.values() if r.entry.family == family]
        n = runs[0].numbers
        numbers = f"α = {n.lr:g}, η = {n.decay:g}" + (f", β = {n.momentum:g}" if family == "momentum" else "")
        grid[0][column].set_title(numbers, loc="left", fontsize=8)
        grid[0][column].text(
            0, 1.15, FAMILY_NAMES[family], transform=grid[0][column].transAxes, fontsize=10, fontweight="bold"
        )
        _norms(grid[0][column], runs)
        _losses(grid[1][column], runs)
        _distances(grid[2][column], results, runs)
        grid[2][column].set_xlabel("step")
        _legend(figure.add_subplot(places[3, column]), runs)
    for row, label in enumerate(("‖w‖", "data loss", "distance to the partner\n‖θ − θ′‖ / ‖θ₀‖")):
        grid[row][0].set_ylabel(label)
    grid[0][0].set_ylim(bottom=0)
    grid[2][0].set_ylim(top=4)
    partners = PARTNERS if "sgd" in families else PARTNERS_WITHOUT_SGD
    figure.supxlabel(textwrap.fill(partners, 130 if len(families) > 1 else 74), x=0.01, ha="left", fontsize=7)
    return figure


def _style(run: Run) -> dict[str, Any]:
    kind = run.entry.name.removeprefix(PREFIXES[run.entry.family]).lstrip("_") or "none"
    colour, dashes, width, height = STYLES[kind]
    return {"color": colour, "linestyle": dashes, "linewidth": width, "zorder": height}


def _norms(axes: Any, runs: list[Run]) -> None:
    for run in runs:
        axes.plot(run.steps, [m.norm for m in run.curve], **_style(run))


def _losses(axes: Any, runs: list[Run]) -> None:
    for run in runs:
        axes.plot(run.steps, [m.data_loss for m in run.curve], **_style(run))
    axes.set_yscale("log")


def _distances(axes: Any, results: Results, runs: list[Run]) -> None:
    """Draw each run's distance to its partner, on a logarithmic scale, which has no place for the 0 of the start.

    A single point makes no line, and gets a marker.
    """
    drawn = set()
    for run in runs:
        pair = frozenset((run.entry.name, run.entry.partner))
        if run.entry.partner is None or pair in drawn:
            continue
        drawn.add(pair)
        found = [(s, d) for s, d in zip(run.steps, results.distances[run.entry.name], strict=True) if d > 0]
        if found:
            style = _style(run)
            mark = {"marker": "o", "markersize": 2 + style["linewidth"]} if len(found) == 1 else {}
            axes.plot(*zip(*found, strict=True), **style, **mark)
    axes.set_yscale("log")
    axes.minorticks_off()


def _legend(axes: Any, runs: list[Run]) -> None:
    lines = need("matplotlib.lines", "lab")
    axes.axis("off")
    handles = [lines.Line2D([], [], label=run.entry.label, **_style(run)) for run in runs]
    axes.legend(handles=handles, loc="upper left", frameon=False, handlelength=3.2, borderaxespad=0, labelspacing=0.45)
