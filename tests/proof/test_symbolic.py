"""Symbols: what the proofs find, that they find it in the functions that train, and that they can fail."""

import json
from fractions import Fraction
from functools import cache, partial

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from minigrad.proof import criterion
from minigrad.proof.balls.ball import Ball, precision
from minigrad.proof.branches import branches
from minigrad.proof.claims import UndecidedError
from minigrad.proof.criterion import residues
from minigrad.proof.symbolic import (
    claims,
    decide,
    difference,
    identity,
    latex,
    letter,
    loss_gap,
    momentum_gap,
    printed_penalty,
    prox_gap,
    proximal,
    proximal_as_decay,
    removed,
    scaled_penalty,
    solve_l2,
    solve_proximal,
    step,
    text,
)
from minigrad.proof.symbolic.letters import fraction, rule_called
from minigrad.proof.symbolic.numbers import ball
from minigrad.regularization import L1, L2, VARIANTS, ElasticNet, coupled, decoupled
from minigrad.rules import (
    RULES,
    adadelta,
    heavy_ball,
    hyper_names,
    maximum,
    preconditioned,
    radam,
    sgd,
    sign,
    sqrt,
    state_names,
)
from tests.strategies import fractions_below_one, leg, rationals

EVERY = [*RULES, "preconditioned"]
W, G, LR, DECAY, L2_COEFFICIENT = map(letter, ("w", "g", "lr", "decay", "l2"))
BETA = letter("momentum")
W0, G1 = letter("w", 0), letter("g", 1)
# Kinds of numbers for which every root of a first step is rational.
FIRST_STEP = {"t": 1, "rho": Fraction(24, 25), "v": 0, "v_max": 0, "psi": 1}
BRANCHES = [(rule, branch) for rule in EVERY for branch in branches(rule_called(rule))]
BY_BRANCH = pytest.mark.parametrize(("rule", "branch"), BRANCHES, ids=[f"{r} {b.where}".strip() for r, b in BRANCHES])


separated, solved = cache(difference), cache(solve_l2)


@cache
def followed(rule):
    return momentum_gap(rule, 3, [letter("s", t) for t in (1, 2, 3)])


def same(a, b):
    return sympy.simplify(a - b) == 0


def exactly(x, values):
    """The value of an expression at Fractions, as a Fraction."""
    found = x.subs({letter(n): sympy.Rational(v) for n, v in values.items()})
    assert found.is_Rational
    return Fraction(int(found.p), int(found.q))


@st.composite
def first_steps(draw, rule):
    """Rationals for everything that a step of `rule` is given."""
    positive = st.fractions(Fraction(1, 20), 2, max_denominator=20)
    values = {}
    for name in ("w", "g", *state_names(rule), *hyper_names(rule), "decay", "l2"):
        if name in FIRST_STEP:
            values[name] = FIRST_STEP[name]
        elif name in ("beta1", "beta2", "momentum", "decay", "mu_product"):
            values[name] = draw(fractions_below_one())
        else:
            values[name] = draw(rationals() if name in ("w", "g", "m", "b", "l2") else positive)
    if rule.__name__ == "adadelta":  # roots of 1 + x²/25, of x = g and of x = g + λw
        g, x = (5 * leg(draw(rationals())) for _ in range(2))
        values |= {"eps": 1, "u": 0, "g": g, "w": (x - g) * values["lr"] / values["decay"]}
    return {n: v if n == "t" else Fraction(v) for n, v in values.items()}


def run(rule, values, **changed):
    given_ = {**values, **changed}
    hyper = {n: given_[n] for n in hyper_names(rule)}
    places = [given_[n] for n in ("w", "g", *state_names(rule))]
    return residues(rule, *places, l2=given_["l2"], decay=given_["decay"], **hyper)


# --- steps on symbols -------------------------------------------------------------------------------------------------


