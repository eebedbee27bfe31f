"""The switch between NumPy and CuPy, and the only file that knows both.

Code that computes asks `namespace` for the array module that belongs to its operands; code that creates asks
`current`, the default back end of this context. Nothing else in minigrad imports CuPy, and nothing but `to_host`
brings an array back to the host.
"""

import functools
import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from typing import Any

import numpy as np

from minigrad.regularization import column
from minigrad.rules import functions

__all__ = [
    "Graph", "Ring", "Stopwatch", "cache", "compiled", "compiler", "constant", "current", "describe_devices", "devices",
    "free_memory", "launch", "namespace", "ones_like", "release", "to_host", "use_backend", "zeros",
]  # fmt: skip

_NAMES = ("numpy", "cupy")
_OBJECT = np.dtype(object)
_current: ContextVar[Any] = ContextVar("minigrad_backend", default=np)


def current() -> Any:
    """Return the array module in which new tensors are made: ``numpy``, unless `use_backend` chose another."""
    return _current.get()


class use_backend:  # noqa: N801 -- reads as a function: mg.use_backend("cupy")
    """Make ``"numpy"`` or ``"cupy"`` the back end of new tensors.

    ``use_backend("cupy")`` switches from here on; ``with use_backend("cupy"):`` switches back at the end of the
    block. The choice belongs to the current context (thread or task). Existing tensors stay where they are.

    Raises ValueError for another name, ImportError where CuPy is not installed, and RuntimeError where there is no
    driver, too old a one, no GPU or no memory left; the back end is then unchanged.
    """

    def __init__(self, name: str):
        self._token: Token[Any] | None = _current.set(_load(name))

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)
            self._token = None


@contextmanager
def module(chosen: Any) -> Iterator[None]:
    """Within this block, make new tensors in an array module that is not chosen by name."""
    token = _current.set(chosen)
    try:
        yield
    finally:
        _current.reset(token)


def namespace(x: Any) -> Any:
    """Return the array module that computes with `x`: an array, or a tensor around one. Plain numbers are NumPy's."""
    return np if type(x) is np.ndarray else _module(type(_array(x))) or np


def to_host(x: Any) -> np.ndarray[Any, Any]:
    """Return `x` as a NumPy array on the host. On a GPU this copies, and waits for the work that makes `x`."""
    x = _array(x)
    return np.asarray(x.get() if _module(type(x)) not in (None, np) else x)


def look(x: Any, at: Callable[[Any], Any]) -> None:
    """Call ``at(x)``, which may raise, for an array on the host; of a step that is recorded, whenever it is run.

    Arrays on a GPU are not looked at: that would wait for it.
    """
    if namespace(x) is np:
        at(x)
    elif hasattr(x, "again"):
        x.again(at)


def cache(x: Any) -> int | None:
    """Return how many bytes a loop over `x` in Python should have in hand at a time: few enough for a CPU's cache.

    None on a GPU, where every call is a launch and all is best done at once.
    """
    return 2**22 if namespace(x).__name__ == "numpy" else None


def devices() -> list[dict[str, Any]]:
    """Return what each GPU is and what drives it: its name, its bytes of memory and of L2 cache, and versions.

    Raises ImportError or RuntimeError as `use_backend` does.
    """
    cupy = _load("cupy")
    driver, cuda = (_release(getattr(cupy.cuda.runtime, f"{of}GetVersion")()) for of in ("driver", "runtime"))
    found = []
    for device in range(cupy.cuda.runtime.getDeviceCount()):
        properties = cupy.cuda.runtime.getDeviceProperties(device)
        found.append({
            "name": properties["name"].decode(), "memory": properties["totalGlobalMem"],
            "capability": f"{properties['major']}.{properties['minor']}",
            "multiprocessors": properties.get("multiProcessorCount"), "l2": properties.get("l2CacheSize"),
            "cuda": cuda, "driver": driver, "cupy": cupy.__version__,
        })  # fmt: skip
    return found


