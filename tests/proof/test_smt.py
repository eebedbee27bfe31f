"""z3's proofs and counter-models, and that the prover can fail: wrong doors, wrong λ, assumptions that contradict."""

import json
import subprocess
import sys
from fractions import Fraction
from types import SimpleNamespace

import pytest
import z3

from minigrad.proof.balls.ball import Ball
from minigrad.proof.branches import branches
from minigrad.proof.claims import UndecidedError
from minigrad.proof.criterion import residues
from minigrad.proof.smt import (
    ContradictionError,
    CounterModel,
    Proof,
    Question,
    UnconfirmedError,
    admits_only,
    all_steps,
    claims,
    criterion_as_a_theorem,
    histories,
    momentum,
    onestep,
    preconditioner,
    question,
    reals,
    same_run,
    same_state,
    same_step,
    settle,
)
from minigrad.proof.smt.arithmetic import definitions
from minigrad.proof.smt.combination import combination
from minigrad.regularization.doors import decoupled
from minigrad.rules import (
    RULES,
    adagrad,
    adam,
    heavy_ball,
    heavy_ball_inside,
    hyper_names,
    maximum,
    nesterov,
    preconditioned,
    radam,
    sgd,
    sign,
    sqrt,
    state_names,
)

CLAIMS = {claim.name: claim for claim in claims()}


# --- what is claimed --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_comes_out_as_expected_and_says_what_it_rests_on(name):
    found = CLAIMS[name].prove()
    assert found.holds == CLAIMS[name].expected, found.shown
    data = json.loads(json.dumps(found.data))
    answers = {query["answer"] for query in data["queries"]}
    if found.holds:
        assert answers == {"proof"}
        assert all(query["assumptions are true at"] for query in data["queries"])
    else:
        broken = [query for query in data["queries"] if query["answer"] == "counter-model"]
        assert any("=" in part for part in found.shown.split(", "))
        assert len(broken) == 1 or all(query["branch"] for query in broken)
        assert all(query["values"] for query in broken)
        assert found.latex


def test_names_are_unique_and_the_thorough_claims_are_more_of_the_same():
    thorough = [claim.name for claim in claims(thorough=True)]
    assert len(set(thorough)) == len(thorough)
    assert set(CLAIMS) < set(thorough)


def test_a_claim_gives_the_same_evidence_every_time():
    for name in ("adam.same_step", "adam.one_for_two", "sgd.all_steps.lr_schedule", "proposition_3.coefficient"):
        assert CLAIMS[name].prove() == CLAIMS[name].prove()


def test_importing_the_room_imports_no_solver():
    code = "import sys, minigrad.proof; assert 'z3' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- the criterion ----------------------------------------------------------------------------------------------------


def test_the_four_kinds_of_the_criterion_are_found():
    kinds = {
        rule.__name__: (isinstance(same_step(rule), Proof), isinstance(same_state(rule), Proof))
        for rule in (sgd, heavy_ball, heavy_ball_inside, nesterov, preconditioned)
    }
    assert kinds == {
        "sgd": (True, True), "heavy_ball": (True, False), "heavy_ball_inside": (True, False),
        "nesterov": (False, False), "preconditioned": (False, True),
    }  # fmt: skip


@pytest.mark.parametrize("rule", [*RULES.values(), preconditioned], ids=lambda rule: rule.__name__)
def test_the_numbers_of_a_counter_model_break_the_rule_when_it_is_run_on_them(rule):
    found = same_step(rule)
    if isinstance(found, CounterModel) and rule is not radam:
        values = dict(found.values)
        w, g = values.pop("w"), values.pop("g")
        state = [values.pop(name) for name in state_names(rule)]
        timed = {"t": 1} if "t" in hyper_names(rule) else {}
        missed, *_ = residues(rule, w, g, *state, **values, **timed)
        assert isinstance(missed, Fraction)
        assert missed != 0
        assert values["l2"] * values["lr"] == values["decay"]


