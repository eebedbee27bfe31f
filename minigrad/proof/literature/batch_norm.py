"""Batch norm forgets the scale of the weights before it: f(cw) = f(w), exactly for ε = 0, and nearly for ε > 0.

f(w) = BN(Xw) with BN(z) = scale · (z − mean)/√(σ² + ε) + bias over the batch. **For ε = 0**, c > 0 and σ > 0:

- f(cw) = f(w) (for c < 0 the normalised entries change sign);
- w · ∇L(w) = 0 for every loss L of f(w): gradients never change ‖w‖ to first order, only decay does;
- ∇L(cw) = ∇L(w)/c: a smaller weight has a larger gradient. With the first line, a step of gradient descent with α at w
  turns the weight as one with α/‖w‖² does at w/‖w‖. So all that L2 does to it is to set this effective learning rate.

**For ε > 0**, with s = ε/σ² (σ² the variance of Xw) and x̂ = (z − mean)/σ, exactly

    f(cw) − f(w) = scale · x̂ · [(1 + s/c²)^(−1/2) − (1 + s)^(−1/2)],        w · ∇f = scale · x̂ · s (1 + s)^(−3/2).

The slope of (1 + s)^(−1/2) is −½(1 + s)^(−3/2), which grows, so by the mean value theorem, with s₊ = max(s, s/c²),

    ½ |scale x̂| |s/c² − s| (1 + s₊)^(−3/2)  ≤  |f(cw) − f(w)|  ≤  ½ |scale x̂| |s/c² − s|.

All of it is computed by the engine's own batch norm and its own derivative: the equations with symbols for every entry
of X and w, in a batch of three with one feature (mean and σ scale alike in any other); the bounds on exact numbers.

Sources: van Laarhoven, arXiv 1706.05350; Zhang, Wang, Xu and Grosse, arXiv 1810.12281.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from minigrad import ops
from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.literature.symbols import array, positive, positive_everywhere, real, sympy, vanish
from minigrad.tensor import Tensor

__all__ = ["bitwise_differences", "claims", "deviation", "deviation_bounds", "gradient", "output", "radial"]

Norm = Callable[..., Tensor]


def output(x: Any, w: Any, *, scale: Any = 1, bias: Any = 0, eps: Any = 0, norm: Norm = ops.batch_norm) -> Tensor:
    """Return BN(Xw): x is (batch, inputs), w (inputs, features), a tensor or an array of any arithmetic."""
    w = w if isinstance(w, Tensor) else Tensor(w)
    features = w.shape[-1]
    made = [np.full(features, v, dtype=w.dtype) for v in (scale, bias)]
    return norm(x @ w if isinstance(x, Tensor) else Tensor(x) @ w, *made, eps)


def gradient(x: Any, w: Any, r: Any, **options: Any) -> Any:
    """Return the gradient of Σ r · BN(Xw) by w, from the engine. r, shaped like the output, makes it any loss's."""
    leaf = Tensor(w, requires_grad=True)
    output(x, leaf, **options).backward(r)
    return leaf.grad


def radial(x: Any, w: Any, r: Any, **options: Any) -> Any:
    """Return w · ∇ Σ r · BN(Xw)."""
    return (w * gradient(x, w, r, **options)).sum()


def deviation(x: Any, w: Any, c: Any, **options: Any) -> Any:
    """Return f(cw) − f(w), an array."""
    return output(x, c * w, **options).data - output(x, w, **options).data


def deviation_bounds(x: Any, w: Any, c: Any, *, scale: Any = 1, eps: Any = 0) -> tuple[Any, Any]:
    """Return the lower and the upper bound of |f(cw) − f(w)|, arrays: the module derives them."""
    d, variance = _statistics(x, w)
    s = eps / variance
    largest = np.array([sympy.Max(a, a / c**2) for a in s.ravel()], dtype=object).reshape(s.shape)
    root = np.array([sympy.sqrt(v) for v in variance.ravel()], dtype=object).reshape(s.shape)
    upper = abs(scale * d / root) * abs(s / c**2 - s) / 2
    return upper * (1 + largest) ** sympy.Rational(-3, 2), upper


def _statistics(x: Any, w: Any) -> tuple[Any, Any]:
    """Return z − mean and σ² of z = Xw over the batch, exactly."""
    z = x @ w
    batch = sympy.Integer(z.shape[0])
    d = z - z.sum(axis=0, keepdims=True) / batch
    return d, (d * d).sum(axis=0, keepdims=True) / batch


