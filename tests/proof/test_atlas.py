"""The atlas finds what is known, says otherwise when a door is changed, and its numbers are checked by hand here."""

import json
import os
import subprocess
import sys
from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad.proof import atlas as package
from minigrad.proof.atlas import (
    PAIRS,
    RELATIONS,
    SITUATIONS,
    as_json,
    cells,
    claims,
    equal,
    from_json,
    render_page,
    render_terminal,
    rest,
    search,
    stationary,
)
from minigrad.proof.atlas.model import _clip
from minigrad.proof.atlas.question import Question
from minigrad.proof.claims import UndecidedError
from minigrad.proof.symbolic import letter
from minigrad.regularization import L2, doors, variant
from minigrad.rules import RULES, scalar_state, state_names
from minigrad.training import clip_by_norm, clip_by_value

DOCS = Path(__file__).parents[2] / "docs"
LETTERS = {
    "α": "lr", "η": "decay", "λ": "l2", "β": "momentum", "β₁": "beta1", "β₂": "beta2", "ρ": "rho", "ε": "eps",
    "vₘₐₓ": "v_max", "S": "scale", "c": "limit", "ψ": "psi", "Πμ": "mu_product",
}  # fmt: skip

decide = cache(package.decide)


def marks(pair, rule, situation):
    return decide(pair, rule, situation).marks


# --- what is known ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("situation", ["constant", "schedule", "restarts", "clip-value", "clip-norm", "tied"])
def test_with_sgd_l2_in_the_gradient_and_decay_are_one_algorithm(situation):
    assert marks("doors-2-3", "sgd", situation) == "==="
    assert "1 − " in decide("doors-2-3", "sgd", situation).step.proof


def test_a_schedule_of_the_learning_rate_alone_needs_a_coefficient_that_follows_it():
    found = decide("doors-2-3", "sgd", "lr-schedule")
    assert found.marks == "≈≈≈"
    assert found.step.hyper == found.trajectory.hyper == {"λ′": "η/(s·α)"}
    assert found.step.example["given"]["s"] != "1"


def test_what_is_decayed_and_not_penalised_tells_the_doors_apart():
    assert marks("doors-2-3", "sgd", "selection") == "≠≠≠"
    assert marks("doors-1-2", "sgd", "selection") == "==="


@pytest.mark.parametrize("rule", ["heavy_ball", "heavy_ball_inside"])
def test_with_momentum_the_first_step_agrees_and_the_second_does_not(rule):
    found = decide("doors-2-3", rule, "constant")
    assert found.marks == "≠≠≈"
    assert found.step.text == "the weights agree, the state does not"
    w = [found.trajectory.example[side]["w"] for side in ("left", "right")]
    assert len(w[0]) == 3
    assert w[0][:2] == w[1][:2]
    given = {n: Fraction(x) for n, x in found.trajectory.example["given"].items()}
    assert Fraction(w[1][2]) - Fraction(w[0][2]) == given["η"] * given["β"] * given["w"]


@pytest.mark.parametrize("rule", ["heavy_ball", "heavy_ball_inside", "nesterov"])
def test_with_momentum_the_stationary_points_are_those_of_another_coefficient(rule):
    found = decide("doors-2-3", rule, "constant").stationary
    assert found.hyper == {"λ′": "η·(1 − β)/α"}
    assert found.latex == r"\lambda' = \frac{\eta \left(1 - \beta\right)}{\alpha}"


@pytest.mark.parametrize(
    ("rule", "situation", "l2"),
    [
        ("sgd", "lr-schedule", "η/(s·α)"),
        ("heavy_ball", "schedule", "η·(1 − β)/α"),
        ("heavy_ball", "lr-schedule", "η·(1 − β)/(s·α)"),
        ("heavy_ball_inside", "schedule", "η·(1 − β)/α"),
        ("heavy_ball_inside", "lr-schedule", "η·(1 − β)/(s·α)"),
        ("nesterov", "lr-schedule", "η·(1 − β)/(s·α)"),
    ],
)
def test_under_a_schedule_one_coefficient_and_no_other_makes_the_doors_rest_alike(rule, situation, l2):
    found = decide("doors-2-3", rule, situation).stationary
    assert found.hyper == {"λ′": l2}
    assert "nowhere" not in found.proof
    q = Question(PAIRS["doors-2-3"], rule, SITUATIONS[situation])
    lr, decay, s, beta = (q.symbol(n) for n in ("lr", "decay", "s", "momentum"))
    right = decay / lr * (1 if rule == "sgd" else 1 - beta) / (s if situation == "lr-schedule" else 1)
    for factor in (1, 1 / (1 - beta), 7 / s**2):
        assert stationary.same(q, stationary.sets(q, {"l2": right * factor})) == (factor == 1)


