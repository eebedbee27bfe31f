"""The switch between NumPy and CuPy: what it accepts, and what it says where CuPy cannot run."""

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


def fake_cupy(available):
    cupy = types.ModuleType("cupy")
    cupy.is_available = lambda: available
    return cupy


def test_without_a_driver_the_error_says_what_to_check(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy(False))
    with pytest.raises(RuntimeError, match="NVIDIA driver"):
        mg.use_backend("cupy")
    assert mg.backend.current() is np


def test_use_backend_sets_and_its_block_ends(monkeypatch):
    cupy = fake_cupy(True)
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
    cupy = fake_cupy(True)
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
