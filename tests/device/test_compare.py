"""The main job gives the same on the stand-in device as on the host."""

import dataclasses

import pytest

from minigrad import backend
from minigrad.lab import Settings, compare


@pytest.mark.parametrize(
    "settings", [Settings(epochs=1, batch_size=64), Settings(model="cnn", optimizer="sgd", epochs=1, batch_size=256)],
    ids=["mlp", "cnn"],
)  # fmt: skip
def test_a_comparison_on_the_device_is_the_one_on_the_host_bit_for_bit(settings, device, monkeypatch):
    monkeypatch.setattr(backend, "cache", lambda x: None)  # or the host would convolve, and sum, in parts
    there = compare(dataclasses.replace(settings, backend="cupy")).as_dict()
    here = compare(dataclasses.replace(settings, backend="numpy")).as_dict()
    for of in (there, here):
        of["settings"].pop("backend", None)
    assert there == here
