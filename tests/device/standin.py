"""A CuPy that needs no GPU and forgives nothing: it computes with NumPy what CuPy computes on a device.

It knows the names that CuPy has and no other (`record_names` writes them down), refuses arrays of the host wherever
CuPy refuses them or copies them in silence, and writes down every launch, every copy and every wait (`Log`). So code
that runs on it, and of which the log says what it should, is clean of the host on a GPU too. What it cannot show: that
CuPy computes the same numbers, and how fast.
"""

import json
import types
from pathlib import Path

import numpy as np

from tests.device.log import LOG

__all__ = ["NAMES", "cupy", "device_array", "ndarray"]

NAMES = json.loads(Path(__file__).with_name("cupy_names.json").read_text("utf-8"))
VERSION = NAMES["version"]

# NumPy's functions that tell from the entries how long their result is: the device must be waited for.
COUNTING = {"nonzero", "flatnonzero", "argwhere", "unique", "extract", "compress", "trim_zeros", "setdiff1d"}
UFUNC_OPTIONS = {"out", "dtype", "casting"}
KINDS = "biufc"


class ndarray:  # noqa: N801
    """An array on the device. Its entries are out of the host's sight."""

    __slots__ = ("__weakref__", "_a", "base")
    __hash__ = None

    def __init__(self, a, base=None):
        self._a = a
        self.base = base

    # --- what CuPy refuses ----------------------------------------------------------------------------------------

    def __array__(self, *_, **__):
        raise TypeError("numpy.asarray of a device array: implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, function, method, *inputs, **options):
        raise TypeError(f"numpy.{function.__name__} was given a device array: use the namespace of the array")

    def __array_function__(self, function, kinds, args, options):
        raise TypeError(f"numpy.{function.__name__} was given a device array: use the namespace of the array")

    # --- what reads the device ------------------------------------------------------------------------------------

    def _read(self, name):
        LOG.download(name)
        return self._a

    def __bool__(self):
        return bool(self._read("bool()"))

    def __int__(self):
        return int(self._read("int()"))

    def __float__(self):
        return float(self._read("float()"))

    def __complex__(self):
        return complex(self._read("complex()"))

    def __index__(self):
        return self._read("index()").__index__()

    def __repr__(self):
        return repr(self._read("repr()"))

    __str__ = __repr__

    def __format__(self, how):
        return format(self._read("format()"), how)

    def __reduce__(self):
        return device_array, (self._read("pickle").copy(),)

    def __deepcopy__(self, _):
        return self.copy()

    def get(self, stream=None, order="C", out=None, blocking=True):
        return self._read("get()").copy(order)

    def item(self, *args):
        return self._read("item()").item(*args)

    def tolist(self):
        return self._read("tolist()").tolist()

    def tobytes(self, order="C"):
        return self._read("tobytes()").tobytes(order)

    def set(self, arr, stream=None):
        LOG.upload("set()", arr.nbytes)
        self._a[...] = arr

    # --- what it shows --------------------------------------------------------------------------------------------

    shape = property(lambda self: self._a.shape)
    dtype = property(lambda self: self._a.dtype)
    ndim = property(lambda self: self._a.ndim)
    size = property(lambda self: self._a.size)
    strides = property(lambda self: self._a.strides)
    itemsize = property(lambda self: self._a.itemsize)
    nbytes = property(lambda self: self._a.nbytes)
    flags = property(lambda self: self._a.flags)
    T = property(lambda self: self.transpose())
    real = property(lambda self: called("real", np.real, (self,), {}))
    imag = property(lambda self: called("imag", np.imag, (self,), {}))
    data = property(lambda self: types.SimpleNamespace(ptr=self._a.__array_interface__["data"][0]))

    def __len__(self):
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getattr__(self, name):
        if name.startswith("__") or name not in NAMES["cupy.ndarray"] or not hasattr(np.ndarray, name):
            raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")

        def method(*args, **options):
            known = NAMES["cupy"].get(name)
            if isinstance(known, list) and name not in ("reshape", "transpose"):  # which take lengths one by one
                refuse_unknown(name, known, (self, *args), options)
            return called(name, getattr(np.ndarray, name), (self, *args), options)

        return method

    # --- parts ----------------------------------------------------------------------------------------------------

    def __getitem__(self, index):
        index = plain_index(index)
        index = index if isinstance(index, tuple) else (index,)
        index = index if any(i is Ellipsis for i in index) else (*index, ...)  # so that a single entry is a view
        return called("getitem", lambda a: a[index], (self,), {})

    def __setitem__(self, index, value):
        index = plain_index(index)
        if isinstance(value, list | tuple):
            raise TypeError(f"cupy.setitem: a {type(value).__name__} was given")
        if isinstance(value, ndarray) and value._a.__array_interface__ == self._a[index].__array_interface__:
            return  # x[...] += y ends so
        refuse_host("setitem", (value,))
        write("setitem", self._a, lambda: self._a.__setitem__(index, value._a if isinstance(value, ndarray) else value))


def plain_index(index):
    """The index as NumPy takes it; an array of the host is refused, and how much a mask selects is waited for."""
    if isinstance(index, tuple):
        return tuple(map(plain_index, index))
    if isinstance(index, list):
        LOG.upload("an index of the host", 8 * len(index))
        return index
    if isinstance(index, np.ndarray):
        raise TypeError("an index of the host was used on a device array")
    if isinstance(index, ndarray):
        if index.dtype.kind == "b":
            LOG.wait("a boolean index")
        return index._a
    return index


def refuse_host(name, values):
    for value in values:
        if isinstance(value, np.ndarray):
            raise TypeError(f"cupy.{name}: an array of the host was given, unsupported type {type(value)}")
        if isinstance(value, list | tuple):
            refuse_host(name, value)


def refuse_unknown(name, known, args, options):
    """Raise TypeError for an argument that CuPy's function of this name does not take."""
    if known == "ufunc":
        stray = options.keys() - UFUNC_OPTIONS
    else:
        named = [p for p in known if not p.startswith("*")]
        stray = set() if any(p.startswith("**") for p in known) else options.keys() - set(named)
        if len(args) > len(named) and not any(p.startswith("*") for p in known):
            raise TypeError(f"cupy.{name} takes {len(named)} arguments, got {len(args)}")
    if stray:
        raise TypeError(f"cupy.{name} has no argument {', '.join(sorted(stray))}")


def unwrapped(value):
    if isinstance(value, ndarray):
        return value._a
    if isinstance(value, list | tuple):
        return type(value)(map(unwrapped, value))
    return value


def arrays_in(values):
    for value in values:
        if isinstance(value, ndarray):
            yield value
        elif isinstance(value, list | tuple):
            yield from arrays_in(value)


def called(name, function, args, options, into=None):
    """Carry out a function of device arrays; what is not a view of them was launched."""
    refuse_host(name, (*args, *options.values()))
    plain, named = unwrapped(args), {k: unwrapped(v) for k, v in options.items()}
    if into is None and isinstance(options.get("out"), ndarray):
        into = options["out"]
    if into is not None:
        write(name, into._a, lambda: function(*plain, **named | {"out": into._a}))
        return into
    sources = list(arrays_in((*args, *options.values())))

    def again():
        return function(*plain, **named)

    with np.errstate(all="ignore"):
        return wrapped(name, again(), sources, again)


def wrapped(name, found, sources, again):
    """A result as device arrays; while a graph is recorded, nothing has been computed yet."""
    if isinstance(found, list | tuple):
        return type(found)(
            wrapped(name, part, sources, lambda i=i: again()[i]) for i, part in enumerate(found)
        )  # fmt: skip
    if not isinstance(found, np.ndarray | np.generic):
        return found
    a = np.asarray(found)
    if a.dtype.kind not in KINDS:
        raise TypeError(f"cupy.{name}: dtype {a.dtype} cannot live on a device")
    for source in sources:
        if a.size and np.may_share_memory(a, source._a):
            return ndarray(a, source if source.base is None else source.base)
    a = a.copy() if a.base is not None and not sources else a
    LOG.launch(name)
    if LOG.recorder is not None:
        a = np.zeros_like(a)
        LOG.recorder.append(lambda: np.copyto(a, again()))
    return ndarray(a)


def write(name, target, action):
    """Carry out what writes memory that is there already; while a graph is recorded, when it is replayed."""
    LOG.launch(name)
    if LOG.recorder is not None:
        LOG.recorder.append(action)
        return
    with np.errstate(all="ignore"):
        action()


def device_array(a, dtype=None):
    """An array of the host, or what makes one, copied to the device."""
    a = np.array(a, dtype=dtype)
    if a.dtype.kind not in KINDS:
        raise TypeError(f"cupy.array: dtype {a.dtype} cannot live on a device")
    return ndarray(a)


# --- operators --------------------------------------------------------------------------------------------------------


def defers(value):
    return not isinstance(value, ndarray | np.ndarray | np.generic | int | float | complex)


def operator_of(name, ufunc, reflected=False):
    def method(self, other):
        if defers(other):
            return NotImplemented
        return called(ufunc.__name__, ufunc, (other, self) if reflected else (self, other), {})

    return method


def in_place(ufunc):
    def method(self, other):
        if defers(other):
            return NotImplemented
        return called(ufunc.__name__, ufunc, (self, other), {}, into=self)

    return method


BINARY = {
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.true_divide, "floordiv": np.floor_divide,
    "mod": np.mod, "pow": np.power, "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "lshift": np.left_shift, "rshift": np.right_shift, "matmul": np.matmul,
}  # fmt: skip
COMPARED = {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal, "eq": np.equal,
    "ne": np.not_equal,
}  # fmt: skip
UNARY = {"neg": np.negative, "abs": np.absolute, "invert": np.invert, "pos": np.positive}
for _name, _ufunc in BINARY.items():
    for _dunder, _method in (
        (f"__{_name}__", operator_of(_name, _ufunc)),
        (f"__r{_name}__", operator_of(_name, _ufunc, reflected=True)),
        (f"__i{_name}__", in_place(_ufunc)),
    ):
        if _dunder in NAMES["cupy.ndarray"]:
            setattr(ndarray, _dunder, _method)
for _name, _ufunc in COMPARED.items():
    setattr(ndarray, f"__{_name}__", operator_of(_name, _ufunc))
for _name, _ufunc in UNARY.items():
    setattr(ndarray, f"__{_name}__", lambda self, f=_ufunc: called(f.__name__, f, (self,), {}))
ndarray.__module__ = "cupy"


# --- the module -------------------------------------------------------------------------------------------------------


class Namespace(types.ModuleType):
    """A module that has the names of CuPy's, and computes with NumPy's."""

    def __init__(self, name, own, like=None):
        super().__init__(name)
        self.__dict__.update(own)
        self._like = like

    def __getattr__(self, name):
        known = NAMES.get(self.__name__, {})
        if name not in known or self._like is None or not hasattr(self._like, name):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        found = getattr(self._like, name)
        if isinstance(found, type) or not callable(found):
            return found
        return Function(name, known[name], found)


class Function:
    """A function of the namespace, with the parameters that CuPy's has."""

    def __init__(self, name, known, function):
        self.__name__, self._known, self._function = name, known, function

    def __call__(self, *args, **options):
        if self._known is not None:
            refuse_unknown(self.__name__, self._known, args, options)
        if self._known != "ufunc" and self.__name__ not in MAKES:
            first = args[0] if args else next(iter(options.values()), None)
            if not isinstance(first, str) and next(arrays_in((*args, *options.values())), None) is None:
                raise TypeError(f"cupy.{self.__name__} takes device arrays, got {type(first).__name__}")
        if self.__name__ in COUNTING or (self.__name__ == "where" and len(args) == 1):
            LOG.wait(f"{self.__name__}()")
        options = {k: v for k, v in options.items() if not (k == "subok" and v is None)}
        return called(self.__name__, self._function, args, options)

    def at(self, x, index, *values):
        """``cupy.add.at``: an unbuffered addition."""
        refuse_host(f"{self.__name__}.at", values)
        index, values = plain_index(index), unwrapped(values)
        write(f"{self.__name__}.at", x._a, lambda: self._function.at(x._a, index, *values))


MAKES = {"zeros", "ones", "full", "arange", "eye", "linspace", "identity", "broadcast_shapes", "result_type",
         "can_cast", "promote_types", "finfo", "iinfo", "isscalar"}  # fmt: skip


def array(obj, dtype=None, copy=True, order="K", subok=False, ndmin=0, *, blocking=False):
    if isinstance(obj, ndarray):
        return called("array", lambda a: np.array(a, dtype=dtype, copy=copy, order=order), (obj,), {})
    found = device_array(obj, dtype)
    LOG.upload("array()", found.nbytes)
    return found


def asarray(a, dtype=None, order=None, *, copy=None, blocking=False):
    if isinstance(a, ndarray):
        if dtype is None or a.dtype == dtype:
            return a
        return called("asarray", lambda a: a.astype(dtype), (a,), {})
    found = device_array(a, dtype)
    LOG.upload("asarray()", found.nbytes)
    return found


def empty(shape, dtype=float, order="C"):
    return ndarray(np.empty(shape, dtype))


def empty_like(prototype, dtype=None, order="K", subok=None, shape=None):
    return ndarray(np.empty_like(prototype._a, dtype=dtype))


def asnumpy(a, stream=None, order="C", out=None, *, blocking=True):
    return a.get() if isinstance(a, ndarray) else np.asarray(a)


cupy = Namespace(
    "cupy",
    {
        "__version__": VERSION, "ndarray": ndarray, "array": array, "asarray": asarray, "empty": empty,
        "empty_like": empty_like, "asnumpy": asnumpy, "is_available": lambda: True,
        "lib": types.SimpleNamespace(
            stride_tricks=Namespace("cupy.lib.stride_tricks", {}, np.lib.stride_tricks),
        ),
    },
    np,
)  # fmt: skip