@pytest.mark.parametrize(("t", "kind"), [(2, Fraction), (6, Ball)])
def test_radam_is_broken_on_each_of_its_branches_and_the_numbers_lead_there(t, kind):
    """Rectified, no numbers have rational roots: no 1 − βᵗ with t > 3 is a square. The difference is in a ball."""
    (found,) = [
        x for words, x in onestep._each_branch(radam, slice(0, 1), onestep._identity).items() if f"t = {t}" in words
    ]
    values = {name: kind(x) for name, x in found.values.items()}
    w, g, m, v = (values.pop(name) for name in ("w", "g", "m", "v"))
    rectified, _ = branches(radam)
    assert rectified.relations(beta2=found.values["beta2"], t=t) == [t == 6]
    missed, *_ = residues(radam, w, g, m, v, t=t, **values)
    assert missed != 0
    if kind is Ball:
        with pytest.raises(ValueError, match="is not rational"):
            residues(radam, *(found.values[n] for n in ("w", "g", "m", "v")), t=t,
                     **{n: x for n, x in found.values.items() if n not in ("w", "g", "m", "v")})  # fmt: skip


def test_a_rule_that_branches_is_proved_on_each_branch_and_broken_by_one():
    """Gradient descent in two words is proved; with a root in one of them, that one is what breaks."""

    def two_words(g, *, lr, t):
        return (lr * g,) if t > 1 else (g * lr,)

    def one_root(g, *, lr, t):
        return (lr * sqrt(g * g + 1),) if t > 1 else (lr * g,)

    found = onestep._each_branch(two_words, slice(0, 1), onestep._identity)
    assert list(found) == ["where t > 1, at t = 6:", "where t ≤ 1, at t = 1:"]
    assert all(isinstance(x, Proof) for x in found.values())
    kinds = [type(x) for x in onestep._each_branch(one_root, slice(0, 1), onestep._identity).values()]
    assert kinds == [CounterModel, Proof]
    assert isinstance(same_step(one_root), CounterModel)


def test_only_the_identity_and_a_positive_lr_are_used_by_the_proof_of_one_step():
    found = same_step(sgd)
    assert (set(found.core), set(found.unused)) == ({"α > 0", "λ = η/α"}, {"0 ≤ η < 1"})


def test_the_coefficient_is_the_only_one_for_rules_that_take_the_same_step_and_needs_a_weight():
    assert "w ≠ 0" in admits_only(sgd).core
    assert isinstance(admits_only(heavy_ball), Proof)
    assert isinstance(admits_only(nesterov), CounterModel)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda v: v.l2 == -v.decay / v.lr,
        lambda v: v.l2 == v.decay,
        lambda v: v.l2 == 2 * v.decay / v.lr,
        lambda v: v.l2 == v.decay * v.lr,
        lambda v: v.l2 == 0,
    ],
    ids=["minus η/α", "η", "2η/α", "ηα", "0"],
)
def test_a_wrong_coefficient_gives_a_counter_model(wrong):
    assert isinstance(same_step(sgd, wrong), CounterModel)
    assert isinstance(same_step(heavy_ball, wrong), CounterModel)


def test_each_half_of_the_criterion_says_what_it_needs():
    first, second, third = CLAIMS["criterion.theorem"].prove().shown.removeprefix("no exception exists; ").split(" · ")
    assert first == "only if: needs the doors take the same step"
    assert second == "if: needs rule(g + λw) = rule(g) + ηw"
    assert third.startswith("equal after it: needs rule(g + λw) = rule(g) + ηw; the new state does not change")


@pytest.mark.parametrize(
    "ask",
    [same_step, same_state, admits_only, histories.one_for_two, lambda r: same_run(r, steps=1),
     lambda r: all_steps(rule=r), lambda r: histories.one_for_two_pasts(r, ((0,), (2,))),
     lambda r: histories.alone(r, 0)],
)  # fmt: skip
def test_a_rule_is_called_by_its_name_and_a_name_of_none_is_refused(ask):
    assert ask("sgd") == ask(sgd)
    with pytest.raises(ValueError, match="no rule is called 'foo'; there are sgd"):
        ask("foo")


def test_the_theorem_on_all_rules_fails_if_the_doors_are_not_the_doors(monkeypatch):
    assert all(isinstance(found, Proof) for found in criterion_as_a_theorem())
    monkeypatch.setattr("minigrad.proof.smt.onestep.decoupled", lambda rule: decoupled(rule, lambda w, decay: w))
    assert all(isinstance(found, CounterModel) for found in criterion_as_a_theorem())


