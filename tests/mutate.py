"""Mutation testing with cosmic-ray: ``python tests/mutate.py [--changed] [--resume] [words]`` (extra `mutation`).

Every operator, comparison, number and word of logic in the rules, the regularisers, the optimizers and the derivative
lines is changed, one at a time, in a copy of the repository, and the tests run on the copy. A mutant that no test
notices has survived: either a test is missing, or the change changes nothing, and then `mutation_survivors.toml` says
why. Words choose the files whose path contains one of them, ``--changed`` those that were not measured as they now
stand; the others keep what was measured before. Results go to docs/results/mutation.json and mutation.md. The exit
status is 1 if a survivor is unexplained, if fewer than 95 % of a room's mutants were killed, or if a file was not
measured as it now stands.

cosmic-ray makes the mutants and keeps the sessions (build/mutation/*.sqlite); ``--resume`` goes on with one that was
interrupted, and tries its survivors again. The tests of a mutant run in a fork of this process, which has imported
NumPy, Hypothesis and pytest before. Oracles are left out: a mutant must die without another library. No mutants
are made of annotations, nor of zip's ``strict=``, which is an assertion.
"""

import argparse
import ast
import compileall
import multiprocessing
import os
import py_compile
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import hypothesis.extra.numpy
import pytest
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code, use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import use_db
from cosmic_ray.work_item import MutationSpec, TestOutcome, WorkerOutcome, WorkItem, WorkResult
from hypothesis import Phase, settings
from mutation_record import (
    LEAST,
    REPOSITORY,
    RESULTS,
    ROOMS,
    counts,
    digest,
    explain,
    files,
    load,
    not_measured,
    room,
    save,
    survivors_of,
)

SESSIONS = REPOSITORY / "build" / "mutation"

# The tests of each room, those that find most first: the next are run only on what these let pass. And those of a
# file, before them.
TESTS = {
    "rules": ("tests/test_rules.py", "tests/test_rules_elsewhere.py", "tests/regularization", "tests/optim",
              "tests/test_breaks.py"),
    "regularization": ("tests/regularization", "tests/optim", "tests/test_breaks.py", "tests/test_identity.py"),
    "optim": ("tests/optim", "tests/test_rules_torch.py", "tests/training", "tests/executors/test_executors.py"),
    "ops": ("tests/ops", "tests/test_transforms.py", "tests/nn"),
}  # fmt: skip
FIRST = {
    "minigrad/regularization/column.py": ("tests/regularization/test_column.py", "tests/executors/test_columns.py"),
    "minigrad/regularization/decay.py": ("tests/regularization/test_decay.py",),
    "minigrad/regularization/penalties.py": ("tests/regularization/test_penalties.py",),
    "minigrad/optim/choice.py": ("tests/optim/test_refusals.py",),
    "minigrad/optim/flat.py": ("tests/optim/test_optimizer.py", "tests/device/test_broken_off.py"),
    "minigrad/optim/hyperparameters.py": ("tests/optim/test_refusals.py",),
    "minigrad/optim/optimizer.py": ("tests/optim/test_optimizer.py", "tests/device/test_capture.py"),
    "minigrad/optim/optimizers.py": ("tests/optim/test_refusals.py",),
    "minigrad/optim/report.py": ("tests/optim/test_decay.py",),
    "minigrad/optim/schedules.py": ("tests/optim/test_schedules.py",),
}

OPERATORS = {
    *(
        f"core/ReplaceBinaryOperator_{change}"
        for change in (
            "Add_Sub", "Sub_Add", "Mul_Div", "Mul_Add", "Div_Mul", "FloorDiv_Mul", "Mod_Mul", "Pow_Mul",
            "BitAnd_BitOr", "BitOr_BitAnd",
        )
    ),
    *(
        f"core/ReplaceComparisonOperator_{change}"
        for change in (
            "Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_Gt", "LtE_Lt", "LtE_GtE", "Gt_GtE", "Gt_Lt", "GtE_Gt", "GtE_LtE",
            "Is_IsNot", "IsNot_Is",
        )
    ),
    "core/ReplaceUnaryOperator_Delete_USub", "core/ReplaceUnaryOperator_Delete_Not", "core/AddNot",
    "core/ReplaceAndWithOr", "core/ReplaceOrWithAnd", "core/ReplaceTrueWithFalse", "core/ReplaceFalseWithTrue",
    "core/NumberReplacer", "core/ZeroIterationForLoop", "core/ExceptionReplacer",
}  # fmt: skip


# --- where mutants are made -------------------------------------------------------------------------------------------


