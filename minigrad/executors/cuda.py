"""A CUDA kernel, as source text: one thread per entry. Nothing here runs it.

The scalars lie in a small device array, so that a captured launch sees their new values. To keep every bit of the rule
the source must be compiled with ``--fmad=false`` and without ``--use_fast_math``: division and root are then rounded
as IEEE 754 asks, and no product is fused with a sum.
"""

from minigrad.executors.kernel import Kernel, entrywise

__all__ = ["NAME", "source"]

NAME = "update"


def source(k: Kernel, dtype: str = "float32") -> str:
    """Return CUDA C for arrays of "float32" or "float64": ``update(n, *arrays, numbers)``.

    `numbers` holds the constants, in the order of `Kernel.constants`, in the arrays' dtype.

    Raises ValueError for any other dtype.
    """
    if dtype not in ("float32", "float64"):
        raise ValueError(f'CUDA kernels are for "float32" and "float64", got {dtype!r}')
    real, f = ("float", "f") if dtype == "float32" else ("double", "")
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
    constants = [f"const {real} {name} = numbers[{j}];" for j, (name, _) in enumerate(k.constants)]
    arrays = [f"{'const ' if i == 1 else ''}{real} *{name}" for i, name in enumerate(k.arrays)]
    arguments = ", ".join(["const long long n", *arrays, f"const {real} *numbers"])
    lines = [
        "// compile with --fmad=false",
        f'extern "C" __global__ void {NAME}({arguments}) {{',
        "    const long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x;",
        "    if (i >= n) return;",
        *(f"    {line}" for line in (*constants, *body)),
        "}",
    ]
    return "\n".join(lines) + "\n"
