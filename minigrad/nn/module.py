"""Module: a function with parameters.

A module's attributes are what it is made of: a `Parameter` is trained, a bare array is a buffer (saved, not trained),
another module is a part. They may stand in lists, tuples and dicts. Nothing has to be registered.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

import numpy as np

from minigrad import backend
from minigrad.autodiff import wrote
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["Module"]


def _unwritten(self: Any, *inputs: Any) -> Any:
    raise NotImplementedError(f"{type(self).__name__} has no forward method")


class Module:
    """A function with parameters: write ``forward`` and set attributes, and everything else follows from them.

    Attributes:
        training: whether layers that behave differently in training (`Dropout`, `BatchNorm`) do so.
    """

    training: bool = True
    forward: Callable[..., Any] = _unwritten

    def __call__(self, *inputs: Any) -> Any:
        """Return ``self.forward(*inputs)``."""
        return self.forward(*inputs)

    # --- what it is made of ---------------------------------------------------------------------------------------

    def modules(self) -> Iterator["Module"]:
        """Yield this module and every module in it, each once, in the order of their attributes."""
        yield from (m for _, m in _walk(self) if isinstance(m, Module))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield each parameter once, with its name: a tied parameter has the name that comes first."""
        yield from ((name, p) for name, p in _walk(self) if isinstance(p, Parameter))

    def parameters(self) -> Iterator[Parameter]:
        """Yield each parameter once, also where several layers share it."""
        yield from (p for _, p in self.named_parameters())

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """Yield each buffer once with its name: the arrays that are saved with the model but not trained."""
        yield from ((name, b) for name, b in _walk(self) if not isinstance(b, Module | Parameter))

    # --- modes ----------------------------------------------------------------------------------------------------

    def train(self) -> Self:
        """Set this module and all its parts to training, and return it."""
        for m in self.modules():
            m.training = True
        return self

    def eval(self) -> Self:
        """Set this module and all its parts to evaluation, and return it."""
        for m in self.modules():
            m.training = False
        return self

    # --- its state ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, np.ndarray[Any, Any]]:
        """Return copies, on the host, of all parameters and buffers by name; a tied parameter appears once.

        PyTorch returns references, which change as training goes on; these do not.
        """
        return {name: np.array(backend.to_host(array)) for name, array in self._arrays().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> Self:
        """Write `state` into the parameters and buffers, in place, and return this module.

        A graph that still needs the old values raises when it is asked for gradients. Optimizers keep their state.

        Raises:
            ValueError: names are missing or unknown, or a shape is another. Nothing has been written then.
            TypeError: a dtype is another, or an entry is no array, or `state` no dict. Nothing has been written then.
        """
        self.check_state_dict(state)
        own = self._arrays()
        moved = {name: backend.namespace(a).array(backend.to_host(state[name])) for name, a in own.items()}  # copies
        for name, array in own.items():
            array[...] = moved[name]
        wrote(*self.parameters())
        return self

    def check_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raise what `load_state_dict` would raise for `state`, writing nothing."""
        if not isinstance(state, Mapping):
            raise TypeError(f"expected a dict, as state_dict() returns it, got {type(state).__name__}")
        own = self._arrays()
        if missing := [name for name in own if name not in state]:
            raise ValueError(f"the state lacks {_some(missing)}, which {type(self).__name__} has")
        if unknown := [name for name in state if name not in own]:
            raise ValueError(f"the state has {_some(unknown)}, which {type(self).__name__} lacks")
        for name, array in own.items():
            value = state[name].data if isinstance(state[name], Tensor) else state[name]
            if not hasattr(value, "shape") or not hasattr(value, "dtype"):
                raise TypeError(f"{name} must be an array or a tensor, got {type(value).__name__}")
            if value.shape != array.shape:
                raise ValueError(f"{name} has shape {array.shape}, the state gives {value.shape}")
            if value.dtype != array.dtype:
                raise TypeError(
                    f"{name} has dtype {array.dtype}, the state gives {value.dtype}; convert it with astype"
                )

    def _arrays(self) -> dict[str, Any]:
        found = _walk(self)
        return {name: x.data if isinstance(x, Parameter) else x for name, x in found if not isinstance(x, Module)}

    # --- how it reads ---------------------------------------------------------------------------------------------

    def options(self) -> str:
        """Return what stands in the parentheses of this layer's line in a model's listing."""
        return ""

    def __repr__(self) -> str:
        rows = [_row(name, m) for name, m in _walk(self) if isinstance(m, Module)]
        wide, high = max(len(text) for text, _ in rows), max(len(count) for _, count in rows)
        if len(rows) == 1:
            return f"{rows[0][0]}, {rows[0][1]} parameters" if rows[0][1] else rows[0][0]
        lines = [f"{text:<{wide}}  {count:>{high}}".rstrip() for text, count in rows]
        return "\n".join([f"{lines[0]} parameters" if rows[0][1] else lines[0], *lines[1:]])


def _walk(module: Module) -> Iterator[tuple[str, Any]]:
    """Yield the modules, parameters and buffers in a module, each once, depth first, with dotted names.

    Raises ValueError where two have the same name, by which they could not be told apart: ``{1: x, "1": y}``.
    """
    names = set()
    for name, x in _within(module, "", set()):
        if name in names:
            raise ValueError(f"two parts of {type(module).__name__} are both called {name}: choose another key for one")
        names.add(name)
        yield name, x


def _within(value: Any, name: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Module | Parameter) or _is_array(value):
        if id(value) in seen:
            return
        seen.add(id(value))
        yield name, value
    if isinstance(value, Module):
        inside: Any = vars(value).items()
    elif isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list | tuple):
        inside = enumerate(value)
    else:
        return
    for key, x in inside:
        yield from _within(x, f"{name}.{key}" if name else str(key), seen)


def _is_array(value: Any) -> bool:
    """Tell arrays, and not a dtype such as ``np.float32``, whose class has the attributes of its scalars."""
    return hasattr(value, "shape") and hasattr(value, "dtype") and not isinstance(value, np.generic | Tensor | type)


def _row(name: str, module: Module) -> tuple[str, str]:
    count = sum(p.size for p in module.parameters())
    text = f"{type(module).__name__}({module.options()})"
    text = f"  {name}  {text}" if name else text
    return text, f"{count:,}" if count else ""


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
