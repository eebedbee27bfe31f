"""The flat listing prints what a variant does as the book does."""

import inspect
import re

import pytest

from minigrad.executors import listing
from minigrad.executors.listing import formula
from minigrad.executors.trace import Apply, Constant, Symbol
from minigrad.regularization import VARIANTS

ADAMW = """\
m ← β₁ m + (1 − β₁) g     rules/adam.py
v ← β₂ v + (1 − β₂) g²    rules/adam.py
m̂ ← m / (1 − β₁ᵗ)         rules/adam.py
v̂ ← v / (1 − β₂ᵗ)         rules/adam.py
δ ← α m̂ / (√v̂ + ε)        rules/adam.py
w ← (1 − η) w − δ         regularization/doors.py"""

SGD_L2 = """\
g ← g + λ w    regularization/doors.py
δ ← α g        rules/sgd.py
w ← w − δ      regularization/doors.py"""

SGD_DECAY = """\
δ ← α g              rules/sgd.py
w ← (1 − η) w − δ    regularization/doors.py"""

SGD_PROX_L1 = """\
δ ← α g                          rules/sgd.py
w ← w − δ                        regularization/doors.py
w ← sign(w) max(|w| − α c, 0)    regularization/doors.py"""

HEAVY_BALL = """\
b ← β b + g    rules/sgd.py
δ ← α b        rules/sgd.py
w ← w − δ      regularization/doors.py"""

SGDW = """\
m ← β m + α g        rules/sgd.py
δ ← m                rules/sgd.py
w ← (1 − η) w − δ    regularization/doors.py"""

LION = """\
δ ← α sign(β₁ m + (1 − β₁) g)    rules/lion.py
m ← β₂ m + (1 − β₂) g            rules/lion.py
w ← w − δ                        regularization/doors.py"""

ELASTIC_NET = """\
g ← g + (c sign(w) + λ w)    regularization/doors.py
δ ← α g                      rules/sgd.py
w ← w − δ                    regularization/doors.py"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("adamw", ADAMW), ("sgd_l2", SGD_L2), ("sgd_decay", SGD_DECAY), ("sgd_prox_l1", SGD_PROX_L1),
        ("heavy_ball", HEAVY_BALL), ("sgdw", SGDW), ("lion", LION), ("sgd_elastic_net", ELASTIC_NET),
    ],
)  # fmt: skip
def test_the_listing_reads_as_the_book(name, expected):
    lines = listing(name).split("\n\n")[1]
    assert re.sub(r"(?<=\.py):\d+$", "", lines, flags=re.MULTILINE) == expected


def test_a_line_number_stands_beside_every_line_and_is_right():
    for v in VARIANTS.values():
        code, first = inspect.getsourcelines(v.rule)
        for place in re.findall(rf"{re.escape(v.rule.__module__.split('.')[-1])}\.py:(\d+)$", listing(v), re.MULTILINE):
            assert first <= int(place) < first + len(code)


def test_the_heading_names_the_variant_the_door_and_the_source():
    heading = listing("adamw").split("\n\n")[0].splitlines()
    assert heading[:2] == ["adam_decay (published as adamw)", "door 3: weight decay"]
    assert heading[3] == 'source: Kingma and Ba, "Adam", arXiv 1412.6980, Algorithm 1.'
    assert listing("adamw").splitlines()[-1] == "with α = lr, β₁ = beta1, β₂ = beta2, ε = eps, t, η = decay"


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"did you mean .*adamw"):
        listing("adamww")


A, B, C = (Symbol(name, "array") for name in "abc")
E = Apply


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (E("sub", (E("sub", (A, B)), C)), "a − b − c"),
        (E("sub", (A, E("sub", (B, C)))), "a − (b − c)"),
        (E("add", (A, E("neg", (B,)))), "a + (−b)"),
        (E("add", (E("neg", (A,)), B)), "−a + b"),
        (E("neg", (E("add", (A, B)),)), "−(a + b)"),
        (E("neg", (E("mul", (A, B)),)), "−a b"),
        (E("mul", (E("neg", (A,)), B)), "(−a) b"),
        (E("mul", (A, E("mul", (B, C)))), "a (b c)"),
        (E("mul", (E("truediv", (A, B)), C)), "(a / b) c"),
        (E("truediv", (E("mul", (A, B)), C)), "a b / c"),
        (E("truediv", (A, E("mul", (B, C)))), "a / (b c)"),
        (E("truediv", (E("truediv", (A, B)), C)), "a / b / c"),
        (E("mul", (A, Constant(2))), "a · 2"),
        (E("mul", (A, E("pow", (Constant(2), B)))), "a · 2ᵇ"),
        (E("mul", (Constant(-2), A)), "(−2) a"),
        (E("pow", (E("add", (A, B)), Constant(2))), "(a + b)²"),
        (E("pow", (E("pow", (A, B)), C)), "(aᵇ)ᶜ"),
        (E("pow", (A, E("add", (B, C)))), "a^(b + c)"),
        (E("pow", (A, Constant(-1))), "a⁻¹"),
        (E("pow", (A, Constant(0.5))), "a^(0.5)"),
        (E("sqrt", (E("add", (A, B)),)), "√(a + b)"),
        (E("pow", (E("sqrt", (A,)), Constant(2))), "(√a)²"),
        (E("sqrt", (E("pow", (A, Constant(2))),)), "√(a²)"),
        (E("abs", (E("sub", (A, B)),)), "|a − b|"),
    ],
)
def test_brackets_stand_where_they_are_needed_and_nowhere_else(expression, expected):
    assert formula(expression) == expected
