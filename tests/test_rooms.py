"""The laws of the house, read off the source: who may import whom, and what may not be written where."""

import ast
from pathlib import Path

import pytest

import minigrad

HOUSE = Path(minigrad.__file__).parent
FILES = sorted(HOUSE.rglob("*.py"))

# A room imports from itself and from rooms listed before it.
ROOMS = (
    "rules", "regularization", "extras", "memory", "backend", "random", "autodiff", "tensor", "ops", "transforms",
    "gradcheck", "executors", "nn", "optim", "data", "training", "proof", "testing", "conventions", "audit", "lab",
    "cli",
)  # fmt: skip
ANYWHERE = {"lab", "cli"}  # the last rooms, which may use the package as a user does: import minigrad as mg

# What a room may import beyond the standard library; extras come through `extras.need` or inside functions.
OUTSIDE = {"rules": set(), "regularization": set()}


def room_of(file):
    return file.relative_to(HOUSE).parts[0].removesuffix(".py")


def imports(file):
    """Yield the dotted names that a file imports."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports are absolute"
            inside = node.module == "minigrad"
            yield from (f"minigrad.{alias.name}" if inside else node.module for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(HOUSE)))
def test_a_room_imports_only_from_rooms_listed_before_it(file):
    room = room_of(file)
    if room == "__init__":
        return
    for name in imports(file):
        package, _, rest = name.partition(".")
        if package != "minigrad":
            continue
        other = rest.partition(".")[0]
        if other not in ROOMS:  # the package itself, or its version
            assert room in ANYWHERE, f"{room} uses the package as a whole ({name})"
        else:
            assert ROOMS.index(other) <= ROOMS.index(room), f"{room} comes before {other}"


@pytest.mark.parametrize("file", [f for f in FILES if room_of(f) in OUTSIDE], ids=lambda f: f.name)
def test_rules_and_doors_know_no_array_library(file):
    known = {"abc", "minigrad", "collections", "dataclasses", "difflib", "fractions", "functools", "inspect", "math"}
    known |= {"numbers", "operator", "typing"}
    assert {name.partition(".")[0] for name in imports(file)} <= known


def names_cupy(file):
    """Yield what a file's code (not its prose) says of CuPy."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if any(name.startswith("cupy") for name in imports_of(node)):
                yield ast.unparse(node)
        elif isinstance(node, ast.Name | ast.Attribute) and "cupy" in ast.unparse(node).split("."):
            yield ast.unparse(node)


def imports_of(node):
    return [a.name for a in node.names] + ([node.module or ""] if isinstance(node, ast.ImportFrom) else [])


def test_only_the_backend_imports_cupy():
    assert {room_of(f) for f in FILES if list(names_cupy(f))} <= {"backend"}


EXACT = [f for f in FILES if room_of(f) in ("rules", "ops") or f.name in ("penalties.py", "doors.py")]


@pytest.mark.parametrize("file", EXACT, ids=lambda f: f.name)
def test_no_float_literal_stands_in_operations_rules_penalties_and_doors(file):
    floats = [n.value for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Constant)]
    assert not [x for x in floats if isinstance(x, float)]


def test_every_public_name_is_documented():
    undocumented = [name for name in minigrad.__all__ if not (getattr(minigrad, name).__doc__ or "").strip()]
    assert not undocumented
