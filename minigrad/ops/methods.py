"""Operators and NumPy's method names, attached to Tensor (declared there for type checkers)."""

from typing import Any

from minigrad.autodiff import Node
from minigrad.ops import elementwise, linalg, reductions, shaping
from minigrad.tensor import Tensor

__all__: list[str] = []


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


def _compared(name: str) -> Any:
    """A comparison gives a plain array of booleans: it has no gradient."""

    def compare(self: Tensor, other: Any) -> Any:
        return getattr(self.data, name)(other.data if isinstance(other, Node) else other)

    return compare


def _power(a: Any, b: Any) -> Tensor:
    return elementwise.sqrt(a) if isinstance(b, float) and b == 1 / 2 else elementwise.power(a, b)


def _spread(function: Any) -> Any:
    """Take a shape, or axes, as one tuple or as several arguments, as NumPy's methods do."""

    def method(self: Tensor, *numbers: Any) -> Tensor:
        if len(numbers) == 1 and (numbers[0] is None or isinstance(numbers[0], tuple | list)):
            return function(self, numbers[0])  # type: ignore[no-any-return]
        return function(self, numbers or None)  # type: ignore[no-any-return]

    return method


_ATTACHED = {
    "__add__": elementwise.add,
    "__radd__": _reflected(elementwise.add),
    "__sub__": elementwise.subtract,
    "__rsub__": _reflected(elementwise.subtract),
    "__mul__": elementwise.multiply,
    "__rmul__": _reflected(elementwise.multiply),
    "__truediv__": elementwise.divide,
    "__rtruediv__": _reflected(elementwise.divide),
    "__pow__": _power,
    "__rpow__": _reflected(elementwise.power),
    "__matmul__": linalg.matmul,
    "__rmatmul__": _reflected(linalg.matmul),
    "__neg__": elementwise.negative,
    "__abs__": elementwise.abs,
    "__getitem__": shaping.getitem,
    "sum": reductions.sum,
    "mean": reductions.mean,
    "var": reductions.var,
    "max": reductions.max,
    "min": reductions.min,
    "reshape": _spread(shaping.reshape),
    "transpose": _spread(shaping.transpose),
    "swapaxes": shaping.swapaxes,
    "squeeze": shaping.squeeze,
    "clip": elementwise.clip,
    "astype": elementwise.astype,
    "sqrt": elementwise.sqrt,
    "sign": elementwise.sign,
    "maximum": elementwise.maximum,
    "T": property(shaping.transpose),
} | {name: _compared(name) for name in ("__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__")}

for _name, _method in _ATTACHED.items():
    setattr(Tensor, _name, _method)
