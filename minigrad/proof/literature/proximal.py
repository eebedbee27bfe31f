"""The proximal forms: L2's is decay with other numbers, L1's is the soft threshold, which makes zeros and keeps them.

**L2.** prox(w − δ) = (w − δ)/(1 + αλ). With η = αλ that is (1 − η')w − δ' for η' = η/(1 + η) and the step taken with
α' = α/(1 + η). *Condition*: the rule's state sees neither α nor w, and δ is α times something
that sees neither. Heavy ball with
the learning rate inside its buffer is of another kind: its weights agree if the decaying run's buffer is m/(1 + η),
which it is from 0 on with constant α and η.

**Both are what a proximal map claims to be**: argmin_x Ω(x) + (x − w)²/(2α). The function is strictly convex, so its
minimiser is the one x with 0 ∈ ∂Ω(x) + (x − w)/α. For Ω = c|x| that is c sign(x) + (x − w)/α = 0 where x ≠ 0, and
|w| ≤ αc where x = 0; w = ±(αc + p) and |w| = s, αc = s + r with p > 0 and s, r ≥ 0 are all cases there are.

**Zeros**, of gradient descent. A weight at 0 stays there while |g| ≤ c (w = −αg is within the threshold), and with
g = 0 a weight arrives after ⌈|w|/(αc)⌉ steps. The subgradient, door 2, with g = 0 arrives only where |w| is a multiple
of αc, and else jumps across 0 for ever.

Sources: Zhuang et al., arXiv 2202.00089, and Xie et al., "Adan", arXiv 2208.06677, for L2 as a division; Parikh and
Boyd, "Proximal algorithms", 2014, §6.5.2, for the soft threshold.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.literature.symbols import array, letter, positive, positive_everywhere, real, sympy, text, vanish
from minigrad.regularization.doors import decoupled, proximal
from minigrad.regularization.penalties import L1, L2
from minigrad.regularization.variants import variant

__all__ = ["as_decay", "claims", "inside_the_buffer", "is_minimiser", "quadratic_optimality", "run", "threshold_cases"]

Step = Callable[..., tuple[Any, ...]]

PROXIMAL = variant("sgd_prox_l1").step
SUBGRADIENT = variant("sgd_l1").step


def as_decay(door: Callable[..., Any] = proximal) -> tuple[Any, ...]:
    """Return proximal L2 at (α, λ = η/α) less decay at (α/(1+η), η/(1+η)), weights and state, for any such rule.

    The rule is uninterpreted: δ = α d(g, s), and the new state r(g, s) is any function as well.
    """
    w, g, s, lr, eta = letter("w"), letter("g"), real("s"), letter("lr"), letter("decay")
    direction, following = sympy.Function("d"), sympy.Function("r")

    def rule(g: Any, s: Any, *, lr: Any) -> tuple[Any, ...]:
        return lr * direction(g, s), following(g, s)

    one = door(rule, L2.prox)(w, g, s, lr=lr, l2=eta / lr)
    other = decoupled(rule)(w, g, s, lr=lr / (1 + eta), decay=eta / (1 + eta))
    return tuple(a - b for a, b in zip(one, other, strict=True))


def inside_the_buffer() -> tuple[Any, Any]:
    """Return the same of `heavy_ball_inside`, where decay's buffer is m/(1 + η): weights, and (1 + η)-fold buffers."""
    w, g, m, lr, eta, momentum = map(letter, ("w", "g", "m", "lr", "decay", "momentum"))
    one = variant("heavy_ball_inside_prox_l2").step(w, g, m, lr=lr, l2=eta / lr, momentum=momentum)
    scaled = {"lr": lr / (1 + eta), "decay": eta / (1 + eta), "momentum": momentum}
    other = variant("heavy_ball_inside_decay").step(w, g, m / (1 + eta), **scaled)
    return one[0] - other[0], one[1] - (1 + eta) * other[1]


def quadratic_optimality(prox: Callable[..., Any] = L2.prox) -> tuple[Any, Any]:
    """Return the first and second derivative of (λ/2)x² + (x − w)²/(2α) in x, the first one at x = prox(w)."""
    w, x = real("w x")
    lr, l2 = positive("α λ")
    f = L2.value(array([x]), l2=l2) + (x - w) ** 2 / (2 * lr)
    return sympy.simplify(f.diff(x).subs(x, prox(w, lr=lr, l2=l2))), sympy.simplify(f.diff(x, 2))


def is_minimiser(x: Any, w: Any, *, lr: Any, l1: Any) -> bool:
    """Return whether 0 ∈ c ∂|x| + (x − w)/α; exactly, on exact numbers."""
    slope = (x - w) / lr
    if x == 0:
        return bool(abs(slope) <= l1)
    return bool(slope + (l1 if x > 0 else -l1) == 0)


