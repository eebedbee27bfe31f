import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad.training import clip_by_norm, clip_by_value

pytestmark = pytest.mark.device


def params(*gradients, dtype=np.float64):
    found = []
    for g in gradients:
        p = mg.nn.Parameter(np.zeros(np.shape(g), dtype))
        p.grad = None if g is None else np.array(g, dtype)
        found.append(p)
    return found


def test_by_value_moves_entries_into_the_interval_in_place():
    ps = params([3.0, -4.0, 0.5, np.nan])
    g = ps[0].grad
    clip_by_value(ps, 1)
    assert ps[0].grad is g
    np.testing.assert_array_equal(g, [1, -1, 0.5, np.nan])


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8), st.floats(1e-3, 1e3))
def test_by_norm_bounds_the_joint_norm_and_keeps_the_direction(values, limit):
    ps = params(values, [1.0])
    before = np.concatenate([p.grad for p in ps])
    norm = clip_by_norm(iter(ps), limit)
    after = np.concatenate([p.grad for p in ps])
    assert norm == pytest.approx(np.linalg.norm(before), rel=1e-14)
    assert np.linalg.norm(after) <= limit * (1 + 1e-14)
    if norm <= limit:
        assert np.array_equal(after, before), "within the limit every bit stays"
    else:
        np.testing.assert_allclose(after, before * (limit / norm), rtol=1e-14)


def test_a_parameter_met_twice_is_clipped_once_and_one_without_gradient_not_at_all():
    p, q = params([8.0], None)
    p.grad = np.array([8.0])
    assert clip_by_norm([p, p, q], 4) == 8
    assert p.grad == 4
    assert q.grad is None
    assert clip_by_norm([q], 1) == 0


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_clipping_keeps_the_dtype_and_squares_do_not_overflow(dtype):
    big = np.finfo(dtype).max / 4 if dtype != np.float64 else 1e100
    ps = params([big, big], dtype=dtype)
    clip_by_norm(ps, np.float64(1))
    assert ps[0].grad.dtype == dtype
    np.testing.assert_allclose(ps[0].grad, 0.5**0.5, rtol=4 * float(np.finfo(dtype).eps))
    clip_by_value(ps, np.float64(0.25))
    assert ps[0].grad.dtype == dtype
    assert (ps[0].grad == 0.25).all()


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan")])
def test_a_limit_that_is_no_positive_number_is_refused(clip, limit):
    with pytest.raises(ValueError, match="limit must be"):
        clip(params([1.0]), limit)


@pytest.mark.parametrize("clip", [clip_by_norm, clip_by_value])
@pytest.mark.parametrize(
    ("given_as", "error", "message"),
    [
        (lambda model: iter(()), ValueError, r"nothing to clip: .*got none \(an exhausted generator\?\)"),
        (lambda model: model.weight, TypeError, "got one Parameter; put it into a list"),
        (lambda model: model, TypeError, r"got the module itself; pass its \.parameters\(\)"),
        (lambda model: mg.nn.Sequential(model), TypeError, r"got the module itself; pass its \.parameters\(\)"),
    ],
)
def test_what_holds_gradients_and_is_no_iterable_of_parameters_is_refused(clip, given_as, error, message):
    """A loop over it would find no gradient, and clip nothing."""
    with pytest.raises(error, match=message):
        clip(given_as(mg.nn.Linear(2, 2, rng=np.random.default_rng(0))), 1.0)


def test_clipping_acts_on_a_penalty_in_the_loss_but_on_no_other_door():
    w0, lr, l2, limit = np.array([3.0, 4.0]), 0.5, 1.0, 2.0

    def step(penalty=None, **options):
        p = mg.nn.Parameter(w0)
        optimizer = mg.optim.SGD([p], lr=lr, on="all", **options) if options else mg.optim.SGD([p], lr=lr)
        loss = (p * 0.0).sum() + (penalty([p]) if penalty else 0.0)
        loss.backward()
        clip_by_norm([p], limit)
        optimizer.step()
        return p.numpy().copy()

    loss = step(penalty=mg.regularization.L2(l2))
    gradient, update = step(l2=l2), step(decay=l2 * lr)
    # every result is a handful of float64 operations on numbers below 8: 4 eps leaves room for their roundings
    bound = {"rtol": 4 * np.finfo(np.float64).eps, "atol": 0}
    np.testing.assert_allclose(gradient, w0 * 0.5, **bound)
    np.testing.assert_allclose(update, w0 * 0.5, **bound)
    np.testing.assert_allclose(loss, w0 * 0.8, **bound, err_msg="its gradient w, of norm 5, was cut to norm 2")
