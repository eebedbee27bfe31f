"""What the strategies promise of their draws."""

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from minigrad.testing import strategies

SEARCH = settings(phases=[Phase.generate], max_examples=2000, derandomize=True)  # found, not shrunk


def drawn(strategy, where):
    return find(strategy, where, settings=SEARCH) is not None


@given(strategies.hyperparameters("lr", "beta2", decay=(1e-3, 1e-2)))
def test_hyperparameters_are_python_floats_in_their_ranges(hyper):
    assert set(hyper) == {"lr", "beta2", "decay"}
    assert all(type(x) is float for x in hyper.values())
    assert 1e-5 <= hyper["lr"] <= 1
    assert 0.5 <= hyper["beta2"] <= 1 - 1e-4
    assert 1e-3 <= hyper["decay"] <= 1e-2


@pytest.mark.parametrize("below", [1e-4, 1e-2, 0.5])
def test_every_decade_is_reached(below):
    assert drawn(strategies.hyperparameters("lr"), lambda h: below / 10 <= h["lr"] < below)
    assert drawn(strategies.hyperparameters("beta1"), lambda h: 1 - h["beta1"] < 1e-2)


def test_an_unknown_name_and_an_empty_range_are_refused():
    with pytest.raises(ValueError, match=r"no range is known for 'gamma', only for lr, .*; give gamma=\(low, high\)"):
        strategies.hyperparameters("gamma")
    with pytest.raises(ValueError, match="log_uniform takes 0 < low <= high, got low=0, high=1"):
        strategies.log_uniform(0, 1)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@given(data=st.data(), steps=st.integers(1, 5), zero=st.booleans())
def test_gradient_histories_have_their_shape_dtype_and_range(dtype, data, steps, zero):
    found = data.draw(strategies.gradient_histories(dtype, strategies.shapes(), steps, 0.5, 2.0, zero))
    assert found.dtype == dtype
    assert found.shape[0] == steps
    assert np.all((abs(found) <= 2) & ((abs(found) >= 0.5) | ((found == 0) & zero)))


@pytest.mark.parametrize(
    "kind",
    [
        lambda g: len(set(np.sign(g))) == 2,
        lambda g: np.all(g == g[0]),
        lambda g: g[0] != 0 and not g[1:].any(),
        lambda g: np.all(g * g[0] > 0) and len(set(g)) == 3,
    ],
)
def test_every_kind_of_history_is_drawn(kind):
    assert drawn(strategies.gradient_histories(np.float64, (), 3), kind)


@given(strategies.parameter_trees(np.float32))
def test_a_tree_is_of_layers_whose_arrays_have_roles(tree):
    found = strategies.leaves(tree)
    assert found
    for path, role, array in found:
        assert path[-1] == role
        assert array.dtype == np.float32
        assert array.ndim == (2 if role == "weight" else 1)
        below = tree
        for key in path:
            below = below[key]
        assert below is array


def test_trees_are_nested_both_ways_and_have_every_role():
    trees = strategies.parameter_trees(np.float64)
    assert drawn(trees, lambda t: isinstance(t, list) and isinstance(t[0], dict) and "head" in t[0])
    assert drawn(trees, lambda t: {role for _, role, _ in strategies.leaves(t)} == {"weight", "bias", "scale"})
    assert strategies.leaves([np.ones(1)])[0][:2] == ((0,), "weight")


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), strategies.schedules(n))))
def test_a_schedule_has_one_multiplier_per_step(pair):
    length, found = pair
    assert len(found) == length
    assert all(0 < s <= 1 for s in found)


@given(strategies.powers_of_two(-3, 2))
def test_powers_of_two_are_that(x):
    assert 0.125 <= x <= 4
    assert float(np.frexp(x)[0]) == 0.5