def test_numbers_of_sympy_go_through_the_generic_functions():
    x = sympy.Symbol("x", real=True)
    assert sqrt(x) == sympy.sqrt(x)
    assert sign(x) == sympy.sign(x)
    assert maximum(x, 0) == sympy.Max(x, 0)


def test_a_step_of_adamw_is_the_formula_of_the_book():
    m, v, t = map(letter, ("m", "v", "t"))
    b1, b2, eps = map(letter, ("beta1", "beta2", "eps"))
    w, m_new, v_new = step("adamw")
    m_hat, v_hat = (b1 * m + (1 - b1) * G) / (1 - b1**t), (b2 * v + (1 - b2) * G**2) / (1 - b2**t)
    assert same(w, (1 - DECAY) * W - LR * m_hat / (sympy.sqrt(v_hat) + eps))
    assert same(m_new, b1 * m + (1 - b1) * G)
    assert same(v_new, b2 * v + (1 - b2) * G**2)


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_on_symbols_agrees_with_itself_on_fractions(name):
    v = VARIANTS[name]
    values = {
        n: FIRST_STEP.get(n, Fraction(i + 2, 7)) for i, n in enumerate(("w", "g", *state_names(v.rule), *v.hyper))
    }
    values |= {n: Fraction(1, 3) for n in ("beta1", "beta2", "momentum") if n in values}
    if "v" in values:  # what is under the root stays a square
        values["m"] = values.get("m", Fraction(0))
    if v.rule is adadelta:  # of 1 + x²/25, of the x that the rule is given
        penalty = 0 if "prox" in name else values.get("l1", 0) + values.get("l2", 0) * values["w"]
        values |= {"eps": Fraction(1), "u": Fraction(0), "g": Fraction(15, 4) - penalty}
    given_ = {n: values[n] for n in ("t", "beta2")} if v.rule is radam else {}  # by which it branches
    places = [Fraction(values[n]) for n in ("w", "g", *state_names(v.rule))]
    numbers = v.step(*places, **{n: values[n] if n == "t" else Fraction(values[n]) for n in v.hyper})
    for on_symbols, on_fractions in zip(step(v, **given_), numbers, strict=True):
        assert exactly(on_symbols, values) == on_fractions


def test_a_step_takes_expressions_and_exact_numbers_in_place_of_letters():
    (w,) = step("sgd_l2", l2=DECAY / LR, g=Fraction(1, 3), w=2)
    assert same(w, 2 - LR / 3 - 2 * DECAY)


# --- one step ---------------------------------------------------------------------------------------------------------


def test_the_criterions_table_is_found():
    found = [(r, d.same_step, d.same_state) for r, b in BRANCHES for d in [difference(r, branch=b)]]
    assert [r for r, s, _ in found if s] == ["sgd", "heavy_ball", "heavy_ball_inside"]
    assert [r for r, _, s in found if s] == ["sgd", "preconditioned"]


@BY_BRANCH
@given(data=st.data())
def test_the_differences_printed_are_those_of_the_same_functions_on_fractions(rule, branch, data):
    """Or on balls, of the branch of RAdam whose roots are irrational at all numbers."""
    rule = rule_called(rule)
    values = data.draw(first_steps(rule))
    found = separated(rule, branch=branch)
    if branch.where == "ρₜ > 5":
        values |= {"t": 8, "beta2": Fraction(24, 25)}
        with precision(128):
            balls = {n: x if n == "t" else Ball(x) for n, x in values.items()}
            expected = run(rule, balls, l2=balls["decay"] / balls["lr"])
            at = {letter(n): Fraction(x) for n, x in values.items()}
            for verdict, value in zip([found.step, *found.state.values()], expected, strict=True):
                apart = ball(verdict.expression, at) - value
                assert abs(apart.middle) <= apart.radius < 2**-80
        return
    expected = run(rule, values, l2=values["decay"] / values["lr"])
    for verdict, value in zip([found.step, *found.state.values()], expected, strict=True):
        assert exactly(verdict.expression, values) == value


