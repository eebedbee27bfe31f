import json
import os
import pickle
import struct

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.training import weights


def model(seed=0, dtype=np.float32):
    rng = np.random.default_rng(seed)
    return nn.Sequential(nn.Linear(3, 4, rng=rng, dtype=dtype), nn.BatchNorm(4, dtype=dtype), nn.Dropout(0.5, rng=rng))


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_saved_model_loads_bit_for_bit(tmp_path, dtype):
    first, other = model(dtype=dtype), model(1, dtype)
    first(np.ones((2, 3), dtype))
    mg.save(tmp_path / "m", first)
    assert mg.load(tmp_path / "m", other) is other
    assert same(first.state_dict(), other.state_dict())
    assert same(mg.load(tmp_path / "m"), first.state_dict())


def test_a_dict_of_arrays_and_tensors_loads_as_arrays(tmp_path):
    matrix = np.arange(6.0).reshape(2, 3)
    mg.save(tmp_path / "d", {"t": mg.tensor([1.0, 2.0]), "f": matrix.T, "n": np.array(3), "e": np.zeros((0, 2))})
    found = mg.load(str(tmp_path / "d"))
    assert same(found, {"t": np.array([1.0, 2.0]), "f": matrix.T, "n": np.array(3), "e": np.zeros((0, 2))})


def test_another_program_can_read_the_file_and_we_read_its(tmp_path):
    from safetensors.numpy import load_file, save_file

    mg.save(tmp_path / "m", model())
    assert same(load_file(tmp_path / "m"), model().state_dict())
    save_file(model(1).state_dict(), tmp_path / "theirs")
    assert same(mg.load(tmp_path / "theirs", model()).state_dict(), model(1).state_dict())


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_older_file_and_no_rest(tmp_path, monkeypatch, failing):
    mg.save(tmp_path / "m", model())

    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr(weights.os, failing, fail)
    with pytest.raises(OSError, match="disk is full"):
        mg.save(tmp_path / "m", model(1))
    monkeypatch.undo()
    assert same(mg.load(tmp_path / "m"), model().state_dict())
    assert os.listdir(tmp_path) == ["m"]


def test_what_the_format_cannot_hold_is_refused_before_anything_is_written(tmp_path):
    mg.save(tmp_path / "m", model())
    with pytest.raises(TypeError, match="b has dtype object"):
        mg.save(tmp_path / "m", {"a": np.zeros(2), "b": np.array([1, None])})
    with pytest.raises(TypeError, match="c has dtype complex128"):
        mg.save(tmp_path / "m", {"c": np.zeros(2, complex)})
    with pytest.raises(TypeError, match="names must be strings, got 1"):
        mg.save(tmp_path / "m", {1: np.zeros(2)})
    assert same(mg.load(tmp_path / "m"), model().state_dict())


def test_a_file_that_does_not_fit_leaves_the_model_as_it_was(tmp_path):
    target = model()
    before = target.state_dict()
    mg.save(tmp_path / "m", model(1, np.float64))
    with pytest.raises(TypeError, match="dtype"):
        mg.load(tmp_path / "m", target)
    mg.save(tmp_path / "m", nn.Linear(3, 4, rng=np.random.default_rng(0)))
    with pytest.raises(ValueError, match="lacks"):
        mg.load(tmp_path / "m", target)
    assert same(target.state_dict(), before)


def test_a_file_cut_short_or_of_another_kind_is_refused(tmp_path):
    mg.save(tmp_path / "m", model())
    content = (tmp_path / "m").read_bytes()
    for part in (content[:-1], content[:20], b"", pickle.dumps({"a": 1})):
        (tmp_path / "cut").write_bytes(part)
        with pytest.raises(ValueError, match="no complete safetensors file"):
            mg.load(tmp_path / "cut", model())
    with pytest.raises(FileNotFoundError):
        mg.load(tmp_path / "none")


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    mg.save(tmp_path / "m", model())
    assert (tmp_path / "m").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_without_safetensors_the_error_names_the_extra(monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match=r"\.\[lab\]"):
        mg.save(tmp_path / "m", model())


def test_what_is_no_path_with_weights_is_refused_with_what_to_do(tmp_path):
    trained = model()
    optimizer = mg.optim.Adam(trained.parameters())
    with pytest.raises(TypeError, match=r"must be an array or a tensor, got str.*save_checkpoint"):
        mg.save(tmp_path / "m", optimizer.state_dict())
    with pytest.raises(TypeError, match=r"weights must be a module or a dict of arrays, got Adam.*save_checkpoint"):
        mg.save(tmp_path / "m", optimizer)
    with pytest.raises(TypeError, match=r"save\(path, weights\): path must be a path, got Sequential"):
        mg.save(trained, tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_a_dtype_numpy_lacks_is_refused_with_file_tensor_and_dtype(tmp_path):
    header = json.dumps({"w": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "theirs").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    with pytest.raises(TypeError, match=r"theirs: w has dtype BF16, which cannot be read"):
        mg.load(tmp_path / "theirs")


def test_a_directory_is_named_as_what_it_is_and_nothing_is_left_behind(tmp_path):
    (tmp_path / "d").mkdir()
    for attempt in (lambda: mg.save(tmp_path / "d", model()), lambda: mg.load(tmp_path / "d")):
        with pytest.raises(IsADirectoryError, match="d is a directory; name a file in it"):
            attempt()
    assert os.listdir(tmp_path) == ["d"]


@pytest.mark.parametrize(
    ("text", "message"), [("{", "are no JSON"), ("[1]", "must be a dict"), ("[" * 9999, "no JSON")]
)
def test_metadata_that_cannot_be_read_are_refused_with_the_path(tmp_path, text, message):
    from safetensors.numpy import save_file

    save_file({"w": np.zeros(2)}, tmp_path / "m", {"minigrad": text})
    with pytest.raises(ValueError, match=f"m: the metadata under 'minigrad' .*{message}"):
        mg.load(tmp_path / "m")
