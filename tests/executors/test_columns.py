"""Numbers of which each row of the arrays has its own: the tracer knows them, and what is emitted keeps every bit."""

import shutil
import types

import numpy as np
import pytest

from minigrad.executors import blocked, choose, cores, cuda, emitted, plain
from minigrad.executors.branches import branches, trace_at
from minigrad.executors.emitted import Blocked, Compiled
from minigrad.executors.kernel import host, kernel
from minigrad.executors.listing import flat
from minigrad.executors.trace import Statement, Symbol, UntraceableError
from minigrad.regularization.column import Column
from tests.executors import emitting
from tests.executors.emitting import ALL_RULES, CASES, HYPER, LATER, case, drawn, same

ROWS, WIDTH = 5, 60
ONE_FOR_ALL = {"radam": ("t", "beta2"), "nadam": ("t", "beta1", "psi")}
DTYPES = [np.float32, np.float64]


@pytest.fixture(autouse=True)
def _kernels_here(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp()))


def numbers_of(c, values=HYPER):
    """Numbers of the case, all of them columns but t, and what must be one number."""
    kept = ONE_FOR_ALL.get(c.rule.__name__, ("t",))
    factors = np.linspace(1, 0.8, ROWS).tolist()
    return {n: x if n in kept else Column(x * f for f in factors) for n, x in c.numbers(values).items()}


def matrices(c, dtype):
    names = ("w", "g", *(n for n in c.names if n not in c.scalars))
    return {name: x.reshape(ROWS, WIDTH) for name, x in drawn(names, dtype).items()}


def after(execute, c, data, numbers):
    """(w, *state) after an update in place."""
    arrays = {name: x.copy() for name, x in data.items()}
    with np.errstate(all="ignore"):
        following = iter(execute(c.step, arrays["w"], arrays["g"], c.state(arrays), numbers) or ())
    return [arrays["w"], *(next(following) if n in c.scalars else arrays[n] for n in c.names)]


def row_by_row(c, data, numbers):
    """(w, *state) of flat updates, each with the numbers of its row."""
    rows = []
    for i in range(ROWS):
        own = {n: x.values[i] if isinstance(x, Column) else x for n, x in numbers.items()}
        rows.append(after(plain.execute, c, {name: x[i] for name, x in data.items()}, own))
    return [np.stack(parts) if isinstance(parts[0], np.ndarray) else parts[0] for parts in zip(*rows, strict=True)]


def refuses(*_):
    raise AssertionError("was left to the plain update")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_a_row_of_the_plain_update_is_the_update_with_its_numbers(name, dtype):
    c = case(name)
    for values in (HYPER, LATER):
        data, numbers = matrices(c, dtype), numbers_of(c, values)
        assert same(after(plain.execute, c, data, numbers), row_by_row(c, data, numbers))


@pytest.mark.parametrize("block", [64, 1024, 2**17])  # parts of a row, some rows, all
@pytest.mark.parametrize("name", CASES)
def test_blocks_of_rows_write_the_bits_of_each_row(name, block, monkeypatch):
    monkeypatch.setattr(emitted, "BLOCK", block)
    monkeypatch.setattr(emitted, "plain", types.SimpleNamespace(execute=refuses, is_array=plain.is_array))
    c = case(name)
    run = Blocked(c.names)
    for dtype in DTYPES:
        for values in (HYPER, LATER):
            data, numbers = matrices(c, dtype), numbers_of(c, values)
            assert same(after(run, c, data, numbers), row_by_row(c, data, numbers))