def test_a_point_that_rests_on_one_side_alone_does_so_in_the_step_whose_multiplier_is_given():
    found = decide("doors-2-3", "heavy_ball", "lr-schedule").stationary.example
    given = {n: Fraction(x) for n, x in found["given"].items()}
    lr, g = given["s"] * given["α"], given["g"]
    assert Fraction(found["at"]["w"]) == -g * given["α"] / given["η"]
    assert [Fraction(w) for w in found["instead"]] == [-lr * g / (1 - given["β"]) / given["η"]]


@pytest.mark.parametrize("rule", ["adagrad", "rmsprop", "adam", "amsgrad", "adamax", "nadam", "radam", "lion"])
def test_with_adaptive_rules_everything_differs(rule):
    assert marks("doors-2-3", rule, "constant") == "≠≠≠"


def test_adam_and_adamw_rest_alike_only_where_no_gradient_pulls():
    assert marks("doors-2-3", "adam", "zero-gradients") == "≠≠="


@pytest.mark.parametrize("rule", sorted(RULES))
def test_the_penalty_in_the_loss_is_that_in_the_gradient(rule):
    assert marks("doors-1-2", rule, "constant") == "==="


@pytest.mark.parametrize("situation", ["clip-value", "missing-gradients"])
def test_what_stands_between_loss_and_optimizer_tells_doors_1_and_2_apart(situation):
    assert marks("doors-1-2", "sgd", situation) == "≠≠≠"


@pytest.mark.parametrize("rule", ["sgd", "heavy_ball", "adam"])
def test_the_proximal_step_is_decay_with_other_numbers(rule):
    found = decide("shrink-prox", rule, "constant")
    assert found.marks == "≈≈="
    assert found.step.hyper == {"η′": "η/(η + 1)", "α′": "α/(η + 1)"}


def test_where_the_rate_is_in_the_buffer_the_states_keep_a_ratio():
    found = decide("shrink-prox", "heavy_ball_inside", "constant")
    assert found.marks == "≠≈="
    assert found.trajectory.hyper == {"η′": "η/(η + 1)", "α′": "α/(η + 1)"}
    assert "η + 1 times" in found.trajectory.proof
    assert marks("shrink-prox", "heavy_ball_inside", "schedule") == "≠≠="


@pytest.mark.parametrize("pair", sorted(PAIRS))
def test_before_batch_norm_nothing_rests(pair):
    found = decide(pair, "sgd", "batch-norm").stationary
    assert found.kind == "not applicable"
    assert "w·g < 0" in found.text


# --- the tester, tested -----------------------------------------------------------------------------------------------


def test_without_its_decay_door_3_is_another(monkeypatch):
    monkeypatch.setattr(
        doors, "decoupled", lambda rule: lambda w, g, *s, decay, **hyper: doors.plain(rule)(w, g, *s, **hyper)
    )
    assert package.decide("doors-2-3", "sgd", "constant").marks == "≠≠≠"
    assert package.decide("doors-1-2", "sgd", "constant").marks == "==="


def test_with_its_sign_turned_door_3_is_another(monkeypatch):
    whole = doors.decoupled
    monkeypatch.setattr(doors, "decoupled", lambda rule: whole(rule, lambda w, decay: (1 + decay) * w))
    found = package.decide("doors-2-3", "sgd", "constant")
    assert found.step.kind == found.trajectory.kind == found.stationary.kind == "different"


def test_two_doors_swapped_swap_their_verdicts(monkeypatch):
    """Adam's decay through door 2: what was different is the same, and what was the same is different."""

    def decay_in_disguise(rule, gradient):
        return lambda w, g, *s, l2, lr, **hyper: doors.decoupled(rule)(w, g, *s, lr=lr, decay=lr * l2, **hyper)

    monkeypatch.setattr(doors, "coupled", decay_in_disguise)
    assert package.decide("doors-2-3", "adam", "constant").marks == "==="
    assert package.decide("doors-1-2", "adam", "constant").marks == "≠≠≠"
    assert decide("doors-2-3", "adam", "constant").marks == "≠≠≠"