@BY_BRANCH
def test_what_is_not_zero_comes_with_rational_numbers_that_show_it(rule, branch):
    found = difference(rule, branch=branch)
    for verdict in (found.step, *found.state.values()):
        assert verdict.zero == (verdict.expression == 0) == (verdict.value == 0)
        if not verdict.zero:
            assert verdict.witness.keys() >= verdict.expression.free_symbols
            assert all(x.is_Rational for x in verdict.witness.values())
            assert verdict.value.is_Rational or (branch.where == "ρₜ > 5" and abs(sympy.N(verdict.value)) > 1e-3)
            assert verdict.expression.subs(verdict.witness) == verdict.value
            scalars = {n: fraction(verdict.witness[letter(n)]) for n in branch.asks}
            assert all(branch.relations(**{n: int(x) if n == "t" else x for n, x in scalars.items()}))


def test_a_zero_is_found_in_disguise_and_no_verdict_is_given_without_reason():
    x, y = sympy.symbols("x y", positive=True)
    assert decide((x**2 - y**2) / (x + y) - x + y).zero
    assert not decide((x - y) * (x - 1)).zero
    with pytest.raises(UndecidedError, match="neither proved"):
        decide(sympy.sin(x) ** 2 + sympy.cos(x) ** 2 - 1)


# --- solving for λ ----------------------------------------------------------------------------------------------------


def test_gradient_descent_admits_decay_over_lr_and_nothing_else():
    found = solve_l2("sgd")
    assert found.step == found.both == (DECAY / LR,)
    assert found.coefficient == DECAY / LR


@BY_BRANCH
def test_no_other_rule_admits_a_coefficient(rule, branch):
    assert (solve_l2(rule, branch).coefficient is None) == (rule != "sgd")


def test_a_rule_with_branches_is_asked_about_one_of_them():
    for ask in (difference, solve_l2, proximal_as_decay):
        with pytest.raises(ValueError, match="radam is another function where ρₜ > 5 or ρₜ ≤ 5"):
            ask("radam")
    with pytest.raises(ValueError, match="radam_decay is another step where ρₜ > 5 or ρₜ ≤ 5: give it the numbers"):
        step("radamw")


def test_where_radam_is_momentum_its_coefficient_depends_on_t_and_at_the_first_step_it_is_decay_over_lr():
    momentum = branches(radam)[1]
    (l2,) = solve_l2("radam", momentum).step
    assert same(l2.subs(letter("t"), 1), DECAY / LR)
    assert not same(l2, DECAY / LR)


def test_adadelta_at_rest_is_served_by_a_coefficient_with_a_root():
    rho, eps = letter("rho"), letter("eps")
    (needed,) = solve_l2("adadelta").at_rest.needed
    assert same(needed**2, DECAY**2 * eps / (LR**2 * eps - (1 - rho) * (DECAY * W) ** 2))
    assert solve_l2("adadelta").at_rest.example


def test_a_root_that_solves_the_square_alone_is_no_solution():
    x, c = sympy.symbols("x c", positive=True)
    assert identity._without_root(x - sympy.sqrt(x**2 / 4 + c), x) == ([2 * sympy.sqrt(3) * sympy.sqrt(c) / 3], [])
    assert identity._without_root(x + sympy.sqrt(x**2 / 4 + c), x)[0] == []
    with pytest.raises(UndecidedError, match="other than one root"):
        identity._without_root(x - sympy.sqrt(x + c) + sympy.sqrt(x + 1), x)


def test_a_branch_that_is_run_is_the_rule_and_the_answer_to_its_question_is_assumed():
    numbers = {"lr": 0.1, "beta1": 0.9, "beta2": 0.96, "eps": 1e-3}
    for t, taken in ((2, 1), (9, 0)):
        assert [all(b.relations(**numbers, t=t)) for b in branches(radam)] == [taken == 0, taken == 1]
        same_, other = (branches(radam)[i].rule(1.0, 0.5, 0.25, **numbers, t=t) for i in (taken, 1 - taken))
        assert same_ == radam(1.0, 0.5, 0.25, **numbers, t=t)
        assert same_ != other
    assert branches(radam)[0].asks == {"beta2", "t"}
    assert [b.rule for b in branches(sgd)] == [sgd]