def wanted(file: str, mutation: MutationSpec, lines: set[int] | None) -> bool:
    """Tell whether a mutation is one of `OPERATORS`, in `lines` (all, if None), and changes what is executed."""
    if mutation.operator_name not in OPERATORS or (lines is not None and mutation.start_pos[0] not in lines):
        return False
    tree = ast.parse(Path(file).read_text())
    if any(inside(mutation.start_pos, node) for node in (*annotations(tree), *assertions(tree))):
        return False
    if "BinaryOperator" not in mutation.operator_name:
        return True
    sums = (node for node in ast.walk(tree) if isinstance(node, ast.BinOp))  # not the star of *args or of f(*, x)
    return any(inside(mutation.start_pos, node) and not inside(mutation.start_pos, node.left)
               and not inside(mutation.start_pos, node.right) for node in sums)  # fmt: skip


def annotations(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield what only says types: annotations, and aliases such as ``Scheduled = float | Callable[[int], float]``."""
    for node in ast.walk(tree):
        for name in ("annotation", "returns"):
            if getattr(node, name, None) is not None:
                yield getattr(node, name)
    values = [statement.value for statement in tree.body if isinstance(statement, ast.Assign)]
    yield from (v for v in values if isinstance(v, ast.BinOp) and isinstance(v.op, ast.BitOr))


def assertions(tree: ast.Module) -> Iterator[ast.expr]:
    """Yield what only guards against mistakes in this very code: the True of ``zip(…, strict=True)``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "strict":
            yield node.value


def inside(position: tuple[int, int], node: ast.expr) -> bool:
    # Columns of ast count bytes, those of cosmic-ray characters; code here is ASCII but for its strings.
    return (node.lineno, node.col_offset) <= position < (node.end_lineno or 0, node.end_col_offset or 0)


def derivative_lines() -> dict[str, set[int]]:
    """Return the lines of each file of minigrad/ops in ``.vjp(…)`` and in the functions that these call, in turn."""
    trees = {f"minigrad.ops.{f.stem}": ast.parse(f.read_text()) for f in Path("minigrad/ops").glob("*.py")}
    functions = {
        (m, n.name): n for m, t in trees.items() for n in t.body if isinstance(n, ast.FunctionDef | ast.ClassDef)
    }  # fmt: skip
    imported = {
        (module, alias.name): (n.module, alias.name)
        for module, tree in trees.items() for n in tree.body if isinstance(n, ast.ImportFrom) for alias in n.names
    }  # fmt: skip
    open_ = [(m, n) for m, tree in trees.items() for n in tree.body if isinstance(n, ast.Expr) and _is_vjp(n.value)]
    found: dict[str, set[int]] = {}
    met = set()
    while open_:
        module, node = open_.pop()
        lines = found.setdefault(module.replace(".", "/") + ".py", set())
        lines |= set(range(node.lineno, (node.end_lineno or 0) + 1))
        for name in {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}:
            key = imported.get((module, name), (module, name))
            if key in functions and key not in met and not _is_operation(functions[key]):
                met.add(key)
                open_.append((key[0], functions[key]))
    return found


def _is_vjp(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "vjp"


def _is_operation(function: ast.FunctionDef | ast.ClassDef) -> bool:
    return any(isinstance(d, ast.Call) and getattr(d.func, "id", "") == "op" for d in function.decorator_list)


# --- one mutant -------------------------------------------------------------------------------------------------------


ELSEWHERE = 99
SECONDS: dict[str, float] = {}  # how long tests take this worker where nothing is wrong


def move_in(snapshot: str) -> None:
    """Give this worker its own copy of the repository, and work there."""
    own = tempfile.mkdtemp(dir=Path(snapshot).parent)
    shutil.copytree(snapshot, own, dirs_exist_ok=True)
    os.chdir(own)
    os.environ["PYTHONPATH"] = own
    sys.path[:] = [own, *(p for p in sys.path if Path(p or ".").resolve() not in (REPOSITORY, REPOSITORY / "tests"))]


def judge(file: str, item: WorkItem) -> tuple[str, WorkResult]:
    """Run the tests of a file on one mutant of it; return the job's name and cosmic-ray's record of the outcome."""
    (mutation,) = item.mutations
    tests = [*nearest(Path(file).read_text(), mutation), *FIRST.get(file, ()), *TESTS[room(file)]]
    for test in tests:
        if test not in SECONDS:
            start = time.monotonic()
            if (status := outcome(test, None)) != 0:
                raise SystemExit(f"{test} fails without any mutation (pytest's status {status})")
            SECONDS[test] = time.monotonic() - start
    limit = 30 + 5 * max(SECONDS[test] for test in tests)
    operator = get_operator(mutation.operator_name)()
    with use_mutation(mutation.module_path, operator, mutation.occurrence) as (_, mutated):
        assert mutated is not None
        found = ((test, outcome(test, limit)) for test in tests)
        killer = next((f"{test}: {status or 'timeout'}" for test, status in found if status != 0), "")
    verdict = TestOutcome.KILLED if killer else TestOutcome.SURVIVED
    return item.job_id, WorkResult(worker_outcome=WorkerOutcome.NORMAL, output=killer, test_outcome=verdict)


def nearest(source: str, mutation: MutationSpec) -> list[str]:
    """Return the tests that carry the name of the operation, if the mutation is in its ``.vjp(…)``."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Expr) and _is_vjp(node.value) and inside(mutation.start_pos, node.value):
            return [f"tests/ops/test_gradients.py -k {ast.unparse(node.value).split('.')[0].strip('_')}"]
    return []


def outcome(test: str, limit: float | None) -> int | None:
    """Return pytest's status in a fork of this process, or None where it was killed after `limit` seconds."""
    child = os.fork()
    if child == 0:
        code = ELSEWHERE
        try:
            os.setsid()
            code = run(test, fresh=limit is None)
        finally:
            os._exit(code)
    end = None if limit is None else time.monotonic() + limit
    while True:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
            if code == ELSEWHERE:
                raise SystemExit("the tests did not run on the copy of the repository")
            return code
        if end is not None and time.monotonic() > end:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return None
        time.sleep(0.01)


def run(test: str, fresh: bool) -> int:
    """Run tests, without a word, and return pytest's status; ELSEWHERE if minigrad was not imported from here."""
    sys.dont_write_bytecode = not fresh  # only of tests, which do not change
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    here = Path.cwd()
    options = ["-x", "-q", "-n0", "-p", "no:cacheprovider", "-m", "not oracle and not nightly",
               "--ignore-glob=*against_torch*", "-W", "ignore::pytest.PytestAssertRewriteWarning"]  # fmt: skip
    status = int(pytest.main([*options, *test.split()]))
    status = 0 if status == pytest.ExitCode.NO_TESTS_COLLECTED else status
    minigrad = sys.modules.get("minigrad")
    return status if minigrad is None or here in Path(minigrad.__file__ or "").parents else ELSEWHERE


# --- all of them ------------------------------------------------------------------------------------------------------


def session(file: str, source: bytes) -> Path:
    """Return the path of cosmic-ray's session for this text of a file."""
    return SESSIONS / f"{file.replace('/', '.')}.{digest(source)}.sqlite"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("words", nargs="*", help="only files whose path contains one of these")
    parser.add_argument("--changed", action="store_true", help="only files not measured as they now stand")
    parser.add_argument("--resume", action="store_true", help="keep what an interrupted run has killed")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="how many mutants at a time")
    asked = parser.parse_args()
    chosen = [f for f in files() if any(word in f for word in asked.words or [""])]
    if not chosen:
        raise SystemExit(f"no file's path contains any of {asked.words}")
    if asked.changed:
        chosen = [f for f in not_measured(load()) if f in chosen]
    os.environ["HYPOTHESIS_PROFILE"] = "mutation"  # a failure is enough: it need not be made small
    settings.register_profile(
        "mutation", deadline=None, derandomize=True, database=None, max_examples=15, phases=[Phase.explicit,
        Phase.generate], suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    SESSIONS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        snapshot = Path(folder) / "repository"
        unneeded = shutil.ignore_patterns(".git", "build", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
        shutil.copytree(REPOSITORY, snapshot, ignore=unneeded)
        os.chdir(snapshot)
        # Bytecode that is known by the time and size of its source would serve a mutant of the same second and size.
        compileall.compile_dir("minigrad", quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        measure(chosen, snapshot, asked)
    raise SystemExit(report())


def measure(chosen: list[str], snapshot: Path, asked: argparse.Namespace) -> None:
    lines = derivative_lines()
    jobs: list[tuple[str, WorkItem]] = []
    for file in chosen:
        path = session(file, Path(file).read_bytes())
        if not asked.resume or not path.exists():
            for old in SESSIONS.glob(f"{file.replace('/', '.')}.*"):
                old.unlink()
            begin(file, path, lines.get(file, set()) if room(file) == "ops" else None)
        with use_db(path) as db:
            done = {i.job_id for i, result in db.completed_work_items if result.test_outcome != TestOutcome.SURVIVED}
            jobs += [(file, item) for item in db.work_items if item.job_id not in done]
    left = {file: sum(f == file for f, _ in jobs) for file in chosen}
    total, start = len(jobs), time.monotonic()
    print(f"{total} mutants in {len(chosen)} files", flush=True)
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(asked.workers, context, initializer=move_in, initargs=(str(snapshot),)) as pool:
        futures = {pool.submit(judge, file, item): file for file, item in jobs}
        for i, future in enumerate(as_completed(futures), 1):
            file = futures[future]
            with use_db(session(file, Path(file).read_bytes())) as db:
                db.set_result(*future.result())
            left[file] -= 1
            if left[file] == 0:
                record(file)
                print(f"{time.monotonic() - start:6.0f} s {i:5d}/{total} {summary(file)}", flush=True)
    for file in chosen:  # those without a mutant, and those that an earlier run had finished
        record(file)


def begin(file: str, path: Path, lines: set[int] | None) -> None:
    """Let cosmic-ray make a session of all its mutants, and mark as skipped those that are not wanted."""
    with use_db(path) as db:
        init([Path(file)], db, {})
        skipped = [item.job_id for item in db.work_items if not wanted(file, item.mutations[0], lines)]
        db.set_multiple_results(skipped, WorkResult(worker_outcome=WorkerOutcome.SKIPPED, output="not wanted"))


def record(file: str) -> None:
    """Write what was found in one file into the results."""
    source = Path(file).read_text()
    results = load()
    with use_db(session(file, source.encode())) as db:
        tried = [(i, r) for i, r in db.completed_work_items if r.worker_outcome == WorkerOutcome.NORMAL]
    survived = [change(source, item.mutations[0]) for item, r in tried if r.test_outcome == TestOutcome.SURVIVED]
    results[file] = {
        "text": digest(source.encode()),
        "mutants": len(tried),
        "killed": len(tried) - len(survived),
        "hung": sum((r.output or "").endswith("timeout") for _, r in tried),
        "survivors": sorted(survived, key=lambda s: (s["line"], s["mutant"])),
    }
    save({f: results[f] for f in files() if f in results})


def change(source: str, mutation: MutationSpec) -> dict[str, Any]:
    """Return the first line that a mutation changes: its number, as it was, as it became."""
    mutated = mutate_code(source, get_operator(mutation.operator_name)(), mutation.occurrence)
    pairs = zip(source.split("\n"), mutated.split("\n"), strict=False)
    line, (was, became) = next((n, pair) for n, pair in enumerate(pairs, 1) if pair[0] != pair[1])
    return {"line": line, "source": was.strip(), "mutant": became.strip()}


def summary(file: str) -> str:
    found = load()[file]
    return f"{file}: {found['killed']} of {found['mutants']} killed"


# --- the results ------------------------------------------------------------------------------------------------------


def report() -> bool:
    """Join the explanations to the results, write the table, print what is wrong; return whether anything is."""
    results = load()
    missing = not_measured(results)
    unexplained, vain = explain(results)
    wrong = [f"{f}: not measured as it now stands" for f in missing]
    wrong += [f"survived at line {s['line']}, unexplained:\n{entry(file, s)}" for file, s in unexplained]
    rows = []
    for name in ROOMS:
        names = {f: f"`{f}`" for f in files() if room(f) == name} | {name: f"**all of {name}**"}
        for measured, shown in names.items():
            mutants, killed = counts(results, measured)
            if mutants:
                rows.append(f"| {shown} | {mutants} | {killed} | {killed / mutants:.1%} |")
        if killed < LEAST * mutants:
            wrong.append(f"{name}: {killed} of {mutants} mutants killed, less than {LEAST:.0%}")
    for e in vain:
        print(f"{e['file']}: explained in vain, it does not survive: {e['mutant']}")
    save(results)
    RESULTS.with_suffix(".md").write_text(page(rows, survivors_of(results), missing))
    print("\n".join(wrong) or f"every file measured; {len(survivors_of(results))} survivors, each explained")
    return bool(wrong)


def entry(file: str, survivor: dict[str, Any]) -> str:
    """Return a survivor as an entry of mutation_survivors.toml, with the reason left to be written."""
    words = {"file": file, "source": survivor["source"], "mutant": survivor["mutant"], "why": ""}
    return "[[survivor]]\n" + "\n".join(f"{name} = '''{word}'''" for name, word in words.items()) + "\n"


def page(rows: list[str], survivors: list[tuple[str, dict[str, Any]]], missing: list[str]) -> str:
    """Return the results as a page of the docs."""
    text = ["# Mutation testing", "", "Written by `python tests/mutate.py`; what is counted is said there.", ""]
    text += ["| file | mutants | killed | |", "|---|--:|--:|--:|", *rows, ""]
    if missing:
        text += ["Not measured as they now stand: " + ", ".join(f"`{f}`" for f in missing) + ".", ""]
    text += ["## Survivors", ""]
    for file, survivor in survivors:
        text += [f"`{file}`, line {survivor['line']}:", "", "```diff", f"- {survivor['source']}"]
        text += [f"+ {survivor['mutant']}", "```", "", survivor["why"] or "Not explained.", ""]
    return "\n".join(text)


if __name__ == "__main__":
    main()
