"""A flat listing: what a variant does in one step, line for line, in the symbols of the book.

``print(listing("adamw"))`` shows rule and door as one piece, each line beside the source line that it came from.
Lines are in the order of execution, and brackets group as the source computes: ``a + (b + c)`` is not ``a + b + c``
in floating point, so it is not printed as if it were.
"""

import inspect
import unicodedata
from fractions import Fraction
from pathlib import Path

from minigrad.executors.branches import branches
from minigrad.executors.trace import OPPOSITE, Apply, Condition, Constant, Expression, Statement, Symbol, Trace
from minigrad.regularization.variants import ALIASES, Variant, variant
from minigrad.rules import scalar_state, state_names

__all__ = ["condition", "flat", "formula", "listing", "traces"]

_PACKAGE = Path(__file__).resolve().parents[1]

SYMBOLS = {
    "lr": "α",
    "decay": "η",
    "l2": "λ",
    "l1": "c",
    "momentum": "β",
    "beta1": "β₁",
    "beta2": "β₂",
    "eps": "ε",
    "rho": "ρ",
    "rho_t": "ρₜ",
    "rho_inf": "ρ∞",
    "psi": "ψ",
    "mu": "μ",
    "mu_next": "μ′",
    "mu_product": "Πμ",
    "m_hat": "m̂",
    "v_hat": "v̂",
    "v_max": "vₘₐₓ",
    "delta": "δ",
}

_SUPERSCRIPT = str.maketrans("0123456789−abcdefghijklmnoprstuvwxyz", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")

# How tightly a formula holds together; an operand that holds less tightly than its place asks for gets brackets.
_SUM, _NEGATION, _QUOTIENT, _PRODUCT, _POWER, _ATOM = range(6)


def listing(variant_or_name: Variant | str) -> str:
    """Return a variant (or the one called so, or published so) as text: a heading, and a line per statement.

    A rule that branches on its scalars is listed once per branch, with the condition above.

    Raises ValueError for a name that no variant has; the message suggests the nearest.
    """
    v = variant(variant_or_name) if isinstance(variant_or_name, str) else variant_or_name
    found = traces(v)
    published = [alias for alias, name in ALIASES.items() if name == v.name]
    summary, source = _description(v)
    heading = [v.name + "".join(f" (published as {alias})" for alias in published), v.summary, f"rule: {summary}"]
    parts = ["\n".join([*heading, *([f"source: {source}"] if source else [])])]
    for traced in found:
        where = ", ".join(map(condition, traced.conditions))
        parts.append((f"where {where}:\n" if where else "") + flat(traced))
    return "\n\n".join([*parts, _legend(found[0])])


def traces(v: Variant) -> tuple[Trace, ...]:
    """Return the traces of a variant, one for each branch that its scalars take."""
    return branches(v.step, state_names(v.rule), v.hyper, tuple(scalar_state(v.rule)))


def flat(traced: Trace) -> str:
    """Return the statements of a trace, one a line, and beside each where it stands in the source."""
    lines = [f"{symbol(s.name)} ← {formula(s.expression)}" for s in traced.statements]
    width = max(map(_width, lines), default=0)
    return "\n".join(
        line + " " * (width - _width(line) + 4) + _place(s) for line, s in zip(lines, traced.statements, strict=True)
    )


_RELATIONS = {"eq": "=", "ne": "≠", "lt": "<", "le": "≤", "gt": ">", "ge": "≥"}


def condition(c: Condition) -> str:
    """Return what a trace's condition says of the scalars, as one line of mathematics."""
    if c.comparison == "truth":
        return f"{formula(c.operands[0])} {'≠' if c.answer else '='} 0"
    relation = c.comparison if c.answer else OPPOSITE[c.comparison]
    return f" {_RELATIONS[relation]} ".join(map(formula, c.operands))


def symbol(name: str) -> str:
    """Return the book's symbol for a name of the source."""
    return SYMBOLS.get(name, name)


def formula(x: Expression) -> str:
    """Return an expression as one line of mathematics, with no more brackets than it takes to read it as computed."""
    return _written(x)[0]


def _written(x: Expression) -> tuple[str, int]:
    """Return the text of an expression, and how tightly it holds together."""
    match x:
        case Constant(Fraction(numerator=n, denominator=d)) if d != 1:
            return (f"{n}/{d}" if n > 0 else f"−{-n}/{d}"), _QUOTIENT
        case Constant(value):
            return (str(value), _ATOM) if value >= 0 else (f"−{-value}", _NEGATION)
        case Symbol(name):
            return symbol(name), _ATOM
        case Apply("add", (a, b)):
            return f"{_at(a, _SUM)} + {_at(b, _QUOTIENT)}", _SUM
        case Apply("sub", (a, b)):
            return f"{_at(a, _SUM)} − {_at(b, _QUOTIENT)}", _SUM
        case Apply("neg", (a,)):
            return f"−{_at(a, _QUOTIENT)}", _NEGATION
        case Apply("mul", (a, b)):
            left, right = _at(a, _PRODUCT), _at(b, _POWER)
            return f"{left} {'· ' if right[0].isdigit() else ''}{right}", _PRODUCT
        case Apply("truediv", (a, b)):
            return f"{_at(a, _QUOTIENT)} / {_at(b, _POWER)}", _QUOTIENT
        case Apply("pow", (a, b)):
            exponent = formula(b)
            raised = exponent.translate(_SUPERSCRIPT)
            simple = isinstance(b, Constant | Symbol) and not set(raised) & set(exponent)
            return _at(a, _ATOM) + (raised if simple else f"^({exponent})"), _POWER
        case Apply("abs", (a,)):
            return f"|{formula(a)}|", _ATOM
        case Apply("sqrt", (a,)):
            return f"√{_at(a, _ATOM)}", _POWER
        case Apply("maximum", (a, b)):
            return f"max({formula(a)}, {formula(b)})", _ATOM
        case Apply(operation, operands):
            return f"{operation}({', '.join(map(formula, operands))})", _ATOM


def _at(x: Expression, least: int) -> str:
    """Return the text of an operand, in brackets where its place asks for more than it holds."""
    text, tightness = _written(x)
    return text if tightness >= least else f"({text})"


def _description(v: Variant) -> tuple[str, str]:
    """Return the first sentence of the rule's docstring, and its source."""
    text = (inspect.getdoc(v.rule) or v.rule.__name__).replace("`", "")
    source = text.partition("Source: ")[2]
    return text.partition("\n")[0], " ".join(source.split())


def _legend(traced: Trace) -> str:
    """Return what the symbols stand for, as arguments of the step."""
    scalars = [x.name for x in traced.inputs if x.kind == "scalar"]
    return "with " + ", ".join(f"{symbol(n)} = {n}" if symbol(n) != n else n for n in scalars) if scalars else ""


def _place(statement: Statement) -> str:
    """Return ``file:line``, relative to the package where it lies in it."""
    path = Path(statement.file).resolve()
    shown = path.relative_to(_PACKAGE).as_posix() if path.is_relative_to(_PACKAGE) else path.name
    return f"{shown}:{statement.line}"


def _width(text: str) -> int:
    """Return how many columns a text takes; a hat stands over its letter and takes none."""
    return sum(not unicodedata.combining(c) for c in text)
