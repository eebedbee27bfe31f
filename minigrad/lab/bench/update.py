"""The update alone: every rule behind every door, on flat parameters of many sizes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from minigrad.lab.bench.case import UNIT, Case
from minigrad.regularization import L1, L2, VARIANTS, Decay, ElasticNet
from minigrad.rules import hyper_names, scalar_state, state_names

__all__ = ["CHECKED", "NUMBERS", "PLACES", "TORCH", "cases", "numbers", "on_a_device", "regularised"]

SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 5 * 10**7)
QUICK = {"sgd": (10**4, 10**6), "sgd_decay": (10**6,), "heavy_ball": (10**6,), "adam_decay": (10**4, 10**6, 10**7)}
DEVICE_SIZES = (10**3, 10**4, 10**5, 10**6, 10**7, 10**8)
EVERY = 10**7  # the size at which a device is given every variant: more than its caches hold
SOME = ("sgd", "sgd_decay", "heavy_ball", "adam_l2", "adam_decay", "lion_decay")  # those that have every size
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


def on_a_device(quick: bool) -> list[Case]:
    """Return every variant at one size, some at many, and AdamW also in float64 and on 100 tensors; quick: a few."""
    if quick:
        found = [_on_a_device(name, 1, n) for n in (10**4, EVERY) for name in ("sgd_decay", "adam_decay")]
    else:
        found = [_on_a_device(name, 1, n) for n in DEVICE_SIZES for name in (VARIANTS if n == EVERY else SOME)]
        found += [_on_a_device("adam_decay", 1, n, "float64") for n in DEVICE_SIZES[-3:]]
    return [*found, _on_a_device("adam_decay", 100, 10**4)]


def numbers(variant: str) -> dict[str, Any]:
    """Return the rule's own hyperparameters; KeyError for one that has no value here."""
    return {name: NUMBERS[name] for name in hyper_names(VARIANTS[variant].rule) if name not in ("lr", "t")}


def regularised(variant: str) -> dict[str, Any]:
    """Return what an `Optimizer` of the variant's rule is given to be that variant."""
    word = variant.removeprefix(VARIANTS[variant].rule.__name__).lstrip("_")
    at, n = "prox" if word.startswith("prox_") else "gradient", NUMBERS
    options: dict[str, dict[str, Any]] = {
        "": {},
        "decay": {"regularizer": Decay(n["decay"], None, on="all"), "at": "shrink"},
        "l2": {"regularizer": L2(n["l2"], on="all"), "at": at},
        "l1": {"regularizer": L1(n["l1"], on="all"), "at": at},
        "elastic_net": {"regularizer": ElasticNet(n["l1"], n["l2"], on="all"), "at": at},
    }
    return options[word.removeprefix("prox_")]


def _case(variant: str, tensors: int, size: int) -> Case:
    by = ("roofline", "minigrad", "minigrad-plain", "minigrad-numpy", "minigrad-numba")
    return _of(variant, tensors, size, "float32", by)


def _on_a_device(variant: str, tensors: int, size: int, dtype: str = "float32") -> Case:
    by = ["roofline", "copy", "minigrad"]
    by += ["minigrad-captured"] if variant in SOME else []
    by += ["minigrad-plain"] if size <= EVERY else []  # whose temporary arrays would not fit
    case = _of(variant, tensors, size, dtype, by).on("cupy")
    return replace(case, memory=case.facts["bytes"], facts={**case.facts, "dtype": dtype})


def _of(variant: str, tensors: int, size: int, dtype: str, by: Sequence[str]) -> Case:
    rule = VARIANTS[variant].rule
    states = len(state_names(rule)) - len(scalar_state(rule))
    total, itemsize = tensors * size, {"float32": 4, "float64": 8}[dtype]
    moved = itemsize * (3 + 2 * states)  # w, g and state are read; w and state are written
    of_torch = ("torch", "torch-foreach", "torch-fused") if variant in TORCH else ()
    name = f"{variant} {'' if dtype == 'float32' else f'{dtype} '}"
    name += f"{total:.0e}" if tensors == 1 else f"{tensors}×{size:.0e}"
    return Case(
        name.replace("e+0", "e"),
        {
            "kind": "update", "variant": variant, "tensors": tensors, "size": size, "states": states, "lr": LR,
            "dtype": dtype,
        },
        (SAFETY * UNIT[dtype] * (1 + CHECKED),) * PLACES,
        memory=itemsize * total * (2 + states + 6),
        only=(*by, *of_torch),
        facts={"variant": variant, "parameters": total, "tensors": tensors, "bytes": moved * total},
    )  # fmt: skip
