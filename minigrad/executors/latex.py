"""A trace as LaTeX, in the order of the source and in the book's symbols.

Brackets group as the source computes, and fractions are written as such. The lines need ``amsmath``.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from minigrad.executors.trace import OPPOSITE, Apply, Condition, Constant, Expression, Trace

__all__ = ["aligned", "condition", "formula", "symbol"]

SYMBOLS = {
    "lr": r"\alpha", "decay": r"\eta", "l2": r"\lambda", "l1": "c", "momentum": r"\beta", "beta1": r"\beta_{1}",
    "beta2": r"\beta_{2}", "eps": r"\varepsilon", "rho": r"\rho", "m_hat": r"\hat{m}", "v_hat": r"\hat{v}",
    "v_max": r"v_{\max}", "delta": r"\delta", "psi": r"\psi", "mu": r"\mu", "mu_next": r"\mu'",
    "mu_product": r"\Pi_{\mu}", "rho_t": r"\rho_{t}", "rho_inf": r"\rho_{\infty}",
}  # fmt: skip

_RELATIONS = {"eq": "=", "ne": r"\neq", "lt": "<", "le": r"\leq", "gt": ">", "ge": r"\geq"}

_SUM, _NEGATION, _PRODUCT, _POWER, _ATOM = range(5)


def aligned(traced: Trace) -> str:
    r"""Return the statements of a trace as an ``aligned`` environment, and the conditions under which they hold."""
    lines = [rf"{symbol(s.name)} &\leftarrow {formula(s.expression)}" for s in traced.statements]
    asked = [rf"&\text{{where }} {condition(c)}" for c in traced.conditions]
    return "\\begin{aligned}\n" + " \\\\\n".join([*lines, *asked]) + "\n\\end{aligned}"


def symbol(name: str) -> str:
    """Return the book's symbol for a name of the source."""
    if name in SYMBOLS:
        return SYMBOLS[name]
    return name if len(name) == 1 else rf"\mathit{{{name.replace('_', chr(92) + '_')}}}"


def condition(c: Condition) -> str:
    """Return a condition that holds."""
    if c.comparison == "truth":
        return rf"{formula(c.operands[0])} {_RELATIONS['ne' if c.answer else 'eq']} 0"
    relation = c.comparison if c.answer else OPPOSITE[c.comparison]
    return f" {_RELATIONS[relation]} ".join(map(formula, c.operands))


def formula(x: Expression) -> str:
    """Return an expression, with no more brackets than it takes to read it as computed."""
    return _written(x)[0]


def _written(x: Expression) -> tuple[str, int]:
    """Return the text of an expression, and how tightly it holds together."""
    match x:
        case Constant(value):
            text = _number(abs(value))
            return (f"-{text}", _NEGATION) if value < 0 else (text, _POWER if "frac" in text else _ATOM)
        case Apply("add" | "sub" as operation, (a, b)):
            return f"{_at(a, _SUM)} {'+' if operation == 'add' else '-'} {_at(b, _PRODUCT)}", _SUM
        case Apply("neg", (a,)):
            return f"-{_at(a, _PRODUCT)}", _NEGATION
        case Apply("mul", (a, b)):
            left, right = _at(a, _PRODUCT), _at(b, _POWER)
            return f"{left} {chr(92) + 'cdot ' if right[0].isdigit() else chr(92) + ', '}{right}", _PRODUCT
        case Apply("truediv", (a, b)):
            return rf"\frac{{{formula(a)}}}{{{formula(b)}}}", _POWER
        case Apply("pow", (a, b)):
            return f"{{{_at(a, _ATOM)}}}^{{{formula(b)}}}", _POWER
        case Apply("abs", (a,)):
            return rf"\lvert {formula(a)} \rvert", _ATOM
        case Apply("sqrt", (a,)):
            return rf"\sqrt{{{formula(a)}}}", _ATOM
        case Apply("maximum", (a, b)):
            return rf"\max\left({formula(a)}, {formula(b)}\right)", _ATOM
        case Apply(operation, operands):
            return rf"\operatorname{{{operation}}}\left({', '.join(map(formula, operands))}\right)", _ATOM
    return symbol(x.name), _ATOM


def _at(x: Expression, least: int) -> str:
    """Return the text of an operand, in brackets where its place asks for more than it holds."""
    text, tightness = _written(x)
    return text if tightness >= least else rf"\left({text}\right)"


def _number(value: Any) -> str:
    if isinstance(value, Fraction) and value.denominator != 1:
        return rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
