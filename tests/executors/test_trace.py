"""The trace says exactly what the step computes: same operations, same order, same bits."""

import sys
from pathlib import Path

import numpy as np
import pytest

from minigrad.executors.branches import trace_at
from minigrad.executors.listing import traces
from minigrad.executors.trace import Apply, Constant, Statement, Symbol, Trace, evaluate, trace
from minigrad.regularization import VARIANTS, coupled, decoupled, plain, variant
from minigrad.rules import maximum, scalar_state, sgd, state_names

NUMBERS = {
    "lr": 0.3, "momentum": 0.9, "beta1": 0.8, "beta2": 0.95, "rho": 0.97, "eps": 1e-3, "psi": 0.004, "t": 3,
    "decay": 0.07, "l2": 0.11, "l1": 0.13,
}  # fmt: skip


def drawn(names, dtype):
    """Values for a step's arrays, second moments and norms non-negative, some weights and gradients exactly zero."""
    rng = np.random.default_rng(5)
    values = {}
    for name in names:
        x = rng.normal(size=40).astype(dtype)
        values[name] = abs(x) if name[0] in "vu" else np.where(rng.random(40) < 0.1, dtype(0), x)
    return values


def both(v, dtype, traced=None):
    """The results of a variant's step, and of its trace, on the same numbers."""
    state = state_names(v.rule)
    scalars = scalar_state(v.rule)
    values = drawn(("w", "g", *(name for name in state if name not in scalars)), dtype) | dict.fromkeys(scalars, 0.3)
    hyper = {name: NUMBERS[name] for name in v.hyper}
    traced = traced or trace_at(v.step, state, hyper | dict.fromkeys(scalars, 0.3), scalars)
    return v.step(*values.values(), **hyper), evaluate(traced, values | hyper)