def bitwise_differences(norm: Norm = ops.batch_norm, *, seed: int = 0) -> int:
    """Return how many entries of f(cw) and f(w) differ in float64 at ε = 0, for c = 2⁻²⁰, …, 2²⁰: it should be none."""
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(16, 5)), rng.normal(size=(5, 7))
    one = output(x, w, eps=0.0, norm=norm).data
    return sum(int((output(x, 2.0**k * w, eps=0.0, norm=norm).data != one).sum()) for k in range(-20, 21))


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this file."""
    return [
        Claim("batch_norm.scale", "f(cw) = f(w) under batch norm at ε = 0, for every c > 0", True, prove_scale),
        Claim(
            "batch_norm.bitwise",
            "f(cw) = f(w) under batch norm at ε = 0 in float64, bit for bit, for c = 2ᵏ",
            True,
            prove_bitwise,
        ),
        Claim("batch_norm.radial", "w · ∇L = 0 under batch norm at ε = 0, for every loss", True, prove_radial),
        Claim("batch_norm.effective_rate", "∇L(cw) = ∇L(w)/c under batch norm at ε = 0", True, prove_effective_rate),
        Claim("batch_norm.with_eps", "f(cw) = f(w) under batch norm with ε > 0", False, find_eps),
        Claim(
            "batch_norm.deviation",
            "f(cw) − f(w) = scale x̂ [(1 + ε/(c²σ²))^(−1/2) − (1 + ε/σ²)^(−1/2)] for ε > 0",
            True,
            prove_deviation,
        ),
        Claim(
            "batch_norm.radial_with_eps",
            "w · ∇f = scale x̂ s(1 + s)^(−3/2), s = ε/σ², for ε > 0",
            True,
            prove_radial_with_eps,
        ),
        Claim(
            "batch_norm.bounded",
            "½|scale x̂||1/c² − 1| ε/σ² bounds |f(cw) − f(w)|, and less the factor (1 + s₊)^(−3/2) is below it",
            True,
            prove_bounded,
        ),
    ]


def _symbols(batch: int = 3, inputs: int = 2) -> tuple[Any, Any, Any]:
    """Return X, w (one feature) and r as arrays of symbols."""
    x = array(real(f"x1:{batch * inputs + 1}")).reshape(batch, inputs)
    w = array(real(f"w1:{inputs + 1}")).reshape(inputs, 1)
    r = array(real(f"r1:{batch + 1}")).reshape(batch, 1)
    return x, w, r


def prove_scale(norm: Norm = ops.batch_norm) -> Evidence:
    """Decide by SymPy, with a batch of three examples, two inputs."""
    x, w, _ = _symbols()
    return _vanish("f(cw) − f(w)", deviation(x, w, positive("c"), norm=norm), "f(cw) = f(w)")


def prove_radial(norm: Norm = ops.batch_norm) -> Evidence:
    """Decide by SymPy: r is any loss's gradient by the output."""
    x, w, r = _symbols()
    return _vanish("w · ∇L", [radial(x, w, r, norm=norm)], r"w \cdot \nabla L(w) = 0")


def prove_effective_rate(norm: Norm = ops.batch_norm) -> Evidence:
    """Decide by SymPy."""
    x, w, r = _symbols()
    c = positive("c")
    found = c * gradient(x, c * w, r, norm=norm) - gradient(x, w, r, norm=norm)
    return _vanish("c ∇L(cw) − ∇L(w)", found, r"\nabla L(cw) = \nabla L(w) / c")


def prove_radial_with_eps(norm: Norm = ops.batch_norm) -> Evidence:
    """Decide by SymPy, with one input: what matters is Xw."""
    x, w, r = _symbols(inputs=1)
    eps, gamma = positive("ε"), real("γ")
    d, variance = _statistics(x, w)
    formula = (r * gamma * d * eps / (variance + eps) ** sympy.Rational(3, 2)).sum()
    found = [radial(x, w, r, scale=gamma, eps=eps, norm=norm) - formula, *_in_units_of_sigma(eps)[1:]]
    return _vanish("w · ∇L less the formula", found, r"w \cdot \nabla f = \gamma \hat x\, s (1 + s)^{-3/2}")


