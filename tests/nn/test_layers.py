import math
import re

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

pytestmark = pytest.mark.device


def rng(seed=0):
    return np.random.default_rng(seed)


def test_linear_is_x_times_w_plus_b():
    layer = nn.Linear(3, 2, rng=rng(), dtype=np.float64)
    layer.bias.data += mg.tensor([1.0, 2.0]).data
    x = rng(1).standard_normal((5, 3))
    np.testing.assert_allclose(layer(mg.tensor(x)).numpy(), x @ layer.weight.numpy() + [1, 2], rtol=1e-14)
    assert layer.weight.shape == (3, 2)
    assert nn.Linear(3, 2, rng=rng(), bias=False).bias is None


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_layers_keep_the_dtype_in_both_modes(dtype):
    r = rng()
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, rng=r, padding=1, dtype=dtype), nn.BatchNorm(2, dtype=dtype), nn.GELU(), nn.MaxPool2d(2),
        nn.AvgPool2d(2), nn.Flatten(), nn.LayerNorm(8, dtype=dtype), nn.Tanh(), nn.Dropout(0.5, rng=r), nn.Sigmoid(),
        nn.Linear(8, 3, rng=r, dtype=dtype),
    )  # fmt: skip
    x = mg.tensor(rng(1).standard_normal((4, 8, 8, 1)).astype(dtype))
    for mode in (model.train(), model.eval()):
        y = mode(x)
        assert y.shape == (4, 3)
        assert y.dtype == dtype
        y.sum().backward()
        assert all(p.grad.dtype == dtype for p in model.parameters())
    assert all(b.dtype == dtype for name, b in model.named_buffers() if "running" in name)


def test_the_seed_alone_decides_the_first_weights_and_float32_rounds_float64():
    a, b = nn.Linear(7, 5, rng=rng(3), dtype=np.float64), nn.Linear(7, 5, rng=rng(3))
    assert np.array_equal(a.weight.numpy().astype(np.float32), b.weight.numpy())
    assert not np.array_equal(nn.Linear(7, 5, rng=rng(4)).weight.numpy(), b.weight.numpy())


@pytest.mark.parametrize(
    ("init", "variance"), [(nn.he_normal, 2 / 90), (nn.he_uniform, 2 / 90), (nn.glorot_uniform, 2 / (90 + 360))]
)
def test_initialisers_have_the_variance_of_their_papers(init, variance):
    w = init(rng(), (3, 3, 10, 40), np.float64)
    # the sample variance of n draws has relative standard deviation √((κ − 1)/n), with κ = 3 at most (normal)
    assert abs(w.var() / variance - 1) < 5 * math.sqrt(2 / w.size)
    assert abs(w.mean()) < 5 * math.sqrt(variance / w.size)
    if init is not nn.he_normal:
        assert np.abs(w).max() <= math.sqrt(3 * variance)


def test_zeros_are_zeros():
    assert not nn.zeros(rng(), (3, 2), np.float32).any()


def test_convolution_agrees_with_its_window_sums():
    layer = nn.Conv2d(2, 3, (2, 3), rng=rng(), stride=2, padding=1, dtype=np.float64)
    x = rng(1).standard_normal((2, 5, 6, 2))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y, w = layer(mg.tensor(x)).numpy(), layer.weight.numpy()
    for i, j in np.ndindex(y.shape[1:3]):
        window = padded[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 3]
        np.testing.assert_allclose(y[:, i, j], np.einsum("nhwc,hwco->no", window, w), rtol=1e-12)


