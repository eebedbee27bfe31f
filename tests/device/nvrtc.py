"""The compiler of CUDA C, which needs no GPU."""

import pytest

from minigrad import backend

__all__ = ["need_nvrtc"]


def need_nvrtc():
    """Skip what needs NVRTC where it is not installed, or does not work."""
    pytest.importorskip("cupy", reason='the extra "kernels" is not installed')
    try:
        backend.compiled('extern "C" __global__ void f() {}', "compute_90")
    except Exception as error:  # the library is missing or does not fit
        pytest.skip(f"NVRTC does not compile: {error}")
