"""What is measured: kinds of work, each a list of cases, on the host and on a device."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from minigrad.lab.bench import cold, engine, lessons, limits, step, update
from minigrad.lab.bench.case import Case

__all__ = ["ON_A_DEVICE", "WORKS", "Work", "chosen", "works"]


@dataclass(frozen=True)
class Work:
    """A kind of work.

    Attributes:
        name, title: on the command line, and in tables.
        cases: returns the cases; the quick ones, which are among the full ones, if told so.
        contenders: who may take part, by name, in the order of the tables.
        reference: whom the others are divided by.
        limits: those among the contenders that measure the machine; no contender's peers.
        judge: the contender, never timed, that computes in float64 what every other must agree with, or None.
        fresh: whether every case needs new processes (memory is measured).
        share: of the pace's turn, how much a turn of this work lasts: less where there are very many cases.
        backend: "numpy", or "cupy" for work on a device.
    """

    name: str
    title: str
    cases: Callable[[bool], list[Case]]
    contenders: Sequence[str]
    reference: str
    limits: Sequence[str] = field(default=())
    judge: str | None = None
    fresh: bool = False
    share: float = 1.0
    backend: str = "numpy"

    def as_dict(self) -> dict[str, Any]:
        """Return what a reader of the results needs to know."""
        return {
            "name": self.name, "title": self.title, "reference": self.reference, "limits": list(self.limits),
            "share": self.share,
        }  # fmt: skip


OWN = ("minigrad", "minigrad-plain", "minigrad-numpy", "minigrad-numba")
CAPTURED = ("minigrad-captured", "minigrad-captured-numba")
TORCH = ("torch", "torch-foreach", "torch-fused")
DEVICE = ("minigrad", "minigrad-captured")

WORKS = {
    work.name: work
    for work in (
        Work(
            "limits", "What the machine can do", limits.cases, ("gemm", "gemm-torch", "roofline"), "gemm",
            limits=("gemm", "gemm-torch", "roofline"),
        ),
        Work(
            "step", "A training step with AdamW", step.cases,
            ("numpy", *OWN, *CAPTURED, *TORCH, "torch-channels-last", "torch-compile", "jax", "autograd", "mygrad",
             "gemm", "gemm-torch"),
            "numpy", limits=("gemm", "gemm-torch"), judge="judge",
        ),
        Work(
            "update", "The update alone", update.cases, ("roofline", *OWN, *TORCH), "roofline",
            limits=("roofline",), judge="judge", share=0.2,
        ),
        Work(
            "engine", "The engine's cost per node", engine.cases,
            ("numpy", "minigrad", "minigrad-uncollected", "torch", "autograd", "mygrad"), "numpy", judge="judge",
            fresh=True,
        ),
        Work(
            "cold", "From a cold start", cold.cases,
            ("numpy", *OWN, "torch", "jax", "autograd", "mygrad"), "numpy",
        ),
        Work(
            "lessons", "Steps, each before and after", lessons.cases, ("before", "after"), "before", judge="before",
            fresh=True,
        ),
    )
}  # fmt: skip


ON_A_DEVICE = {
    work.name: work
    for work in (
        Work(
            "limits", "What the device can do", limits.on_a_device, ("gemm-cupy", "gemm-torch", "roofline", "copy"),
            "gemm-cupy", limits=("gemm-cupy", "gemm-torch", "roofline", "copy"), backend="cupy",
        ),
        Work(
            "step", "A training step with AdamW", step.on_a_device,
            ("cupy", *DEVICE, *TORCH, "torch-channels-last", "torch-no-cudnn", "torch-graphs", "torch-compile", "jax",
             "gemm-cupy", "gemm-torch"),
            "cupy", limits=("gemm-cupy", "gemm-torch"), judge="judge", backend="cupy",
        ),
        Work(
            "update", "The update alone", update.on_a_device, ("roofline", "copy", *DEVICE, "minigrad-plain", *TORCH),
            "roofline", limits=("roofline", "copy"), judge="judge", share=0.2, backend="cupy",
        ),
        Work(
            "engine", "The engine's cost per node", engine.on_a_device, ("cupy", *DEVICE, "torch", "torch-graphs"),
            "cupy", judge="judge", backend="cupy",
        ),
        Work(
            "cold", "From a cold start", cold.on_a_device, ("cupy", "minigrad", "torch", "jax"), "cupy",
            backend="cupy",
        ),
    )
}  # fmt: skip


def works(backend: str = "numpy") -> dict[str, Work]:
    """Return the kinds of work that there are for a back end, by name."""
    return WORKS if backend == "numpy" else ON_A_DEVICE


def chosen(names: Sequence[str] = (), backend: str = "numpy") -> list[Work]:
    """Return the works of a back end called `names`, in the order of its tables, or all; ValueError suggests names."""
    there = works(backend)
    for name in names:
        if name not in there:
            near = difflib.get_close_matches(name, there, n=1, cutoff=0.4)
            known = f"did you mean {near[0]}?" if near else f"known: {', '.join(there)}"
            raise ValueError(f"unknown work {name!r}; {known}")
    return [work for work in there.values() if not names or work.name in names]
