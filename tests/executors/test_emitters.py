"""What every emitter says is what the rule computes: recomputed from the emitted text alone, to the last bit."""

import operator
import shutil

import numpy as np
import pytest

from minigrad.executors import blocked, compiled, cuda, latex, listing
from minigrad.executors.branches import branches, holds, trace_at
from minigrad.executors.kernel import kernel
from minigrad.executors.trace import Apply, Condition, Constant, Statement, Symbol, Trace, UntraceableError, evaluate
from minigrad.regularization import plain
from minigrad.rules import sqrt, state_names
from tests.executors import emitting, reading_latex
from tests.executors.emitting import CASES, HYPER, LATER, OWN, case, drawn, same

DTYPES = [np.float32, np.float64]
EMITTERS = ["numpy", "numba", "cuda", "latex"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("c")


def traced_at(c, values=HYPER):
    numbers = c.numbers(values) | dict.fromkeys(c.scalars, 0.3)
    return trace_at(c.step, c.names, numbers, c.scalars), numbers


def recomputed(emitter, traced, c, numbers, data, folder):
    """(w, *state) as the text of an emitter has it, from fresh copies of the data."""
    k = kernel(traced)
    arrays = {name: x.copy() for name, x in data.items()}
    held = list(arrays.values())
    if emitter == "numpy":
        following = emitting.by_numpy(blocked.source(k), k, held, numbers)
    elif emitter == "numba":
        pytest.importorskip("numba")
        following = emitting.by_numba(compiled.source(k), k, held, numbers)
    elif emitter == "cuda":
        if shutil.which("cc") is None:
            pytest.skip("no C compiler")
        source = cuda.source(k, held[0].dtype.name)
        following = emitting.by_c(source, blocked.source(k), k, held, numbers, folder)
    else:
        values = {latex.symbol(n): x for n, x in (arrays | numbers).items()}
        after = reading_latex.executed(latex.aligned(traced), values)
        return [after[latex.symbol(s.name)] for s in traced.results]
    numbers_after = iter(following)
    return [next(numbers_after) if n in c.scalars else arrays[n] for n in ("w", *c.names)]


def agrees(emitter, traced, c, numbers, dtype, folder):
    data = drawn(("w", "g", *(n for n in c.names if n not in c.scalars)), dtype)
    with np.errstate(all="ignore"):
        expected = c.step(data["w"], data["g"], *c.state(data), **{n: numbers[n] for n in c.hyper})
        return same(expected, recomputed(emitter, traced, c, numbers, data, folder))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", [*CASES, *(f"{rule}/decay" for rule in OWN)])
@pytest.mark.parametrize("emitter", ["numpy", "cuda", "latex"])
def test_the_emitted_text_computes_the_step_bit_for_bit(emitter, name, dtype, folder):
    c = case(name)
    assert agrees(emitter, *with_case(c), dtype, folder)


WIDEST = ("decay", "elastic_net", "prox_elastic_net")  # doors whose operations are all that there are
EVERY_DAY = [n if n.split("/")[1] in WIDEST else pytest.param(n, marks=pytest.mark.nightly) for n in CASES]
EVERY_DAY += [f"{rule}/decay" for rule in OWN]


@pytest.mark.parametrize("name", EVERY_DAY)
def test_the_numba_source_computes_the_step_bit_for_bit(name, folder):
    """Each takes a second to compile; the other doors are for the nights."""
    c = case(name)
    assert all(agrees("numba", *with_case(c), dtype, folder) for dtype in DTYPES)


def with_case(c, values=HYPER):
    traced, numbers = traced_at(c, values)
    return traced, c, numbers


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("emitter", EMITTERS)
def test_the_other_branch_of_radam_is_another_text(emitter, dtype, folder):
    c = case("radam/decay")
    early, late = traced_at(c)[0], traced_at(c, LATER)[0]
    assert early.statements != late.statements
    assert agrees(emitter, *with_case(c, LATER), dtype, folder)
    assert not agrees(emitter, early, c, c.numbers(LATER), dtype, folder)


# --- an error in the trace is seen in each ----------------------------------------------------------------------------

OTHER = {
    "add": "sub", "sub": "add", "mul": "add", "truediv": "mul", "neg": "abs", "abs": "neg", "sqrt": "abs",
    "sign": "abs", "maximum": "add",
}  # fmt: skip


def mutations(traced):
    """Yield the trace with one operation replaced, for each in turn; a square becomes a reciprocal."""
    for i, s in enumerate(traced.statements):
        for at in range(operations(s.expression)):
            wrong = Statement(s.target, mutated(s.expression, at, iter(range(1000))), s.file, s.line)
            statements = (*traced.statements[:i], wrong, *traced.statements[i + 1 :])
            yield f"{s.name} {at}", Trace(traced.inputs, statements, traced.results, traced.conditions)


def mutated(x, at, count):
    if not isinstance(x, Apply):
        return x
    here = next(count) == at
    operands = tuple(mutated(y, at, count) for y in x.operands)
    if not here:
        return Apply(x.operation, operands)
    if x.operation == "pow":
        return Apply("pow", (operands[0], Constant(-1))) if x.kind == "array" else Apply("mul", operands)
    return Apply(OTHER[x.operation], operands)


def operations(x):
    return 1 + sum(map(operations, x.operands)) if isinstance(x, Apply) else 0


MUTATED = ["adam/decay", "lion/l2", "amsgrad/prox_elastic_net", "nesterov/l1", "adamax/plain", "nadam/decay"]


@pytest.mark.parametrize("name", MUTATED)
@pytest.mark.parametrize("emitter", ["numpy", "cuda", "latex"])
def test_a_mutated_operator_turns_every_emitters_test_red(emitter, name, folder):
    traced, c, numbers = with_case(case(name))
    assert agrees(emitter, traced, c, numbers, np.float64, folder)
    for which, wrong in mutations(traced):
        assert not agrees(emitter, wrong, c, numbers, np.float64, folder), which


@pytest.mark.parametrize("name", ["lion/prox_l1"])
def test_a_mutated_operator_turns_numbas_test_red(name, folder):
    traced, c, numbers = with_case(case(name))
    for which, wrong in mutations(traced):
        assert not agrees("numba", wrong, c, numbers, np.float64, folder), which


@pytest.mark.parametrize("emitter", EMITTERS)
def test_grouping_is_kept(emitter, folder):
    """Products and sums in every order of brackets, in which floating point differs."""

    def rule(g, m, *, lr, beta1):
        a = g - (m - g) - (lr * (g * m)) * (beta1 * g)
        m = g / (m * (g / lr)) - -(a + (m + -g))
        return a, m

    c = emitting.Case(rule, "plain")
    assert agrees(emitter, *with_case(c), np.float32, folder)


@pytest.mark.parametrize("emitter", EMITTERS)
def test_values_that_change_places_are_all_read_before_one_is_written(emitter, folder):
    def rule(g, a, b, e, *, lr):
        return lr * g, b, a, g

    c = emitting.Case(rule, "plain")
    if emitter == "latex":
        pytest.skip("a flat list of statements cannot say it: the trace is refused or names them first")
    assert agrees(emitter, *with_case(c), np.float64, folder)


@pytest.mark.parametrize("emitter", EMITTERS)
def test_names_that_mean_something_to_the_emitter_are_no_trouble(emitter, folder):
    def rule(g, out0, i, *, lr):
        np = out0 * lr + i
        entry1 = abs(np - g)
        double = np * entry1**2 / (1 + entry1**-1)
        k0 = double - 1
        return k0, np, double

    c = emitting.Case(rule, "plain")
    assert agrees(emitter, *with_case(c), np.float32, folder)


@pytest.mark.parametrize("emitter", EMITTERS)
def test_a_state_may_become_a_number_and_a_number_a_state(emitter, folder):
    def rule(g, m, *, lr):
        m = g * 0 + lr
        return m, m

    c = emitting.Case(rule, "plain")
    assert agrees(emitter, *with_case(c), np.float32, folder)


# --- branches ---------------------------------------------------------------------------------------------------------


def test_every_branch_of_the_scalars_is_a_trace_with_its_conditions():
    c = case("radam/decay")
    late, early = branches(c.step, c.names, c.hyper)
    condition = Condition("gt", (Symbol("rho_t", "scalar", 1), Constant(5)), True)
    assert late.conditions == (condition,)
    assert listing_of(late, early) == ["ρₜ > 5", "ρₜ ≤ 5"]
    assert [holds(t, c.numbers()) for t in (late, early)] == [False, True]
    assert [holds(t, c.numbers(LATER)) for t in (late, early)] == [True, False]


def listing_of(*traces):
    from minigrad.executors.listing import condition

    return [", ".join(map(condition, t.conditions)) for t in traces]


def test_conditions_are_asked_in_order_and_none_that_an_earlier_one_excludes():
    def rule(g, *, lr, t):
        if t > 1:
            delta = g * sqrt(1 / (t - 1)) if 1 / (t - 1) < lr else g
        else:
            delta = lr * g
        return (delta,)

    found = branches(plain(rule), (), ("lr", "t"))
    assert listing_of(*found) == ["t > 1, 1 / (t − 1) < α", "t > 1, 1 / (t − 1) ≥ α", "t ≤ 1"]
    for t, expected in ((1, 2), (2, 1), (3, 1), (9, 0)):
        assert [holds(x, {"lr": 0.3, "t": t}) for x in found].index(True) == expected


def test_every_kind_of_question_may_be_asked_of_scalars():
    questions = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
    for ask in questions:
        step = plain(lambda g, *, lr, t, ask=ask: (lr * g if ask(t, 2) else g,))
        yes, no = branches(step, (), ("lr", "t"))
        for t in (1, 2, 3):
            numbers = {"lr": 0.5, "t": t}
            assert holds(yes, numbers) == ask(t, 2) != holds(no, numbers)
    yes, no = branches(plain(lambda g, *, lr: (lr * g if lr else g,)), (), ("lr",))
    assert listing_of(yes, no) == ["α ≠ 0", "α = 0"]


def test_a_branch_in_which_the_step_refuses_a_number_has_no_trace():
    def rule(g, *, lr, t):
        if t < 1:
            raise ValueError("t is 1 at the first step")
        return (lr * g,)

    assert listing_of(*branches(plain(rule), (), ("lr", "t"))) == ["t ≥ 1"]


def test_a_branch_that_no_list_of_statements_can_say_is_not_left_out():
    def twice(x):
        delta = 2 * x
        return delta

    def rule(g, *, lr, t):
        delta = lr * g
        if t > 1:
            return (delta,)
        other = twice(delta)
        return (delta + other,)

    with pytest.raises(UntraceableError, match="uses an earlier delta"):
        branches(plain(rule), (), ("lr", "t"))


def test_a_loop_over_scalars_is_refused_when_it_has_no_end():
    def rule(g, *, lr, t):
        while t > 0:
            t = t - 1
        return (lr * g,)

    with pytest.raises(UntraceableError, match="64"):
        branches(plain(rule), (), ("lr", "t"))


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_power_that_no_two_libraries_compute_alike_is_refused_and_the_line_named():
    for power in (lambda g, lr: g**3, lambda g, lr: g**lr, lambda g, lr: lr**g):

        def rule(g, *, lr, power=power):
            delta = power(g, lr)
            return (delta,)

        traced = trace_at(plain(rule), (), {"lr": 0.1})
        line = rule.__code__.co_firstlineno + 1
        with pytest.raises(UntraceableError, match=rf"test_emitters\.py:{line}: on arrays \*\* takes 2 and -1 alone"):
            kernel(traced)


def test_a_scalar_state_that_an_array_would_enter_is_refused():
    def rule(g, product=1, *, lr):
        return lr * g, product * g

    with pytest.raises(ValueError, match="the state product is one number"):
        trace_at(plain(rule), state_names(rule), {"lr": 0.1, "product": 1}, ["product"])


def test_a_scalar_state_is_a_scalar_of_the_trace():
    c = case("nadam/plain")
    traced, numbers = traced_at(c)
    assert traced.results[-1].kind == "scalar"
    assert evaluate(traced, dict.fromkeys("wgmv", np.ones(2)) | numbers)[-1] == 0.3 * (
        0.8 * (1 - 0.96 ** (3 * 0.004) / 2)
    )


def test_cuda_is_emitted_for_two_dtypes():
    with pytest.raises(ValueError, match='"float32" and "float64"'):
        cuda.source(kernel(traced_at(case("sgd/plain"))[0]), "float16")


def test_the_listing_of_a_rule_with_branches_says_where_each_holds():
    from minigrad.regularization.variants import Variant

    c = case("radam/decay")
    text = listing(Variant("radam_decay", "door 3", c.rule, c.step, c.hyper))
    assert text.count("where ρₜ > 5:\n") == text.count("where ρₜ ≤ 5:\n") == 1
