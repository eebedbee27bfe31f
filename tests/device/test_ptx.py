"""Every rule behind every door, compiled for a GPU that need not be there: what is read, written and rounded.

The compiler (NVRTC) runs on any machine. What it makes is PTX, the text from which a driver makes machine code.
"""

import re
from collections import Counter

import pytest

from minigrad import backend
from minigrad.executors import cuda
from minigrad.executors.branches import branches
from minigrad.executors.kernel import kernel
from minigrad.executors.trace import Symbol
from minigrad.lab.bench.contenders import bandwidth
from tests.device.nvrtc import need_nvrtc
from tests.executors.emitting import CASES, case

ARCHITECTURE = "compute_90"


@pytest.fixture(scope="module", autouse=True)
def _compiler():
    need_nvrtc()


def ptx(source):
    """The instructions, without the predicate before them."""
    text = backend.compiled(source, ARCHITECTURE).decode()
    lines = [line.strip() for line in text[text.index("{") :].splitlines()]
    return [re.sub(r"^@!?%\w+\s+", "", line) for line in lines if line.endswith(";")]


def kernels(name):
    c = case(name)
    return [kernel(t) for t in branches(c.step, c.names, [n for n in c.hyper if n not in c.scalars], c.scalars)]


def read(x):
    """The symbols in an expression."""
    return {x} if isinstance(x, Symbol) else set().union(*map(read, getattr(x, "operands", ())))


def expected(k):
    """How many arrays and constants a kernel reads, and how many arrays it writes."""
    entries = {s: k.rename[s] for s in k.rename if s.version == 0 and k.rename[s] in k.arrays}
    used = set().union(*(read(line.expression) for line in k.lines), *map(read, k.results))
    return len(used & entries.keys()) + len(k.constants), len(k.written)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", CASES)
def test_a_kernel_reads_and_writes_each_entry_once_and_rounds_as_numpy_does(name, dtype):
    found = kernels(name)
    for k in found:
        code = Counter(line.split()[0] for line in ptx(cuda.source(k, dtype)))
        f, other = ("f32", "f64") if dtype == "float32" else ("f64", "f32")
        loads = sum(n for op, n in code.items() if op.startswith("ld.global"))
        stores = sum(n for op, n in code.items() if op.startswith("st.global"))
        assert (loads, stores) == expected(k)
        check_rounding(code, f, other)
    if len(found) > 1:
        check_rounding(Counter(line.split()[0] for line in ptx(cuda.source(found, dtype))), f, other)


def check_rounding(code, f, other):
    """No product is fused with a sum, nothing is flushed or approximated, and no other precision is met."""
    assert not [op for op in code if op.startswith("fma") or ".ftz" in op or "approx" in op or f".{other}" in op]
    rounded = [op for op in code if op.split(".")[0] in ("add", "sub", "mul", "div", "sqrt") and op.endswith(f".{f}")]
    assert all(".rn." in op or op in (f"add.{f}", f"sub.{f}", f"mul.{f}") for op in rounded)
    assert all(".rn." in op for op in rounded if op.split(".")[0] in ("div", "sqrt"))


@pytest.mark.parametrize("options", [(), ("--fmad=false", "--ftz=true"), ("--use_fast_math",)])
def test_options_that_change_bits_would_be_seen(options, monkeypatch):
    monkeypatch.setattr(backend, "_OPTIONS", options)
    text = ptx(cuda.source(kernels("adam/decay"), "float32"))
    with pytest.raises(AssertionError):
        check_rounding(Counter(line.split()[0] for line in text), "f32", "f64")


def test_a_float64_literal_would_be_seen():
    text = ptx(cuda.source(kernels("sgd/plain"), "float32").replace("w[i] = ", "w[i] = 0.1 * "))
    with pytest.raises(AssertionError):
        check_rounding(Counter(line.split()[0] for line in text), "f32", "f64")


def test_an_entry_that_is_read_twice_would_be_seen():
    """Where arrays may overlap, what was written must be read again."""
    found = kernels("sgd/plain")
    again = "\n    w[i] = w[i] * g[i];\n}"
    source = cuda.source(found, "float32").replace("__restrict__ ", "").replace("\n}", again)
    code = Counter(line.split()[0] for line in ptx(source))
    assert sum(n for op, n in code.items() if op.startswith("ld.global")) > expected(found[0])[0]


@pytest.mark.parametrize(("dtype", "wide", "kind"), [("float32", 4, "v4.f32"), ("float64", 2, "v2.f64")])
def test_the_kernel_that_measures_the_memory_moves_16_bytes_at_a_time_once(dtype, wide, kind):
    code = Counter(line.split()[0] for line in ptx(bandwidth.source(2, dtype, wide)))
    assert code[f"ld.global.nc.{kind}"] == 1  # the gradient
    assert code[f"ld.global.{kind}"] == code[f"st.global.{kind}"] == 3  # the weights and the state
    assert sum(n for word, n in code.items() if word.startswith(("ld.global", "st.global"))) == 7
