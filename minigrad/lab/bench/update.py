"""The update alone: every rule behind every door, on flat parameters of many sizes."""

from collections.abc import Mapping
from typing import Any

from minigrad.lab.bench.case import UNIT, Case
from minigrad.regularization import VARIANTS
from minigrad.rules import hyper_names, scalar_state, state_names

__all__ = ["CHECKED", "NUMBERS", "PLACES", "TORCH", "cases", "numbers"]

SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 5 * 10**7)
QUICK = {"sgd": (10**4, 10**6), "sgd_decay": (10**6,), "heavy_ball": (10**6,), "adam_decay": (10**4, 10**6, 10**7)}
CHECKED = 3  # steps taken before weights are compared
PLACES = 16  # weights compared, from the first on
SAFETY = 32

# Every hyperparameter that a rule may ask for beside lr and t, by name.
NUMBERS: dict[str, Any] = {
    "momentum": 0.9, "beta": 0.9, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "rho": 0.99, "psi": 0.004,
    "momentum_decay": 0.004, "decay": 1e-4, "l1": 1e-3, "l2": 1e-1,
}  # fmt: skip
LR = 1e-3

# What PyTorch has the same update for.
TORCH: dict[str, tuple[str, Mapping[str, Any]]] = {
    "sgd": ("SGD", {}),
    "sgd_l2": ("SGD", {"weight_decay": NUMBERS["l2"]}),
    "heavy_ball": ("SGD", {"momentum": NUMBERS["momentum"]}),
    "heavy_ball_l2": ("SGD", {"momentum": NUMBERS["momentum"], "weight_decay": NUMBERS["l2"]}),
    "nesterov": ("SGD", {"momentum": NUMBERS["momentum"], "nesterov": True}),
    "nesterov_l2": ("SGD", {"momentum": NUMBERS["momentum"], "nesterov": True, "weight_decay": NUMBERS["l2"]}),
    "adam": ("Adam", {"betas": (0.9, 0.999), "eps": 1e-8}),
    "adam_l2": ("Adam", {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": NUMBERS["l2"]}),
    "adam_decay": ("AdamW", {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": NUMBERS["decay"] / LR}),
    "amsgrad": ("Adam", {"betas": (0.9, 0.999), "eps": 1e-8, "amsgrad": True}),
}


def cases(quick: bool) -> list[Case]:
    """Return every variant at every size, and on 100 tensors of 10⁴; quick: a few of them."""
    if quick:
        return [_case(name, 1, n) for name, sizes in QUICK.items() for n in sizes] + [_case("adam_decay", 100, 10**4)]
    return [_case(name, 1, n) for n in SIZES for name in VARIANTS] + [_case(name, 100, 10**4) for name in VARIANTS]


def numbers(variant: str) -> dict[str, Any]:
    """Return the rule's own hyperparameters; KeyError for one that has no value here."""
    return {name: NUMBERS[name] for name in hyper_names(VARIANTS[variant].rule) if name not in ("lr", "t")}


def _case(variant: str, tensors: int, size: int) -> Case:
    rule = VARIANTS[variant].rule
    states = len(state_names(rule)) - len(scalar_state(rule))
    total = tensors * size
    moved = 4 * (3 + 2 * states)  # w, g and state are read; w and state are written
    only = ["roofline", "minigrad", "minigrad-plain", "minigrad-numpy", "minigrad-numba"]
    if variant in TORCH:
        only += ["torch", "torch-foreach", "torch-fused"]
    name = f"{variant} {total:.0e}" if tensors == 1 else f"{variant} {tensors}×{size:.0e}"
    return Case(
        name.replace("e+0", "e"),
        {"kind": "update", "variant": variant, "tensors": tensors, "size": size, "states": states, "lr": LR},
        (SAFETY * UNIT["float32"] * (1 + CHECKED),) * PLACES,
        memory=4 * total * (2 + states + 6),
        only=tuple(only),
        facts={"variant": variant, "parameters": total, "tensors": tensors, "bytes": moved * total},
    )
