"""The rest of CuPy that minigrad touches: streams, graphs, memory and kernels of the stand-in."""

import contextlib
import ctypes
import shutil
import sys
import time

import numpy as np
import pytest

from minigrad.backend import use_backend
from minigrad.executors import cache
from tests.device.log import LOG
from tests.device.standin import Namespace, cupy, ndarray
from tests.executors.emitting import compiled_as_c

__all__ = ["own_names", "standing_in"]


class Stream:
    """A queue, in which everything is done at once; while a graph is recorded, nothing is."""

    def __init__(self, null=False, non_blocking=False, ptds=False, priority=None):
        self.null = null

    def __enter__(self):
        _streams.append(self)
        return self

    def __exit__(self, *_):
        _streams.remove(self)

    def synchronize(self):
        LOG.wait("Stream.synchronize")

    def record(self, event=None):
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event):
        if LOG.recorder is not None:
            raise RuntimeError("an event was waited for in a graph")

    def begin_capture(self, mode=None):
        if self.null:
            raise RuntimeError("the default stream cannot be captured")
        if _streams[-1] is not self:
            raise RuntimeError("another stream is current: nothing would be captured")
        LOG.recorder = []

    def end_capture(self):
        actions, LOG.recorder = LOG.recorder, None
        return Graph(actions)


_streams = [Stream(null=True)]


class Graph:
    """What was launched while it was recorded, to be done again in one launch."""

    def __init__(self, actions):
        self._actions = actions

    def launch(self, stream=None):
        LOG.launch("graph")
        with np.errstate(all="ignore"):
            for action in self._actions:
                action()

    def debug_dot_str(self, flags=0):
        nodes = [f'"graph_1_node_{i}"[style="bold" label="{i}"];' for i in range(len(self._actions))]
        edges = [f'"graph_1_node_{i}" -> "graph_1_node_{i + 1}";' for i in range(len(self._actions) - 1)]
        return "digraph dot {\n" + "\n".join(nodes + edges) + "\n}"


class Event:
    """A place in a stream, which was reached at once; `_busy` tests what happens where it was not."""

    _busy = False

    def __init__(self, block=False, disable_timing=False, interprocess=False):
        self.done = True
        self.timing = not disable_timing
        self.at = None

    def record(self, stream=None):
        if LOG.recorder is not None:
            raise RuntimeError("an event was recorded into a graph")
        self.done = not self._busy
        self.at = time.perf_counter()

    def synchronize(self):
        LOG.wait("Event.synchronize")
        self.done = True


def get_elapsed_time(start_event, end_event):
    """Milliseconds, of the host's clock."""
    if not (start_event.timing and end_event.timing) or None in (start_event.at, end_event.at):
        raise RuntimeError("both events must keep time, and be recorded")
    if "synchronize" not in LOG.waits[-1]:
        raise RuntimeError("the later event was not waited for")
    return 1000 * (end_event.at - start_event.at)


class MemoryPool:
    """A pool that counts what is taken from it."""

    def __init__(self, allocator=None):
        self.taken = 0

    def malloc(self, size):
        raise NotImplementedError("the stand-in computes with memory of the host")

    def free_all_blocks(self, stream=None):
        LOG.wait("free_all_blocks")


@contextlib.contextmanager
def using_allocator(allocator=None):
    POOLS.append(allocator.__self__)
    try:
        yield
    finally:
        POOLS.pop()


POOLS = []


def alloc_pinned_memory(size):
    return bytearray(size)


class Pointer:
    """The address of an array, and how memory of the host is copied there."""

    def __init__(self, array):
        self._array = array

    ptr = property(lambda self: self._array.ctypes.data)

    def copy_from_host_async(self, mem, size, stream=None):
        LOG.upload("pinned copy", size)
        if LOG.recorder is not None:
            raise RuntimeError("a copy was recorded into a graph")
        ctypes.memmove(self.ptr, mem, size)


ndarray.data = property(lambda self: Pointer(self._a))


# --- kernels: compiled as C, with a loop for the threads --------------------------------------------------------------


class NVRTCError(RuntimeError):
    pass