def test_a_penalty_without_its_half_needs_half_the_coefficient(monkeypatch):
    monkeypatch.setattr(L2, "value", staticmethod(lambda w, *, l2: l2 * (w**2).sum()))
    found = package.decide("doors-1-2", "adam", "constant")
    assert found.step.kind == "different"  # within a root, λ was not solved for
    assert found.stationary.hyper == {"λ′": "λ/2"}


def test_a_proximal_step_that_only_shrinks_is_still_found_out(monkeypatch):
    monkeypatch.setattr(L2, "prox", staticmethod(lambda w, *, lr, l2: (1 - lr * l2) * w))
    found = package.decide("shrink-prox", "sgd", "constant")
    assert found.step.hyper == {"α′": "α·(1 − η)"}


def test_without_proof_or_counterexample_a_cell_is_undecided_and_its_claim_fails(monkeypatch):
    monkeypatch.setattr(search, "find", lambda *_: None)
    found = package.decide("doors-2-3", "heavy_ball", "constant")
    assert found.marks == "???"
    claim = {c.name: c for c in claims()}["doors-2-3.heavy_ball.constant"]
    assert not claim.prove().holds
    assert "undecided" in render_terminal([found, decide("doors-2-3", "sgd", "constant")])


# --- the counterexamples, by hand -------------------------------------------------------------------------------------


def recorded():
    return json.loads((DOCS / "results" / "atlas.json").read_text())


SIDES = {"doors-1-2": ("", "l2"), "doors-2-3": ("l2", "decay"), "shrink-prox": ("decay", "prox_l2")}
BY_HAND = (
    "constant",
    "schedule",
    "lr-schedule",
    "zero-gradients",
    "clip-value",
    "accumulation",
    "loss-scaling",
    "tied",
)
LINES = [c for c in recorded()["cells"] if c["situation"] in BY_HAND]


def one_step(cell, side, w, state, given, t, s):
    """A step written from the definitions: the gradient, its clipping, and a variant by name."""
    door = SIDES[cell["pair"]][side]
    own = {
        LETTERS[n]: Fraction(x) for n, x in given.items() if n in LETTERS and LETTERS[n] in variant(cell["rule"]).hyper
    }
    lr, decay = Fraction(given["α"]), Fraction(given.get("η", 0))
    l2 = Fraction(given["λ"]) if "λ" in given else decay / lr
    uses = [n for n in ("g", "g₁", "g₂") if n in given]
    g = sum(Fraction(given[n]) + Fraction(given.get(n.replace("g", "h"), 0)) * w for n in uses)
    g = g / 2 if cell["situation"] == "accumulation" else g
    g = g + l2 * w if door == "" else g  # door 1: the gradient of the whole loss
    if cell["situation"] == "clip-value":
        g = max(-Fraction(given["c"]), min(g, Fraction(given["c"])))
    if cell["situation"] in ("schedule", "lr-schedule"):
        lr, decay = s * lr, (s * decay if cell["situation"] == "schedule" else decay)
    step = variant(cell["rule"] + (f"_{door}" if door else ""))
    hyper = own | {"lr": lr, "l2": l2, "decay": decay, "t": t}
    return step.step(w, g, *state, **{n: hyper[n] for n in step.hyper})