def test_a_difference_on_one_branch_alone_is_found_there():
    def halved_later(g, *, lr, t):
        return (lr * g if t < 3 else lr * g / 2,)

    early, late = (difference(halved_later, branch=b) for b in branches(halved_later))
    assert early.same_step
    assert not late.same_step
    assert late.step.witness[letter("t")] >= 3


def test_momentum_admits_a_coefficient_for_the_step_and_none_for_the_state():
    for rule in ("heavy_ball", "heavy_ball_inside"):
        assert solve_l2(rule).step == (DECAY / LR,)
        assert solve_l2(rule).both == ()
    (l2,) = solve_l2("nesterov").step
    assert same(l2, DECAY / LR / (1 + BETA))
    assert solve_l2("nesterov").both == ()


@BY_BRANCH
def test_a_coefficient_that_was_solved_for_closes_the_gap_and_twice_it_does_not(rule, branch):
    found = solved(rule, branch)
    for l2 in found.step:
        assert difference(rule, l2, branch).same_step
        assert difference(rule, l2, branch).same_state == (l2 in found.both)
        assert not difference(rule, 2 * l2, branch).same_step


def test_behind_a_fixed_preconditioner_every_weight_needs_its_own_coefficient():
    found = solve_l2("preconditioned")
    scale = letter("scale")
    assert found.both == (scale * DECAY / LR,)
    assert scale in found.per_weight


@pytest.mark.parametrize("rule", ["adagrad", "rmsprop", "adam", "amsgrad"])
@given(data=st.data())
def test_a_weight_at_rest_needs_the_coefficient_found_and_two_weights_need_two(rule, data):
    rule = rule_called(rule)
    found = solved(rule).at_rest
    (needed,) = found.needed
    first, second = found.example.values()
    assert first != second
    values = data.draw(first_steps(rule)) | dict.fromkeys(("g", *state_names(rule)), Fraction(0))
    values |= {"w": abs(values["w"]) + 1, "lr": 4 + values["lr"], "decay": values["decay"] / 2}
    l2 = exactly(needed, values)
    assert run(rule, values, l2=l2)[0] == 0
    assert (run(rule, values, l2=l2 + values["l2"])[0] == 0) == (values["l2"] == 0)


def test_lion_at_rest_is_served_by_no_coefficient_but_at_one_size_of_weight():
    found = solve_l2("lion").at_rest
    assert found.needed == ()
    (unless,) = found.unless
    assert same(unless.subs(W, LR / DECAY), 0)
    for l2 in (Fraction(-1), Fraction(0), Fraction(1, 9), Fraction(5)):
        values = {"w": Fraction(1), "g": Fraction(0), "m": Fraction(0), "lr": Fraction(1, 2), "l2": l2}
        values |= {"beta1": Fraction(1, 2), "beta2": Fraction(1, 2), "decay": Fraction(1, 3)}
        assert run(RULES["lion"], values)[0] != 0


# --- momentum ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", ["heavy_ball", "heavy_ball_inside"])
def test_heavy_balls_gap_is_nothing_and_then_decay_times_momentum_times_the_first_weight(rule):
    first, second = momentum_gap(rule, 2).weights
    assert first == 0
    assert same(second, DECAY * BETA * W0)


def test_heavy_balls_gap_under_schedules():
    lr1, lr2, decay1 = letter("lr", 1), letter("lr", 2), letter("decay", 1)
    assert same(momentum_gap("heavy_ball", 2, True).weights[1], lr2 / lr1 * BETA * decay1 * W0)
    assert same(momentum_gap("heavy_ball_inside", 2, True).weights[1], BETA * decay1 * W0)