@pytest.mark.parametrize("make", [lambda: nn.Linear(0, 3, rng=rng()), lambda: nn.Conv2d(1, 2, 0, rng=rng())])
def test_sizes_below_one_are_refused(make):
    with pytest.raises(ValueError, match="must be an integer ≥ 1"):
        make()


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: nn.Conv2d(1, 2, 3, rng=rng(), stride=0), "stride must be an integer ≥ 1, got 0"),
        (lambda: nn.Conv2d(1, 2, 3, rng=rng(), stride=(1, 0)), "stride must be an integer ≥ 1, got 0"),
        (lambda: nn.Conv2d(1, 2, 3, rng=rng(), padding=-1), "padding must be an integer ≥ 0, got -1"),
        (lambda: nn.Conv2d(1, 2, (3, 3, 3), rng=rng()), "size must be an integer or a pair"),
        (lambda: nn.MaxPool2d(0), "size must be an integer ≥ 1, got 0"),
        (lambda: nn.MaxPool2d(2, stride=0), "stride must be an integer ≥ 1, got 0"),
        (lambda: nn.AvgPool2d((2, 1.5)), "size must be an integer ≥ 1, got 1.5"),
        (lambda: nn.LayerNorm(3, eps=-1e-5), "eps must be ≥ 0, got -1e-05"),
        (lambda: nn.BatchNorm(3, eps=-1e-5), "eps must be ≥ 0, got -1e-05"),
    ],
)
def test_windows_and_eps_out_of_range_are_refused_by_name_when_the_layer_is_made(make, name):
    with pytest.raises(ValueError, match=re.escape(name)):
        make()


def test_sequential_takes_functions_and_refuses_classes():
    assert nn.Sequential(mg.relu, mg.exp)(np.array([-1.0])).numpy() == 1
    with pytest.raises(TypeError, match="layer 1 must be"):
        nn.Sequential(nn.ReLU(), nn.ReLU)


# --- batch norm -------------------------------------------------------------------------------------------------------


def test_running_statistics_follow_the_stated_convention():
    layer = nn.BatchNorm(3, momentum=0.25, dtype=np.float64)
    mean, var = np.zeros(3), np.ones(3)
    for seed in range(4):
        x = rng(seed).standard_normal((5, 2, 3)) + seed
        layer(mg.tensor(x))
        mean = 0.75 * mean + 0.25 * x.reshape(-1, 3).mean(axis=0)
        var = 0.75 * var + 0.25 * x.reshape(-1, 3).var(axis=0, ddof=1)
    np.testing.assert_allclose(mg.backend.to_host(layer.running_mean), mean, rtol=1e-13)
    np.testing.assert_allclose(mg.backend.to_host(layer.running_var), var, rtol=1e-13)


def test_evaluation_uses_the_running_statistics_and_leaves_them():
    layer = nn.BatchNorm(3, dtype=np.float64)
    layer.scale.data *= mg.tensor([1.0, 2.0, 3.0]).data
    layer(mg.tensor(rng().standard_normal((9, 3)) * 4))
    mean, var = layer.state_dict()["running_mean"], layer.state_dict()["running_var"]
    x = rng(1).standard_normal((1, 3))
    y = layer.eval()(mg.tensor(x)).numpy()
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5) * [1, 2, 3], rtol=1e-13)
    assert np.array_equal(layer.state_dict()["running_mean"], mean)
    assert np.array_equal(layer.state_dict()["running_var"], var)


def test_training_on_one_value_per_feature_is_refused():
    with pytest.raises(ValueError, match="no variance"):
        nn.BatchNorm(3)(np.ones((1, 3), np.float32))


@pytest.mark.parametrize("shape", [(4, 1), (4, 5), (3, 4), ()])
def test_an_input_of_another_width_is_refused_in_both_modes_and_changes_no_statistics(shape):
    layer = nn.BatchNorm(3)
    before = layer.state_dict()
    for mode in (layer.train(), layer.eval()):
        with pytest.raises(ValueError, match=re.escape(f"x has shape {shape}, and its last axis must have length")):
            mode(np.ones(shape, np.float32))
    after = layer.state_dict()
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_numpy_scalars_as_eps_and_momentum_keep_float32():
    x = mg.tensor(rng().standard_normal((5, 3)).astype(np.float32))
    eps = np.float64(1e-5)
    batch, layer = nn.BatchNorm(3, eps=eps, momentum=np.float64(0.1)), nn.LayerNorm(3, eps=eps)
    assert batch(x).dtype == batch.eval()(x).dtype == layer(x).dtype == np.float32
    assert batch.running_mean.dtype == batch.running_var.dtype == np.float32


