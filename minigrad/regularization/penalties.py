"""Penalties Ω(w), each with its three faces: the value, the gradient, the proximal step.

The faces are static functions of (w, coefficients), free of any array library; the doors take them one at a time, so
no door is computed through another. An instance holds coefficients and a choice of parameters, and is called on
parameters to give the number that door 1 adds to the loss.
"""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from minigrad.regularization.checks import Scheduled, at_step, integer, nonnegative, scheduled
from minigrad.regularization.column import Column
from minigrad.regularization.selection import EXPECTED, On, listed, selector
from minigrad.rules.functions import maximum, sign

__all__ = ["L1", "L2", "ElasticNet", "Penalty"]


class Penalty:
    """A penalty Ω with coefficients, on a choice of parameters. The base of `L2`, `L1` and `ElasticNet`.

    In the gradient and as a proximal step a coefficient may be a 1-d array with one number for each of many models
    that are trained at once (`Optimizer`).
    """

    value: ClassVar[Callable[..., Any]]
    gradient: ClassVar[Callable[..., Any]]
    prox: ClassVar[Callable[..., Any]]

    def __init__(self, on: On, **coefficients: Scheduled):
        self.on = on
        self.selects = selector(on)
        self.coefficients = {name: scheduled(name, c) for name, c in coefficients.items()}

    def at(self, step: int | None) -> dict[str, Any]:
        """Return the coefficients in force at the 0-based `step`, by name."""
        if step is None and any(callable(c) for c in self.coefficients.values()):
            raise ValueError(f"{self!r} has a coefficient that depends on the step; pass step=")
        return {name: at_step(name, c, step) for name, c in self.coefficients.items()}

    def __call__(self, params: Iterable[Any], step: int | None = None) -> Any:
        """Return Ω summed over the chosen parameters, to be added to the data loss (door 1).

        A parameter met twice counts once. The result is a tensor that knows where it came from, or 0 if nothing
        was chosen.

        Raises TypeError for what is no iterable of parameters or tensors: a module, one parameter (its rows have no
        role), bare arrays (they have no gradient), pairs with names; and for a coefficient that is an array, since a
        sum over all models has no room for it. ValueError where there are none: a generator, such as
        ``model.parameters()``, is used up by its first sum.
        """
        if arrays := [name for name, c in self.coefficients.items() if isinstance(c, Column)]:
            raise TypeError(
                f"{arrays[0]} is an array, one number for each model, and a penalty in the loss is one number for all: "
                "give this penalty to an optimizer, as regularizer="
            )
        chosen = {id(p): p for p in _parameters(params) if self.selects(p)}
        return sum(type(self).value(p, **self.at(step)) for p in chosen.values())

    def __repr__(self) -> str:
        coefficients = ", ".join(f"{name}={c!r}" for name, c in self.coefficients.items())
        return f"{type(self).__name__}({coefficients}, on={self.on!r})"


class L2(Penalty):
    """Ω(w) = (λ/2) Σw², whose gradient is λ w: ``L2(l2)``.

    The ½ is the convention in which λ = η/α is the identity with weight decay, and in which libraries' coupled
    ``weight_decay`` argument is λ. Keras's ``regularizers.L2(c)`` is `full`. By default it acts on weights only.
    """

    def __init__(self, l2: Scheduled, on: On = "weights"):
        super().__init__(on, l2=l2)

    @staticmethod
    def value(w: Any, *, l2: Any) -> Any:
        """(λ/2) Σw²."""
        return l2 / 2 * (w**2).sum()

    @staticmethod
    def gradient(w: Any, *, l2: Any) -> Any:
        """λ w."""
        return l2 * w

    @staticmethod
    def prox(w: Any, *, lr: Any, l2: Any) -> Any:
        """w / (1 + α λ), the minimiser of Ω(x) + (x − w)²/(2α)."""
        return w / (1 + lr * l2)

    @classmethod
    def full(cls, coefficient: float, on: On = "weights") -> "L2":
        """Return Ω(w) = c Σw², without the ½: its λ is 2c, its equivalent decay η = 2 α c."""
        return cls(2 * nonnegative("coefficient", coefficient), on)

    @classmethod
    def per_example(cls, coefficient: float, *, examples: int, on: On = "weights") -> "L2":
        """Return Ω(w) = c/(2n) Σw² with n = `examples`, the size of the training set (never of the batch): λ = c/n."""
        examples = integer("examples, the number of training examples,", examples)
        return cls(nonnegative("coefficient", coefficient) / examples, on)


class L1(Penalty):
    """Ω(w) = c Σ|w|: ``L1(l1)``. Its subgradient is c sign(w), with 0 at 0; its proximal step the soft threshold.

    Only the proximal step makes weights exactly zero and keeps them there; the subgradient makes them oscillate
    around zero by α c.
    """

    def __init__(self, l1: Scheduled, on: On = "weights"):
        super().__init__(on, l1=l1)

    @staticmethod
    def value(w: Any, *, l1: Any) -> Any:
        """c Σ|w|."""
        return l1 * abs(w).sum()

    @staticmethod
    def gradient(w: Any, *, l1: Any) -> Any:
        """c sign(w)."""
        return l1 * sign(w)

    @staticmethod
    def prox(w: Any, *, lr: Any, l1: Any) -> Any:
        """sign(w) max(|w| − α c, 0), the soft threshold."""
        return sign(w) * maximum(abs(w) - lr * l1, 0)


class ElasticNet(Penalty):
    """Ω(w) = c Σ|w| + (λ/2) Σw²: ``ElasticNet(l1, l2)``.

    Source: Zou and Hastie, "Regularization and variable selection via the elastic net", 2005, whose λ₂ has no ½.
    """

    def __init__(self, l1: Scheduled, l2: Scheduled, on: On = "weights"):
        super().__init__(on, l1=l1, l2=l2)

    @staticmethod
    def value(w: Any, *, l1: Any, l2: Any) -> Any:
        """c Σ|w| + (λ/2) Σw²."""
        return L1.value(w, l1=l1) + L2.value(w, l2=l2)

    @staticmethod
    def gradient(w: Any, *, l1: Any, l2: Any) -> Any:
        """c sign(w) + λ w."""
        return L1.gradient(w, l1=l1) + L2.gradient(w, l2=l2)

    @staticmethod
    def prox(w: Any, *, lr: Any, l1: Any, l2: Any) -> Any:
        """Soft threshold at α c, then division by 1 + α λ."""
        return L2.prox(L1.prox(w, lr=lr, l1=l1), lr=lr, l2=l2)


def _parameters(params: Any) -> list[Any]:
    found = listed(params, "penalise")
    for i, p in enumerate(found):
        if not hasattr(p, "requires_grad"):
            hint = "; it has no gradient, wrap it: mg.nn.Parameter(array)" if hasattr(p, "dtype") else ""
            hint = "; leave the names out" if isinstance(p, tuple) else hint
            hint = "; pass its .parameters()" if hasattr(p, "parameters") else hint
            raise TypeError(f"{EXPECTED}, got {type(p).__name__} at position {i}{hint}")
    return found
