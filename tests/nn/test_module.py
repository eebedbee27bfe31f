import numpy as np
import pytest

import minigrad as mg
from minigrad import nn

pytestmark = pytest.mark.device


def rng(seed=0):
    return np.random.default_rng(seed)


def batch(seed=0):
    return mg.tensor(rng(seed).standard_normal((8, 6)).astype(np.float32))


def mlp(seed=0, dtype=np.float32):
    r = rng(seed)
    return nn.Sequential(
        nn.Linear(6, 5, rng=r, dtype=dtype), nn.BatchNorm(5, dtype=dtype), nn.ReLU(), nn.Dropout(0.5, rng=r),
        nn.Linear(5, 3, rng=r, dtype=dtype),
    )  # fmt: skip


class Tied(nn.Module):
    def __init__(self):
        self.first = nn.Linear(4, 4, rng=rng())
        self.blocks = {"a": [nn.Linear(4, 4, rng=rng(1), bias=False)]}
        self.blocks["a"][0].weight = self.first.weight
        self.limit = 3.0

    def forward(self, x):
        return self.blocks["a"][0](self.first(x))


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


def test_attributes_are_found_in_lists_and_dicts_without_registration():
    assert [name for name, _ in Tied().named_parameters()] == ["first.weight", "first.bias"]
    assert [name for name, _ in mlp().named_parameters()] == [
        "layers.0.weight", "layers.0.bias", "layers.1.scale", "layers.1.bias", "layers.4.weight", "layers.4.bias",
    ]  # fmt: skip


def test_a_tied_parameter_counts_once_and_receives_both_gradients():
    model = Tied()
    assert len(list(model.parameters())) == 2
    assert list(model.state_dict()) == ["first.weight", "first.bias"]
    x = mg.tensor(rng().standard_normal((2, 4)).astype(np.float32))
    model(x).sum().backward()
    x, w, ones = x.numpy(), model.first.weight.numpy(), np.ones((2, 4), np.float32)
    h = x @ w + model.first.bias.numpy()
    gradient = mg.backend.to_host(model.first.weight.grad)
    np.testing.assert_allclose(gradient, x.T @ (ones @ w.T) + h.T @ ones, rtol=1e-5)


def test_running_statistics_and_dropout_keys_are_buffers_and_no_parameters():
    names = [name for name, _ in mlp().named_buffers()]
    assert names == ["layers.1.running_mean", "layers.1.running_var", "layers.3.key", "layers.3.step"]
    assert not any(isinstance(b, nn.Parameter) for _, b in mlp().named_buffers())


def test_a_dtype_kept_as_an_attribute_is_no_buffer():
    model = nn.Linear(2, 2, rng=rng())
    model.kind, model.other = np.float32, np.dtype("float32")
    assert list(model.named_buffers()) == []
    assert list(model.state_dict()) == ["weight", "bias"]


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (lambda p, q: {"a.b": p, "a": {"b": q}}, r"parts\.a\.b"),
        (lambda p, q: {1: p, "1": q}, r"parts\.1"),
        (lambda p, q: {1: p.data, "1": q}, r"parts\.1"),
    ],
)
def test_two_parts_of_one_name_are_refused(parts, name):
    """One of them would be missing in every state."""
    model = nn.Module()
    model.parts = parts(nn.Parameter(np.zeros(1)), nn.Parameter(np.ones(1)))
    for ask in (model.state_dict, lambda: list(model.parameters())):
        with pytest.raises(ValueError, match=f"two parts of Module are both called {name}"):
            ask()


def test_train_and_eval_reach_every_part_and_return_the_module():
    model = mlp()
    assert model.eval() is model
    assert not any(m.training for m in model.modules())
    assert model.train() is model
    assert all(m.training for m in model.modules())
    assert nn.Linear.training, "the class's own default must not change"


