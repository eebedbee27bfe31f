"""The contenders of the bench in processes of their own, with the stand-in for CuPy in each."""

import importlib
import sys
import tempfile
from pathlib import Path

from minigrad.lab.bench.contenders import MODULES
from tests.device import machine
from tests.device.standin import cupy

KERNELS = tempfile.TemporaryDirectory()


def make(name, task):
    sys.modules["cupy"] = cupy
    machine.Kernel.folder = Path(KERNELS.name)
    return importlib.import_module(MODULES[name]).make(name, task)
