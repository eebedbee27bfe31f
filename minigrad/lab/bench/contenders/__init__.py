"""Who takes part: for every name, the module whose ``make(name, task)`` prepares a `Job`, and how it is called."""

__all__ = ["LABELS", "MODULES"]

HERE = "minigrad.lab.bench.contenders"

MODULES: dict[str, str] = {
    "judge": f"{HERE}.judge",
    **dict.fromkeys(("numpy", "cupy"), f"{HERE}.of_numpy"),
    **dict.fromkeys(
        ("minigrad", "minigrad-captured", "minigrad-captured-numba", "minigrad-plain", "minigrad-numpy",
         "minigrad-numba", "minigrad-uncollected"), f"{HERE}.of_minigrad",
    ),
    **dict.fromkeys(
        ("torch", "torch-foreach", "torch-fused", "torch-channels-last", "torch-no-cudnn", "torch-graphs",
         "torch-compile"), f"{HERE}.of_torch",
    ),
    "jax": f"{HERE}.of_jax",
    "autograd": f"{HERE}.of_autograd",
    "mygrad": f"{HERE}.of_mygrad",
    **dict.fromkeys(("gemm", "gemm-cupy", "gemm-torch", "roofline", "copy"), f"{HERE}.machine"),
    **dict.fromkeys(("before", "after"), f"{HERE}.of_lessons"),
}  # fmt: skip

LABELS: dict[str, str] = {
    "numpy": "NumPy by hand",
    "cupy": "CuPy by hand",
    "minigrad": "minigrad",
    "minigrad-captured": "minigrad, captured",
    "minigrad-captured-numba": "minigrad, captured, numba",
    "minigrad-plain": "minigrad, plain",
    "minigrad-numpy": "minigrad, blocked",
    "minigrad-numba": "minigrad, numba",
    "minigrad-uncollected": "minigrad, gc.disable()",
    "torch": "torch",
    "torch-foreach": "torch foreach",
    "torch-fused": "torch fused",
    "torch-channels-last": "torch fused, channels last",
    "torch-no-cudnn": "torch fused, without cuDNN",
    "torch-graphs": "torch fused, CUDA graph",
    "torch-compile": "torch.compile, fused",
    "jax": "JAX jit, optax",
    "autograd": "autograd",
    "mygrad": "MyGrad",
    "gemm": "limit: GEMMs, NumPy's BLAS",
    "gemm-cupy": "limit: GEMMs, CuPy's BLAS",
    "gemm-torch": "limit: GEMMs, torch",
    "roofline": "limit: same arrays, same access",
    "copy": "limit: plain copy",
    "before": "before",
    "after": "after",
}