@pytest.mark.parametrize("cell", LINES, ids=lambda c: f"{c['pair']}-{c['rule']}-{c['situation']}")
def test_counterexamples_are_true_in_plain_fractions(cell):
    names = state_names(RULES[cell["rule"]])
    letters = {name: letter for letter, name in LETTERS.items()}
    if example := cell["step"].get("example"):
        given = example["given"]
        state = [Fraction(given[letters.get(n, n)]) for n in names]
        ends = []
        for side, shown in ((0, example["left"]), (1, example["right"])):
            found = one_step(
                cell, side, Fraction(given["w"]), state, given, int(given.get("t", 1)), Fraction(given.get("s", 1))
            )
            assert [str(x) for x in found] == list(shown.values())
            ends.append(found)
        if cell["step"]["kind"] == "different":
            assert (ends[0][0] != ends[1][0]) == (cell["step"]["text"] == "the weights differ")
        assert ends[0] != ends[1]
    if example := cell["trajectory"].get("example"):
        given = example["given"]
        ends = []
        for side, shown in ((0, example["left"]["w"]), (1, example["right"]["w"])):
            begins = scalar_state(RULES[cell["rule"]])
            w, *state = Fraction(given["w"]), *(Fraction(begins.get(n, 0)) for n in names)
            for t, place in enumerate(shown):
                assert str(w) == place
                s = Fraction(given.get(("s₁", "s₂", "s₃")[t], 1))
                if t + 1 < len(shown):
                    w, *state = one_step(cell, side, w, state, given, t + 1, s)
            ends.append(w)
        assert ends[0] != ends[1]


def test_where_the_weights_differ_the_counterexample_shows_it():
    found = decide("doors-2-3", "lion", "lr-schedule").step
    assert found.text == "the weights differ"
    assert found.example["left"]["w"] != found.example["right"]["w"]


def test_weights_that_are_not_proved_to_agree_are_not_said_to_differ(monkeypatch):
    monkeypatch.setattr(equal, "same_weights", lambda q: False)
    found = package.decide("doors-2-3", "heavy_ball", "constant").step
    assert found.text == "the state differs; the weights were neither proved to agree nor seen to differ"
    assert found.example["left"]["w"] == found.example["right"]["w"]


def test_the_shortest_run_that_differs_is_found():
    found = decide("doors-1-2", "heavy_ball", "missing-gradients").trajectory
    assert found.text == "the weights differ after 1 step"
    assert (found.example["left"], found.example["right"]) == ({"w": ["1", "0"]}, {"w": ["1", "1"]})


def test_a_run_names_the_numbers_it_used_and_no_others():
    q = Question(PAIRS["doors-1-2"], "sgd", SITUATIONS["missing-gradients"])
    values, left, _ = search.differing_run(q)
    assert len(left) == 2
    assert set(values) == {"lr", "l2", "w", "g", "occurs1"}


# --- what rests -------------------------------------------------------------------------------------------------------


def test_a_state_that_may_rest_at_two_places_is_undecided():
    def rule(g, m, *, lr):
        return lr * g, m + (m - 1) * (m - 2)

    with pytest.raises(UndecidedError, match="more than one state rests"):
        rest._of_rule(rule, 1, (("lr", letter("lr")),))


def test_families_of_points_are_not_compared_by_the_name_of_their_parameter():
    q, one = rest.SPARE, [rest.Rest(1 + rest.SPARE, ())]
    for other in (2 + q, 2 * q, letter("w")):  # 1 + q with q = 1 is 2 + q with q = 0
        with pytest.raises(UndecidedError, match="meet for some q"):
            rest._both(one, [rest.Rest(other, ())])
    assert rest._both(one, one) == one
    assert rest._both(one, [rest.Rest(rest.ANY, ())]) == one


def test_families_that_a_fixed_number_keeps_apart_do_not_meet():
    weights = [[rest.Rest(letter("w") * i, (rest.SPARE + i,))] for i in (1, 2)]
    assert rest._both(*weights) == []


def test_clipping_of_what_contains_the_weights_is_told_apart_and_only_that():
    found = {pair: stationary.sets(Question(PAIRS[pair], "sgd", SITUATIONS["clip-value"])) for pair in PAIRS}
    assert {pair: sets.branches for pair, sets in found.items()} == {
        "doors-1-2": True,
        "doors-2-3": False,
        "shrink-prox": False,
    }
    q = Question(PAIRS["doors-1-2"], "sgd", SITUATIONS["clip-value"])
    with pytest.raises(UndecidedError, match="branches were not told apart"):
        rest.resting(q, q.pair.left, q.numbers(q.base(), 1), branches=False)


def test_clipping_here_is_clipping_in_training():
    rng = np.random.default_rng(0)
    for limit in (0.5, 3.0):
        for how, real in (("value", clip_by_value), ("norm", clip_by_norm)):
            g = rng.normal(size=2)
            p = mg.nn.Parameter(np.zeros(2))
            p.grad = g.copy()
            real([p], limit)
            assert _clip(how, list(map(float, g)), limit) == pytest.approx(p.grad, rel=1e-15)


