"""The stand-in has CuPy's names and no other, and tells views from launches and copies from waits."""

import json

import numpy as np
import pytest

from tests.device import record_names
from tests.device.machine import own_names
from tests.device.standin import NAMES, cupy


@pytest.mark.parametrize(("path", "name"), sorted(own_names()))
def test_what_the_stand_in_defines_stands_there_in_cupy(path, name):
    assert name in NAMES[path]


def test_the_names_of_the_installed_cupy_are_those_written_down():
    """Only a new CuPy differs: then run `record_names` and read what is gone."""
    found = pytest.importorskip("cupy", reason="CuPy is not installed")
    if found.__version__ != NAMES["version"]:
        pytest.skip(f"the names are those of CuPy {NAMES['version']}")
    assert json.loads(record_names.text()) == NAMES


@pytest.mark.parametrize("name", ["vecdot", "unstack", "errstate", "insert", "isnat"])
def test_names_that_numpy_has_and_cupy_lacks_are_refused(name, device):
    assert hasattr(np, name)
    with pytest.raises(AttributeError, match=f"'cupy' has no attribute '{name}'"):
        getattr(cupy, name)


def test_views_launch_nothing_and_results_live_on_the_device(device):
    x = cupy.asarray(np.arange(6.0).reshape(2, 3))
    device.clear()
    parts = [x[0], x.T, x.reshape(3, 2), cupy.expand_dims(x, 0), cupy.broadcast_to(x, (4, 2, 3)), cupy.asarray(x)]
    parts += [x[0, 1], cupy.squeeze(x[:1], axis=0), cupy.lib.stride_tricks.as_strided(x, (2, 2), (24, 8))]
    assert device.launches == []
    made = [x + 1, x.sum(), x.max(axis=0), x.T.reshape(-1), x.astype(np.float32), x.copy(), cupy.zeros(3), -x]
    assert len(device.launches) == len(made)
    assert all(type(a) is cupy.ndarray for a in (*parts, *made))
    assert device.waits == []


def test_writing_launches_once_and_is_seen_through_views(device):
    x = cupy.asarray(np.zeros((2, 2)))
    row = x[0]
    device.clear()
    x += 1
    row[...] = 5
    row *= 2
    x[1] *= 3
    cupy.multiply(x, 2, out=x)
    assert device.launches == ["add", "setitem", "multiply", "multiply", "multiply"]
    assert x.tolist() == [[20, 20], [6, 6]]


def test_arrays_of_objects_cannot_live_on_a_device(device):
    with pytest.raises(TypeError, match="object"):
        cupy.asarray(np.array([None]))