def test_roles_say_what_parameters_are_for():
    roles = {name: p.role for name, p in mlp().named_parameters()}
    assert roles["layers.0.weight"] == "weight"
    assert roles["layers.0.bias"] == "bias"
    assert roles["layers.1.scale"] == "scale"
    assert roles["layers.1.bias"] == "bias"
    assert nn.LayerNorm(3).scale.role == "scale"
    assert nn.LayerNorm(3).bias.role == "bias"


def test_a_state_dict_is_a_copy_and_restores_every_bit():
    model = mlp()
    model(batch(3))
    saved = model.state_dict()
    other = mlp(seed=9)
    assert not same(other.state_dict(), saved)
    assert other.load_state_dict(saved) is other
    assert same(other.state_dict(), saved)
    other(batch(4))
    assert same(model.state_dict(), saved)


def test_loading_writes_in_place_so_that_an_optimizer_still_steps_these_weights():
    model = mlp()
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    before = model[0].weight.data
    model.load_state_dict(mlp(seed=5).state_dict())
    assert model[0].weight.data is before
    loaded = model[0].weight.numpy().copy()
    model(batch()).sum().backward()
    optimizer.step()
    assert not np.array_equal(model[0].weight.numpy(), loaded)


def test_a_state_made_of_the_models_own_arrays_is_loaded_as_it_was():
    model = nn.Module()
    model.a, model.b, model.c = (nn.Parameter(np.full(2, x)) for x in (1.0, 2.0, 3.0))
    model.load_state_dict({"a": model.b, "b": model.a.data, "c": model.b.detach()})
    assert [p.numpy().tolist() for p in (model.a, model.b, model.c)] == [[2, 2], [1, 1], [2, 2]]


def test_loading_under_a_live_graph_is_noticed():
    model = nn.Sequential(nn.Linear(3, 3, rng=rng()), nn.Linear(3, 1, rng=rng()))
    loss = model(mg.tensor(np.ones((2, 3), np.float32))).sum()
    model.load_state_dict(model.state_dict())
    with pytest.raises(RuntimeError, match="was written"):
        loss.backward()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda s: s.pop("layers.4.bias"), ValueError, "lacks layers.4.bias"),
        (lambda s: s.update(other=np.zeros(1)), ValueError, "has other, which Sequential lacks"),
        (lambda s: s.update({"layers.4.bias": np.zeros(4, np.float32)}), ValueError, r"shape \(3,\).*gives \(4,\)"),
        (lambda s: s.update({"layers.4.bias": np.zeros(3)}), TypeError, "dtype float32, the state gives float64"),
        (lambda s: s.update({"layers.4.bias": [0, 0, 0]}), TypeError, "must be an array"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(change, error, message):
    model, state = mlp(), mlp(seed=7).state_dict()
    before = model.state_dict()
    change(state)
    with pytest.raises(error, match=message):
        model.load_state_dict(state)
    assert same(model.state_dict(), before)


def test_a_state_that_is_no_dict_is_a_type_error():
    with pytest.raises(TypeError, match=r"expected a dict, as state_dict\(\) returns it, got list"):
        mlp().load_state_dict(list(mlp().state_dict().values()))


def test_a_module_without_forward_says_so():
    with pytest.raises(NotImplementedError, match="Module has no forward"):
        nn.Module()(1)


def test_a_model_reads_as_a_listing_with_counts():
    assert repr(mlp()).splitlines() == [
        "Sequential()              63 parameters",
        "  layers.0  Linear(6, 5)  35",
        "  layers.1  BatchNorm(5)  10",
        "  layers.2  ReLU()",
        "  layers.3  Dropout(0.5)",
        "  layers.4  Linear(5, 3)  18",
    ]
    assert repr(nn.Linear(64, 32, rng=rng())) == "Linear(64, 32), 2,080 parameters"
    assert repr(Tied()).splitlines()[0].endswith("20 parameters"), "tied weights count once"
    assert "Conv2d(1, 8, 3, stride=2, bias=False)" in repr(nn.Conv2d(1, 8, 3, rng=rng(), stride=2, bias=False))
