"""Under decay the weights are a moving average of the rule's updates, with time scale 1/η.

With constant η, and u_t what the rule subtracts at step t (anything at all: the door never looks into it),

    w_T = (1 − η)^T w_0 + Σ_{t<T} η (1 − η)^{T−1−t} q_t,    q_t = −u_t/η.

The coefficients of w_0 and of q_0, …, q_{T−1} are positive for 0 < η < 1 and sum to 1: an exponential moving average,
which forgets the fraction η per step. Once w_0 is forgotten (T → ∞) an update's mean age is 1/η − 1 steps. It has faded
to 1/e after −1/log(1 − η), which is less than 1/η by at most one step, since η ≤ −log(1 − η) ≤ η/(1 − η), and by half
a step as η → 0.

**Conventions.** η is the fraction removed in a step. In PyTorch, Keras and optax η = αλ with λ their ``weight_decay``,
so the time scale reads 1/(αλ) steps, and 1/(αλ·steps per epoch) epochs, which the paper finds to be nearly constant
over model and data set sizes. For Adam q_t = −(α/η) m̂/(√v̂ + ε) = −(1/λ) m̂/(√v̂ + ε): what is averaged does not
depend on α at a given λ, only how long.

**Proof**, by induction over T (`residues`), with q_t uninterpreted: the formula at T = 0 is w_0; every coefficient at
T + 1, that of w_0 too, is 1 − η times that at T; and the door takes the sum S to (1 − η) S + η q_T.

Source: Wang and Aitchison, "How to set AdamW's weight decay as you scale model and dataset size", arXiv 2405.13698.
"""

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from minigrad.proof.claims import Claim, Evidence, UndecidedError
from minigrad.proof.literature.symbols import latex, letter, positive, real, sympy, text, vanish
from minigrad.regularization.decay import Decay
from minigrad.regularization.doors import decoupled
from minigrad.regularization.variants import variant

__all__ = ["average", "claims", "coefficient", "mean_age", "remaining", "residues", "run", "share", "time_scale"]

Step = Callable[..., tuple[Any, ...]]

ADAMW = variant("adamw").step
ADAM_L2 = variant("adam_l2").step


def coefficient(t: Any, length: Any, decay: Any) -> Any:
    """Return η (1 − η)^(T−1−t), the weight of q_t after T = `length` steps."""
    return decay * (1 - decay) ** (length - 1 - t)


def remaining(length: Any, decay: Any) -> Any:
    """Return (1 − η)^T, the weight of w_0 after T = `length` steps."""
    return (1 - decay) ** length


def average(w: Any, updates: Sequence[Any], decay: Any) -> Any:
    """Return (1 − η)^T w_0 + Σ η (1 − η)^(T−1−t) (−u_t/η) of T = ``len(updates)`` updates, 0 < η ≤ 1."""
    length = len(updates)
    past = sum(coefficient(t, length, decay) * (-u / decay) for t, u in enumerate(updates))
    return remaining(length, decay) * w + past


def time_scale(decay: Any) -> Any:
    """Return 1/η in steps; with PyTorch's convention pass η = αλ."""
    return 1 / decay


def taken(u: Any) -> tuple[Any, ...]:
    """The rule whose gradient already is its step: any rule's steps can be put in its place."""
    return (u,)


def share(age: Any, door: Callable[..., Step] = decoupled) -> Any:
    """Return the coefficient that an update has `age` steps after its own, in η, from the door run on symbols.

    It enters with ∂w'/∂q, and every later step multiplies by ∂w'/∂w; both are functions of η alone, or ValueError.
    """
    w, q = real("w q")
    eta = letter("decay")
    (after,) = door(taken)(w, -eta * q, decay=eta)
    enters, keeps = sympy.diff(after, q), sympy.diff(after, w)
    if (enters.free_symbols | keeps.free_symbols) & {w, q}:
        raise ValueError(f"the door makes no average: {text(after)}")
    return enters * keeps**age


def mean_age(door: Callable[..., Step] = decoupled) -> Any:
    """Return Σ k · share(k) over all ages k = 0, 1, 2, …, in η: the mean age of an update in an average of T → ∞.

    SymPy sums the series with η = 1/(1 + x), x > 0, which tells it that 1 − η is below 1; UndecidedError if it cannot.
    """
    age = sympy.Symbol("k", integer=True, nonnegative=True)
    odds, eta = positive("x"), letter("decay")
    found = sympy.summation(age * share(age, door).subs(eta, 1 / (1 + odds)), (age, 0, sympy.oo))
    if found.has(sympy.Sum, sympy.oo, sympy.nan):
        raise UndecidedError(f"no mean age: {text(found)}")
    return sympy.factor(found.subs(odds, (1 - eta) / eta))


def residues(door: Callable[..., Step] = decoupled) -> dict[str, Any]:
    """Return what must vanish for the induction over T, as SymPy expressions of uninterpreted updates; 1 − η is a.

    ``"start"``: the formula at T = 0, less w_0. ``"shift"``: an old q_t's coefficient at T + 1, less (1 − η) times
    that at T. ``"remaining"``: likewise that of w_0. ``"step"``: what the door makes of the sum S and u_T = −η q_T,
    less (1 − η) S + η q_T. ``"sum"``: what it makes of S = 1 and q_T = 1, less 1 (so the coefficients sum to 1).
    """
    keep = positive("a")
    eta = 1 - keep
    t, length = sympy.symbols("t T", integer=True, nonnegative=True)
    w, total, q = real("w₀ S q_T")
    step = door(taken)
    return {
        "start": average(w, [], eta) - w,
        "shift": coefficient(t, length + 1, eta) - (1 - eta) * coefficient(t, length, eta),
        "remaining": remaining(length + 1, eta) - (1 - eta) * remaining(length, eta),
        "step": step(total, -eta * q, decay=eta)[0] - ((1 - eta) * total + coefficient(length, length + 1, eta) * q),
        "sum": step(sympy.Integer(1), -eta, decay=eta)[0] - 1,
    }


