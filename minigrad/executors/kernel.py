"""A trace made ready for emission: what the host computes once per step, and what is done for each entry of the arrays.

Every expression of scalars alone is computed on the host in Python's own numbers, as the step itself computes it, and
enters the loop as a constant, rounded once to the arrays' dtype. NumPy does the same (NEP 50), so nothing is changed.
Where models are trained at once, the rows of the arrays, an expression of columns is a constant of each row.
"""

import keyword
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from minigrad.executors.listing import formula, symbol
from minigrad.executors.trace import Apply, Constant, Expression, Statement, Symbol, Trace, UntraceableError

__all__ = ["Kernel", "Line", "entrywise", "host", "infix", "kernel"]

# Names that the emitted sources use for themselves, and words of C++ that Python allows as names.
_CPP = (
    "auto bool break case char const constexpr continue default delete do double else enum explicit extern float for "
    "goto if inline int long new operator private protected public register return short signed sizeof static struct "
    "switch template this throw typedef typename union unsigned using virtual void volatile while"
)
_OWN = (
    "Fraction SCRATCH abs block blockDim blockIdx fabs fabsf gridDim i maximum n njit np numbers one prange row "
    "scalars sign sqrt sqrtf threadIdx update zero"
)
_TAKEN = {*_CPP.split(), *_OWN.split()}


@dataclass(frozen=True, slots=True)
class Line:
    """``name ← expression`` for each entry; its scalars are constants of the kernel."""

    name: str
    expression: Expression
    statement: Statement


@dataclass(frozen=True, slots=True)
class Kernel:
    """What a step does, divided.

    Attributes:
        arrays: names of w, g and the array states.
        numbers: names of the scalars and columns that the host is given: hyperparameters and scalar state.
        host: statements of the host, names and expressions.
        constants: what the host passes to the loop: names, and expressions of the host's names.
        lines: what is done for each entry, in order. No name is given twice.
        results: for w and each array state, what is written there.
        scalars: for each scalar state, its next value.
        rename: the name in the emitted source of each symbol.
    """

    arrays: tuple[str, ...]
    numbers: tuple[str, ...]
    host: tuple[tuple[str, Expression], ...]
    constants: tuple[tuple[str, Expression], ...]
    lines: tuple[Line, ...]
    results: tuple[Expression, ...]
    scalars: tuple[Expression, ...]
    rename: dict[Symbol, str]

    @property
    def of_rows(self) -> tuple[bool, ...]:
        """For each constant, whether every row of the arrays has its own."""
        return tuple(x.kind == "column" for _, x in self.constants)

    @property
    def written(self) -> tuple[str, ...]:
        """Names of the arrays that are written, in the order of the results: all but g."""
        return tuple(name for i, name in enumerate(self.arrays) if i != 1)


def kernel(traced: Trace) -> Kernel:
    """Divide a trace into host and loop.

    Raises UntraceableError, naming the line, for a power of an array that is neither the square nor the reciprocal:
    other powers are not the same to the last bit everywhere.
    """
    names = _Names()
    inputs = {s.name: s for s in traced.inputs}
    arrays = list(dict.fromkeys(s for s in (inputs["w"], inputs["g"], *traced.inputs) if s.kind == "array"))
    for s in traced.inputs:
        names.of(s)
    constants = _Constants(names)
    host, lines = [], []
    for statement in traced.statements:
        if statement.target.kind != "array":
            host.append((names.of(statement.target), statement.expression))
        else:
            _check_powers(statement.expression, statement)
            lines.append(Line(names.of(statement.target), constants.lifted(statement.expression), statement))
    # results are those of (w, *state), in the order of the inputs without g and the hyperparameters
    places = [s for s in traced.inputs if s != inputs["g"]][: len(traced.results)]
    by_place = dict(zip(places, traced.results, strict=True))
    results = tuple(constants.lifted(by_place[s]) for s in places if s.kind == "array")
    return Kernel(
        arrays=tuple(names.of(s) for s in arrays),
        numbers=tuple(names.of(s) for s in traced.inputs if s.kind != "array"),
        host=tuple(host),
        constants=tuple(constants.known.values()),
        lines=tuple(lines),
        results=results,
        scalars=tuple(by_place[s] for s in places if s.kind != "array"),
        rename=names.known,
    )