def same_bits(xs, ys):
    return len(xs) == len(ys) and all(
        x == y if isinstance(x, float) else x.dtype == y.dtype and x.tobytes() == y.tobytes()
        for x, y in zip(xs, ys, strict=True)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", VARIANTS)
def test_a_trace_reproduces_the_step_bit_for_bit(name, dtype):
    direct, replayed = both(VARIANTS[name], dtype)
    assert same_bits(direct, replayed)
    assert direct[0].dtype == dtype


def mutated(x, at, count=None):
    """The expression with its `at`-th operation (in preorder) replaced by another of as many operands."""
    other = {
        "add": "sub", "sub": "add", "mul": "add", "truediv": "mul", "pow": "mul",
        "neg": "abs", "abs": "neg", "sqrt": "abs", "sign": "abs", "maximum": "add",
    }  # fmt: skip
    count = count if count is not None else iter(range(1000))
    if not isinstance(x, Apply):
        return x
    operation = other[x.operation] if next(count) == at else x.operation
    return Apply(operation, tuple(mutated(y, at, count) for y in x.operands))


def operations(x):
    return 1 + sum(map(operations, x.operands)) if isinstance(x, Apply) else 0


def test_every_operation_of_every_variant_matters_to_the_comparison():
    for name in ("adamw", "lion_l2", "amsgrad_prox_elastic_net", "nesterov_l1", "rmsprop_l2"):
        v = variant(name)
        whole = trace(v.step, state_names(v.rule), v.hyper)
        for i, statement in enumerate(whole.statements):
            for at in range(operations(statement.expression)):
                wrong = Statement(statement.target, mutated(statement.expression, at), statement.file, statement.line)
                broken = Trace(whole.inputs, (*whole.statements[:i], wrong, *whole.statements[i + 1 :]), whole.results)
                with np.errstate(all="ignore"):
                    direct, replayed = both(v, np.float64, broken)
                assert not same_bits(direct, replayed), (name, statement.name, at)


def test_statements_have_the_names_and_lines_of_the_source():
    for v in VARIANTS.values():
        for s in (s for traced in traces(v) for s in traced.statements):
            line = Path(s.file).read_text(encoding="utf-8").splitlines()[s.line - 1].strip()
            assert line.startswith((f"{s.name} =", f"{s.name},", "return ")), (v.name, s, line)


def test_an_expression_reads_names_of_the_source_and_knows_arrays_from_scalars():
    steps = trace(variant("sgd_decay").step, (), ("lr", "decay"))
    delta, w = steps.statements
    assert delta.expression == Apply("mul", (Symbol("lr", "scalar"), Symbol("g", "array")))
    shrunk = Apply("mul", (Apply("sub", (Constant(1), Symbol("decay", "scalar"))), Symbol("w", "array")))
    assert w.expression == Apply("sub", (shrunk, Symbol("delta", "array", 1)))
    assert shrunk.operands[0].kind == "scalar"
    assert shrunk.kind == "array"
    assert steps.results == (Symbol("w", "array", 1),)


def test_arguments_that_pass_through_make_no_statement():
    def outer(g, *, lr):
        return inner(g, rate=lr)

    def inner(g, *, rate):
        delta = rate * g
        return (delta,)

    steps = trace(plain(outer), (), ("lr",))
    assert [(s.name, s.expression.operands[0].name) for s in steps.statements] == [("delta", "lr"), ("w", "w")]


def test_a_scalar_given_a_name_is_a_scalar_statement():
    def rule(g, *, lr, t):
        rate = lr / t
        delta = rate * g
        return (delta,)

    rate, delta, _ = trace(plain(rule), (), ("lr", "t")).statements
    assert (rate.target.kind, delta.target.kind) == ("scalar", "array")


def test_branching_on_an_array_is_refused_and_the_line_named():
    def rule(g, *, lr):
        if g > 0:
            return (lr * g,)
        return (g,)

    line = rule.__code__.co_firstlineno + 1
    with pytest.raises(TypeError, match=rf"test_trace\.py:{line}: what depends on arrays may not branch"):
        trace(plain(rule), (), ("lr",))


def test_maximum_is_traced_as_it_stands_with_the_number_first_too():
    def rule(g, *, lr):
        delta = maximum(0, g)
        return (delta,)

    g = Symbol("g", "array")
    assert trace(plain(rule), (), ("lr",)).statements[0].expression == Apply("maximum", (Constant(0), g))


def test_truth_and_equality_of_an_array_are_branches_too():
    for branch in (bool, lambda g: g == 0, lambda g: g != 0, lambda g: g > 0, lambda g: abs(g) <= 1):
        with pytest.raises(TypeError, match="may not branch"):
            trace(plain(lambda g, *, lr, branch=branch: (lr * g if branch(g) else g,)), (), ("lr",))


def test_branching_on_a_scalar_needs_its_value():
    def rule(g, *, lr, t):
        delta = lr * g if t > 1 else g
        return (delta,)

    with pytest.raises(TypeError, match=r"branches on a scalar whose value is not known.*hyper=\{"):
        trace(plain(rule), (), ("lr", "t"))
    first, later = (trace(plain(rule), (), {"lr": None, "t": t}).statements for t in (1, 2))
    assert first[0].expression == Symbol("g", "array")
    assert later[0].expression == Apply("mul", (Symbol("lr", "scalar"), Symbol("g", "array")))


def test_writing_in_place_is_refused():
    def rule(g, m, *, lr):
        m += g
        return lr * m, m

    with pytest.raises(TypeError, match="pure function"):
        trace(plain(rule), ("m",), ("lr",))


def test_functions_the_emitters_do_not_know_are_refused():
    with pytest.raises(TypeError):
        trace(plain(lambda g, *, lr: (lr * np.exp(g),)), (), ("lr",))


def test_a_value_whose_name_went_to_another_is_refused():
    def helper(x):
        delta = x * 2
        return delta + 1

    def rule(g, *, lr):
        delta = lr * g
        other = helper(delta)
        return (delta + other,)

    with pytest.raises(ValueError, match="uses an earlier delta"):
        trace(plain(rule), (), ("lr",))


def test_a_step_must_return_weights_and_state():
    with pytest.raises(ValueError, match="returns a tuple of w, m"):
        trace(lambda w, g, m: w - g, ("m",), ())
    with pytest.raises(ValueError, match="does not depend on its arguments"):
        trace(lambda w, g: (0,), (), ())


def test_the_trace_function_before_is_restored_also_after_an_error():
    def before(frame, event, argument):
        return None

    old = sys.gettrace()
    sys.settrace(before)
    try:
        trace(coupled(sgd, lambda w: w), (), ("lr",))
        assert sys.gettrace() is before
        with pytest.raises(TypeError):
            trace(decoupled(sgd, lambda w, decay: w if w > 0 else decay * w), (), ("lr", "decay"))
        assert sys.gettrace() is before
    finally:
        sys.settrace(old)
