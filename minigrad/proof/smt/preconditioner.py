"""Proposition 3: the L2 penalty that is weight decay under a fixed preconditioner diag(s)⁻¹, and the printed one.

The penalty is ½ c w², with one unknown c per weight. That it gives the step of weight decay, for w ≠ 0, has one
solution, c = s η/α; and this one gives every step. The paper prints, as Eq. (2), the penalty λ'/(2α) ‖w ⊙ √s‖² with
λ' = λ/α. Its λ is η here, hence c = s η/α²: another penalty wherever α ≠ 1 and η ≠ 0. With λ' = λ it is the right one.

Source: Loshchilov and Hutter, arXiv 1711.05101, Proposition 3 and Eq. (2).
"""

from collections.abc import Callable
from fractions import Fraction
from typing import Any

from minigrad.extras import need
from minigrad.proof.claims import Claim, Evidence
from minigrad.proof.smt.combination import Quantity, as_evidence, combination
from minigrad.proof.smt.question import CounterModel, Proof, Question, reals, settle
from minigrad.proof.smt.wording import PREFER, domain, evidence
from minigrad.regularization.doors import coupled, decoupled
from minigrad.regularization.penalties import L2
from minigrad.rules import preconditioned, sqrt

z3: Any = need("z3", "proof")

__all__ = ["claims", "coefficient", "one_for_two", "printed", "serves", "slope"]

Assumptions = dict[str, Callable[[Any], Any]]


# What the coefficient is looked for in.
CANDIDATES: dict[str, Quantity] = {
    "η": lambda v: v.decay,
    "s η": lambda v: v.scale * v.decay,
    "η/α": lambda v: v.decay / v.lr,
    "s η/α": lambda v: v.scale * v.decay / v.lr,
    "s² η/α": lambda v: v.scale * v.scale * v.decay / v.lr,
    "s η/α²": lambda v: v.scale * v.decay / (v.lr * v.lr),
}


def coefficient() -> tuple[dict[str, Fraction], Proof] | CounterModel:
    """Find c among sums of the candidates, from its serving one w ≠ 0 and one g; the proof excludes any other."""
    symbols = reals("w g lr decay scale c")
    serving = {
        "w ≠ 0": lambda v: v.w != 0,
        "½ c w² serves this w and g": lambda v: _with_coefficient(v, v.c) == _decayed(v),
    }
    return combination(
        "the coefficient under a fixed preconditioner", lambda v: v.c, CANDIDATES, symbols, domain(symbols) | serving
    )


def printed(v: Any, strength: Callable[[Any], Any] = lambda v: v.decay / v.lr) -> Any:
    """Return λ'/(2α) (w √s)², the printed penalty, as a function of w; `strength` is λ', as printed λ/α."""

    def penalty(w: Any) -> Any:
        return strength(v) / (2 * v.lr) * (w * sqrt(v.scale)) ** 2

    return penalty


def slope(penalty: Callable[[Any], Any], w: Any) -> Any:
    """Return the derivative of a penalty quadratic in w, for which the central difference is exact."""
    return (penalty(w + 1) - penalty(w - 1)) / 2


def _decayed(v: Any) -> Any:
    return decoupled(preconditioned)(v.w, v.g, lr=v.lr, scale=v.scale, decay=v.decay)[0]


def _penalised(v: Any, gradient: Callable[[Any], Any]) -> Any:
    return coupled(preconditioned, gradient)(v.w, v.g, lr=v.lr, scale=v.scale)[0]


def _with_coefficient(v: Any, c: Any) -> Any:
    return _penalised(v, lambda w: L2.gradient(w, l2=c))


def _settle(name: str, names: str, assumptions: Assumptions, conclusion: Any, show: Any = None) -> Proof | CounterModel:
    symbols = reals(f"w g lr decay scale {names}")
    prefer = PREFER | {"scale": (4,)}
    return settle(Question(name, symbols, domain(symbols) | assumptions, conclusion, show=show, prefer=prefer))


