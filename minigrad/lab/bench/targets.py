"""What was to be reached, and what a run reached: each target beside the worst case that it is about."""

from collections.abc import Iterator, Mapping
from typing import Any

from minigrad.lab.bench import device_targets, machine
from minigrad.lab.bench.target import Target, seconds

__all__ = ["targets"]

ADAMS = ("adam", "amsgrad", "adamax", "nadam", "radam")
SGDS = ("sgd", "heavy_ball", "nesterov")


def targets(results: Mapping[str, Any]) -> list[Target]:
    """Return the targets that the works in `results` have cases for."""
    works = {work["name"]: work["cases"] for work in results["works"]}
    if machine.device(results) is not None:
        return device_targets.targets(works)
    found = [
        Target("Training step, captured: time / fastest other contender's", 1.0, dict(_steps(works, captured=True))),
        Target("Training step, eager: time / fastest other contender's", 1.0, dict(_steps(works, captured=False))),
        *_update(works.get("update", [])),
        *_engine(works.get("engine", [])),
        Target("Import: beyond NumPy's own", 40.0, dict(_import(works.get("cold", []))), unit=" ms"),
    ]
    return [target for target in found if target.found]


def _steps(works: Mapping[str, list[Any]], captured: bool) -> Iterator[tuple[str, float]]:
    """Yield the ratio of the executor that does best in a case, of steps that are captured or of those that are not."""
    for case in works.get("step", []):
        timed = [e for e in case["contenders"] if e["status"] == "timed" and e["name"].startswith("minigrad")]
        own = [e for e in timed if e["name"].startswith("minigrad-captured") == captured]
        ratios = [e["ratio"]["peer"]["median"] for e in own if "peer" in e["ratio"]]
        if ratios:
            yield case["name"], min(ratios)


def _update(cases: list[Any]) -> list[Target]:
    shares: dict[str, float] = {}
    adams: dict[str, float] = {}
    sgds: dict[str, float] = {}
    small: dict[str, float] = {}
    for case in cases:
        s, n, variant = seconds(case), case["facts"]["parameters"], case["facts"]["variant"]
        if n >= 10**6 and {"minigrad-numba", "roofline"} <= s.keys():
            shares[case["name"]] = 100 * s["roofline"] / s["minigrad-numba"]
        if {"minigrad-plain", "minigrad-numpy"} <= s.keys() and n >= 10**6:
            for family, into in ((ADAMS, adams), (SGDS, sgds)):
                if variant.startswith(family):
                    into[case["name"]] = s["minigrad-plain"] / s["minigrad-numpy"]
        if {"minigrad-plain", "minigrad"} <= s.keys() and n < 3 * 10**4:
            small[case["name"]] = s["minigrad"] / s["minigrad-plain"]
    return [
        Target("Update with numba, from 10⁶ parameters: share of the roofline", 95, shares, above=True, unit=" %"),
        Target("Update in blocks, Adam's family, from 10⁶: times as fast as the expression", 2.5, adams, above=True),
        Target("Update in blocks, SGD's family, from 10⁶: times as fast as the expression", 1.8, sgds, above=True),
        Target("Update below 3·10⁴ parameters: time / the expression's", 1.0, small),
    ]


def _engine(cases: list[Any]) -> list[Target]:
    unary: dict[str, float] = {}
    binary: dict[str, float] = {}
    above: dict[str, float] = {}
    growth: dict[str, float] = {}
    uncollected: dict[str, float] = {}
    first: dict[tuple[str, str], float] = {}
    for case in cases:
        s, nodes, graph = seconds(case), case["facts"]["nodes"], case["facts"]["graph"]
        if "minigrad" not in s:
            continue
        if "torch" in s and graph.endswith("chain"):
            (unary if graph.startswith("tanh") else binary)[case["name"]] = s["minigrad"] / s["torch"]
        if "numpy" in s:
            above[case["name"]] = 1e6 * (s["minigrad"] - s["numpy"]) / nodes
        for name, into in (("minigrad", growth), ("minigrad-uncollected", uncollected)):
            if name in s:
                into[case["name"]] = s[name] / nodes / first.setdefault((name, graph), s[name] / nodes)
    return [
        Target("Engine, unary chains: time / torch's", 0.65, unary),
        Target("Engine, binary chains: time / torch's", 0.5, binary),
        Target("Engine: time per node beyond the bare NumPy calls", 1.3, above, unit=" µs"),
        Target("Engine: time per node / that of the smallest graph", 1.5, growth),
        Target("The same, with gc.disable()", 1.5, uncollected),
    ]


def _import(cases: list[Any]) -> Iterator[tuple[str, float]]:
    for case in cases:
        for entry in case["contenders"]:
            if entry["status"] == "timed" and "beyond_numpy" in entry.get("facts", {}):
                yield case["name"], 1000 * entry["facts"]["beyond_numpy"]
