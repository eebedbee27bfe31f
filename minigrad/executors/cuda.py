"""A CUDA kernel, as source text: one thread per entry. Nothing here runs it.

The scalars lie in a small device array, so that a captured launch sees their new values. To keep every bit of the rule
the source must be compiled with ``--fmad=false`` and without ``--use_fast_math``: division and root are then rounded
as IEEE 754 asks, and no product is fused with a sum.

Where each row of the arrays has numbers of its own, they lie there too, and a thread takes those of its row.

A step that branches on scalars is one kernel with all its branches, of which the first number says the one to take: a
captured launch may take another one next time.
"""

from collections.abc import Iterator, Sequence

from minigrad.executors.kernel import Kernel, entrywise

__all__ = ["NAME", "length", "source"]

NAME = "update"


def source(kernels: Kernel | Sequence[Kernel], dtype: str = "float32", shape: tuple[int, int] | None = None) -> str:
    """Return CUDA C for arrays of "float32" or "float64": ``update(n, *arrays, numbers)``. The arrays must not overlap.

    `numbers` holds the constants, in the order of `Kernel.constants`, in the arrays' dtype; of a column, which takes
    arrays of the given `shape`, one for each row. Of several kernels, on the same arrays, the one is executed whose
    index is the first number; its constants follow.

    Raises ValueError for any other dtype.
    """
    kernels = [kernels] if isinstance(kernels, Kernel) else kernels
    if dtype not in ("float32", "float64"):
        raise ValueError(f'CUDA kernels are for "float32" and "float64", got {dtype!r}')
    real = "float" if dtype == "float32" else "double"
    names = kernels[0].arrays
    arrays = [f"{'const ' if i == 1 else ''}{real} *__restrict__ {name}" for i, name in enumerate(names)]
    arguments = ", ".join(["const long long n", *arrays, f"const {real} *__restrict__ numbers"])
    lines = [
        "// compile with --fmad=false",
        f'extern "C" __global__ void {NAME}({arguments}) {{',
        "    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
        "    if (i >= n) return;",
    ]
    if shape is not None:
        lines.append(f"    const long long row = i / {shape[1]};")
    if len(kernels) == 1:
        lines += [f"    {line}" for line in _body(kernels[0], real, 0, shape)]
    else:
        for j, k in enumerate(kernels):
            body = [f"        {line}" for line in _body(k, real, 1, shape)]
            lines += [f"    if (numbers[0] == {j}) {{", *body, "    }"]
    return "\n".join([*lines, "}"]) + "\n"


def length(k: Kernel, shape: tuple[int, int] | None = None) -> int:
    """Return how many numbers the constants of a kernel are, on arrays of that shape where it has columns."""
    return sum(_lengths(k, shape))


def _lengths(k: Kernel, shape: tuple[int, int] | None) -> list[int]:
    return [shape[0] if own and shape is not None else 1 for own in k.of_rows]


def _body(k: Kernel, real: str, first: int, shape: tuple[int, int] | None) -> Iterator[str]:
    """Yield what is done for each entry, with constants that begin at the number `first`."""
    f = "f" if real == "float" else ""
    body, _ = entrywise(
        k,
        array="{}[i]",
        functions={"sqrt": f"sqrt{f}({{0}})", "abs": f"fabs{f}({{0}})"},
        spelled={
            "sign": f"{{0}} > 0 ? ({real})1 : {{0}} < 0 ? ({real})-1 : {{0}} == 0 ? ({real})0 : {{0}}",
            "maximum": "{0} > {1} || {0} != {0} ? {0} : {1}",
            "square": "{0} * {0}",
            "reciprocal": f"({real})1 / {{0}}",
        },
        declare=f"const {real} ",
        end=";",
        comment="//",
    )
    for (name, _), own, count in zip(k.constants, k.of_rows, _lengths(k, shape), strict=True):
        yield f"const {real} {name} = numbers[{first}{' + row' * own}];"
        first += count
    yield from body