class _Names:
    """One name for each symbol, valid in Python and in C++, and given to no other."""

    def __init__(self) -> None:
        self.known: dict[Symbol, str] = {}
        self._used = set(_TAKEN)

    def of(self, symbol: Symbol) -> str:
        if symbol not in self.known:
            self.known[symbol] = self.fresh(symbol.name if symbol.version == 0 else f"{symbol.name}{symbol.version}")
        return self.known[symbol]

    def fresh(self, wish: str) -> str:
        name = "".join(c if c.isascii() else f"u{ord(c):x}" for c in wish).lstrip("_") or "x"
        while name in self._used or keyword.iskeyword(name) or name.rstrip("0123456789") in ("entry", "out"):
            name += "_"
        self._used.add(name)
        return name


class _Constants:
    """The scalars that the loop needs, each once; 1, 1.0 and −0.0 are three."""

    def __init__(self, names: _Names):
        self.known: dict[str, tuple[str, Expression]] = {}
        self._names = names
        self._computed = 0

    def lifted(self, x: Expression) -> Expression:
        """Return `x` with each of its scalars and columns replaced by the symbol of a constant; exponents stay."""
        if x.kind != "array":
            text = repr(x)
            if text not in self.known:
                name = self._names.of(x) if isinstance(x, Symbol) else self._names.fresh(f"k{self._computed}")
                self._computed += not isinstance(x, Symbol)
                self.known[text] = name, x
            return Symbol(self.known[text][0], "scalar")
        if isinstance(x, Apply):
            kept = x.operands[1:] if x.operation == "pow" else ()
            lifted = x.operands[: len(x.operands) - len(kept)]
            return Apply(x.operation, (*map(self.lifted, lifted), *kept))
        return x


def _check_powers(x: Expression, statement: Statement) -> None:
    if not isinstance(x, Apply) or x.kind != "array":
        return
    if x.operation == "pow":
        exponent = x.operands[1]
        if not (isinstance(exponent, Constant) and type(exponent.value) in (int, float) and exponent.value in (2, -1)):
            raise UntraceableError(
                f"{statement.file}:{statement.line}: on arrays ** takes 2 and -1 alone, since other powers differ in "
                "their last bits from one library to the next"
            )
    for operand in x.operands:
        _check_powers(operand, statement)


# --- expressions as text, as Python and C++ agree to read them --------------------------------------------------------

_SUM, _PRODUCT, _NEGATION, _ATOM = range(4)
_INFIX = {"add": ("+", _SUM), "sub": ("-", _SUM), "mul": ("*", _PRODUCT), "truediv": ("/", _PRODUCT)}


def infix(x: Expression, leaf: Callable[[Constant | Symbol], str], call: Callable[[Apply], str]) -> str:
    """Return an expression as source text, with the brackets that it takes to be computed as it stands.

    Args:
        x: the expression.
        leaf: the text of a constant or a symbol, an atom.
        call: the text, an atom too, of an operation other than + - * / and the sign.
    """

    def written(x: Expression) -> tuple[str, int]:
        match x:
            case Apply("neg", (a,)):
                return f"-{at(a, _ATOM)}", _NEGATION
            case Apply(operation, (a, b)) if operation in _INFIX:
                sign, level = _INFIX[operation]
                return f"{at(a, level)} {sign} {at(b, level + 1)}", level
            case Apply():
                return call(x), _ATOM
        return leaf(x), _ATOM

    def at(x: Expression, least: int) -> str:
        text, level = written(x)
        return text if level >= least else f"({text})"

    return written(x)[0]


