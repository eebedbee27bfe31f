"""Compiled kernels on disk: found again, never confused, never trusted when damaged, never in the way."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from minigrad import backend, optim
from minigrad.executors import binaries, cache
from tests.device.machine import PROPERTIES, nvrtc, standing_in
from tests.device.nvrtc import need_nvrtc
from tests.optim.making import parameters, run

SOURCE = 'extern "C" __global__ void f(float *x) { x[0] *= 3; }'


@pytest.fixture(params=["stand-in", "NVRTC"], autouse=True)
def folder(request, monkeypatch, tmp_path):
    """An empty cache directory, and something that compiles."""
    if request.param == "NVRTC":
        need_nvrtc()
        monkeypatch.setattr(cache, "directory", lambda: tmp_path / "kernels")
        yield tmp_path / "kernels"
    else:
        with standing_in(monkeypatch, tmp_path):
            yield tmp_path / "kernels"


@pytest.fixture
def compiled(monkeypatch):
    """The architectures for which something was compiled, in order."""
    found, compile_ = [], backend.compiled
    monkeypatch.setattr(backend, "compiled", lambda source, to: (found.append(to), compile_(source, to))[1])
    return found


@pytest.mark.parametrize("architecture", ["compute_90", "sm_90"])
def test_a_kernel_is_compiled_once_and_then_read(architecture, folder, compiled):
    first = binaries.binary(SOURCE, architecture)
    assert binaries.binary(SOURCE, architecture) == first == backend.compiled(SOURCE, architecture)
    assert compiled == [architecture] * 2
    assert [f.name for f in folder.iterdir()] == [f"{binaries.key(SOURCE, architecture)}.bin"]


def test_whatever_decides_the_bits_gives_another_key(monkeypatch):
    keys = {binaries.key(SOURCE, "sm_90"), binaries.key(SOURCE + " ", "sm_90"), binaries.key(SOURCE, "sm_80")}
    changes = (
        (backend, "_OPTIONS", (*backend._OPTIONS, "--extra-device-vectorization")),
        (binaries, "FORMAT", "minigrad kernel 0"),
        (backend._cupy().cuda.nvrtc, "getVersion", lambda: (99, 1)),
    )
    for owner, name, value in changes:
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, value)
            keys.add(binaries.key(SOURCE, "sm_90"))
    assert len(keys) == 6
    assert binaries.key(SOURCE, "sm_90") in keys
    assert binaries.key("b", "a") != binaries.key("", "ab")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda whole: whole[:-1], lambda whole: whole[:20], lambda whole: b"", lambda whole: whole + b"\0",
        lambda whole: whole[:40] + bytes([whole[40] ^ 1]) + whole[41:], lambda whole: bytes(len(whole)),
    ],
    ids=["a byte short", "within its checksum", "empty", "a byte long", "a bit flipped", "zeros"],
)  # fmt: skip
def test_a_damaged_file_is_compiled_anew_and_written_anew(spoil, folder, compiled):
    expected = binaries.binary(SOURCE, "compute_90")
    (path,) = folder.iterdir()
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    assert binaries.binary(SOURCE, "compute_90") == expected
    assert len(compiled) == 2
    assert path.read_bytes() == whole


def test_a_file_under_another_kernels_name_is_not_taken_for_it(folder, compiled):
    binaries.binary(SOURCE, "compute_90")
    (path,) = folder.iterdir()
    shutil.copy(path, folder / f"{binaries.key(SOURCE, 'compute_80')}.bin")
    assert binaries.binary(SOURCE, "compute_80") == backend.compiled(SOURCE, "compute_80")
    assert compiled == ["compute_90", "compute_80", "compute_80"]


def no_home():
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("why", ["a file is in its place", "there is no home", "it is read-only"])
def test_where_the_directory_cannot_be_used_kernels_are_compiled_each_time(why, folder, compiled, monkeypatch):
    if why == "there is no home":
        monkeypatch.setattr(cache, "directory", no_home)
    elif why == "a file is in its place":
        folder.write_bytes(b"")
    else:
        monkeypatch.setattr(os, "replace", refused)
        folder.mkdir()
    for _ in range(2):
        assert binaries.binary(SOURCE, "compute_90")
    assert len(compiled) == 2
    assert not folder.is_dir() or not list(folder.iterdir())


def refused(*_):
    raise PermissionError("read-only file system")


def test_what_does_not_compile_is_not_kept(folder):
    with pytest.raises(RuntimeError, match="NVRTC: .*error"):
        binaries.binary("#error none", "compute_90")
    assert not folder.exists()


def test_an_optimizers_kernel_is_found_by_the_next_process(request, folder, compiled, monkeypatch):
    """Which is one that has forgotten what it loaded."""
    if request.node.callspec.params["folder"] == "NVRTC":
        pytest.skip("nothing runs without a GPU")

    def train():
        backend._kernel.cache_clear()
        return [x.tobytes() for x in run(optim.AdamW(parameters(dtype=np.float32), 0.1), 2)]

    first = train()
    assert len(compiled) == len(list(folder.iterdir())) == 1
    assert train() == first
    assert len(compiled) == 1
    monkeypatch.setitem(PROPERTIES, "major", 8)
    assert train() == first
    assert compiled == ["sm_90", "sm_80"]
    assert nvrtc.getVersion() == (12, 9)


WRITER = """
import sys
from pathlib import Path
from minigrad.executors.cache import write
for k in range(200):
    write(Path(sys.argv[1]), sys.argv[2].encode() * 200_000)
"""


def test_two_processes_that_race_leave_one_whole_file_at_every_moment(folder):
    path, wholes = folder / "kernel.bin", {b"a" * 200_000, b"b" * 200_000}
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), letter]) for letter in "ab"]
    seen = set()
    while any(w.poll() is None for w in writers):
        if path.exists():
            seen.add(path.read_bytes())
    assert [w.returncode for w in writers] == [0, 0]
    assert seen | {path.read_bytes()} <= wholes
    assert [f.name for f in folder.iterdir()] == ["kernel.bin"]
