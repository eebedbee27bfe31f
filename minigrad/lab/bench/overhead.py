"""Where the time of a training step on a GPU goes: launches, the engine, convolution without cuDNN.

An eager step is limited by whichever is slower, the host that queues it or the device that works. The captured step is
the same work without the host. So what a step takes beyond that is the host's; a launch of CuPy's costs what the same
calls cost by hand; and what cuDNN is worth is how much slower torch is without it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["HEAD", "SAID", "rows"]

HEAD = (
    "case", "launches", "eager", "captured", "host: minigrad", "per launch", "host: CuPy by hand", "host: torch fused",
    "captured / GEMMs", "torch without / with cuDNN",
)  # fmt: skip
SAID = (
    "The captured step is what the device does; an eager one is not faster than the host queues it. Columns `host` say "
    "how long that takes when the queue is empty: in minigrad, in all and per launch; with the same calls of CuPy by "
    "hand, so without an engine; in torch. The last two are what the device does beside the products of matrices, and "
    "how much slower torch's step is without cuDNN, which CuPy does not have."
)


def rows(cases: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """Return a row of `HEAD` for each case in which minigrad was timed: numbers, seconds first, None where unknown."""
    return [_row(case, timed) for case in cases if "minigrad" in (timed := _timed(case))]


def _timed(case: Mapping[str, Any]) -> dict[str, Any]:
    return {e["name"]: e for e in case["contenders"] if e["status"] == "timed"}


def _row(case: Mapping[str, Any], timed: Mapping[str, Any]) -> list[Any]:
    def median(name: str) -> Any:
        return timed[name]["seconds"]["median"] if name in timed else None

    def host(name: str) -> Any:
        return timed.get(name, {}).get("host")

    launches = timed.get("minigrad-captured", {}).get("facts", {}).get("launches")
    captured, queued = median("minigrad-captured"), host("minigrad")
    return [
        case["name"], launches, median("minigrad"), captured, queued, _over(queued, launches), host("cupy"),
        host("torch-fused"), _over(captured, median("gemm-cupy")),
        _over(median("torch-no-cudnn"), median("torch-fused")),
    ]  # fmt: skip


def _over(a: float | None, b: float | None) -> float | None:
    return a / b if a and b else None