def prove_deviation(norm: Norm = ops.batch_norm) -> Evidence:
    """Decide by SymPy: the engine's difference less the formula's in σ² + ε, then the formula in s."""
    x, w, _ = _symbols(inputs=1)
    c, eps, gamma = positive("c"), positive("ε"), real("γ")
    d, variance = _statistics(x, w)
    power = sympy.Rational(-1, 2)
    formula = gamma * d * (c * (c**2 * variance + eps) ** power - (variance + eps) ** power)
    found = (deviation(x, w, c, scale=gamma, eps=eps, norm=norm) - formula).ravel()
    latex = r"\gamma \hat x \left[(1 + s/c^2)^{-1/2} - (1 + s)^{-1/2}\right],\quad s = \varepsilon/\sigma^2"
    found = [sympy.expand(e) for e in found]  # also below the roots, where the two must read alike
    return _vanish("f(cw) − f(w) less the formula", [*found, *_in_units_of_sigma(eps, c)[:1]], latex)


def _in_units_of_sigma(eps: Any, c: Any = 1) -> tuple[Any, Any]:
    """Return what separates the two formulas in σ² + ε from those in x̂ and s, with a symbol σ > 0; for one entry."""
    d, sigma = sympy.Symbol("d", real=True), positive("σ")
    v, s, hat = sigma**2, eps / sigma**2, d / sigma
    half, more = sympy.Rational(-1, 2), sympy.Rational(-3, 2)
    change = d * (c * (c**2 * v + eps) ** half - (v + eps) ** half) - hat * ((1 + s / c**2) ** half - (1 + s) ** half)
    return change, d * eps * (v + eps) ** more - hat * s * (1 + s) ** more


def prove_bounded(norm: Norm = ops.batch_norm) -> Evidence:
    """Decide the mean value theorem's premises by SymPy, and the bounds on exact algebraic numbers."""
    s = sympy.Symbol("s", nonnegative=True)
    slope = sympy.diff((1 + s) ** sympy.Rational(-1, 2), s)
    premises = vanish([slope + (1 + s) ** sympy.Rational(-3, 2) / 2])[0] and positive_everywhere(sympy.diff(slope, s))
    x, w = array([[1, 2], [-3, 1], [4, -2], [0, 5]]), array([[1, 3], [2, -1]])
    inside, ratios = True, []
    for c in (sympy.Rational(1, 8), sympy.Rational(1, 2), sympy.Rational(9, 10), sympy.Integer(3)):
        for eps in (sympy.Rational(1, 100000), sympy.Rational(1, 10), sympy.Integer(1)):
            options = {"scale": sympy.Rational(-3, 2), "eps": eps}
            lower, upper = deviation_bounds(x, w, c, **options)
            found = deviation(x, w, c, bias=sympy.Rational(1, 3), norm=norm, **options)
            for low, size, high in zip(lower.ravel(), found.ravel(), upper.ravel(), strict=True):
                inside &= bool(low <= abs(size)) and bool(abs(size) <= high)
                if high != 0:
                    ratios.append(float(abs(size) / high))
    return Evidence(
        premises and inside,
        f"for {len(ratios)} entries, c from 1/8 to 3 and ε from 10⁻⁵ to 1: |f(cw) − f(w)| is {min(ratios):.4f} to "
        f"{max(ratios):.6f} of the upper bound",
        r"|f(cw) - f(w)| \le \tfrac12 |\gamma \hat x|\, |1/c^2 - 1|\, \varepsilon/\sigma^2",
        {"premises": premises, "inside": inside, "smallest ratio": min(ratios), "largest ratio": max(ratios)},
    )


def find_eps(norm: Norm = ops.batch_norm) -> Evidence:
    """Decide by an example whose roots are rational: σ² = 25 and ε = 144, at w = 1 and c = 7."""
    x = np.array([[Fraction(n)] for n in (1, -1, 7, -7)], dtype=object)
    w = np.array([[Fraction(1)]], dtype=object)
    one, other = (output(x, c * w, eps=Fraction(144), norm=norm).data[2, 0] for c in (Fraction(1), Fraction(7)))
    return Evidence(
        bool(one == other),
        f"batch 1, −1, 7, −7 and ε = 144: the third entry is {one} at w = 1, {other} at w = 7",
        data={"at w": str(one), "at 7w": str(other)},
    )


def _vanish(what: str, expressions: Any, latex: str) -> Evidence:
    zero, left = vanish(np.asarray(expressions, dtype=object).ravel())
    if zero:
        return Evidence(True, f"{what} is identically 0, by symbols for three examples", latex)
    return Evidence(False, f"{what} leaves {left}", latex)


def prove_bitwise(norm: Norm = ops.batch_norm) -> Evidence:
    """Decide by running it."""
    differ = bitwise_differences(norm)
    return Evidence(differ == 0, f"{differ} of {16 * 7} entries differ for c = 2⁻²⁰, …, 2²⁰", data={"differ": differ})
