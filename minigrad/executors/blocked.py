"""NumPy in blocks that stay in the cache: every operation writes to a buffer that is used again, and none is allocated.

An expression in plain NumPy makes a new array for every operation, and each travels to memory and back. Here a block of
each array goes through all operations before the next block is read, and results land where they belong.
"""

from collections.abc import Iterator

from minigrad.executors.kernel import Kernel, host
from minigrad.executors.listing import formula, symbol
from minigrad.executors.trace import Apply, Constant, Expression, Symbol

__all__ = ["source"]

_UFUNCS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "neg": "negative", "abs": "absolute",
    "sqrt": "sqrt", "sign": "sign", "maximum": "maximum",
}  # fmt: skip


def source(k: Kernel) -> str:
    """Return a Python module with ``scalars(*numbers)`` and ``block(*arrays, *scratch, *constants)``.

    ``SCRATCH`` says how many scratch arrays, of the block's length and dtype, it takes. The arrays of `block` must not
    overlap.
    """
    plan = _Plan(k)
    body = "\n".join(f"    {line}" for line in plan.lines())
    arguments = [*k.arrays, *(f"out{i}" for i in range(plan.scratch)), *(name for name, _ in k.constants)]
    scalars, imports = host(k)
    return (
        f"import numpy as np\n{imports}\nSCRATCH = {plan.scratch}\n\n\n{scalars}\n\n\n"
        f'def block({", ".join(arguments)}):\n    """Update one block, in place."""\n{body}\n'
    )


class _Call:
    """One NumPy call: its result, its function and operands, and what to say beside it."""

    def __init__(self, result: str, function: str, operands: tuple[str, ...], said: str):
        self.result = result
        self.function = function
        self.operands = operands
        self.said = said


class _Plan:
    """Where each intermediate result lies.

    A result that is to be an array's new content is written there at once, if the old content is read no more; every
    other lies in scratch that nothing needs any longer.
    """

    def __init__(self, k: Kernel):
        self.scratch = 0
        self._calls: list[_Call] = []
        self._values: dict[str, str] = {name: name for name in k.arrays}  # of a kernel's name, the result it stands for
        for line in k.lines:
            said = f"{symbol(line.statement.name)} ← {formula(line.statement.expression)}"
            first = len(self._calls)
            self._values[line.name] = self._flatten(line.expression, k.rename)
            if len(self._calls) > first:
                self._calls[first].said = said
        self._targets = self._finish(k)
        self._k = k

    def _flatten(self, x: Expression, rename: dict[Symbol, str]) -> str:
        """Append the calls that compute `x`; return the name of the result."""
        if isinstance(x, Symbol):
            return rename.get(x, x.name) if x.kind == "scalar" else self._values[rename[x]]
        assert isinstance(x, Apply)
        if x.operation == "pow":
            base = self._flatten(x.operands[0], rename)
            assert isinstance(x.operands[1], Constant)
            return self._call("multiply", base, base) if x.operands[1].value == 2 else self._call("reciprocal", base)
        return self._call(_UFUNCS[x.operation], *(self._flatten(y, rename) for y in x.operands))

    def _call(self, function: str, *operands: str) -> str:
        self._calls.append(_Call(f"%{len(self._calls)}", function, operands, ""))
        return self._calls[-1].result

    def _finish(self, k: Kernel) -> dict[str, list[str]]:
        """Return which arrays each result is for; a result that nothing computes is copied to become one."""
        targets: dict[str, list[str]] = {}
        for name, x in zip(k.written, k.results, strict=True):
            result = self._flatten(x, k.rename)
            if result == name:
                continue
            if not result.startswith("%"):
                result = self._call("positive", result) if x.kind == "array" else result
            targets.setdefault(result, []).append(name)
        return targets

    def lines(self) -> Iterator[str]:
        """Yield the statements of the block."""
        last: dict[str, int] = {}
        for i, call in enumerate(self._calls):
            last |= dict.fromkeys(call.operands, i)
        for result in self._targets:
            last[result] = len(self._calls)
        place = {name: name for name in self._k.arrays} | {name: name for name, _ in self._k.constants}
        free: list[str] = []
        for i, call in enumerate(self._calls):
            operands = [place[name] for name in call.operands]
            for name in set(call.operands):
                if last[name] == i and name.startswith("%") and place[name].startswith("out"):
                    free.append(place[name])
            free.sort(reverse=True)
            direct = [name for name in self._targets.get(call.result, ()) if last.get(name, -1) <= i]
            if direct:
                self._targets[call.result].remove(direct[0])
                place[call.result] = direct[0]
            else:
                place[call.result] = free.pop() if free else self._more()
            if call.said:
                yield f"# {call.said}"
            yield f"np.{call.function}({', '.join(operands)}, out={place[call.result]})"
        for result, names in self._targets.items():
            for name in names:
                yield f"np.copyto({name}, {place[result]})"
        if not self._calls and not any(self._targets.values()):
            yield "pass"

    def _more(self) -> str:
        self.scratch += 1
        return f"out{self.scratch - 1}"