def test_under_a_shared_schedule_it_is_all_one_which_step_the_coefficient_is_taken_from():
    shared = [letter("s", t) for t in (1, 2, 3)]
    for rule in ("sgd", "heavy_ball", "heavy_ball_inside", "nesterov"):
        each, first = (momentum_gap(rule, 3, shared, l2=l2) for l2 in ("each", "first"))
        assert all(same(a, b) for a, b in zip(each.weights, first.weights, strict=True))
    each, first = (momentum_gap("sgd", 2, True, l2=l2) for l2 in ("each", "first"))
    assert each.weights == (0, 0)
    assert not same(first.weights[1], 0)


def test_the_second_gap_is_the_same_for_every_loss_and_the_third_is_not():
    _, second, third = momentum_gap("heavy_ball", 3, any_loss=True).weights
    assert second == momentum_gap("heavy_ball", 2).weights[1]
    assert third.atoms(sympy.core.function.AppliedUndef)


@given(
    st.sampled_from(["sgd", "heavy_ball", "heavy_ball_inside", "nesterov"]),
    rationals(),
    st.lists(rationals(), min_size=3, max_size=3),
    st.lists(st.fractions(Fraction(1, 9), 2, max_denominator=9), min_size=3, max_size=3),
    rationals(1, 3),
    fractions_below_one(),
    fractions_below_one(),
)
def test_the_gaps_are_those_of_a_run_on_fractions(name, w0, gradients, multipliers, lr, decay, momentum):
    rule = RULES[name]
    other = {"momentum": momentum} if "momentum" in hyper_names(rule) else {}
    x = y = (w0, *(Fraction(0) for _ in state_names(rule)))
    gap = followed(rule)
    values = {W0: w0, LR: lr, DECAY: decay, BETA: momentum}
    values |= {letter("s", t): s for t, s in enumerate(multipliers, start=1)}
    values |= {letter("g", t): g for t, g in enumerate(gradients, start=1)}
    values = {s: sympy.Rational(v) for s, v in values.items()}
    for i, (g, s) in enumerate(zip(gradients, multipliers, strict=True)):
        x = coupled(rule, L2.gradient)(x[0], g, *x[1:], l2=decay / lr, lr=s * lr, **other)
        y = decoupled(rule)(y[0], g, *y[1:], decay=s * decay, lr=s * lr, **other)
        assert gap.weights[i].subs(values) == sympy.Rational(y[0] - x[0])
        if gap.buffers:
            assert gap.buffers[i].subs(values) == sympy.Rational(y[1] - x[1])


# --- the fixed preconditioner, the proximal step, the penalties -------------------------------------------------------


def test_the_penalty_that_is_decay_behind_a_fixed_preconditioner():
    scale = letter("scale")
    found = scaled_penalty()
    assert same(found.gradient, scale * DECAY * W / LR)
    assert same(found.value, scale * DECAY * W**2 / (2 * LR))
    assert removed(found, weights=3) == [DECAY] * 3


def test_the_printed_penalty_is_too_large_by_one_over_lr():
    derived = scaled_penalty()([W], [letter("scale")])
    assert same(printed_penalty([W], [letter("scale")]) / derived, 1 / LR)
    assert removed(printed_penalty) == [DECAY / LR] * 2


def test_the_proximal_step_is_decay_in_other_numbers():
    lr, decay = solve_proximal()
    assert same(lr, LR / (1 + DECAY))
    assert same(decay, DECAY / (1 + DECAY))


def test_which_is_so_for_every_rule_that_keeps_no_learning_rate_in_its_state():
    assert [rule for rule, b in BRANCHES if not proximal_as_decay(rule, b).same] == ["heavy_ball_inside"]


@pytest.mark.parametrize("penalty", [L2, L1, ElasticNet])
def test_the_penalty_in_the_loss_has_the_gradient_that_door_2_adds(penalty):
    assert all(decide(gap).zero for gap in loss_gap(penalty).values())