# --- all steps --------------------------------------------------------------------------------------------------------


def test_the_step_of_induction_rests_on_equal_weights_and_the_identity_alone():
    found = all_steps("any")
    assert set(found.core) == {"all weights are equal before step t", "α_t > 0", "λ_t = η_t/α_t"}


@pytest.mark.parametrize("schedule", ["any", "shared"])
@pytest.mark.parametrize(
    "wrong",
    [
        decoupled(sgd, lambda w, decay: (1 + decay) * w),
        decoupled(sgd, lambda w, decay: w),
        decoupled(sgd, lambda w, decay: w - decay),
        decoupled(sgd, lambda w, decay: w / (1 + decay)),
    ],
    ids=["flipped sign", "dropped", "not times w", "proximal"],
)
def test_a_wrong_third_door_breaks_the_induction(schedule, wrong):
    found = all_steps(schedule, door_3=wrong)
    assert isinstance(found, CounterModel)
    assert len(set(found.shown.values())) == 2


def test_a_rule_of_another_form_breaks_the_induction():
    assert isinstance(all_steps("any", rule=lambda g, *, lr: (lr * sign(g),)), CounterModel)
    assert isinstance(all_steps("any", rule=lambda g, *, lr: (-lr * g,)), CounterModel)
    with pytest.raises(ValueError, match="schedule must be one of 'any', 'shared', 'lr only', got 'cosine'"):
        all_steps("cosine")


def test_three_steps_agree_for_any_loss_under_schedules_that_are_given():
    assert isinstance(same_run(sgd, steps=3), Proof)
    assert isinstance(same_run(sgd, steps=3, lr=lambda t: 0.1 / (t + 1), decay=[0.3, 0.0, 0.1].__getitem__), Proof)
    assert isinstance(same_run(sgd, steps=2, lr=lambda t: 0.1 / (t + 1), decay=0.25, l2=2.5), CounterModel)


@pytest.mark.parametrize("constant", [False, True])
def test_a_decay_that_is_given_alone_has_its_coefficient(constant):
    assert isinstance(same_run(sgd, steps=2, decay=0.25, constant=constant), Proof)
    assert isinstance(same_run(sgd, steps=2, decay=0.25, l2=0.25, constant=constant), CounterModel)
    with pytest.raises(ContradictionError, match="0 ≤ η₂ < 1"):
        same_run(sgd, steps=3, decay=[0.5, 1.5, 0.5].__getitem__, constant=constant)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"lr": float("nan")}, "lr must be finite, got nan"),
        ({"lr": lambda t: float("nan") if t else 0.1}, "lr at step 1 must be finite, got nan"),
        ({"decay": lambda t: 0.5 - t}, "decay at step 1 must be ≥ 0, got -0.5"),
        ({"l2": -1.0}, "l2 must be ≥ 0, got -1.0"),
        ({"lr": lambda t: 1.0 - t}, "lr must be > 0, got 0 at step 1"),
        ({"steps": 0}, "steps must be an integer ≥ 1, got 0"),
    ],
)
def test_a_schedule_that_is_none_is_refused(given, message):
    with pytest.raises(ValueError, match=message):
        same_run(sgd, **{"steps": 2, **given})


def test_a_hyperparameter_that_the_rule_does_not_have_is_refused():
    with pytest.raises(TypeError, match="heavy_ball has no hyperparameter 'beta'; it has momentum"):
        same_run(heavy_ball, steps=2, beta=0.9)


# --- heavy ball -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [heavy_ball, heavy_ball_inside])
def test_without_momentum_heavy_ball_is_gradient_descent_for_two_steps(rule):
    assert isinstance(same_run(rule, steps=2, momentum=0), Proof)
    assert isinstance(same_run(rule, steps=2, momentum=0.5), CounterModel)


def test_the_differences_of_the_two_forms_are_found():
    buffers = {rule: momentum.buffer_difference(rule)[0] for rule in (heavy_ball, heavy_ball_inside)}
    assert buffers == {heavy_ball: {"λ w": -1}, heavy_ball_inside: {"η w": -1}}
    second = {rule: momentum.second_step_difference(rule)[0] for rule in (heavy_ball, heavy_ball_inside)}
    assert second == {heavy_ball: {"(α₂/α₁) η₁ β w": 1}, heavy_ball_inside: {"η₁ β w": 1}}


