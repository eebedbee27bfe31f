"""Symbols in the letters of the book, steps taken on them, and how a formula is written down.

A step on symbols is the step that trains: the same function of `minigrad.regularization`, called with SymPy's symbols.
"""

import difflib
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any

from minigrad.executors.listing import SYMBOLS
from minigrad.extras import need
from minigrad.proof.branches import branches
from minigrad.regularization.variants import ALIASES, VARIANTS, Variant, variant
from minigrad.rules import RULES, hyper_names, preconditioned, state_names
from minigrad.rules.functions import exp, maximum, sign, sqrt

sympy: Any = need("sympy", "proof")

__all__ = [
    "PER_WEIGHT",
    "RATES",
    "as_exact",
    "fraction",
    "latex",
    "letter",
    "letters_of",
    "name_of",
    "rule_called",
    "step",
    "text",
]

Rule = Callable[..., tuple[Any, ...]]
Expr = Any

sqrt.register(sympy.Expr, sympy.sqrt)
sign.register(sympy.Expr, sympy.sign)
maximum.register(sympy.Expr, sympy.Max)
exp.register(sympy.Expr, lambda x, base: sympy.sympify(base) ** x)

# Hyperparameters of which there is one per weight, so that "one λ for all weights" must not depend on them.
PER_WEIGHT = ("scale",)

# Rates of moving averages, all below 1.
RATES = ("beta1", "beta2", "rho")

# What is known of a name; anything else is real. That rates are below 1 SymPy cannot be told.
_NONNEGATIVE = ("v", "v_max", "u", "psi")
_POSITIVE = ("lr", "decay", "l1", "eps", "momentum", "beta1", "beta2", "rho", "scale", "mu_product")

_GREEK = {"α": "alpha", "β": "beta", "ε": "varepsilon", "η": "eta", "λ": "lambda", "ρ": "rho", "ψ": "psi"}
_NOT_STEM_AND_INDEX = {SYMBOLS["v_max"]: r"v_{\max}", SYMBOLS["mu_product"]: r"\Pi_{\mu}"}
_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_DIGITS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


def letter(name: str, index: int | None = None) -> Expr:
    """Return the symbol for a name of the source: ``letter("lr")`` is α, ``letter("lr", 2)`` is α₂.

    `t`, the number of the step, is a positive integer, learning rates and decays are positive, second moments and
    other sizes are not negative; weights, gradients, buffers and λ are real.
    """
    written = SYMBOLS.get(name, "s" if name == "scale" else name)
    if index is not None:
        written += str(index).translate(_SUBSCRIPT)
    if name == "t":
        return sympy.Symbol(written, integer=True, positive=True)
    if name in _POSITIVE:
        return sympy.Symbol(written, positive=True)
    if name in _NONNEGATIVE:
        return sympy.Symbol(written, nonnegative=True)
    return sympy.Symbol(written, real=True)


def as_exact(name: str, value: Any) -> Expr:
    """Return an integer, a Fraction or an expression as SymPy's; refuse floats, which are not what they seem.

    Raises TypeError for floats (NaN and infinity among them) and whatever else is no exact number or expression,
    ValueError for SymPy's own NaN and infinities.
    """
    exact = isinstance(value, int | Fraction | sympy.Expr) and not isinstance(value, bool)
    if not exact or sympy.sympify(value).has(sympy.Float):
        raise TypeError(f"{name} must be exact (an integer, a Fraction or a SymPy expression), got {value!r}")
    found = sympy.sympify(value)
    if found.has(sympy.nan, sympy.oo, -sympy.oo, sympy.zoo):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return found


def fraction(x: Expr) -> Fraction:
    """Return a rational number of SymPy's as Python's. Raises TypeError for anything else."""
    if not x.is_Rational:
        raise TypeError(f"no rational number: {x}")
    return Fraction(int(x.p), int(x.q))


