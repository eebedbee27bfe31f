"""Every operation, there and back, on the stand-in device: the host's bits, and nothing read."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import backend
from minigrad.gradcheck import GradientError
from minigrad.ops.operation import op
from tests.ops.cases import CASES, Source

SEEDS = range(4)


class OnTheDevice(Source):
    def placed(self, index):
        if isinstance(index, tuple):
            return tuple(map(self.placed, index))
        return backend.current().asarray(index) if isinstance(index, np.ndarray | list) else index


def leaves(operands, dtype):
    return [mg.tensor(x.astype(dtype), requires_grad=True) if x.dtype.kind == "f" else mg.tensor(x) for x in operands]


def there_and_back(case, source, dtype):
    call = case.make(source)
    xs = leaves(call.operands, dtype)
    y = call.f(*xs)
    if y.requires_grad:
        y.backward(backend.current().asarray(np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype)))
    return [y.data, *(x.grad for x in xs)]


def bits(x):
    return None if x is None else (x.shape, x.dtype, backend.to_host(x).tobytes())


def masked(case):
    """Whether an index of the case is a mask, the one kind of index that waits for the device."""
    return case.name in ("getitem", "scatter")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_an_operation_and_its_gradients_are_the_hosts_bit_for_bit_and_read_nothing(case, dtype, device):
    for seed in SEEDS:
        with mg.use_backend("numpy"):
            expected = list(map(bits, there_and_back(case, Source(seed), dtype)))
        device.clear()
        found = there_and_back(case, OnTheDevice(seed), dtype)
        assert not device.downloads
        assert set(device.waits) <= ({"a boolean index"} if masked(case) else set())
        assert device.launches
        assert list(map(bits, found)) == expected


@pytest.mark.parametrize("case", [c for c in CASES if c.order == 2], ids=str)
def test_gradients_of_gradients_read_nothing_either(case, device):
    call = case.make(OnTheDevice(0))
    xs = leaves(call.operands, np.float64)
    at = [i for i, x in enumerate(xs) if x.requires_grad]

    def squared(*differentiated):
        given = list(xs)
        for i, x in zip(at, differentiated, strict=True):
            given[i] = x
        y = call.f(*given)
        return (y * y).sum()

    device.clear()
    first = tuple(xs[i].data for i in at)
    mg.hvp(lambda x: squared(x, *first[1:]))(first[0], first[0])
    assert not device.downloads
    assert set(device.waits) <= ({"a boolean index"} if masked(case) else set())


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradcheck_passes_on_the_device_by_the_oracles_of_the_host(case, device):
    for seed in SEEDS:
        there, here = case.make(OnTheDevice(seed)), case.make(Source(seed))
        operands = [mg.tensor(x).data for x in there.operands]
        found = mg.gradcheck(there.f, *operands, order=case.order)
        with mg.use_backend("numpy"):
            assert found.oracles == mg.gradcheck(here.f, *here.operands, order=case.order).oracles


def test_gradcheck_puts_arrays_of_the_host_on_the_device_and_reads_one_number_at_a_time(device):
    found = mg.gradcheck(lambda x: (x * x).sum(), np.ones((3, 2)))
    assert found.oracles == {"multiply": "complex step", "sum": "complex step"}
    assert set(device.downloads) == {"float()"}


@op()
def thrice(xp, x):
    """Return 3x, whose gradient is wrong."""
    return 3 * x


thrice.vjp(lambda xp, g, y, x: 2 * g)


def test_gradcheck_catches_a_wrong_gradient_on_the_device(device):
    with pytest.raises(GradientError, match="order 1, argument 0"):
        mg.gradcheck(lambda x: thrice(x).sum(), np.ones(3))
