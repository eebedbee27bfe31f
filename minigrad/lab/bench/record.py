"""A recorded run: read, held against what is to be measured, and completed by it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigrad.lab.bench import check, figure, machine, page
from minigrad.lab.bench.bench import Plan

__all__ = ["alike", "completable", "completed", "read"]

KEYS = ("quick", "pace", "machine", "works")


def read(path: Path) -> dict[str, Any]:
    """Return the results that a file holds.

    Raises ValueError if they are none. What cannot be told and drawn is found here, before anything is measured.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} is no result of the bench: it is no JSON object")
    if missing := [key for key in KEYS if key not in found]:
        raise ValueError(f"{path} is no result of the bench: it lacks {', '.join(missing)}")
    try:
        page.render(found)
        figure.draw(found)
        check.ratios(found)
    except KeyError as error:
        raise ValueError(f"{path} is no result of the bench: {error} is missing") from error
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"{path} is no result of the bench: {error}") from error
    return found


def alike(option: str, recorded: Mapping[str, Any], here: Mapping[str, Any]) -> None:
    """Refuse results of the host on a device, and the other way round."""
    theirs = machine.device(recorded)
    if (theirs is None) != ("device" not in here):
        what = "the host" if theirs is None else f"{theirs['name']}, with --backend cupy"
        raise ValueError(f"{option} was given results of {what}")


def completable(earlier: Mapping[str, Any], plan: Plan, here: Mapping[str, Any]) -> None:
    """Refuse earlier results beside which those of another machine, pace, or release of a library would be put."""
    theirs = earlier["machine"]
    pairs = [(name, theirs[name], here[name]) for name in ("processor", "cores")]
    pairs.append(("threads", theirs["threads"], plan.threads))
    if "device" in here:
        pairs += [(f"device's {name}", theirs["device"][name], here["device"][name]) for name in ("name", "cuda")]
    for name, then, now in pairs:
        if then != now:
            raise ValueError(f"--into needs results of this machine: its {name} is {now!r}, not {then!r}")
    then, now = _releases(theirs), _releases(here)
    if other := [name for name in {**then, **now} if then.get(name) != now.get(name)]:
        told = (f"{name} {now.get(name, 'none')} here, {then.get(name, 'none')} there" for name in other)
        raise ValueError(f"--into needs results of the same libraries: {'; '.join(told)}")
    if earlier["quick"] != plan.quick:
        kinds = ("a quick run", "this one is not") if earlier["quick"] else ("a full run", "--quick is not one")
        raise ValueError(f"--into needs results of the same kind: those are of {kinds[0]}, and {kinds[1]}")
    if earlier["pace"]["turn"] != plan.pace.turn:
        raise ValueError(
            f"--into needs results of the same pace: a turn is {plan.pace.turn:g} s, not {earlier['pace']['turn']:g} s"
        )


def completed(earlier: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the earlier results with the cases that were measured again in their places, and new ones behind."""
    works = {work["name"]: dict(work) for work in earlier["works"]}
    for work in found["works"]:
        old = works.get(work["name"], {**work, "cases": []})
        cases = {case["name"]: case for case in [*old["cases"], *work["cases"]]}
        works[work["name"]] = {**work, "cases": list(cases.values())}
    return {**earlier, "works": list(works.values())}


def _releases(described: Mapping[str, Any]) -> dict[str, str]:
    """Return the release of everything that computes, by name."""
    on_device = {name: described["device"][name] for name in ("cupy", "driver")} if "device" in described else {}
    return {"Python": described["python"], "BLAS": described["blas"], **described["versions"], **on_device}
