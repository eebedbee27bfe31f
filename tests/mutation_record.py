"""What `mutate.py` has recorded, and what is missing from it; needs the standard library alone."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parent.parent
EXPLANATIONS = REPOSITORY / "tests" / "mutation_survivors.toml"
RESULTS = REPOSITORY / "docs" / "results" / "mutation.json"
ROOMS = ("rules", "regularization", "optim", "ops")
LEAST = 0.95

Results = dict[str, Any]


def room(file: str) -> str:
    return Path(file).parts[1]


def files() -> list[str]:
    """Return every file in which mutants are made, by its path in the repository."""
    found = (f for name in ROOMS for f in sorted((REPOSITORY / "minigrad" / name).glob("*.py")))
    return [str(f.relative_to(REPOSITORY)) for f in found]


def digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()[:16]


def load() -> Results:
    """Return what was found in each file."""
    return json.loads(RESULTS.read_text())["files"] if RESULTS.exists() else {}


def save(results: Results) -> None:
    RESULTS.write_text(json.dumps({"files": results}, indent=2, ensure_ascii=False) + "\n")


def not_measured(results: Results) -> list[str]:
    """Return the files that were not measured as they now stand."""
    return [f for f in files() if f not in results or results[f]["text"] != digest((REPOSITORY / f).read_bytes())]


def explain(results: Results) -> tuple[list[tuple[str, dict[str, Any]]], list[dict[str, Any]]]:
    """Give each survivor its reason; return the survivors that have none, and the reasons that have no survivor."""
    given = tomllib.loads(EXPLANATIONS.read_text()).get("survivor", [])
    reasons = {(e["file"], e["source"], e["mutant"]): " ".join(e["why"].split()) for e in given}
    found = {(file, s["source"], s["mutant"]) for file, s in survivors_of(results)}
    for file, survivor in survivors_of(results):
        survivor["why"] = reasons.get((file, survivor["source"], survivor["mutant"]), "")
    unexplained = [(file, survivor) for file, survivor in survivors_of(results) if not survivor["why"]]
    return unexplained, [e for e in given if (e["file"], e["source"], e["mutant"]) not in found]


def survivors_of(results: Results) -> list[tuple[str, dict[str, Any]]]:
    return [(file, survivor) for file in files() if file in results for survivor in results[file]["survivors"]]


def counts(results: Results, name: str) -> tuple[int, int]:
    """Return how many mutants were made in a room or a file, and how many of them were killed."""
    measured = [results[f] for f in files() if f in results and name in (f, room(f))]
    return sum(r["mutants"] for r in measured), sum(r["killed"] for r in measured)