def test_a_combination_that_is_not_there_is_not_found():
    terms = {"x": lambda v: v.x, "y": lambda v: v.y}
    found, _ = combination("linear", lambda v: 3 * v.x - v.y / 2, terms, reals("x y"), {})
    assert found == {"x": 3, "y": Fraction(-1, 2)}
    assert isinstance(combination("no combination", lambda v: v.x * v.y, terms, reals("x y"), {}), CounterModel)


# --- proposition 2 ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [sgd, heavy_ball])
def test_a_rule_that_does_not_adapt_has_one_coefficient_for_two_histories(rule):
    """The tester tested: where Proposition 1 holds, Proposition 2 is refuted, with λ = η/α."""
    found = histories.one_for_two(rule)
    assert isinstance(found, CounterModel)
    assert found.values["l2"] == found.values["decay"] / found.values["lr"]
    past = histories.one_for_two_pasts(rule, ((0,), (2,)))
    assert isinstance(past, CounterModel)


def test_without_decay_lambda_zero_serves_all_histories():
    found = histories.one_for_two_pasts(adagrad, ((0,), (Fraction(3, 4),)), hyper={**histories.EXAMPLE, "decay": 0})
    assert found.values["l2"] == 0
    assert "η > 0" in histories.one_for_two(adam).core


def test_the_claim_about_pasts_says_at_which_numbers_and_that_the_past_has_no_penalty():
    assert CLAIMS["adam.past.0.2"].statement == (
        "In step 2 of adam, at α = 1, β₁ = 1/2, β₂ = 3/4, ε = 1, w = 1, η = 1/10 and g = 1, no λ decays two equal "
        "weights whose earlier gradients, without a penalty, were 0 and 2"
    )


def test_equal_histories_share_their_coefficient():
    given = {**histories.EXAMPLE, "beta2": 0, "beta1": 0}
    assert isinstance(histories.one_for_two_pasts(adam, ((1,), (2,)), hyper=given), CounterModel)


def test_each_weight_alone_has_its_own_coefficient():
    (first, _), (second, _) = histories.alone(adagrad, 0), histories.alone(adagrad, 1)
    for g, l2 in ((0, first), (1, second)):
        missed, _ = residues(adagrad, Fraction(1), g, Fraction(0), l2=l2, decay=Fraction(1, 10), lr=1, eps=1)
        assert missed == 0
    assert first != second


# --- proposition 3 ----------------------------------------------------------------------------------------------------


def test_the_printed_penalty_is_right_for_a_unit_lr_and_wrong_for_others():
    def printed(v, w):
        return preconditioner.slope(preconditioner.printed(v), w)

    assert isinstance(preconditioner.serves(printed, {"α = 1": lambda v: v.lr == 1}), Proof)
    found = preconditioner.serves(printed)
    assert isinstance(found, CounterModel)
    assert found.values["lr"] != 1


def test_a_penalty_without_the_scale_serves_no_preconditioner_but_one():
    def plain(v, w):
        return v.decay / v.lr * w

    assert isinstance(preconditioner.serves(plain), CounterModel)
    assert isinstance(preconditioner.serves(plain, {"s = 1": lambda v: v.scale == 1}), Proof)


def test_the_coefficient_is_found_and_no_other():
    found, proof = preconditioner.coefficient()
    assert found == {"s η/α": 1}
    assert "w ≠ 0" in proof.core


# --- the prover itself ------------------------------------------------------------------------------------------------


def ask(names, assumptions, conclusion, **rest):
    return settle(Question("a test", reals(names), assumptions, conclusion), **rest)


def test_assumptions_that_contradict_each_other_are_refused_by_name():
    clash = {"x > 1": lambda v: v.x > 1, "y > 0": lambda v: v.y > 0, "x < 0": lambda v: v.x < 0}
    with pytest.raises(ContradictionError, match="no values meet all of: x > 1; x < 0"):
        ask("x y", clash, lambda v: v.x == v.y)


