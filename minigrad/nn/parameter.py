"""Parameter: a tensor that training changes."""

import weakref
from typing import Any

from minigrad.tensor import Tensor

__all__ = ["ROLES", "Parameter"]

ROLES = ("weight", "bias", "scale")


class Parameter(Tensor):
    """A leaf tensor that requires gradients, with a role: ``Parameter(array, role="weight")``.

    The array is copied. Its role ("weight", "bias" or "scale") is what regularisation chooses parameters by. An
    optimizer moves the values into a flat buffer of its own, of which `data` is then a view: write into ``data[...]``
    rather than bind ``data`` anew. `grad` is likewise a view, into the optimizer's gradient buffer: the next `backward`
    after `zero_grad` writes there again, so that an old reference to ``p.grad`` changes. To keep a gradient, copy it.

    Attributes:
        role: what the parameter is for.
        grad_home: where `backward` puts the first gradient: a view into the optimizer's gradient buffer, or None.

    A copy (``copy.deepcopy``, pickle) is a parameter of its own, without gradient and without optimizer, and frozen
    (``requires_grad = False``) if this one is.

    Raises ValueError for another role, TypeError for integers and booleans.
    """

    __slots__ = ("_owner", "grad_home", "role")

    grad_home: Any
    role: str
    _owner: "weakref.ref[Any] | None"

    def __init__(self, array: Any, role: str = "weight"):
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}, got {role!r}")
        super().__init__(array, requires_grad=True)
        self.role = role
        self.grad_home = None
        self._owner = None

    @property
    def owner(self) -> Any:
        """The newest optimizer made for this parameter, or None if there is none, or none any more."""
        return None if self._owner is None else self._owner()

    @owner.setter
    def owner(self, optimizer: Any) -> None:
        self._owner = weakref.ref(optimizer)  # weak: a model does not keep the state of a discarded optimizer

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.data, self.role), (None, {"requires_grad": self.requires_grad})
