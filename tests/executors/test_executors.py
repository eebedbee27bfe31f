"""Choosing an executor changes no result."""

import os
import re
import subprocess
import sys
import threading

import numpy as np
import pytest

import minigrad as mg
from minigrad.executors import cache, choose, emitted, plain
from minigrad.executors.choose import Auto, executor
from minigrad.executors.emitted import Blocked
from minigrad.executors.trace import UntraceableError
from minigrad.regularization import decoupled
from minigrad.regularization import plain as plain_door
from minigrad.rules import adam, sgd
from tests.executors.emitting import CASES, HYPER, LATER, OWN, case, drawn, same

KINDS = ["numpy", "numba", "auto"]
ADAMW = decoupled(adam)
NUMBERS = {n: HYPER[n] for n in ("lr", "beta1", "beta2", "eps", "t", "decay")}


@pytest.fixture(autouse=True)
def _kernels_here(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp()))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path_factory.getbasetemp()))


@pytest.fixture
def small(monkeypatch):
    """Blocks and thresholds so small that 300 entries pass through all of them."""
    monkeypatch.setattr(emitted, "BLOCK", 512)
    monkeypatch.setattr(choose, "SMALL", 100)
    monkeypatch.setattr(choose, "LARGE", 200)


def after(execute, c, data, numbers):
    """(w, *state) after an update in place."""
    arrays = {name: x.copy() for name, x in data.items()}
    with np.errstate(all="ignore"):
        following = iter(execute(c.step, arrays["w"], arrays["g"], c.state(arrays), numbers) or ())
    assert same([arrays["g"]], [data["g"]])
    return [arrays["w"], *(next(following) if n in c.scalars else arrays[n] for n in c.names)]


def data_for(c, dtype, **options):
    return drawn(("w", "g", *(n for n in c.names if n not in c.scalars)), dtype, **options)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.usefixtures("small")
def test_blocks_write_the_bits_of_the_plain_update(name, dtype):
    c = case(name)
    run = Blocked(c.names)
    for values in (HYPER, LATER):
        for size in (1, 63, 64, 128, 300):  # 512 bytes are 128 or 64 entries
            data = data_for(c, dtype, size=size, seed=size)
            assert same(after(run, c, data, c.numbers(values)), after(plain.execute, c, data, c.numbers(values)))


@pytest.mark.parametrize("name", ["adam/decay", "nadam/l2", "radam/decay", "lion/prox_elastic_net"])
@pytest.mark.parametrize("kind", ["numba", "auto"])
@pytest.mark.usefixtures("small")
def test_the_others_too(kind, name):
    pytest.importorskip("numba")
    c = case(name)
    run = executor(kind, c.names)
    for dtype in (np.float32, np.float64):
        for values in (HYPER, LATER):
            for size in (50, 150, 300):
                data = data_for(c, dtype, size=size)
                assert same(after(run, c, data, c.numbers(values)), after(plain.execute, c, data, c.numbers(values)))


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("kind", ["plain", *KINDS])
@pytest.mark.usefixtures("small")
def test_rules_of_a_user_write_what_they_return(kind, name):
    """A state may become another: each is written with what the others were before the update."""
    if kind == "numba":
        pytest.importorskip("numba")
    c = case(f"{name}/decay")
    run = executor(kind, c.names)
    for size in (50, 150, 300):
        data = data_for(c, np.float64, size=size)
        with np.errstate(all="ignore"):
            expected = c.step(data["w"], data["g"], *c.state(data), **c.numbers())
        assert same(after(run, c, data, c.numbers()), expected)