def test_what_is_unused_is_told_and_what_is_used_cannot_be_left_out():
    given = {"x > 1": lambda v: v.x > 1, "y > 1": lambda v: v.y > 1, "z > 1": lambda v: v.z > 1}
    found = ask("x y z", given, lambda v: v.x * v.y > 1)
    assert (found.core, found.unused) == (("x > 1", "y > 1"), ("z > 1",))
    for name in found.core:
        assert isinstance(
            ask("x y z", {k: f for k, f in given.items() if k != name}, lambda v: v.x * v.y > 1), CounterModel
        )


def test_an_undecided_question_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setattr(question, "_check", lambda formulas, limit: ("unknown", "timeout"))
    with pytest.raises(
        UndecidedError, match="a test: z3 cannot tell whether the assumptions can all be true .timeout."
    ):
        ask("x", {}, lambda v: v.x == v.x)


def test_z3_leaves_a_hard_question_undecided_instead_of_guessing(monkeypatch):
    """x³ + y³ = z³ has no solution in positive integers; no solver of this kind can tell."""
    monkeypatch.setattr(question, "LIMIT_OF_ONE_TRY", 0.02)
    symbols = {name: z3.Int(name) for name in "xyz"}
    positive = {f"{name} > 0": lambda v, name=name: getattr(v, name) > 0 for name in symbols}
    fermat = Question("Fermat", symbols, positive, lambda v: v.x**3 + v.y**3 != v.z**3)
    with pytest.raises(UndecidedError, match="Fermat: z3 can neither prove it nor find a counter-model"):
        settle(fermat, limit=0.1)


def test_irrational_values_are_undecided():
    with pytest.raises(UndecidedError, match="irrational x, near -?1.41"):
        ask("x", {"x² = 2": lambda v: v.x * v.x == 2}, lambda v: v.x == 1)


def test_numbers_that_exact_arithmetic_does_not_confirm_are_no_counter_model():
    with pytest.raises(UnconfirmedError, match="divides by zero"):
        ask("x y", {}, lambda v: v.x / v.y * v.y == v.x)

    def two_faced(v):
        return v.x == 1 if isinstance(v.x, Fraction) else v.x != v.x

    with pytest.raises(UnconfirmedError, match="exact arithmetic contradicts z3"):
        ask("x", {"x = 1": lambda v: v.x == 1}, two_faced)


def test_a_proof_whose_conclusion_is_false_at_its_own_example_is_refused():
    with pytest.raises(UnconfirmedError, match="z3 proved what is false"):
        ask("x", {}, lambda v: v.x * 0.1 * 10 - v.x == 0 if not isinstance(v.x, Fraction) else False)


def test_the_root_is_refused_where_its_definition_would_be_lost():
    with pytest.raises(RuntimeError, match="needs its definition"):
        sqrt(reals("x")["x"])


def test_the_generic_functions_mean_on_z3_what_they_mean_on_rationals():
    x, y = reals("x y").values()
    numbers = [Fraction(n, 4) for n in (-9, -4, 0, 1, 9)]
    for a in numbers:
        for b in numbers:
            at_ab = [(x, z3_number(a)), (y, z3_number(b))]
            assert value(maximum(x, y), at_ab) == maximum(a, b)
            assert value(sign(x), at_ab) == sign(a)
        if a >= 0:
            found = ask("x", {"x": lambda v, a=a: v.x == a}, lambda v, a=a: sqrt(v.x) == sqrt(a))
            assert isinstance(found, Proof)
    with definitions() as found:
        sqrt(x)
    assert len(found) == 1


def test_the_root_of_a_negative_number_proves_nothing():
    """Its definition says nothing there, so an assumption on x is never made behind the reader's back."""
    with pytest.raises(UndecidedError, match="is not rational"):
        ask("x", {"x < 0": lambda v: v.x < 0}, lambda v: sqrt(v.x) * sqrt(v.x) == v.x)


def z3_number(x):
    return z3.RealVal(x)


def value(expression, substitution):
    found = z3.simplify(z3.substitute(expression, *substitution))
    return Fraction(found.numerator_as_long(), found.denominator_as_long())


def test_values_are_a_namespace_for_both_kinds_of_number():
    v = SimpleNamespace(x=Fraction(1, 2))
    assert question.not_all(v.x == 1) is True
    assert question.not_all(v.x < 1, v.x > 0) is False