def run(step: Step, w: Any, gradients: Sequence[Any], **hyper: Any) -> tuple[Any, list[Any]]:
    """Run a decaying Adam; return the last weight, and each step's update: (1 − η) w_t − w_{t+1}."""
    state: Any = (0 * w, 0 * w)
    updates = []
    for t, g in enumerate(gradients, 1):
        new, *state = step(w, g, *state, t=t, **hyper)
        updates.append((1 - hyper["decay"]) * w - new)
        w = new
    return w, updates


def adamw_updates(gradients: Sequence[Any], **hyper: Any) -> list[Any]:
    """Return what Adam alone would subtract at each step: the same rule behind no door."""
    state: Any = (0 * gradients[0], 0 * gradients[0])
    found = []
    for t, g in enumerate(gradients, 1):
        minus, *state = variant("adam").step(0 * g, g, *state, t=t, **hyper)
        found.append(-minus)
    return found


def claims(thorough: bool = False) -> list[Claim]:
    """Return the claims of this file."""
    return [
        Claim(
            "moving_average.every_length",
            "under decay, w_T = (1 − η)^T w₀ + Σ η(1 − η)^{T−1−t} q_t with q_t = −u_t/η, for every T and any updates",
            True,
            prove_induction,
        ),
        Claim(
            "moving_average.adamw",
            "w_T is that average of Adam's own updates under AdamW, in exact rationals",
            True,
            prove_adamw,
        ),
        Claim(
            "moving_average.time_scale",
            "the average has time scale 1/η, which is 1/(αλ) in PyTorch",
            True,
            prove_time_scale,
        ),
        Claim(
            "moving_average.adam_l2",
            "under Adam + L2 at λ = η/α, w_T is that average of Adam's own updates",
            False,
            find_coupled,
        ),
    ]


def prove_induction(door: Callable[..., Step] = decoupled) -> Evidence:
    """Decide the parts of the induction by SymPy."""
    found = residues(door)
    holds, left = vanish(found.values())
    return Evidence(
        holds,
        f"{', '.join(found)} leave {left}",
        r"w_T = (1-\eta)^T w_0 + \sum_{t<T} \eta(1-\eta)^{T-1-t}\left(-\frac{u_t}{\eta}\right)",
        {name: text(sympy.simplify(x)) for name, x in found.items()},
    )


# β₂ = 0 makes √v̂ = |g|: AdamW stays within the rationals.
EXACT = {"lr": Fraction(1, 10), "beta1": Fraction(1, 2), "beta2": Fraction(0), "eps": Fraction(1, 100)}
GRADIENTS = [Fraction(n, 7) for n in (3, -5, 2, 8, -1, 4, -6, 9, 1, -2, 7, -3)]


def prove_adamw(step: Step = ADAMW) -> Evidence:
    """Decide on twelve steps of AdamW against Adam's updates, exactly."""
    eta = Fraction(1, 8)
    last, _ = run(step, Fraction(3), GRADIENTS, decay=eta, **EXACT)
    expected = average(Fraction(3), adamw_updates(GRADIENTS, **EXACT), eta)
    return Evidence(
        bool(last == expected),
        f"after {len(GRADIENTS)} steps w less the average is {last - expected} (w = {float(last):.6f})",
        data={"weight": str(last), "average": str(expected)},
    )


def prove_time_scale(door: Callable[..., Step] = decoupled) -> Evidence:
    """Decide by what a door makes of an update with age, and by reading η off the library's convention.

    The shares must be the formula's coefficients; then their mean age is taken, and how long one needs to fade to 1/e.
    """
    k, length = sympy.symbols("k T", integer=True, nonnegative=True)
    eta = letter("decay")
    same, left = vanish([share(k, door) - coefficient(length - 1 - k, length, eta)])
    if not same:
        return Evidence(False, f"a share less its coefficient is {left}")
    age = mean_age(door)
    lr, l2 = 2.0**-10, 2.0**-3
    pytorch = time_scale(Decay(l2, times="lr").fraction(0, lr, 1.0))
    fade = sympy.limit(-1 / sympy.log(share(1, door) / share(0, door)) - time_scale(eta), eta, 0)
    holds = vanish([age + 1 - time_scale(eta), fade + sympy.Rational(1, 2)])[0] and pytorch == 1 / (lr * l2)
    return Evidence(
        holds,
        f"mean age {text(age)}; faded to 1/e after 1/η {'+' if fade > 0 else '−'} {abs(fade)} steps as η → 0; "
        f"α = 2⁻¹⁰, λ = 2⁻³ in PyTorch: {pytorch:g} steps",
        r"\bar a = " + latex(age),
        {"mean age": text(age), "fading": f"1/η + ({text(fade)})", "pytorch": pytorch},
    )


def find_coupled(step: Step = ADAM_L2) -> Evidence:
    """Decide on two exact steps; the second's update would have to be Adam's without a penalty."""
    eta, gradients = Fraction(1, 8), GRADIENTS[:2]
    w, state = Fraction(3), (Fraction(0), Fraction(0))
    for t, g in enumerate(gradients, 1):
        w, *state = step(w, g, *state, t=t, l2=eta / EXACT["lr"], **EXACT)  # type: ignore[assignment]
    expected = average(Fraction(3), adamw_updates(gradients, **EXACT), eta)
    return Evidence(
        bool(w == expected),
        f"after 2 steps from 3 with g = {', '.join(map(str, gradients))}: w = {w}, the average is {expected}",
        data={"weight": str(w), "average": str(expected)},
    )
