import numpy as np
import pytest

from minigrad.executors.plain import execute
from minigrad.regularization import decoupled
from minigrad.rules import heavy_ball


def test_the_update_is_written_in_place_with_its_state():
    w, g, b = np.array([1.0, 2.0]), np.array([4.0, 8.0]), np.array([2.0, 2.0])
    execute(decoupled(heavy_ball), w, g, [b], {"lr": 0.5, "momentum": 0.5, "decay": 0.25})
    assert b.tolist() == [5.0, 9.0]  # b/2 + g
    assert w.tolist() == [0.75 - 2.5, 1.5 - 4.5]
    assert g.tolist() == [4.0, 8.0]


def test_nothing_is_written_when_the_update_fails():
    w, b = np.ones(2), np.ones(2)

    def fails(w, g, b):
        raise FloatingPointError

    with pytest.raises(FloatingPointError):
        execute(fails, w, np.ones(2), [b], {})
    assert w.tolist() == b.tolist() == [1.0, 1.0]


def test_an_update_that_returns_too_little_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        execute(lambda w, g, b: (w,), np.ones(2), np.ones(2), [np.ones(2)], {})
