"""A numba kernel, as source text: one loop over the entries, each read once and written once.

The same operations in the same order as the rule's, without contraction or reassociation, and each entry by itself: the
result does not depend on how the entries are divided among threads (`minigrad.executors.cores`).
"""

from minigrad.executors.kernel import Kernel, entrywise, host

__all__ = ["source"]


def source(k: Kernel) -> str:
    """Return a Python module with ``scalars(*numbers)`` and ``update(*arrays, *constants)``.

    The constants must have the arrays' dtype: numba would compute float32 with a Python number in float64.
    """
    scalars, imports = host(k)
    body, spelled = entrywise(
        k,
        array="{}[i]",
        functions={"sqrt": "np.sqrt({0})", "abs": "abs({0})"},
        spelled={
            "sign": "one if {0} > zero else -one if {0} < zero else zero if {0} == zero else {0}",
            "maximum": "{0} if {0} > {1} or {0} != {0} else {1}",
            "square": "{0} * {0}",
            "reciprocal": "one / {0}",
        },
    )
    units = ["one = w.dtype.type(1)", "zero = w.dtype.type(0)"] if spelled & {"sign", "reciprocal"} else []
    lines = [f"    {line}" for line in units]
    lines.append(f"    for i in range({k.arrays[0]}.size):")
    lines += [f"        {line}" for line in body]
    arguments = ", ".join([*k.arrays, *(name for name, _ in k.constants)])
    return (
        f"import numpy as np\nfrom numba import njit\n{imports}\n\n{scalars}\n\n\n"
        '@njit(cache=True, nogil=True, fastmath=False, error_model="numpy")\n'
        f'def update({arguments}):\n    """Update every entry, in place."""\n' + "\n".join(lines) + "\n"
    )
