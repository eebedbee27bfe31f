"""A quantity as a combination of named terms: found by counter-models, then proved.

A guess (zero, at first) is asked of z3. Every counter-model is one linear equation in the coefficients that the next
guess must satisfy, until a guess is proved, or no rational coefficients are left.
"""

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial
from types import SimpleNamespace
from typing import Any

from minigrad.extras import need
from minigrad.proof.claims import Evidence
from minigrad.proof.smt.question import CounterModel, Proof, Question, settle
from minigrad.proof.smt.wording import PREFER, evidence

z3: Any = need("z3", "proof")

__all__ = ["Quantity", "as_evidence", "combination"]

Quantity = Callable[[Any], Any]


def combination(
    name: str,
    quantity: Quantity,
    terms: Mapping[str, Quantity],
    symbols: Mapping[str, Any],
    assumptions: Mapping[str, Quantity],
) -> tuple[dict[str, Fraction], Proof] | CounterModel:
    """Find rational coefficients with which the terms add up to the quantity, for all values, and prove it.

    Returns:
        The coefficients that are not zero, with the proof; or, if no coefficients serve, the last counter-model.
    """
    unknown = {term: z3.Real(f"coefficient of {term}") for term in terms}
    guess = dict.fromkeys(terms, Fraction(0))
    search = z3.Solver()
    while True:

        def total(v: Any, c: dict[str, Fraction] = guess) -> Any:
            return sum(c[term] * f(v) for term, f in terms.items())

        answer = settle(
            Question(
                name,
                symbols,
                assumptions,
                partial(_equal, quantity, total),
                show=partial(_both, quantity, total),
                prefer=PREFER,
            )
        )
        if isinstance(answer, Proof):
            return {term: c for term, c in guess.items() if c}, answer
        v = SimpleNamespace(**answer.values)
        search.add(sum(unknown[term] * f(v) for term, f in terms.items()) == quantity(v))
        if search.check() != z3.sat:
            return answer
        found = search.model()
        values = {term: found.eval(c, model_completion=True) for term, c in unknown.items()}
        guess = {t: Fraction(c.numerator_as_long(), c.denominator_as_long()) for t, c in values.items()}


def _equal(quantity: Quantity, total: Quantity, v: Any) -> Any:
    return quantity(v) == total(v)


def _both(quantity: Quantity, total: Quantity, v: Any) -> dict[str, Any]:
    return {"quantity": quantity(v), "combination": total(v)}


def as_evidence(name: str, found: tuple[dict[str, Fraction], Proof] | CounterModel, *others: Proof) -> Evidence:
    """Return what was found for the quantity called `name`, written as a formula."""
    if isinstance(found, CounterModel):
        return evidence(found, shown=f"no combination of the terms is {name}")
    coefficients, proof = found
    signs = [(" − " if c < 0 else " + ", "" if abs(c) == 1 else f"{abs(c)} ", term) for term, c in coefficients.items()]
    told = "".join(f"{sign}{size}{term}" for sign, size, term in signs).strip(" +").replace("− ", "−", 1) or "0"
    return evidence(proof, *others, shown=f"{name} = {told}", latex=_latex(told), found=told)


def _latex(told: str) -> str:
    for mark, command in {
        "η": r"\eta ", "λ": r"\lambda ", "α": r"\alpha ", "β": r"\beta ", "₁": "_1", "₂": "_2", "²": "^2", "−": "-",
        "  ": " ", " _": "_", " ^": "^", " /": "/",
    }.items():  # fmt: skip
        told = told.replace(mark, command)
    return told
