"""What the rules' numbers may be, and how they are written: for assumptions, tables and papers."""

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from functools import partial
from itertools import chain
from operator import attrgetter
from typing import Any

from minigrad.proof.balls.ball import Ball
from minigrad.proof.claims import Evidence
from minigrad.proof.smt.question import CounterModel, Proof
from minigrad.rules import hyper_names, state_names

__all__ = ["PREFER", "Condition", "domain", "evidence", "letter", "own", "written"]

Condition = Callable[[Any], Any]

LETTERS = {
    "lr": "α", "decay": "η", "l2": "λ", "momentum": "β", "beta1": "β₁", "beta2": "β₂", "rho": "ρ", "eps": "ε",
    "scale": "s", "v_max": "vₘₐₓ", "psi": "ψ", "mu_product": "Πμ",
}  # fmt: skip
LATEX = {
    "lr": r"\alpha", "decay": r"\eta", "l2": r"\lambda", "momentum": r"\beta", "beta1": r"\beta_1",
    "beta2": r"\beta_2", "rho": r"\rho", "eps": r"\varepsilon", "scale": "s", "v_max": r"v_{\max}",
    "psi": r"\psi", "mu_product": r"\Pi_{\mu}",
}  # fmt: skip

# Tried first in models: λ then differs from η, and 1 − ρ and 1 − β₂ are squares, so that roots are rational.
PREFER: dict[str, tuple[Any, ...]] = {
    "lr": (Fraction(1, 2),), "decay": (Fraction(1, 4),), "l2": (Fraction(1, 2),), "w": (1,), "lr_0": (Fraction(1, 2),),
    "decay_0": (Fraction(1, 4),), "s_t": (Fraction(1, 2),), "g": (1,), "scale": (2,), "eps": (1,),
    "momentum": (Fraction(1, 2),), "beta1": (Fraction(1, 2),), "beta2": (Fraction(3, 4),), "rho": (Fraction(3, 4),),
    "mu_product": (1,),
}  # fmt: skip

_BELOW_ONE = ("decay", "momentum", "beta1", "beta2", "rho")
_POSITIVE = ("lr", "eps", "scale")
_NOT_NEGATIVE = ("v", "v_max", "u", "psi")
_PRODUCT_BELOW_ONE = ("mu_product",)


def own(rule: Callable[..., Any]) -> list[str]:
    """Return the names a rule's own symbols need: hyperparameters, then state; `t` is a number, not a symbol."""
    return [*(name for name in hyper_names(rule) if name != "t"), *state_names(rule)]


def domain(names: Iterable[str]) -> dict[str, Condition]:
    """Return assumptions: the range of every name that has one."""
    found: dict[str, Condition] = {}
    for name in names:
        stem = name if name in LETTERS else name.partition("_")[0]  # lr_2 has the range of lr
        value = attrgetter(name)
        if stem in _POSITIVE:
            found[f"{letter(name)} > 0"] = partial(_within, value, lambda x: x > 0)
        elif stem in _NOT_NEGATIVE:
            found[f"{letter(name)} ≥ 0"] = partial(_within, value, lambda x: x >= 0)
        elif stem in _PRODUCT_BELOW_ONE:
            found[f"0 < {letter(name)} ≤ 1"] = partial(_within, value, lambda x: [x > 0, x <= 1])
        elif stem in _BELOW_ONE:
            found[f"0 ≤ {letter(name)} < 1"] = partial(_within, value, lambda x: [x >= 0, x < 1])
    return found


def _within(value: Condition, condition: Condition, v: Any) -> Any:
    return condition(value(v))


def letter(name: str) -> str:
    """Return how a name is written: ``lr`` is α, ``lr_2`` is α₂."""
    if name in LETTERS:
        return LETTERS[name]
    stem, _, index = name.rpartition("_")
    if not stem:
        return name
    return letter(stem) + (
        index.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")) if index.isdigit() else f"_{index}"
    )


def written(values: dict[str, Any]) -> str:
    """Return ``α = 1/2, w = 1``."""
    return ", ".join(f"{letter(name)} = {_number(value)}" for name, value in values.items())


def evidence(
    *results: Proof | CounterModel, shown: str = "", latex: str = "", parts: Sequence[str] = (), **data: Any
) -> Evidence:
    """Return what z3 found as evidence: it holds if every result is a proof. The first counter-model is shown.

    `parts` say what each result is for, so that it can be read which assumptions serve which.
    """
    broken = next((r for r in results if isinstance(r, CounterModel)), None)
    if broken is not None:
        numbers = _numbers(broken.values)
        told = f"at {written(numbers)}: {written(broken.shown)}".removesuffix(": ")
        latex = latex or r",\; ".join(f"{_latex(name)} = {_latex_number(value)}" for name, value in numbers.items())
    else:
        cores: list[tuple[str, ...]] = [r.core for r in results]  # type: ignore[union-attr]
        if not parts:
            cores = [tuple(dict.fromkeys(chain(*cores)))]
        needs = [f"needs {'; '.join(core) or 'no assumption'}" for core in cores]
        told = "no exception exists; " + (
            " · ".join(f"{part} {need}" for part, need in zip(parts, needs, strict=True)) if parts else needs[0]
        )
    found = [_data(r) for r in results]
    for part, written_down in zip(parts, found, strict=False):
        written_down["part"] = part
    return Evidence(
        broken is None,
        f"{shown}; {told}" if shown else told,
        latex,
        {"queries": found, **_plain(data)} if data else {"queries": found},
    )


def _data(result: Proof | CounterModel) -> dict[str, Any]:
    if isinstance(result, CounterModel):
        return {"answer": "counter-model", "values": _plain(_numbers(result.values)), "found": _plain(result.shown)}
    return {
        "answer": "proof",
        "core": list(result.core),
        "unused": list(result.unused),
        "assumptions are true at": _plain(_numbers(result.model)),
    }


def _numbers(values: dict[str, Any]) -> dict[str, Any]:
    """Leave out functions and what has only a name: z3 is free in the values that no formula asks for."""
    return {name: value for name, value in values.items() if isinstance(value, Fraction | int)}


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: _number(value) for name, value in values.items()}


def _number(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_number, value))})"
    return f"≈ {float(value.middle):.6g}" if isinstance(value, Ball) else str(value)


def _latex(name: str) -> str:
    stem, _, index = name.rpartition("_")
    return LATEX.get(name) or (f"{_latex(stem)}_{{{index}}}" if stem else name)


def _latex_number(value: Any) -> str:
    value = Fraction(value)
    if value.denominator == 1:
        return str(value)
    return f"{'-' if value < 0 else ''}\\tfrac{{{abs(value.numerator)}}}{{{value.denominator}}}"