def serves(gradient: Callable[[Any, Any], Any], assumptions: Assumptions | None = None) -> Proof | CounterModel:
    """Decide whether a penalty with this `gradient(v, w)` gives the step of decay, for every w, g, s, α and η."""

    def steps(v: Any) -> tuple[Any, Any]:
        return _penalised(v, lambda w: gradient(v, w)), _decayed(v)

    def same(v: Any) -> Any:
        x, y = steps(v)
        return x == y

    def show(v: Any) -> dict[str, Any]:
        return dict(zip(("weight with the penalty", "with decay"), steps(v), strict=True))

    return _settle("a penalty under a fixed preconditioner", "", assumptions or {}, same, show)


def one_for_two() -> Proof | CounterModel:
    """Decide whether one c that serves two weights w ≠ 0 under η > 0 means that their s are equal."""

    def second(v: Any) -> Any:
        return type(v)(**{**vars(v), "scale": v.scale_2})

    return _settle(
        "one coefficient for two weights",
        "scale_2 c",
        {
            "η > 0": lambda v: v.decay > 0,
            "w ≠ 0": lambda v: v.w != 0,
            "c serves the first weight": lambda v: _with_coefficient(v, v.c) == _decayed(v),
            "c serves the second weight": lambda v: _with_coefficient(second(v), v.c) == _decayed(second(v)),
        },
        lambda v: v.scale == v.scale_2,
    )


def _as_printed(v: Any, w: Any) -> Any:
    return slope(printed(v), w)


def _with_lambda_for_its_prime(v: Any, w: Any) -> Any:
    return slope(printed(v, lambda v: v.decay), w)


def claims(thorough: bool = False) -> list[Claim]:
    """Return the right coefficient, that it is the only one, and what became of the printed equation."""
    under = "Under a fixed preconditioner diag(s)⁻¹"
    return [
        Claim(
            "proposition_3.coefficient",
            f"{under} one penalty ½ c w² is weight decay η, with c a fixed combination of η, s and α; no other is, "
            "for any one w ≠ 0",
            True,
            _prove_coefficient,
        ),
        Claim(
            "proposition_3.one_for_two",
            f"{under} and η > 0, one λ serves two weights only if their s are equal",
            True,
            lambda: evidence(one_for_two()),
        ),
        Claim(
            "proposition_3.as_printed",
            f"{under}, Eq. (2) as printed, λ'/(2α) ‖w ⊙ √s‖² with λ' = η/α, is weight decay η for every α",
            False,
            lambda: evidence(serves(_as_printed)),
        ),
        Claim(
            "proposition_3.as_printed.where",
            f"{under}, Eq. (2) as printed is weight decay η if α = 1 or η = 0, and for w ≠ 0 only then",
            True,
            lambda: evidence(
                serves(_as_printed, {"α = 1 or η = 0": lambda v: _either(v.lr == 1, v.decay == 0)}),
                _only_where_printed_is_right(),
                parts=("if:", "only then:"),
            ),
        ),
        Claim(
            "proposition_3.corrected",
            f"{under}, Eq. (2) with λ' = η in place of η/α is weight decay η",
            True,
            lambda: evidence(serves(_with_lambda_for_its_prime)),
        ),
    ]


def _prove_coefficient() -> Evidence:
    found = coefficient()
    if isinstance(found, CounterModel):
        return as_evidence("c", found)

    def total(v: Any) -> Any:
        return sum(share * CANDIDATES[term](v) for term, share in found[0].items())

    served = serves(lambda v, w: L2.gradient(w, l2=total(v)))
    return evidence(served) if isinstance(served, CounterModel) else as_evidence("c", found, served)


def _only_where_printed_is_right() -> Proof | CounterModel:
    return _settle(
        "where the printed penalty is decay",
        "",
        {
            "w ≠ 0": lambda v: v.w != 0,
            "the printed penalty serves": lambda v: _penalised(v, lambda w: _as_printed(v, w)) == _decayed(v),
        },
        lambda v: _either(v.lr == 1, v.decay == 0),
    )


def _either(a: Any, b: Any) -> Any:
    return z3.Or(a, b) if isinstance(a, z3.BoolRef) else a or b
