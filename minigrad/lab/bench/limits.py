"""What the machine can do: square matrix products, and arrays read and written."""

from typing import Any

from minigrad.lab.bench.case import Case

__all__ = ["cases"]


def cases(quick: bool) -> list[Case]:
    """Return square products in float32, and the access pattern of a triad: two arrays read, one written back."""
    found = []
    task: dict[str, Any]
    for n in (1024,) if quick else (256, 512, 1024, 2048, 4096):
        task = {"kind": "gemm", "products": [[n, n, n, ""]]}
        facts = {"gemm_flops": 2 * n**3}
        found.append(Case(f"sgemm {n}", task, only=("gemm", "gemm-torch"), facts=facts))
    for n in (10**7,) if quick else (10**5, 10**6, 10**7, 5 * 10**7):
        task = {"kind": "update", "variant": "sgd", "tensors": 1, "size": n, "states": 0, "lr": 1e-3}
        name = f"triad {n:.0e}".replace("e+0", "e")
        found.append(Case(name, task, only=("roofline",), facts={"bytes": 12 * n, "parameters": n}))
    return found