def test_the_proximal_step_of_l2_is_the_stationary_point():
    assert decide(prox_gap(L2)).zero
    with pytest.raises(UndecidedError, match="no polynomial"):
        prox_gap(L1)


# --- the proofs can fail ----------------------------------------------------------------------------------------------


def wrongly_signed(g, *, lr):
    return (-lr * g,)


def with_a_floor(g, *, lr, eps):
    return (lr * g + eps,)


def with_a_square(g, *, lr):
    return (lr * g**2,)


def test_a_rule_with_a_flipped_sign_is_found_and_wants_a_negative_coefficient():
    found = difference(wrongly_signed)
    assert not found.same_step
    assert same(found.step.expression, -2 * DECAY * W)
    assert solve_l2(wrongly_signed).both == (-DECAY / LR,)


def test_an_affine_rule_admits_the_identity_and_a_square_does_not():
    assert difference(with_a_floor).same_step
    assert not difference(with_a_square).same_step
    with pytest.raises(UndecidedError, match="degree 2"):
        solve_l2(with_a_square)


@pytest.mark.parametrize(
    "shrink",
    [lambda w, decay: w, lambda w, decay: (1 + decay) * w, lambda w, decay: w - decay],
    ids=["dropped", "+", "λ"],
)
def test_a_door_without_decay_or_with_its_sign_flipped_is_found(shrink, monkeypatch):
    monkeypatch.setattr(criterion, "decoupled", partial(decoupled, shrink=shrink))
    assert not difference("sgd").same_step
    assert solve_l2("sgd").coefficient != DECAY / LR
    assert not all(c.prove().holds for c in claims() if c.name in ("sgd.step", "sgd.solve"))


def test_a_door_2_that_adds_no_penalty_is_found(monkeypatch):
    monkeypatch.setattr(criterion, "coupled", lambda rule, gradient: coupled(rule, lambda w, *, l2: 0))
    assert not difference("sgd").same_step
    assert solve_l2("sgd").step == ()


@pytest.mark.parametrize("l2", [0, DECAY, 2 * DECAY / LR, -DECAY / LR, DECAY * LR, Fraction(1, 3)])
def test_a_wrong_coefficient_is_found(l2):
    assert not difference("sgd", l2).same_step


def test_a_rule_that_adapts_in_disguise_is_found():
    def disguised(g, b, *, lr, momentum):
        delta, b = heavy_ball(g, b, lr=lr, momentum=momentum)
        return delta + lr * (g - g * maximum(g**2, 1)), b

    assert not difference(disguised).same_step


def test_another_proximal_step_is_found(monkeypatch):
    class Half(L2):
        @staticmethod
        def prox(w, *, lr, l2):
            return w / (1 + lr * l2 / 2)

        @staticmethod
        def value(w, *, l2):
            return l2 * (w**2).sum()

    monkeypatch.setattr(proximal, "L2", Half)
    assert not same(solve_proximal()[1], DECAY / (1 + DECAY))
    assert not decide(prox_gap(Half)).zero
    assert not any(decide(gap).zero for gap in loss_gap(Half).values())


def test_a_value_on_symbols_that_fractions_contradict_is_an_error():
    def two_faced(g, *, lr):
        return (lr * g * (2 if isinstance(g, sympy.Expr) else 3),)

    with pytest.raises(ArithmeticError, match="on numbers"):
        difference(two_faced)


# --- claims and formulas ----------------------------------------------------------------------------------------------


def test_every_claim_comes_out_as_expected_with_a_formula_and_data_for_a_file():
    found = claims()
    assert len({c.name for c in found}) == len(found)
    assert [c.name for c in found] == [c.name for c in claims()]
    for c in found:
        evidence = c.prove()
        assert evidence.holds == c.expected, c.name
        assert evidence.shown
        assert "\n" not in evidence.shown
        assert json.loads(json.dumps(evidence.data)) == evidence.data


