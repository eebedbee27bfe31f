"""The figure of the atlas: every cell drawn, the same bytes each time, narrow enough for a page."""

import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from minigrad.lab.atlas_figure import COLOURS, draw, render
from minigrad.proof.atlas import KINDS, from_json

RECORD = Path(__file__).parents[2] / "docs" / "results" / "atlas.json"


@pytest.fixture(scope="module")
def atlas():
    return from_json(json.loads(RECORD.read_text()))


def test_a_mark_is_drawn_for_every_relation_of_every_cell(atlas):
    figure = draw(atlas)
    marks = {mark for mark, _ in KINDS.values()}
    drawn = [t.get_text() for axes in figure.axes[:-1] for t in axes.texts]
    assert sorted(drawn) == sorted("".join(c.marks for c in atlas))
    assert set(drawn) <= marks
    assert figure.get_size_inches()[0] <= 7.1  # between the margins of an A4 page
    assert figure.get_size_inches()[1] <= 9.7


def test_every_verdict_has_a_colour_and_a_glyph_of_its_own():
    assert COLOURS.keys() == KINDS.keys()
    assert len(set(COLOURS.values())) == len({mark for mark, _ in KINDS.values()}) == len(KINDS)


def test_equal_atlases_give_equal_bytes(atlas):
    small = [c for c in atlas if c.rule == "sgd" and c.pair == "doors-2-3"]
    first, second = render(small), render(small)
    assert first == second
    assert set(first) == {"atlas.json", "atlas.md", "atlas.png", "atlas.svg"}
    assert from_json(json.loads(first["atlas.json"])) == small


def test_part_of_an_atlas_is_drawn_too(atlas):
    assert draw([c for c in atlas if c.pair == "doors-2-3" and c.situation == "constant"]).axes
