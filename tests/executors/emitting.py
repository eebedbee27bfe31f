"""Steps for the tests of this folder, data with every kind of number in them, and readers of what is emitted."""

import ctypes
import hashlib
import re
import subprocess
import sys
import types

import numpy as np

from minigrad import rules
from minigrad.regularization import L1, L2, ElasticNet, coupled, decoupled, plain, proximal
from minigrad.rules import RULES, hyper_names, scalar_state, state_names

ALL_RULES = {**RULES, **{r.__name__: r for r in (rules.adadelta, rules.adamax, rules.nadam, rules.radam)}}


def swapped(g, m, v, *, lr):
    delta = lr * g
    return delta, v, m


def shifted(g, m, v, *, lr):
    delta = lr * (g + m + v)
    return delta, g, m


def bounded(g, m, v, *, lr):
    m = rules.maximum(0, g)
    v = rules.maximum(-0.5, rules.maximum(lr, v))
    delta = lr * (m + v)
    return delta, m, v


# Rules of a user's: two return as one state what was given as another, one names the number first.
OWN = {"swapped": swapped, "shifted": shifted, "bounded": bounded}

DOORS = {
    "plain": (plain, ()),
    "decay": (decoupled, ("decay",)),
    "l2": (lambda rule: coupled(rule, L2.gradient), ("l2",)),
    "l1": (lambda rule: coupled(rule, L1.gradient), ("l1",)),
    "elastic_net": (lambda rule: coupled(rule, ElasticNet.gradient), ("l1", "l2")),
    "prox_l2": (lambda rule: proximal(rule, L2.prox), ("l2",)),
    "prox_l1": (lambda rule: proximal(rule, L1.prox), ("l1",)),
    "prox_elastic_net": (lambda rule: proximal(rule, ElasticNet.prox), ("l1", "l2")),
}

HYPER = {
    "lr": 0.3, "momentum": 0.9, "beta1": 0.8, "beta2": 0.95, "rho": 0.97, "eps": 1e-3, "psi": 0.004, "t": 3,
    "decay": 0.07, "l2": 0.11, "l1": 0.13,
}  # fmt: skip
LATER = HYPER | {"t": 30}  # RAdam's other branch


class Case:
    """A rule behind a door: its step, and the names of its state and numbers."""

    def __init__(self, rule, door):
        wrap, more = DOORS[door]
        self.rule = rule
        self.step = wrap(rule)
        self.names = state_names(rule)
        self.scalars = scalar_state(rule)
        self.hyper = (*hyper_names(rule), *more)

    def numbers(self, values=HYPER):
        return {name: values[name] for name in self.hyper}

    def state(self, arrays):
        """The state in the rule's order, from arrays by name; the product of NAdam's momenta is of its second step."""
        return [0.3 if name in self.scalars else arrays[name] for name in self.names]


def case(name):
    rule, door = name.split("/")
    return Case((ALL_RULES | OWN)[rule], door)


CASES = [f"{rule}/{door}" for rule in ALL_RULES for door in DOORS]


def drawn(names, dtype, size=300, seed=0):
    """Arrays by name, with zeros of both signs, subnormals, infinities and NaN.

    Second moments and largest gradients, which only sums and maxima of squares and sizes write, have no sign.
    """
    rng = np.random.default_rng(seed)
    tiny, huge = np.finfo(dtype).smallest_subnormal, np.finfo(dtype).max
    special = [0.0, -0.0, tiny, -tiny, 5 * tiny, np.finfo(dtype).tiny, huge, -huge, np.inf, -np.inf, np.nan, 1.0, -1.0]
    found = {}
    for name in names:
        x = (rng.normal(size=size) * 10.0 ** rng.integers(-6, 3, size)).astype(dtype)
        x = np.where(rng.random(size) < 0.4, np.array(special, dtype)[rng.integers(len(special), size=size)], x)
        found[name] = abs(x) if name[0] in "vu" else x
    return found


def bits(x):
    """The bits of an array, in which every NaN is the same."""
    x = np.asarray(x)
    return np.where(np.isnan(x), np.array(np.nan, x.dtype), x).tobytes()


def same(xs, ys):
    return len(xs) == len(ys) and all(
        (x.dtype == y.dtype and bits(x) == bits(y)) if hasattr(x, "dtype") else x == y
        for x, y in zip(xs, ys, strict=True)
    )


# --- readers: each computes (w, *state) from the emitted text alone ---------------------------------------------------


def executed(source):
    """The namespace of a Python source."""
    name = f"emitted_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    module = types.ModuleType(name)
    sys.modules[name] = module
    exec(compile(source, name, "exec"), module.__dict__)
    return module


def ordered(k, numbers):
    return {k.rename[s]: numbers[s.name] for s in k.rename if s.version == 0 and s.name in numbers}


def by_numpy(source, k, arrays, numbers):
    module = executed(source)
    constants, following = module.scalars(**ordered(k, numbers))
    out = [np.empty_like(arrays[0]) for _ in range(module.SCRATCH)]
    module.block(*arrays, *out, *constants)
    return following


def by_numba(source, k, arrays, numbers):
    module = executed(source.replace("cache=True, ", ""))  # a file's affair
    constants, following = module.scalars(**ordered(k, numbers))
    module.update(*arrays, *(arrays[0].dtype.type(x) for x in constants))
    return following


C_OF_CUDA = """\
#include <math.h>
typedef struct { long long x; } dim;
static dim blockIdx, blockDim, threadIdx;
"""


def by_c(source, host, k, arrays, numbers, folder):
    """CUDA C compiled as C, a loop in place of the threads; the host's part is another source's."""
    module = executed(host)
    constants, following = module.scalars(**ordered(k, numbers))
    passed = np.array(constants, dtype=arrays[0].dtype)
    compiled_as_c(source, folder)(arrays[0].size, *(a.ctypes.data for a in (*arrays, passed)))
    return following


def compiled_as_c(source, folder):
    """An emitted CUDA kernel as a function of n and the addresses of its arrays, run by a loop on the host."""
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    library = folder / f"{digest}.so"
    if not library.exists():
        head = re.search(r'extern "C" __global__ void (\w+)\((.*?)\) \{', source)
        names = [f"a{i}" for i in range(head[2].count("*"))]
        loop = "\nvoid run(long long n, " + ", ".join(f"void *{a}" for a in names) + ") {\n"
        loop += f"  for (threadIdx.x = 0; threadIdx.x < n; threadIdx.x++) {head[1]}(n, {', '.join(names)});\n}}\n"
        text = source.replace('extern "C" __global__ void', "static void")
        (folder / f"{digest}.c").write_text(C_OF_CUDA + text + loop, "utf-8")
        subprocess.run(
            ["cc", "-O1", "-ffp-contract=off", "-fno-math-errno", "-shared", "-fPIC", "-o", str(library),
             str(folder / f"{digest}.c"), "-lm"], check=True, capture_output=True,
        )  # fmt: skip
    run = ctypes.CDLL(str(library)).run
    return lambda n, *addresses: run(ctypes.c_longlong(n), *map(ctypes.c_void_p, addresses))
