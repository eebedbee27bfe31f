"""When doors 2 and 3 agree to the last bit, and for how many steps. In general they do not.

Four cases, u being the unit roundoff, p the number of significant bits, and no overflow anywhere:

1. **η = 0.** Then k = 0, a = ±0, b = g, s = 1, p = w: both doors compute fl(w − fl(αg)). They agree for every α, w, g,
   and so, step by step, for ever.
2. **w = 0.** Then a = ±0, b = g, p = 0: both compute fl(0 − fl(αg)). They agree on this step; on the next w ≠ 0.
3. **Only the last operation rounds.** If every operand is a number of the dtype as it stands (k, kw, g + kw and its
   product with α; 1 − η, (1 − η)w and αg), both doors round one and the same number, z, once: x = fl(z) = y. (If
   g = 0, the last operation of door 3 is the product (1 − η)w.) The next step begins from equal weights.
   `agreeing_steps` counts the steps for which this is so, from the numbers alone. With α = 2ⁱ, η = 2⁻ᵐ, 1 ≤ m ≤ p and
   g = 0 it is so for every w until η(1 − η)ᵀw or (η/α)(1 − η)ᵀw is subnormal.
4. **Nothing rounds.** If z is a number of the dtype too, both doors compute the exact trajectory. `exact_steps` counts
   for how many steps: the bits a dyadic trajectory needs grow by those of α and η with every step, and then are more
   than p. It says when the runs are *exact*; they may go on agreeing after that.

The counts come from running the very doors on `Operand`, a number that knows whether it is one of the dtype's. Beyond
them nothing is claimed: the doors may agree by chance, and `share_equal` measures how often they do.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from minigrad.proof.rounding import DOOR2, DOOR3, checked
from minigrad.regularization.checks import nonnegative

__all__ = ["InexactError", "Operand", "agreeing_steps", "exact_steps", "nearest", "share_equal"]


class InexactError(ArithmeticError):
    """A number was to be computed with that the dtype does not have."""


def nearest(x: Fraction, dtype: Any) -> Fraction:
    """Return `x` rounded to `dtype`, ties to even; InexactError if it overflows."""
    info = np.finfo(checked(dtype))
    if not x:
        return x
    exponent = _floor_log2(abs(x))
    spacing = Fraction(2) ** (max(exponent, int(info.minexp)) - int(info.nmant))
    found = round(x / spacing) * spacing
    if abs(found) > Fraction(float(info.max)):
        raise InexactError(f"{float(x):.6g} is beyond the largest {info.dtype}, {info.max}")
    return found


@dataclass(frozen=True)
class Operand:
    """An exact result, which may be used in an operation only if `dtype` has it.

    What an operation returns is not rounded, and not checked before it is itself operated on: so the last operation of
    a door may return what the dtype does not have, and no other. To add or subtract 0 is no operation: it leaves a
    number that was rounded as it is, so that rounding afterwards comes to the same.
    """

    value: Fraction
    dtype: Any

    def __add__(self, other: Any) -> "Operand":
        addend = self._other(other)
        return self._with(self.used() + addend) if addend else self

    def __radd__(self, other: Any) -> "Operand":
        return self.__add__(other)

    def __sub__(self, other: Any) -> "Operand":
        return self.__add__(-self._other(other))

    def __rsub__(self, other: Any) -> "Operand":
        return self._with(self._other(other) - self.used())

    def __mul__(self, other: Any) -> "Operand":
        return self._with(self.used() * self._other(other))

    def __rmul__(self, other: Any) -> "Operand":
        return self._with(self._other(other) * self.used())

    def __truediv__(self, other: Any) -> "Operand":
        return self._with(self.used() / self._other(other))

    def used(self) -> Fraction:
        """Return the value; InexactError if the dtype does not have it."""
        if nearest(self.value, self.dtype) != self.value:
            raise InexactError(f"{self.value} is no {np.dtype(self.dtype)}")
        return self.value

    def _with(self, value: Fraction) -> "Operand":
        return Operand(value, self.dtype)

    def _other(self, other: Any) -> Fraction:
        return (other if isinstance(other, Operand) else self._with(Fraction(other))).used()


def exact_steps(w: Any, gradients: Iterable[Any], lr: float, decay: float, dtype: Any = np.float64) -> int:
    """Return for how many steps from `w` no operation of either door rounds: both are on the exact trajectory.

    Args:
        w: the weights at the start, a number or an array; all are followed, and the first to fail ends the count.
        gradients: one per step, given to both doors; of the shape of `w`, or numbers.
        lr: α > 0.
        decay: η, 0 ≤ η < 1; λ = η/α.
        dtype: float64, float32 or float16.

    Returns:
        A number of steps, at most that of the gradients. For so many, x and y are bit for bit equal in `dtype`.
    """
    return _count(w, gradients, lr, decay, dtype, last_may_round=False)


def agreeing_steps(w: Any, gradients: Iterable[Any], lr: float, decay: float, dtype: Any = np.float64) -> int:
    """Return for how many steps from `w` no operation but the last of each door rounds; arguments as `exact_steps`.

    For so many, x and y are bit for bit equal in `dtype`. At least `exact_steps`.
    """
    return _count(w, gradients, lr, decay, dtype, last_may_round=True)


def share_equal(dtype: Any, *, draws: int, seed: int = 0) -> float:
    """Return which share of random steps ends bit for bit alike: a measurement, not a theorem.

    w and g are normal, α and η log-uniform in [10⁻³, 1] and [10⁻⁴, 0.5], a thousand weights to each pair.
    """
    rng = np.random.default_rng(seed)
    equal, rounds = 0, -(-draws // 1000)
    for _ in range(rounds):
        w, g = rng.standard_normal((2, 1000)).astype(dtype)
        lr, decay = float(10 ** rng.uniform(-3, 0)), float(10 ** rng.uniform(-4, np.log10(0.5)))
        (x,), (y,) = DOOR2(w, g, lr=lr, l2=decay / lr), DOOR3(w, g, lr=lr, decay=decay)
        equal += int(np.count_nonzero(x == y))
    return equal / (1000 * rounds)


def _count(w: Any, gradients: Iterable[Any], lr: float, decay: float, dtype: Any, last_may_round: bool) -> int:
    dtype = checked(dtype)
    if nonnegative("lr", lr) == 0:
        raise ValueError("lr must be > 0: decay / lr is the coefficient of door 2")
    if nonnegative("decay", decay) >= 1:
        raise ValueError(f"decay must be below 1, got {decay!r}")
    w = np.asarray(w)
    gradients = [np.broadcast_to(g, w.shape) for g in gradients]
    return min(
        (_follow(float(v), gradients, i, lr, decay, dtype, last_may_round) for i, v in np.ndenumerate(w)), default=0
    )


def _follow(w: float, gradients: list[Any], i: Any, lr: float, decay: float, dtype: Any, last_may_round: bool) -> int:
    """Run one weight through both doors until an operand is no number of the dtype."""
    alpha, eta, weight = (Operand(Fraction(v), dtype) for v in (float(lr), float(decay), w))
    for t, given in enumerate(gradients):
        g = Operand(Fraction(float(given[i])), dtype)
        try:
            (x,), (y,) = DOOR2(weight, g, lr=alpha, l2=eta / alpha), DOOR3(weight, g, lr=alpha, decay=eta)
            if x != y:
                return t  # other doors than these: nothing is claimed of them
            weight = Operand(nearest(x.value, dtype) if last_may_round else x.used(), dtype)
        except InexactError:
            return t
    return len(gradients)


def _floor_log2(x: Fraction) -> int:
    guess = x.numerator.bit_length() - x.denominator.bit_length()
    return guess if Fraction(2) ** guess <= x else guess - 1
