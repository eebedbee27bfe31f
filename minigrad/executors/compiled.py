"""A numba kernel, as source text: one loop over the entries, each read once and written once.

The same operations in the same order as the rule's, without contraction or reassociation, and each entry by itself: the
result does not depend on how the entries are divided among threads (`minigrad.executors.cores`).
"""

from minigrad.executors.kernel import Kernel, entrywise, host

__all__ = ["source"]


def source(k: Kernel) -> str:
    """Return a Python module with ``scalars(*numbers)`` and ``update(*arrays, *constants)``.

    The constants must have the arrays' dtype: numba would compute float32 with a Python number in float64. Where some
    are columns, the arrays have rows, and it is ``update(*arrays, numbers, *constants)``: each row of `numbers` holds
    the columns' numbers for that row, in the order of `Kernel.constants`, of which only the scalars follow.
    """
    scalars, imports = host(k)
    of_rows = [name for (name, _), own in zip(k.constants, k.of_rows, strict=True) if own]
    body, spelled = entrywise(
        k,
        array="{}[row, i]" if of_rows else "{}[i]",
        functions={"sqrt": "np.sqrt({0})", "abs": "abs({0})"},
        spelled={
            "sign": "one if {0} > zero else -one if {0} < zero else zero if {0} == zero else {0}",
            "maximum": "{0} if {0} > {1} or {0} != {0} else {1}",
            "square": "{0} * {0}",
            "reciprocal": "one / {0}",
        },
    )
    lines = ["one = w.dtype.type(1)", "zero = w.dtype.type(0)"] if spelled & {"sign", "reciprocal"} else []
    loop = [f"for i in range({k.arrays[0]}.{'shape[1]' if of_rows else 'size'}):", *(f"    {line}" for line in body)]
    if of_rows:
        own = [f"    {name} = numbers[row, {j}]" for j, name in enumerate(of_rows)]
        loop = [f"for row in range({k.arrays[0]}.shape[0]):", *own, *(f"    {line}" for line in loop)]
    lines = [f"    {line}" for line in (*lines, *loop)]
    scalar = [name for name, _ in k.constants if name not in of_rows]
    arguments = ", ".join([*k.arrays, *["numbers"] * bool(of_rows), *scalar])
    return (
        f"import numpy as np\nfrom numba import njit\n{imports}\n\n{scalars}\n\n\n"
        '@njit(cache=True, nogil=True, fastmath=False, error_model="numpy")\n'
        f'def update({arguments}):\n    """Update every entry, in place."""\n' + "\n".join(lines) + "\n"
    )