def describe_devices() -> list[str]:
    """Return a line for each GPU, with its memory and what drives it; or one that says why none can be used."""
    try:
        return [
            f"{d['name']}, {d['memory'] / 2**30:.0f} GiB, compute capability {d['capability']}, CUDA {d['cuda']} "
            f"(driver: {d['driver']}), CuPy {d['cupy']}"
            for d in devices()
        ]
    except (ImportError, RuntimeError) as error:
        return [f"none: {error}"]


# --- what minigrad compiles, sends and records itself -----------------------------------------------------------------

_OPTIONS = ("--fmad=false", "--std=c++14")  # and no -ftz, which CuPy appends to kernels that it compiles
_THREADS = 256


def compiled(source: str, architecture: str) -> bytes:
    """Return CUDA C as PTX for an architecture such as "compute_90", as a binary for "sm_90". Needs no GPU.

    Every operation is rounded by itself as IEEE 754 asks, and subnormal numbers are kept.

    Raises RuntimeError with the compiler's log.
    """
    nvrtc = _cupy().cuda.nvrtc
    program = nvrtc.createProgram(source, "minigrad.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"--gpu-architecture={architecture}", *_OPTIONS))
        made: bytes = (nvrtc.getCUBIN if architecture.startswith("sm_") else nvrtc.getPTX)(program)
    except nvrtc.NVRTCError as error:
        raise RuntimeError(f"NVRTC: {nvrtc.getProgramLog(program)}\n{source}") from error
    finally:
        nvrtc.destroyProgram(program)
    return made


def compiler() -> str:
    """Return what decides, beside source and architecture, what `compiled` makes: NVRTC's version and its options."""
    version = ".".join(map(str, _cupy().cuda.nvrtc.getVersion()))
    return " ".join(["NVRTC", version, *_OPTIONS])


def launch(source: str, name: str, n: int, arrays: Sequence[Any], make: Callable[[str, str], bytes] = compiled) -> None:
    """Start the kernel `name` of `source` on `n` threads: ``name(n, *arrays)``.

    It is compiled once per device, by `make`, which is called as `compiled` is.
    """
    if n:
        kernel = _kernel(_cupy(), _cupy().cuda.runtime.getDevice(), source, name, make)
        kernel((-(-n // _THREADS),), (_THREADS,), (np.int64(n), *arrays))


@functools.cache
def _kernel(cupy: Any, device: int, source: str, name: str, make: Callable[[str, str], bytes]) -> Any:
    found = cupy.cuda.runtime.getDeviceProperties(device)
    module = cupy.cuda.function.Module()
    module.load(make(source, f"sm_{found['major']}{found['minor']}"))
    return module.get_function(name)


class Ring:
    """Numbers on their way to the device: copies out of pinned memory, for which nobody waits.

    The host writes them to one slot after the other, and to none that is still in flight.
    """

    def __init__(self, nbytes: int, slots: int = 64):
        cupy = _cupy()
        self._host = np.frombuffer(cupy.cuda.alloc_pinned_memory(slots * nbytes), np.uint8, slots * nbytes)
        self._host = self._host.reshape(slots, nbytes)
        self._device = cupy.empty((slots, nbytes), np.uint8)
        self._sent = [cupy.cuda.Event(disable_timing=True) for _ in range(slots)]
        self._next = 0

    def send(self, values: np.ndarray[Any, Any], to: Any = None) -> Any:
        """Copy `values` to the beginning of the array `to`, or to a slot on the device; return where they are."""
        slot, self._next = self._next, (self._next + 1) % len(self._sent)
        if not self._sent[slot].done:
            self._sent[slot].synchronize()
        row = self._host[slot, : values.nbytes]
        row.view(values.dtype)[...] = values
        to = self._device[slot, : values.nbytes].view(values.dtype) if to is None else to
        stream = _cupy().cuda.get_current_stream()
        to.data.copy_from_host_async(row.ctypes.data, values.nbytes, stream)
        self._sent[slot].record(stream)
        return to


class Graph:
    """Work for the device that is recorded once and launched as a whole, with a stream and a memory pool of its own."""

    def __init__(self) -> None:
        cuda = _cupy().cuda
        self._stream, self._pool = cuda.Stream(non_blocking=True), cuda.MemoryPool()
        self._recorded: Any = None

    @contextmanager
    def order(self) -> Iterator[None]:
        """Queue what is done in this block after what was queued before, and what comes later after it."""
        caller = _cupy().cuda.get_current_stream()
        self._stream.wait_event(caller.record())
        with self._stream:
            yield
        caller.wait_event(self._stream.record())

    @contextmanager
    def place(self) -> Iterator[None]:
        """The same, with memory from the pool, which keeps it for the recorded work."""
        with self.order(), _cupy().cuda.using_allocator(self._pool.malloc):
            yield

    def record(self, work: Callable[[], Any]) -> Any:
        """Call `work` and record what it launches, which is not executed; return its result."""
        with self.place():
            self._stream.begin_capture()
            try:
                found = work()
            except BaseException:
                with suppress(Exception):  # what was begun cannot be used
                    self._stream.end_capture()
                raise
            self._recorded = self._stream.end_capture()
        return found

    def launch(self) -> None:
        """Execute what was recorded, on the stream of `order`."""
        self._recorded.launch(self._stream)

    def count(self) -> int | None:
        """Return how many kernels and copies are recorded, or None where CUDA's own drawing of the graph shows none."""
        return len(set(re.findall(r"graph_\d+_node_\d+", self._recorded.debug_dot_str()))) or None


# --- what is measured -------------------------------------------------------------------------------------------------


class Stopwatch:
    """The device's own clock: marks among its work, and the seconds from one to another."""

    def mark(self) -> Any:
        """Return a mark behind all work that was queued on the current stream."""
        event = _cupy().cuda.Event()
        event.record(_cupy().cuda.get_current_stream())
        return event

    def between(self, first: Any, last: Any) -> float:
        """Return the seconds that the device took from one mark to another, both of which it has passed."""
        return float(_cupy().cuda.get_elapsed_time(first, last)) / 1000

    def wait(self) -> None:
        """Wait until the device has done all work of the current stream."""
        self.mark().synchronize()


def free_memory() -> int:
    """Return how many bytes of the GPU's memory are free."""
    return int(_cupy().cuda.runtime.memGetInfo()[0])


def release() -> None:
    """Give memory that is no longer used back to the GPU; CuPy keeps it for what comes next."""
    _cupy().get_default_memory_pool().free_all_blocks()


# --- exact numbers: NumPy's object arrays, whose entries have a type of their own -------------------------------------


def constant(x: Any, number: Any) -> Any:
    """Return a number in the arithmetic of `x`: itself, or the array 0 · x + number where x has exact entries.

    Beside an object array a bare 0 or 1 would become an entry, and at the first division a float.
    """
    return 0 * x + number if getattr(x, "dtype", _OBJECT) == _OBJECT else number


def ones_like(x: Any) -> Any:
    """Return ones of the shape and dtype of the array `x`; where that is object, of the type of its entries."""
    return np.asarray(constant(x, 1)) if x.dtype == object else namespace(x).ones_like(x)


def zeros(shape: Any, x: Any) -> Any:
    """Return zeros of the dtype of `x`; where that is object, of the type of its entries."""
    x = x if hasattr(x, "dtype") else np.asarray(x)  # of 0-d object arrays NumPy makes bare numbers
    found = namespace(x).zeros(shape, x.dtype)
    if x.dtype == object and x.size:
        found[...] = 0 * x.flat[0]
    return found


# NumPy orders and roots exact numbers by what Python makes of their operators, in which an int or a float passes
# unseen. On object arrays the rules' own functions are taken entry by entry. A comparison is what the entries make of
# it: minigrad's balls raise where it is undecided, a bare flint.arb answers False. sign, relu, maximum and minimum
# refuse one, since it has no such method; abs, leaky_relu, clip, max and min take that answer.
for _function, _array_function in (
    (functions.sqrt, np.sqrt),
    (functions.sign, np.sign),
    (functions.maximum, np.maximum),
):
    _entry_function = np.frompyfunc(_function, _array_function.nin, 1)
    _function.register(
        np.ndarray,
        lambda x, *y, entry=_entry_function, array=_array_function: (
            entry if (x if hasattr(x, "dtype") else y[0]).dtype == object else array
        )(x, *y),
    )


def _array(x: Any) -> Any:
    """Return the array of a tensor; anything else as it is (arrays, too, have an attribute named ``data``)."""
    return x if _module(type(x)) else getattr(x, "data", x)


def _module(kind: type) -> Any:
    """Return the array module that owns an array type, or None if `kind` is no array type."""
    if issubclass(kind, (np.ndarray, np.generic)):
        return np
    if kind.__module__.partition(".")[0] == "cupy":
        return _cupy()
    return getattr(kind, "array_module", None)  # of arrays of ours, in a step that is recorded


def _cupy() -> Any:
    """Return CuPy. Its arrays have neither ``__array_namespace__`` nor ``sqrt``: what rules use learns them."""
    cupy = sys.modules.get("cupy") or importlib.import_module("cupy")
    kind: Any = getattr(cupy, "ndarray", None)
    if kind not in _taught:
        _taught.add(kind)
        for name in ("sqrt", "sign", "maximum"):
            getattr(functions, name).register(kind, getattr(cupy, name))
        column.placed.register(kind, lambda array, numbers: cupy.asarray(numbers, dtype=array.dtype))
    return cupy


_taught: set[Any] = {None}


def _load(name: str) -> Any:
    if name == "numpy":
        return np
    if name != "cupy":
        raise ValueError(f"backend must be one of {', '.join(_NAMES)}, got {name!r}")
    try:
        cupy = _cupy()
    except ImportError as error:
        known = importlib.util.find_spec("cupy") if "cupy" not in sys.modules else None
        broken = f"CuPy is installed but cannot be imported ({error}); reinstall it: " if known else ""
        raise ImportError(
            f"{broken}the cupy back end needs CuPy: install the extra of your CUDA version, "
            'pip install -e ".[cuda12]" or ".[cuda13]"'
        ) from error
    if cupy not in _usable:
        if obstacle := _obstacle(cupy):
            raise RuntimeError(obstacle)
        _usable.add(cupy)
    return cupy


_usable: set[Any] = set()


def _obstacle(cupy: Any) -> str | None:
    """Return why CuPy cannot compute here, and what to install or change; or None. Takes a little of the device."""
    runtime, choose = cupy.cuda.runtime, "; CUDA_VISIBLE_DEVICES chooses one of several GPUs"
    driver, built = runtime.driverGetVersion(), runtime.runtimeGetVersion()
    if driver == 0:
        return "CuPy is installed but finds no NVIDIA driver: install one, and check that nvidia-smi sees the GPU"
    if driver // 1000 < built // 1000:
        return (
            f"the NVIDIA driver is too old: it knows CUDA {_release(driver)}, and this CuPy needs CUDA "
            f"{built // 1000}: update the driver, or install the extra of its version (cuda12, cuda13)"
        )
    try:
        if runtime.getDeviceCount() == 0:
            return f"CuPy finds no GPU: check that nvidia-smi sees one{choose}"
        cupy.empty(1)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or "MemoryAllocation" in str(error):
            return f"the GPU has no memory left ({error}): end what else uses it (nvidia-smi){choose}"
        return f"CuPy finds no usable GPU ({error}): check that nvidia-smi sees one{choose}"
    return None


def _release(version: int) -> str:
    return f"{version // 1000}.{version % 1000 // 10}"