def host(k: Kernel) -> tuple[str, str]:
    """Return the source of ``scalars(*numbers)``: the constants of the loop, and the next scalar state; its imports."""
    used: set[str] = set()

    def leaf(x: Constant | Symbol) -> str:
        if isinstance(x, Symbol):
            return k.rename[x]
        if isinstance(x.value, Fraction):
            used.add("Fraction")
        return _literal(x.value)

    def call(x: Apply) -> str:
        operands = [text(y) for y in x.operands]
        if x.operation == "pow":
            return "(" + " ** ".join(f"({y})" if _compound(y) else y for y in operands) + ")"
        used.add(x.operation)
        return f"{x.operation}({', '.join(operands)})"

    def text(x: Expression) -> str:
        return infix(x, leaf, call)

    body = [f"    {name} = {text(x)}" for name, x in k.host]
    body += [f"    {name} = {text(x)}" for name, x in k.constants if not isinstance(x, Symbol)]
    constants, state = _tuple([name for name, _ in k.constants]), _tuple([text(x) for x in k.scalars])
    head = [f"def scalars({', '.join(k.numbers)}):", '    """Compute once per step, on the host."""']
    function = "\n".join([*head, *body, f"    return {constants}, {state}"])
    generic = sorted(used & {"maximum", "sign", "sqrt"})
    imports = ["from fractions import Fraction"] * ("Fraction" in used)
    imports += [f"from minigrad.rules import {', '.join(generic)}"] * bool(generic)
    return function, "".join(f"{line}\n" for line in imports)


def _tuple(items: list[str]) -> str:
    return f"({', '.join(items)}{',' * (len(items) == 1)})"


def _compound(text: str) -> bool:
    return not text.replace("_", "").replace(".", "").isalnum()


def _literal(value: Any) -> str:
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    text = repr(value)
    return f"({text})" if text.startswith("-") else text


def entrywise(
    k: Kernel,
    *,
    array: str,
    functions: Mapping[str, str],
    spelled: Mapping[str, str],
    declare: str = "",
    end: str = "",
    comment: str = "#",
) -> tuple[list[str], set[str]]:
    """Return the loop's body as statements on one entry, and which of `spelled` they use.

    Args:
        k: the kernel.
        array: an entry of the array ``{}``.
        functions: how the roots and absolute values are called, with ``{0}`` for the operand.
        spelled: how sign, maximum, square and reciprocal are computed from names: each of their operands is given one.
        declare: what stands before every assignment to a name.
        end: what stands after it.
        comment: what begins a comment.
    """
    lines: list[str] = []
    used: set[str] = set()
    entries = {name: array.format(name) for name in k.arrays}

    def bound(x: Expression, *, always: bool = False) -> str:
        found = text(x)
        if isinstance(x, Symbol) and not always:
            return found
        lines.append(f"{declare}entry{len(lines)} = {found}{end}")
        return f"entry{len(lines) - 1}"

    def leaf(x: Constant | Symbol) -> str:
        assert isinstance(x, Symbol)
        name = k.rename.get(x, x.name)
        return entries.get(name, name)

    def call(x: Apply) -> str:
        if x.operation in functions:
            return functions[x.operation].format(*map(text, x.operands))
        name, operands = x.operation, x.operands
        if name == "pow":
            assert isinstance(operands[1], Constant)
            name, operands = ("square" if operands[1].value == 2 else "reciprocal"), operands[:1]
        used.add(name)
        return f"({spelled[name].format(*map(bound, operands))})"

    def text(x: Expression) -> str:
        return infix(x, leaf, call)

    for line in k.lines:
        lines.append(f"{comment} {symbol(line.statement.name)} ← {formula(line.statement.expression)}")
        value = text(line.expression)
        lines.append(f"{declare}{line.name} = {value}{end}")
    written = []
    for name, x in zip(k.written, k.results, strict=True):
        if text(x) != entries[name]:
            written.append(f"{entries[name]} = {bound(x, always=text(x) in entries.values())}{end}")
    return [*lines, *written], used
