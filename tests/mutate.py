"""Mutation testing of the rules, the doors and the penalties: ``python tests/mutate.py``.

Every arithmetic operator and every small integer in these files is changed, one at a time, in a copy of the
repository, and the tests of rules, doors and optimizers run on the copy. A mutant that no test notices is printed, and
the exit status is then 1: what is not noticed is not tested. Takes some twenty minutes on two cores; words after the
command choose the files whose path contains one of them.
"""

import ast
import copy
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent
FILES = sorted(
    [f for f in (REPOSITORY / "minigrad/rules").glob("*.py") if f.name != "__init__.py"]
    + [REPOSITORY / "minigrad/regularization" / name for name in ("doors.py", "penalties.py", "decay.py")]
)
TESTS = ("tests/regularization", "tests/optim", "tests/test_rules_elsewhere.py", "tests/test_breaks.py",
         "tests/test_identity.py")  # fmt: skip

SWAPS = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}
COMPARISONS = {ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.NotEq: ast.Eq}


def mutants(tree):
    """Yield (line, description, mutated tree) for every single change."""
    for i, node in enumerate(ast.walk(tree)):
        changed = copy.deepcopy(tree)
        twin = next(n for j, n in enumerate(ast.walk(changed)) if j == i)
        if isinstance(node, ast.BinOp) and type(node.op) in SWAPS and not _of_types(node):
            twin.op = SWAPS[type(node.op)]()
        elif isinstance(node, ast.Compare) and len(node.ops) == 1 and type(node.ops[0]) in COMPARISONS:
            twin.ops = [COMPARISONS[type(node.ops[0])]()]
        elif isinstance(node, ast.Constant) and type(node.value) is int:
            twin.value = node.value + 1
        else:
            continue
        yield node.lineno, f"{ast.unparse(node)}  ->  {ast.unparse(twin)}", changed


def _of_types(node):
    """Tell an annotation such as ``str | None``, which BitOr is, and string sums from arithmetic."""
    return any(isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str))
               for n in ast.walk(node))  # fmt: skip


def main():
    survivors, total = [], 0
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(folder) / "repository"
        shutil.copytree(
            REPOSITORY, copied, ignore=shutil.ignore_patterns(".git", "*.egg-info", "__pycache__", ".*_cache")
        )
        environment = os.environ | {
            "PYTHONPATH": str(copied),
            "HYPOTHESIS_PROFILE": "dev",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "pytest", "-x", "-p", "no:cacheprovider", *TESTS]

        def passes():
            done = subprocess.run(command, cwd=copied, env=environment, capture_output=True, check=False)
            return done.returncode == 0

        if not passes():
            raise SystemExit("the tests fail without any mutation")
        for file in [f for f in FILES if any(word in str(f) for word in sys.argv[1:] or [""])]:
            target = copied / file.relative_to(REPOSITORY)
            source = file.read_text()
            for line, change, tree in mutants(ast.parse(source)):
                target.write_text(ast.unparse(tree))
                total += 1
                if passes():
                    survivors.append(f"{file.relative_to(REPOSITORY)}:{line}: {change}")
                    print("survived", survivors[-1], flush=True)
            target.write_text(source)
    print(f"{total} mutants, {len(survivors)} survived")
    raise SystemExit(bool(survivors))


if __name__ == "__main__":
    main()