@pytest.mark.parametrize("least", [1, 10**6])  # on all cores and on one
@pytest.mark.parametrize("name", ["adam/decay", "nadam/l2", "radam/decay", "lion/prox_elastic_net"])
def test_numba_does_too(name, least, monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr(cores, "LEAST", least)
    monkeypatch.setattr(cores, "TRIALS", 1)
    monkeypatch.setattr(cores, "_count", lambda: 3)
    monkeypatch.setattr(emitted, "plain", types.SimpleNamespace(execute=refuses, is_array=plain.is_array))
    c = case(name)
    run = Compiled(c.names)
    for numbers in (numbers_of(c), c.numbers(), numbers_of(c, LATER), numbers_of(c)):
        data = matrices(c, np.float32)
        assert same(after(run, c, data, numbers), row_by_row(c, data, numbers))


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("door", ["decay", "prox_elastic_net"])
@pytest.mark.parametrize("rule", ALL_RULES)
def test_a_thread_takes_the_numbers_of_its_row(rule, door, tmp_path):
    c = case(f"{rule}/{door}")
    for dtype in DTYPES:
        for values in (HYPER, LATER):
            data, numbers = matrices(c, dtype), numbers_of(c, values)
            given = numbers | dict.fromkeys(c.scalars, 0.3)
            k = kernel(trace_at(c.step, c.names, given, c.scalars, emitted.columns(numbers)))
            held = {name: x.copy() for name, x in data.items()}
            constants, following = emitting.executed(blocked.source(k)).scalars(**emitting.ordered(k, given))
            passed = np.hstack([x.values if isinstance(x, Column) else x for x in constants]).astype(dtype)
            assert len(passed) == cuda.length(k, (ROWS, WIDTH))
            compiled = emitting.compiled_as_c(cuda.source(k, np.dtype(dtype).name, (ROWS, WIDTH)), tmp_path)
            compiled(ROWS * WIDTH, *(a.ctypes.data for a in (*held.values(), passed)))
            rest = iter(following)
            found = [held["w"], *(next(rest) if n in c.scalars else held[n] for n in c.names)]
            assert same(found, row_by_row(c, data, numbers))


@pytest.mark.parametrize("kind", [Blocked, Compiled])
def test_rows_are_one_flat_array_to_what_asks_for_no_column(kind):
    if kind is Compiled:
        pytest.importorskip("numba")

    def step(w, g, *, lr, decay):
        w = w - lr * g
        return (w,)

    for numbers in ({"lr": 0.5, "decay": 0.1}, {"lr": 0.5, "decay": Column([0.1, 0.2])}):
        w = np.ones((2, 3))
        kind(())(step, w, np.ones((2, 3)), [], numbers)
        assert w.tolist() == [[0.5] * 3] * 2


# --- what the tracer knows --------------------------------------------------------------------------------------------


def test_what_depends_on_columns_and_scalars_is_a_column_and_is_computed_on_the_host():
    c = case("adam/decay")
    (traced,) = branches(c.step, c.names, c.hyper, (), ("lr", "decay", "beta1"))
    assert {s.name: s.kind for s in traced.inputs} == {
        "w": "array", "m": "array", "v": "array", "g": "array", "lr": "column", "beta1": "column", "beta2": "scalar",
        "eps": "scalar", "t": "scalar", "decay": "column",
    }  # fmt: skip
    k = kernel(traced)
    of_rows = dict(zip((name for name, _ in k.constants), k.of_rows, strict=True))
    assert of_rows == {"beta1": True, "k0": True, "beta2": False, "k1": False, "k2": True, "k3": False, "lr": True,
                       "eps": False, "k4": True}  # fmt: skip
    assert len(of_rows) == cuda.length(kernel(branches(c.step, c.names, c.hyper)[0]))


def test_columns_change_neither_the_listing_nor_the_host_nor_the_blocks():
    c = case("adam/prox_elastic_net")
    (one,), (own,) = (branches(c.step, c.names, c.hyper, (), columns) for columns in ((), ("lr", "l1", "l2")))
    assert flat(own) == flat(one)
    assert host(kernel(own)) == host(kernel(one))
    assert blocked.source(kernel(own)) == blocked.source(kernel(one))
    assert [type(s) for s in own.statements] == [Statement] * len(one.statements)
    assert cuda.source(kernel(one)).count("row") == 0
    assert cuda.source(kernel(own), shape=(3, 7)).count("const long long row = i / 7;") == 1


def test_a_question_that_a_column_would_answer_is_refused_with_the_line_and_the_hyperparameter():
    def step(w, g, *, lr, decay, eps):
        twice = 2 * lr + eps
        if twice > decay:
            w = w - twice * g
        return (w,)

    line = step.__code__.co_firstlineno + 2
    for columns, said in (
        (("lr",), "lr, of which"),
        (("decay",), "decay, of"),
        (("lr", "eps"), "eps and lr, of which"),
    ):
        with pytest.raises(
            UntraceableError, match=rf"test_columns\.py:{line}: all models take one .* depend on {said}"
        ):
            branches(step, (), ("lr", "decay", "eps"), (), columns)
    assert len(branches(step, (), ("lr", "decay", "eps"))) == 2


def test_a_state_that_is_one_number_depends_on_no_column():
    c = case("nadam/plain")
    with pytest.raises(UntraceableError, match="mu_product is one number for all models, but it would depend on psi"):
        branches(c.step, c.names, c.hyper, c.scalars, ("lr", "psi"))
    assert branches(c.step, c.names, c.hyper, c.scalars, ("lr", "eps", "beta2"))


def test_a_column_is_read_as_a_symbol():
    (traced,) = branches(lambda w, g, *, lr: (w - lr * g,), (), ("lr",), (), ("lr",))
    assert Symbol("lr", "column") in traced.inputs


# --- what is left to the plain update ---------------------------------------------------------------------------------


def unsuited():
    c = case("sgd/plain")
    w = np.arange(6, dtype=np.float32).reshape(3, 2)
    whole = np.ones((3, 4), np.float32)
    yield "a part of the columns", c, [whole[:, :2], w], Column([1.0, 2.0, 3.0])
    yield "float16", c, [w.astype(np.float16), w.astype(np.float16)], Column([1.0, 2.0, 3.0])
    yield "integers of NumPy", c, [w.copy(), w], Column([np.float64(1), 2.0, 3.0])
    yield "three axes", c, [w.reshape(3, 1, 2).copy(), w.reshape(3, 1, 2)], Column([1.0, 2.0, 3.0])
    yield "one for all rows", c, [w.copy(), w], Column([2.0])


@pytest.mark.parametrize(("what", "c", "arrays", "lr"), list(unsuited()))
@pytest.mark.parametrize("kind", ["auto", "numpy", "numba"])
def test_other_arrays_are_updated_plainly(kind, what, c, arrays, lr, monkeypatch):
    if kind == "numba":
        pytest.importorskip("numba")
    monkeypatch.setattr(choose, "SMALL", 1)
    found, expected = arrays[0].copy(), arrays[0].copy()
    if not arrays[0].flags.c_contiguous:
        found = np.repeat(found, 2, axis=1)[:, ::2]
    choose.executor(kind, ())(c.step, found, arrays[1], [], {"lr": lr})
    plain.execute(c.step, expected, arrays[1], [], {"lr": lr})
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("kind", ["auto", "numpy"])
def test_columns_of_another_length_raise_and_nothing_is_written(kind):
    c, w = case("sgd/plain"), np.ones((3, 2))
    with pytest.raises(ValueError, match="broadcast"):
        choose.executor(kind, ())(c.step, w, np.ones((3, 2)), [], {"lr": Column([1.0, 2.0])})
    assert w.tolist() == np.ones((3, 2)).tolist()