def rule_called(rule: Rule | str) -> Rule:
    """Return a base rule by its name, or the function itself.

    Raises ValueError for a name that no rule has, suggesting the nearest, and for the name of a rule *behind a door*:
    what is asked of a rule here compares its doors.
    """
    if callable(rule):
        return rule
    known = {**RULES, preconditioned.__name__: preconditioned}
    key = str(rule).lower().replace("-", "_")
    if key in known:
        return known[key]
    behind = VARIANTS.get(ALIASES.get(key, key))
    if behind is not None:
        own = behind.rule.__name__
        raise ValueError(f'{rule!r} is a rule behind a door ({behind.summary}); doors are compared here: pass "{own}"')
    near = difflib.get_close_matches(key, known, n=3, cutoff=0.4)
    raise ValueError(
        f"no rule is called {rule!r}; did you mean {', '.join(near)}?"
        if near
        else f"no rule is called {rule!r}; there are {', '.join(known)}"
    )


def name_of(rule: Rule) -> str:
    """Return what to call a rule in a sentence."""
    return getattr(rule, "__name__", repr(rule))


def step(variant_or_name: Variant | str, **given: Any) -> tuple[Expr, ...]:
    """Return ``(w, *state)`` after one step of any variant on symbols: ``step("adamw")``, ``step("sgd_l2", l2=...)``.

    Weights, gradient, state and hyperparameters are the book's letters (`letter`) unless `given` by name, as exact
    numbers or expressions.

    A rule that branches on its scalars takes the branch of numbers that are given: ``step("radamw", t=1, beta2=...)``.

    Raises ValueError for an unknown variant, for a name the variant does not have (door 3 takes no ``l2``, door 2 no
    ``decay``, the plain door neither), and if a branch depends on what is not given.
    """
    v = variant(variant_or_name) if isinstance(variant_or_name, str) else variant_or_name
    places = ("w", "g", *state_names(v.rule))
    if unknown := [name for name in given if name not in (*places, *v.hyper)]:
        raise ValueError(f"{v.name} ({v.summary}) takes no {unknown[0]}; it takes {', '.join((*places, *v.hyper))}")
    at = {n: as_exact(n, given[n]) if n in given else letter(n) for n in (*places, *v.hyper)}
    try:
        return tuple(v.step(*(at[n] for n in places), **{n: at[n] for n in v.hyper}))
    except TypeError as error:
        asked = [b.where for b in branches(v.rule) if b.where]
        if not asked:
            raise
        raise ValueError(f"{v.name} is another step where {' or '.join(asked)}: give it the numbers") from error


def letters_of(rule: Rule) -> tuple[Expr, Expr, tuple[Expr, ...], dict[str, Expr]]:
    """Return the symbols a rule is run on: w, g, its state, its hyperparameters by name."""
    return letter("w"), letter("g"), tuple(map(letter, state_names(rule))), {n: letter(n) for n in hyper_names(rule)}


class _PositiveFirst:
    """Prints 1 − η, not −η + 1."""

    def _as_ordered_terms(self, expr: Expr, order: Any = None) -> list[Expr]:
        terms: list[Expr] = super()._as_ordered_terms(expr, order=order)  # type: ignore[misc]
        return sorted(terms, key=lambda term: term.could_extract_minus_sign())


_Text: Any = type("_Text", (_PositiveFirst, need("sympy.printing.str", "proof").StrPrinter), {})
_Latex: Any = type("_Latex", (_PositiveFirst, need("sympy.printing.latex", "proof").LatexPrinter), {})


def text(x: Expr) -> str:
    """Return an expression on one line: ``−w·η²/α``."""
    found = re.sub(r"\*\*(\d+)", lambda m: m[1].translate(_SUPERSCRIPT), _Text().doprint(x))
    found = re.sub(r"_(\d+)", lambda m: m[1].translate(_SUBSCRIPT), found)
    return found.replace("**", "^").replace("sqrt(", "√(").replace("Abs(", "abs(").replace("*", "·").replace("-", "−")


def latex(x: Expr) -> str:
    """Return an expression as LaTeX, without dollar signs."""
    return str(_Latex({"symbol_names": {s: _latex_name(s.name) for s in x.free_symbols}}).doprint(x))


def _latex_name(name: str) -> str:
    if name in _NOT_STEM_AND_INDEX:
        return _NOT_STEM_AND_INDEX[name]
    found = re.fullmatch(r"(.+?)([₀-₉]*)", name)
    stem, index = found.groups() if found else (name, "")
    stem = "\\" + _GREEK[stem] if stem in _GREEK else stem if len(stem) == 1 else rf"\mathrm{{{stem}}}"
    return stem + (f"_{{{index.translate(_DIGITS)}}}" if index else "")