def test_more_steps_are_followed_if_thorough():
    names = {c.name for c in claims()}
    assert names < {c.name for c in claims(thorough=True)}


def test_formulas_are_written_in_the_letters_of_the_book():
    assert text(letter("beta1") ** 2 - sympy.sqrt(letter("eps"))) == "β₁² − √(ε)"
    assert latex(letter("lr", 2) * letter("v_max") / letter("beta2") ** letter("t")) in (
        r"\frac{v_{\max} \alpha_{2}}{\beta_{2}^{t}}",
        r"v_{\max} \alpha_{2} \beta_{2}^{- t}",
    )
    assert text(1 - DECAY) == "1 − η"


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", [difference, solve_l2, proximal_as_decay, lambda r: momentum_gap(r, 2)])
def test_an_unknown_rule_is_refused_with_a_suggestion(asked):
    with pytest.raises(ValueError, match="did you mean adam"):
        asked("adan")
    with pytest.raises(ValueError, match="there are sgd"):
        asked("qqq")


@pytest.mark.parametrize("name", ["adamw", "sgd_l2", "lion_prox_l1"])
def test_a_rule_behind_a_door_is_refused_where_doors_are_compared(name):
    with pytest.raises(ValueError, match='behind a door .* pass "(adam|sgd|lion)"'):
        solve_l2(name)


@pytest.mark.parametrize(
    ("name", "given_"), [("sgd", "l2"), ("sgd", "decay"), ("sgd_decay", "l2"), ("sgd_l2", "decay")]
)
def test_a_coefficient_of_another_door_is_refused(name, given_):
    with pytest.raises(ValueError, match=f"takes no {given_}; it takes w, g, lr"):
        step(name, **{given_: DECAY})


def test_an_unknown_variant_is_refused_with_a_suggestion():
    with pytest.raises(ValueError, match="did you mean"):
        step("adamww")


@pytest.mark.parametrize("l2", [0.5, float("nan"), "λ", True, sympy.Float(1)])
def test_inexact_numbers_are_refused(l2):
    with pytest.raises(TypeError, match="l2 must be exact"):
        difference("sgd", l2)


def test_infinite_numbers_are_refused():
    with pytest.raises(ValueError, match="l2 must be finite"):
        difference("sgd", sympy.oo)


@pytest.mark.parametrize(
    ("schedule", "error", "message"),
    [
        ([1], ValueError, "got 1 for 2 steps"),
        ([1, float("nan")], ValueError, "must be finite, got nan for step 2"),
        ([float("inf"), 1], ValueError, "must be finite, got inf for step 1"),
        ([1, sympy.nan], ValueError, "must be finite"),
        ([1, 0], ValueError, "must not be 0"),
        ([1, 0.5], TypeError, "schedule for step 2 must be exact"),
        ([1, None], TypeError, "schedule for step 2 must be exact"),
    ],
)
def test_a_schedule_that_is_none_is_refused(schedule, error, message):
    with pytest.raises(error, match=message):
        momentum_gap("heavy_ball", 2, schedule)


def test_other_arguments_of_the_momentum_gap_are_checked():
    with pytest.raises(ValueError, match="lr and momentum alone"):
        momentum_gap("adam", 2)
    with pytest.raises(ValueError, match="lr and momentum alone"):
        momentum_gap(preconditioned, 2)
    with pytest.raises(ValueError, match="steps must be an integer ≥ 1"):
        momentum_gap("heavy_ball", 0)
    with pytest.raises(ValueError, match='l2 must be "each"'):
        momentum_gap(sgd, 2, l2="last")


def test_a_rational_number_is_a_fraction_and_nothing_else_is():
    assert fraction(sympy.Rational(-3, 6)) == Fraction(-1, 2)
    for other in (sympy.sqrt(2), sympy.Float(0.5), W):
        with pytest.raises(TypeError, match="no rational number"):
            fraction(other)