def test_numpy_integers_are_sizes():
    n = np.int64(3)
    assert nn.Linear(n, n, rng=rng()).weight.shape == (3, 3)
    assert nn.Conv2d(n, n, n, rng=rng()).weight.shape == (3, 3, 3, 3)


@pytest.mark.parametrize("make", [nn.BatchNorm, nn.LayerNorm])
@pytest.mark.parametrize("features", [0, 1.5, (2, 3), True])
def test_features_that_are_no_count_are_refused(make, features):
    with pytest.raises(ValueError, match="features must be an integer ≥ 1"):
        make(features)


@pytest.mark.parametrize("momentum", [-0.1, 1.5])
def test_a_momentum_outside_the_unit_interval_is_refused(momentum):
    with pytest.raises(ValueError, match=r"momentum must lie in \[0, 1\]"):
        nn.BatchNorm(3, momentum=momentum)


@pytest.mark.host
@pytest.mark.oracle
def test_batch_norm_agrees_with_torch_in_both_modes():
    torch = pytest.importorskip("torch")
    ours, theirs = nn.BatchNorm(4, dtype=np.float64), torch.nn.BatchNorm2d(4, dtype=torch.float64)
    for seed in range(3):
        x = rng(seed).standard_normal((2, 3, 3, 4))
        a, b = ours(x), theirs(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(ours.running_mean, theirs.running_mean.numpy(), rtol=1e-12)
    np.testing.assert_allclose(ours.running_var, theirs.running_var.numpy(), rtol=1e-12)
    a, b = ours.eval()(x), theirs.eval()(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    np.testing.assert_allclose(a.numpy(), b.detach().numpy(), rtol=1e-12, atol=1e-13)


# --- dropout ----------------------------------------------------------------------------------------------------------


def test_dropout_keeps_about_its_share_and_scales_what_it_keeps():
    y = nn.Dropout(0.25, rng=rng())(np.ones((200, 500), np.float64)).numpy()
    assert set(np.unique(y)) == {0.0, 1 / 0.75}
    share = (y == 0).mean()
    assert abs(share - 0.25) < 5 * math.sqrt(0.25 * 0.75 / y.size)


def test_masks_are_a_function_of_key_and_step_alone():
    x = np.ones((8, 16), np.float32)
    layer = nn.Dropout(0.5, rng=rng())
    masks = [layer(x).numpy() for _ in range(3)]
    assert not np.array_equal(masks[0], masks[1])
    again = nn.Dropout(0.5, rng=rng(1))
    again.load_state_dict({"key": layer.key, "step": np.array(1)})
    assert np.array_equal(again(x).numpy(), masks[1])
    assert np.array_equal(again(x).numpy(), masks[2])
    assert np.array_equal(nn.Dropout(0.5, rng=rng())(x * 2).numpy(), masks[0] * 2), "values do not matter"


def test_two_layers_of_one_generator_draw_different_masks():
    r, x = rng(), np.ones((8, 16), np.float32)
    assert not np.array_equal(nn.Dropout(0.5, rng=r)(x).numpy(), nn.Dropout(0.5, rng=r)(x).numpy())


def test_evaluation_neither_drops_nor_counts():
    layer, x = nn.Dropout(0.5, rng=rng()), np.ones(4)
    layer(x)
    assert layer.step == 1
    assert layer.eval()(x) is x
    assert layer.step == 1


def test_the_gradient_passes_where_the_value_did():
    layer = nn.Dropout(0.5, rng=rng())
    x = mg.tensor(np.ones(64), requires_grad=True)
    y = layer(x)
    y.sum().backward()
    assert np.array_equal(mg.backend.to_host(x.grad), y.numpy())


@pytest.mark.parametrize("rate", [-0.1, 1, float("nan")])
def test_rates_outside_zero_to_one_are_refused(rate):
    with pytest.raises(ValueError, match="rate must"):
        nn.Dropout(rate, rng=rng())