# --- the record -------------------------------------------------------------------------------------------------------


def test_the_record_has_every_cell_and_every_relation_is_decided():
    found = from_json(recorded())
    assert [(c.pair, c.rule, c.situation) for c in found] == cells()
    assert all(c.decided for c in found)
    assert as_json(found) == recorded()


@pytest.mark.parametrize("names", cells()[::31], ids="-".join)
def test_the_record_is_what_is_computed(names):
    found = {(c.pair, c.rule, c.situation): c for c in from_json(recorded())}
    assert decide(*names) == found[names]


def test_the_page_is_made_from_the_record():
    assert (DOCS / "results" / "atlas.md").read_text() == render_page(from_json(recorded()))


def test_the_same_cell_comes_out_in_another_process_with_another_hash_seed():
    names = ("shrink-prox", "heavy_ball", "schedule")
    code = (
        f"import json; from minigrad.proof.atlas import as_json, decide; print(json.dumps(as_json([decide(*{names})])))"
    )
    seeded = os.environ | {"PYTHONHASHSEED": "1"}
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=seeded).stdout
    assert json.loads(found) == as_json([decide(*names)])


# --- asking -----------------------------------------------------------------------------------------------------------


def test_three_rules_are_asked_about_everything_and_the_others_about_the_first_four():
    asked = cells()
    assert len(SITUATIONS) == 13
    assert len(asked) == 3 * (3 * 13 + 10 * 4)
    assert len(cells(thorough=True)) == 3 * 13 * 13
    assert cells(["lion"], ["doors-2-3"], ["tied"]) == [("doors-2-3", "lion", "tied")]
    assert cells(["Heavy-Ball"], ["doors_2_3"], ["constant"]) == [("doors-2-3", "heavy_ball", "constant")]


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (("doors-2-4", "sgd", "constant"), "doors-2-3"),
        (("doors-2-3", "adamm", "constant"), "adam"),
        (("doors-2-3", "sgd", "constnat"), "constant"),
        (("doors-2-3", "sgd", "xyzzy"), "there are"),
    ],
)
def test_an_unknown_name_is_refused_with_a_suggestion(names, hint):
    with pytest.raises(ValueError, match=f"the atlas has no .*{hint}"):
        decide(*names)


def test_what_is_no_atlas_is_refused():
    with pytest.raises(ValueError, match="this is no atlas"):
        from_json({"cells": [{"pair": "doors-1-2"}]})


def test_the_terminal_shows_marks_in_a_table_and_of_one_cell_everything():
    found = from_json(recorded())
    table = render_terminal(found, width=80)
    assert all(len(line) <= 80 for line in table.splitlines() if not line.startswith(("= ", "Three")))
    assert "≠≠≈" in table
    alone = render_terminal([decide("doors-2-3", "heavy_ball", "constant")])
    assert "door 2 stays at w = −2, b = 0" in alone
    assert "rests at w = −4" in alone
    assert all(f"same {word}" in alone for word in ("step", "trajectory", "stationary points"))


# --- claims -----------------------------------------------------------------------------------------------------------


def test_claims_are_cheap_to_list_and_have_names_of_their_own():
    names = [c.name for c in claims()]
    assert len(set(names)) == len(names)
    assert {n for n in names if n.startswith("criterion.")} == {f"criterion.{r}" for r in RULES}
    assert all(c.expected for c in claims(thorough=True))


@pytest.mark.parametrize("name", ["doors-2-3.sgd.constant", "doors-1-2.lion", *(f"criterion.{r}" for r in RULES)])
def test_claims_hold_with_evidence(name):
    found = {c.name: c for c in claims()}[name].prove()
    assert found.holds, found.shown
    assert found.shown
    json.dumps(found.data)


def test_a_criterion_that_says_otherwise_is_noticed(monkeypatch):
    monkeypatch.setattr(
        doors, "decoupled", lambda rule: lambda w, g, *s, decay, **hyper: doors.plain(rule)(w, g, *s, **hyper)
    )
    assert not {c.name: c for c in claims()}["criterion.sgd"].prove().holds


def test_relations_are_kept_apart():
    assert list(RELATIONS) == ["step", "trajectory", "stationary"]
