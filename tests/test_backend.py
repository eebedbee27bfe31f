"""The switch between NumPy and CuPy: what it accepts, and what it says where CuPy cannot run."""

import re
import sys
import threading
import types

import numpy as np
import pytest

import minigrad as mg


def test_numpy_is_the_default():
    assert mg.backend.current() is np
    assert mg.backend.namespace(np.ones(2)) is np
    assert mg.backend.namespace(mg.tensor([1.0])) is np
    assert mg.backend.namespace(1.0) is np


def test_an_unknown_back_end_is_refused():
    with pytest.raises(ValueError, match="must be one of numpy, cupy, got 'torch'"):
        mg.use_backend("torch")


def test_without_cupy_the_error_names_the_extras(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ImportError, match=r"cuda12.*cuda13"):
        mg.use_backend("cupy")
    assert mg.backend.current() is np


def test_a_cupy_that_cannot_be_imported_is_told_from_one_that_is_missing(monkeypatch, tmp_path):
    (tmp_path / "cupy.py").write_text("import a_library_that_is_not_there", "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(ImportError, match="cannot be imported .*a_library_that_is_not_there.*reinstall"):
        mg.use_backend("cupy")


def fake_cupy(driver=12090, built=12090, devices=1, fails=None):
    """As much of CuPy as is asked before it is used."""

    def raising(value):
        if isinstance(value, Exception):
            raise value
        return value

    cupy = types.ModuleType("cupy")
    runtime = types.SimpleNamespace(
        driverGetVersion=lambda: driver, runtimeGetVersion=lambda: built, getDeviceCount=lambda: raising(devices)
    )
    cupy.cuda = types.SimpleNamespace(runtime=runtime)
    cupy.empty = lambda shape: raising(fails)
    return cupy


@pytest.mark.parametrize(
    ("fake", "message"),
    [
        (fake_cupy(driver=0), "no NVIDIA driver: install one"),
        (fake_cupy(driver=11040), r"too old: it knows CUDA 11\.4, and this CuPy needs CUDA 12: update the driver"),
        (fake_cupy(driver=12090, built=13000), "needs CUDA 13: update the driver, or install .*cuda12"),
        (fake_cupy(devices=0), "no GPU: .*nvidia-smi.*CUDA_VISIBLE_DEVICES"),
        (fake_cupy(devices=RuntimeError("cudaErrorNoDevice: none")), "cudaErrorNoDevice.*nvidia-smi"),
        (fake_cupy(fails=MemoryError("Out of memory allocating 512 bytes")), "no memory left .*512 bytes.*nvidia-smi"),
        (fake_cupy(fails=RuntimeError("cudaErrorMemoryAllocation: out of memory")), "no memory left"),
        (fake_cupy(fails=RuntimeError("cudaErrorDevicesUnavailable: busy")), "no usable GPU .*cudaErrorDevicesUnav"),
    ],
)
def test_each_obstacle_is_named_with_what_to_change_and_info_says_the_same(fake, message, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=message):
            mg.use_backend("cupy")
    assert mg.backend.current() is np
    (line,) = mg.backend.describe_devices()
    assert re.search(f"none: .*{message}", line)


def test_a_driver_that_is_newer_than_cupy_is_no_obstacle(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(driver=13000, built=12090))
    with mg.use_backend("cupy"):
        assert mg.backend.current() is sys.modules["cupy"]


def test_devices_are_described_with_what_drives_them(device):
    assert mg.backend.describe_devices() == [
        f"Stand-in, 8 GiB, compute capability 9.0, CUDA 12.9 (driver: 12.9), CuPy {sys.modules['cupy'].__version__}"
    ]


def test_the_stopwatch_tells_seconds_between_two_marks_that_were_waited_for(device):
    watch = mg.backend.Stopwatch()
    first, last = watch.mark(), watch.mark()
    watch.wait()
    assert watch.between(first, last) == pytest.approx(last.at - first.at)
    assert watch.between(first, first) == 0


def test_use_backend_sets_and_its_block_ends(monkeypatch):
    cupy = fake_cupy()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    with mg.use_backend("cupy"):
        assert mg.backend.current() is cupy
        with mg.use_backend("numpy"):
            assert mg.backend.current() is np
        assert mg.backend.current() is cupy
    assert mg.backend.current() is np
    mg.use_backend("cupy")
    assert mg.backend.current() is cupy
    mg.use_backend("numpy")
    assert mg.backend.current() is np


def test_the_back_end_and_no_grad_belong_to_their_thread(monkeypatch):
    cupy = fake_cupy()
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    seen = []
    x = mg.tensor([1.0], requires_grad=True)
    with mg.use_backend("cupy"), mg.no_grad():
        thread = threading.Thread(target=lambda: seen.extend([mg.backend.current(), (-x).requires_grad]))
        thread.start()
        thread.join()
    assert seen == [np, True]


def test_to_host_gives_numpy_arrays():
    x = np.arange(3.0)
    assert mg.backend.to_host(x) is x
    assert mg.backend.to_host(mg.tensor(x)).tolist() == [0, 1, 2]