class nvrtc:  # noqa: N801
    """The compiler. What it makes is the source, with the options that it was given."""

    NVRTCError = NVRTCError

    @staticmethod
    def getVersion():
        return 12, 9

    @staticmethod
    def createProgram(source, name, headers, include_names):
        return {"source": source}

    @staticmethod
    def compileProgram(program, options):
        if "--fmad=false" not in options or any("ftz" in o or "fast" in o for o in options):
            raise AssertionError(f"options that change bits: {options}")
        if "#error" in program["source"]:
            program["log"] = "error: #error"
            raise NVRTCError("NVRTC_ERROR_COMPILATION")
        program["options"] = options

    @staticmethod
    def getProgramLog(program):
        return program.get("log", "")

    @staticmethod
    def getCUBIN(program):
        return program["source"].encode()

    getPTX = getCUBIN  # noqa: N815

    @staticmethod
    def destroyProgram(program):
        program.clear()


class Module:
    def load(self, image):
        self._source = image.decode()

    def get_function(self, name):
        return Kernel(name, self._source)


class Kernel:
    """A kernel of the emitted form ``name(n, *arrays, numbers)``."""

    folder = None

    def __init__(self, name, source):
        if shutil.which("cc") is None:
            pytest.skip("no C compiler to run the kernels")
        self._name = name
        self._run = compiled_as_c(source, self.folder)

    def __call__(self, grid, block, args, shared_mem=0, stream=None):
        n, *arrays = args
        assert isinstance(n, np.int64), "the kernel's long long takes an np.int64"
        assert grid[0] * block[0] >= n > (grid[0] - 1) * block[0]
        for a in arrays:
            assert isinstance(a, ndarray), "a kernel takes arrays of the device"
        LOG.launch(self._name)
        addresses = [a._a.ctypes.data for a in arrays]
        if LOG.recorder is not None:
            LOG.recorder.append(lambda: self._run(int(n), *addresses) and arrays)  # which must stay alive
        else:
            self._run(int(n), *addresses)


# --- put in place -----------------------------------------------------------------------------------------------------


PROPERTIES = {
    "name": b"Stand-in", "totalGlobalMem": 2**33, "major": 9, "minor": 0, "multiProcessorCount": 1,
    "l2CacheSize": 2**20,
}  # fmt: skip
_pool = MemoryPool()
cupy.get_default_memory_pool = lambda: _pool
cupy.cuda = Namespace(
    "cupy.cuda",
    {
        "Stream": Stream, "Graph": Graph, "Event": Event, "MemoryPool": MemoryPool, "nvrtc": nvrtc,
        "using_allocator": using_allocator, "alloc_pinned_memory": alloc_pinned_memory,
        "get_current_stream": lambda: _streams[-1], "get_elapsed_time": get_elapsed_time,
        "function": Namespace("cupy.cuda.function", {"Module": Module}),
        "runtime": Namespace("cupy.cuda.runtime", {
            "getDeviceCount": lambda: 1, "getDevice": lambda: 0, "getDeviceProperties": lambda i: PROPERTIES,
            "runtimeGetVersion": lambda: 12090, "driverGetVersion": lambda: 12090,
            "memGetInfo": lambda: (2**32, 2**33),
        }),
    },
)  # fmt: skip


def own_names():
    """Every name that the stand-in defines itself, with the place in CuPy where it must be."""
    for path, owner in (("cupy", cupy), ("cupy.cuda", cupy.cuda), ("cupy.cuda.function", cupy.cuda.function),
                        ("cupy.cuda.runtime", cupy.cuda.runtime)):  # fmt: skip
        yield from ((path, n) for n in vars(owner) if not n.startswith("_"))
    for path, kind in (("cupy.ndarray", ndarray), ("cupy.cuda.Stream", Stream), ("cupy.cuda.Graph", Graph),
                       ("cupy.cuda.Event", Event), ("cupy.cuda.MemoryPool", MemoryPool), ("cupy.cuda.nvrtc", nvrtc),
                       ("cupy.cuda.function.Module", Module)):  # fmt: skip
        yield from ((path, n) for n in vars(kind) if not n.startswith("_"))


@contextlib.contextmanager
def standing_in(patch, folder):
    """Let ``import cupy`` find the stand-in and make it the back end, in this block; yield its log, empty.

    `folder` is where kernels are compiled, and kept: a GPU must never find the stand-in's.
    """
    Kernel.folder = folder
    patch.setattr(cache, "directory", lambda: folder / "kernels")
    patch.setitem(sys.modules, "cupy", cupy)
    with use_backend("cupy"):
        LOG.clear()
        yield LOG
