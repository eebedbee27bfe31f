"""A whole training step, printed: the update's lines are the variant's own, and nothing else differs."""

import pytest

import minigrad as mg
from minigrad.cli import main
from minigrad.executors.listing import formula, symbol
from minigrad.executors.trace import trace
from minigrad.lab.whole_step import whole_step
from minigrad.regularization import VARIANTS, variant
from minigrad.rules import state_names

BRANCHING = tuple(name for name in VARIANTS if name.startswith("radam"))
ONE = [name for name in VARIANTS if name not in BRANCHING]


def split(text):
    """The calls of forward and backward, and the comments of the update."""
    lines = text.splitlines()
    where = lines.index("next_numbers()")
    return [x for x in lines[:where] if not x.startswith("#")], [x[2:] for x in lines[where:] if x.startswith("# ")]


@pytest.mark.parametrize("name", ONE)
def test_the_update_is_the_variants_statements_in_order(name):
    v = variant(name)
    _, update = split(whole_step(name))
    said = [
        f"{symbol(s.name)} ← {formula(s.expression)}" for s in trace(v.step, state_names(v.rule), v.hyper).statements
    ]
    assert [x for x in said if x in update] == update


def test_the_doors_of_the_optimizer_differ_in_the_update_alone():
    forward = {tuple(split(whole_step(name))[0]) for name in ("sgd", "sgd_l2", "sgd_decay", "adam_l2", "adam_decay")}
    assert len(forward) == 1


@pytest.mark.parametrize("name", BRANCHING)
def test_an_update_with_branches_is_left_to_its_executor(name):
    assert whole_step(name).endswith("# Update all parameters, by the optimizer's executor.\nupdate()")


def test_it_is_python_and_printed_by_its_name(capsys):
    assert main(["show", "adamw", "--as", "step"]) == 0
    text = capsys.readouterr().out
    compile(text, "<step>", "exec")
    assert text.startswith("# adam_decay: door 3: weight decay\n# a step of a network")


def test_it_is_numpys_whatever_back_end_is_chosen(device):
    assert mg.tensor(1.0).data.__class__.__module__ != "numpy"
    assert "np.matmul(x, weight0" in whole_step("sgd")