def unusual():
    """Arrays for one step of AdamW that no kernel was emitted for."""
    a = [abs(np.random.default_rng(i).normal(size=12)) for i in range(4)]
    shared = np.ones(24)
    return {
        "float16": [x.astype(np.float16) for x in a],
        "complex": [x.astype(complex) for x in a],
        "two dimensions": [x.reshape(3, 4) for x in a],
        "strided": [np.repeat(x, 2)[::2] for x in a],
        "swapped bytes": [x.astype(x.dtype.newbyteorder()) for x in a],
        "mixed": [a[0], a[1], a[2], a[3].astype(np.float32)],
        "a subclass": [x.view(np.ma.MaskedArray) for x in a],
        "overlapping": [shared[:12], shared[6:18], a[2], a[3]],
        "none at all": [x[:0] for x in a],
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("what", unusual())
def test_what_no_kernel_is_for_is_executed_plainly(kind, what, monkeypatch):
    if kind == "numba":
        pytest.importorskip("numba")
    monkeypatch.setattr(choose, "SMALL", 1)
    found, expected = unusual()[what], unusual()[what]
    executor(kind, ("m", "v"))(ADAMW, *found[:2], found[2:], NUMBERS)
    plain.execute(ADAMW, *expected[:2], expected[2:], NUMBERS)
    assert all((x == y).all() for x, y in zip(found, expected, strict=True))


def test_numbers_of_numpy_promote_as_they_do_plainly():
    """A kernel would round an np.float64 to float32 first."""
    numbers = NUMBERS | {"lr": np.float64(0.1)}
    a, b = ([np.full(9, x, np.float32) for x in (1, 0.3, 0.1, 0.2)] for _ in range(2))
    Blocked(("m", "v"))(ADAMW, *a[:2], a[2:], numbers)
    plain.execute(ADAMW, *b[:2], b[2:], numbers)
    assert same(a, b)


def test_an_error_of_arithmetic_that_is_asked_for_stops_before_anything_is_written():
    w, g = np.ones(9), np.full(9, 1e300)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        Blocked(())(plain_door(sgd), w, g, [], {"lr": 1e300})
    assert (w == 1).all()


# --- rules of the user's own ------------------------------------------------------------------------------------------


def branching(g, *, lr):
    if g.sum() > 0:
        return (lr * g,)
    return (g,)


def foreign(g, *, lr):
    delta = lr * np.exp(g)
    return (delta,)


def comparing(g, *, lr):
    delta = lr * (g > 0)
    return (delta,)


@pytest.mark.parametrize(("rule", "line"), [(branching, 1), (foreign, 1), (comparing, 1)])
@pytest.mark.parametrize("kind", ["numpy", "numba"])
def test_a_rule_that_cannot_be_traced_is_refused_and_the_line_named(kind, rule, line):
    if kind == "numba":
        pytest.importorskip("numba")
    place = rf"test_executors\.py:{rule.__code__.co_firstlineno + line}: "
    run = executor(kind, ())
    with pytest.raises(UntraceableError, match=place):
        run.prepare(plain_door(rule), ("lr",))
    with pytest.raises(UntraceableError, match=place):
        run(plain_door(rule), np.ones(3), np.ones(3), [], {"lr": 0.1})


@pytest.mark.parametrize("rule", [branching, foreign, comparing])
@pytest.mark.usefixtures("small")
def test_auto_executes_plainly_what_cannot_be_traced(rule):
    update, w, expected = plain_door(rule), np.ones(300), np.ones(300)
    for run, x in ((Auto(()), w), (plain.execute, expected)):
        for _ in range(2):
            run(update, x, np.ones(300), [], {"lr": 0.1})
    assert same([w], [expected])


@pytest.mark.usefixtures("small")
def test_what_the_update_raises_auto_raises():
    def failing(g, *, lr):
        raise ValueError("never")

    with pytest.raises(ValueError, match="never"):
        Auto(())(plain_door(failing), np.ones(300), np.ones(300), [], {"lr": 0.1})


def choosy(g, *, lr):
    if lr > 1:
        raise ValueError(f"lr must be at most 1, got {lr}")
    return (lr * g,)


def twice(x):
    delta = 2 * x
    return delta


def reusing(g, *, lr):
    delta = lr * g
    other = twice(delta)
    return (delta + other,)


@pytest.mark.usefixtures("small")
def test_numbers_that_an_update_refuses_do_not_make_it_plain_for_good():
    run, update, w = Auto(()), plain_door(choosy), np.ones(300)
    for lr in (2.0, 0.5, 3.0, 0.25):
        if lr > 1:
            with pytest.raises(ValueError, match=f"lr must be at most 1, got {lr}"):
                run(update, w, np.ones(300), [], {"lr": lr})
        else:
            run(update, w, np.ones(300), [], {"lr": lr})
    assert w.tolist() == [0.25] * 300
    assert len((run._compiled or run._blocked)._known[update]) == 1


@pytest.mark.usefixtures("small")
def test_what_no_list_of_statements_can_say_is_asked_once_and_executed_plainly(monkeypatch):
    asked, ready = [], emitted.Emitted.ready
    monkeypatch.setattr(
        emitted.Emitted, "ready", lambda self, *arguments: (asked.append(self), ready(self, *arguments))[1]
    )
    run, update, w = Auto(()), plain_door(reusing), np.ones(300)
    for _ in range(3):
        run(update, w, np.ones(300), [], {"lr": 0.25})
    assert len(asked) == 1
    assert w.tolist() == [1 - 3 * 0.75] * 300


@pytest.mark.usefixtures("small")
def test_auto_asks_once_per_update_whether_it_is_ready(monkeypatch):
    asked, ready = [], emitted.Emitted.ready
    monkeypatch.setattr(
        emitted.Emitted, "ready", lambda self, *arguments: (asked.append(self), ready(self, *arguments))[1]
    )
    run = Auto(())
    for count in range(1, 4):
        run(plain_door(sgd), np.ones(150), np.ones(150), [], {"lr": 0.5})
        assert len(asked) == count


def test_auto_is_the_plain_update_itself_where_no_slice_of_the_host_can_be_large():
    assert executor("auto", (), choose.SMALL - 1) is plain.execute
    for most in (choose.SMALL, None):
        assert isinstance(executor("auto", (), most), Auto)
    few, many = (mg.nn.Parameter(np.zeros(n)) for n in (choose.SMALL // 2, choose.SMALL))
    assert mg.optim.SGD([few], lr=0.1).executor is plain.execute
    assert isinstance(mg.optim.SGD([few, many], lr=0.1).executor, Auto)


# --- names ------------------------------------------------------------------------------------------------------------


def test_an_unknown_executor_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="unknown executor 'numab'; did you mean 'numba'"):
        executor("numab", ())
    with pytest.raises(ValueError, match="known: auto, plain, numpy, numba"):
        executor("zzz", ())


def test_numba_that_is_missing_is_named_with_its_extra_and_auto_does_without(monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ImportError, match=r'the extra "fast"'):
        executor("numba", ())
    monkeypatch.setattr(choose, "SMALL", 1)
    monkeypatch.setattr(choose, "LARGE", 1)
    run = Auto(())
    run._with_numba = True  # installed, and fails to import
    w = np.ones(3)
    run(plain_door(sgd), w, np.ones(3), [], {"lr": 0.5})
    assert w.tolist() == [0.5] * 3
    assert not run._with_numba


def test_importing_the_executors_imports_neither_numba_nor_anything_of_it():
    code = "import sys, minigrad, minigrad.executors; assert not {'numba', 'llvmlite'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- the cache of kernels ---------------------------------------------------------------------------------------------


def test_a_source_is_kept_as_a_file_named_by_its_content():
    module = cache.module("x = 1\n")
    assert module.x == 1
    assert cache.module("x = 1\n") is module
    assert cache.module("x = 2\n").x == 2
    assert re.fullmatch(r"minigrad_kernel_[0-9a-f]{32}\.py", os.path.basename(module.__file__))
    assert os.path.dirname(module.__file__) == str(cache.directory())
    assert not [f for f in os.listdir(cache.directory()) if f.endswith(".tmp")]


def test_a_file_that_is_not_what_its_name_says_is_written_anew_and_a_right_one_left_alone():
    path = cache.directory() / "a.py"
    cache._write(path, "right")
    before = os.stat(path).st_mtime_ns, os.stat(path).st_ino
    cache._write(path, "right")
    assert (os.stat(path).st_mtime_ns, os.stat(path).st_ino) == before
    path.write_text("wrong")
    cache._write(path, "right")
    assert path.read_text() == "right"


def test_a_source_that_fails_is_not_remembered():
    with pytest.raises(ZeroDivisionError):
        cache.module("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        cache.module("1 / 0\n")


def test_where_the_cache_cannot_be_written_a_temporary_directory_serves(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(cache, "directory", lambda: tmp_path / "file" / "kernels")
    assert cache.module("x = 'elsewhere'\n").x == "elsewhere"


COMPILE = """
import numpy as np
from minigrad.executors.emitted import Compiled
from minigrad.regularization import plain
from minigrad.rules import sgd
run, w = Compiled(()), np.ones(9)
run(plain(sgd), w, np.ones(9), [], {"lr": 0.5})
assert (w == 0.5).all()
(_, _, kernel), = run._known[next(iter(run._known))]
import sys
module = next(m for n, m in sys.modules.items() if n.startswith("minigrad_kernel"))
print(sum(module.update.stats.cache_hits.values()))
"""


def test_a_second_process_finds_the_kernel_compiled(tmp_path):
    pytest.importorskip("numba")
    told = [
        subprocess.run(
            [sys.executable, "-c", COMPILE], env=os.environ | {"XDG_CACHE_HOME": str(tmp_path)}, check=True,
            capture_output=True, text=True,
        ).stdout.strip()
        for _ in range(2)
    ]  # fmt: skip
    assert told == ["0", "1"]
    assert list((tmp_path / "minigrad" / "kernels" / "__pycache__").glob("*.nbi"))


def test_threads_share_an_executor(monkeypatch):
    monkeypatch.setattr(emitted, "BLOCK", 4096)
    run, results = Blocked(("m", "v")), {}
    c = case("adam/decay")
    data = {i: data_for(c, np.float32, size=20_000, seed=i) for i in range(4)}
    expected = {i: after(plain.execute, c, data[i], c.numbers()) for i in data}

    def work(i):
        results[i] = after(run, c, data[i], c.numbers())

    threads = [threading.Thread(target=work, args=(i,)) for i in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(results[i], expected[i]) for i in data)


FORK = """
import os, sys, warnings
import numpy as np
from minigrad.executors.emitted import Compiled
from minigrad.regularization import plain
from minigrad.rules import sgd
warnings.simplefilter("ignore")
run, w = Compiled(()), np.ones(9)
run(plain(sgd), w, np.ones(9), [], {"lr": 0.5})
child = os.fork()
run(plain(sgd), w, np.ones(9), [], {"lr": 0.5})
assert (w == 0).all()
if child == 0:
    os._exit(7)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_goes_on_with_one_core():
    pytest.importorskip("numba")
    assert subprocess.run([sys.executable, "-c", FORK], check=False).returncode == 7