def threshold_cases(prox: Callable[..., Any] = L1.prox) -> dict[str, bool]:
    """Return, for each case of w, whether prox(w) is the minimiser; decided on SymPy symbols."""
    lr, l1, p = positive("α c p")
    s, r = sympy.symbols("s r", nonnegative=True)
    found = {}
    for name, side in (("w > αc", 1), ("w < −αc", -1)):
        w = side * (lr * l1 + p)
        x = sympy.simplify(prox(w, lr=lr, l1=l1))
        found[name] = vanish([side * l1 + (x - w) / lr])[0] and positive_everywhere(side * x)
    for name, side in (("0 ≤ w ≤ αc", 1), ("−αc ≤ w ≤ 0", -1)):
        found[name] = vanish([prox(side * s, lr=lr, l1=(s + r) / lr)])[0]
    return found


def run(step: Step, w: Any, gradients: Sequence[Any], **hyper: Any) -> list[Any]:
    """Return the weights after each step of a rule without state."""
    found = []
    for g in gradients:
        (w,) = step(w, g, **hyper)
        found.append(w)
    return found


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this file."""
    form = "proximal L2 is decay with η/(1+η) and α/(1+η)"
    return [
        Claim("proximal.l2", f"{form}, for every rule with δ = α d(g, state)", True, lambda: prove_form(as_decay())),
        Claim(
            "proximal.lr_inside",
            f"{form}, with the learning rate inside the buffer too, if the other buffer is m/(1+η), as from 0 it is",
            True,
            lambda: prove_form(inside_the_buffer()),
        ),
        Claim("proximal.quadratic", "w/(1 + αλ) minimises (λ/2)x² + (x − w)²/(2α)", True, prove_quadratic),
        Claim("proximal.soft_threshold", "the soft threshold minimises c|x| + (x − w)²/(2α)", True, prove_threshold),
        Claim("proximal.zeros", "proximal L1 reaches zero and keeps it while |g| ≤ c", True, prove_zeros),
        Claim(
            "proximal.subgradient",
            "L1 in the gradient reaches zero and keeps it while |g| ≤ c",
            False,
            find_subgradient,
        ),
    ]


def prove_form(residues: tuple[Any, ...]) -> Evidence:
    """Decide by SymPy."""
    holds, left = vanish(residues)
    return Evidence(
        holds,
        f"weights and state differ by {left}",
        r"\frac{w - \alpha d}{1+\eta} = \Bigl(1 - \frac{\eta}{1+\eta}\Bigr) w - \frac{\alpha}{1+\eta} d",
        {"differences": [text(sympy.simplify(x)) for x in residues]},
    )


def prove_quadratic(prox: Callable[..., Any] = L2.prox) -> Evidence:
    """Decide by the first and the second derivative."""
    first, second = quadratic_optimality(prox)
    return Evidence(
        vanish([first])[0] and positive_everywhere(second),
        f"at w/(1 + αλ) the first derivative is {text(first)}; the second is {text(second)} everywhere",
        data={"first": text(first), "second": text(second)},
    )


def prove_threshold(prox: Callable[..., Any] = L1.prox) -> Evidence:
    """Decide by the cases."""
    found = threshold_cases(prox)
    failed = [case for case, good in found.items() if not good]
    shown = f"not the minimiser for {', '.join(failed)}" if failed else "0 ∈ c ∂|x| + (x − w)/α in all of: "
    return Evidence(not failed, shown + ("" if failed else ", ".join(found)), data=dict(found))


LR, L1_COEFFICIENT = Fraction(1, 10), Fraction(1, 2)  # the threshold αc is 1/20
STARTS = [Fraction(n, 70) for n in (-9, -4, -1, 2, 5, 8)]  # no multiple of 1/20 among them
STEPS = 12


def _zeros(step: Step) -> dict[str, Any]:
    """Return, per start, at how many of STEPS steps the weight is 0: gradients 0 first, then ±c, to push it away."""
    pushes = [Fraction(0)] * (STEPS // 2) + [L1_COEFFICIENT, -L1_COEFFICIENT] * (STEPS // 4)
    found = {}
    for w in STARTS:
        path = run(step, w, pushes, lr=LR, l1=L1_COEFFICIENT)
        needed = -(-abs(w) // (LR * L1_COEFFICIENT))
        found[str(w)] = {"needed": int(needed), "zeros": sum(x == 0 for x in path), "last": str(path[-1])}
    return found


def prove_zeros(step: Step = PROXIMAL) -> Evidence:
    """Decide on exact runs: zero from step ⌈|w|/(αc)⌉ on, without exception."""
    found = _zeros(step)
    holds = all(f["zeros"] == STEPS - f["needed"] + 1 for f in found.values())
    told = ", ".join(f"{w} after {f['needed']}" for w, f in found.items())
    return Evidence(
        holds, f"αc = {LR * L1_COEFFICIENT}: zero from {told} steps, and kept" if holds else str(found), data=found
    )


def find_subgradient(step: Step = SUBGRADIENT) -> Evidence:
    """Decide on the same runs behind door 2."""
    found = _zeros(step)
    holds = all(f["zeros"] == STEPS - f["needed"] + 1 for f in found.values())
    hits = sum(f["zeros"] for f in found.values())
    return Evidence(holds, f"of {STEPS * len(found)} weights along the same runs {hits} are zero", data=found)
