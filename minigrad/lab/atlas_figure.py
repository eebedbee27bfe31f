"""The figure of the atlas: for each pair a grid of rules and situations, with a mark for each of the three relations.

Colours are those of Okabe and Ito; a glyph in each says the same in grey.
"""

import io
import json
from collections.abc import Sequence
from typing import Any

from minigrad.extras import need
from minigrad.lab.figure import BLACK, BLUE, RC, RED, SKY
from minigrad.proof.atlas import KINDS, PAIRS, SITUATIONS, Cell, as_json, render_page
from minigrad.rules import RULES

__all__ = ["draw", "render"]

WHITE, GREY = "#FFFFFF", "#DDDDDD"

# the ground and the glyph
COLOURS = {
    "equal": (BLUE, WHITE),
    "otherwise": (SKY, BLACK),
    "different": (RED, WHITE),
    "not applicable": (GREY, BLACK),
    "undecided": (WHITE, BLACK),
}
_SIDE = 0.27  # of a mark; a cell is 1 by 1
_NAMES = {"step": "step", "trajectory": "trajectory", "stationary": "stationary points"}


def render(atlas: Sequence[Cell]) -> dict[str, bytes]:
    """Return the files by name: ``atlas.json``, ``.md``, ``.png`` and ``.svg``; equal atlases give equal bytes."""
    matplotlib = need("matplotlib", "proof")
    files = {
        "atlas.json": (json.dumps(as_json(atlas), indent=1, ensure_ascii=False) + "\n").encode(),
        "atlas.md": render_page(atlas).encode(),
    }
    with matplotlib.rc_context(RC | {"axes.grid": False}):
        figure = draw(atlas)
        for kind, options in (("png", {"dpi": 200}), ("svg", {"metadata": {"Date": None}})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, **options)
            files[f"atlas.{kind}"] = buffer.getvalue()
    return files


def draw(atlas: Sequence[Cell]) -> Any:
    """Return the figure, 18 cm wide, which fits between the margins of an A4 page."""
    figures = need("matplotlib.figure", "proof")
    pairs = [p for p in PAIRS if any(c.pair == p for c in atlas)]
    rules = [r for r in RULES if any(c.rule == r for c in atlas)]
    situations = [s for s in SITUATIONS if any(c.situation == s for c in atlas)]
    height = 1.25 + len(pairs) * (0.19 * len(rules) + 0.34)
    figure = figures.Figure(figsize=(7.1, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.03, h_pad=0.04, hspace=0.02)
    ratios = [len(rules)] * len(pairs) + [2]
    grids: Any = figure.subplots(len(pairs) + 1, 1, height_ratios=ratios, squeeze=False)[:, 0]
    for row, pair in enumerate(pairs):
        axes = grids[row]
        axes.set(xlim=(-0.5, len(situations) - 0.5), ylim=(len(rules) - 0.5, -0.5))
        axes.set_xticks(range(len(situations)), [s.replace("-", "\n", 1) for s in situations] if row == 0 else [])
        axes.xaxis.tick_top()
        axes.set_yticks(range(len(rules)), [r.replace("_", " ") for r in rules])
        axes.tick_params(length=0, labelsize=6.2)
        axes.tick_params(axis="y", labelsize=7)
        axes.spines[:].set_visible(False)
        given = f"{PAIRS[pair].title} ({PAIRS[pair].given})"
        axes.set_title(given, loc="left", fontsize=8, fontweight="bold", pad=24 if row == 0 else 5)
        for cell in (c for c in atlas if c.pair == pair):
            _marks(
                axes, situations.index(cell.situation), rules.index(cell.rule), [v.kind for v in cell.verdicts.values()]
            )
    kinds = sorted({v.kind for c in atlas for v in c.verdicts.values()}, key=list(KINDS).index)
    _legend(grids[-1], kinds, len(atlas) < len(pairs) * len(rules) * len(situations))
    return figure


def _marks(axes: Any, x: float, y: float, kinds: Sequence[str], size: float = 7) -> None:
    patches = need("matplotlib.patches", "lab")
    for i, kind in enumerate(kinds):
        ground, ink = COLOURS[kind]
        left = x + (i - 1) * (_SIDE + 0.02)
        edge = BLACK if kind == "undecided" else "none"
        axes.add_patch(
            patches.Rectangle(
                (left - _SIDE / 2, y - 0.41), _SIDE, 0.82, facecolor=ground, edgecolor=edge, linewidth=0.6
            )
        )
        axes.text(left, y, KINDS[kind][0], color=ink, ha="center", va="center_baseline", fontsize=size)


def _legend(axes: Any, kinds: Sequence[str], partial: bool) -> None:
    axes.axis("off")
    axes.set(xlim=(-0.5, 12.5), ylim=(1.5, -0.5))
    x = 0.0
    for kind in kinds:
        words = KINDS[kind][1].split(":")[0]
        _marks(axes, x, 0.2, [kind])
        axes.text(x - 0.05, 0.2, words, va="center_baseline", fontsize=7, in_layout=False)
        x += 0.9 + 0.115 * len(words)
    said = "Three marks: same " + ", same ".join(_NAMES.values()) + "."
    said += " Rules with fewer marks were asked about fewer situations." if partial else ""
    axes.text(-0.4, 1.15, said, va="center_baseline", fontsize=7, in_layout=False)
