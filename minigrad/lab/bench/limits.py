"""What the machine can do: square matrix products, and arrays read and written."""

from typing import Any

from minigrad.lab.bench.case import Case

__all__ = ["cases", "on_a_device"]


def cases(quick: bool) -> list[Case]:
    """Return square products in float32, and the access pattern of a triad: two arrays read, one written back."""
    products = [_product(n, "gemm") for n in ((1024,) if quick else (256, 512, 1024, 2048, 4096))]
    return products + [_triad(n) for n in ((10**7,) if quick else (10**5, 10**6, 10**7, 5 * 10**7))]


def on_a_device(quick: bool) -> list[Case]:
    """Return the same for a device, larger; beside the triad, a copy that moves as many bytes."""
    products = [_product(n, "gemm-cupy") for n in ((1024,) if quick else (256, 1024, 2048, 4096, 8192))]
    triads = [_triad(n, "copy") for n in ((10**7,) if quick else (10**5, 10**6, 10**7, 10**8))]
    return [case.on("cupy") for case in products + triads]


def _product(n: int, by: str) -> Case:
    task: dict[str, Any] = {"kind": "gemm", "products": [[n, n, n, ""]]}
    return Case(f"sgemm {n}", task, only=(by, "gemm-torch"), facts={"gemm_flops": 2 * n**3})


def _triad(n: int, *more: str) -> Case:
    task = {"kind": "update", "variant": "sgd", "tensors": 1, "size": n, "states": 0, "lr": 1e-3}
    name = f"triad {n:.0e}".replace("e+0", "e")
    return Case(name, task, only=("roofline", *more), facts={"bytes": 12 * n, "parameters": n})
