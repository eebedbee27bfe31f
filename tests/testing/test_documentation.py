"""The page on testing is run: its blocks in one namespace, in order, and what they print is what stands below them."""

import contextlib
import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from minigrad.testing import properties

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n+^```text\n(.*?)^```$)?", re.MULTILINE | re.DOTALL)


@pytest.mark.oracle
def test_every_block_of_the_page_runs_and_prints_what_stands_below_it():
    pytest.importorskip("torch")
    names = {}
    for code, expected in BLOCK.findall(PAGE):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        assert printed.getvalue() == expected, code
    tests = [f for name, f in names.items() if name.startswith("test_")]
    assert len(tests) == 4
    for test in tests:
        test()


def test_the_first_example_is_five_lines_beside_the_optimizer():
    code = BLOCK.search(PAGE)[1]
    optimizer = code[code.index("def sgdw") : code.index("def test_")]
    assert len([line for line in code.replace(optimizer, "").splitlines() if line.strip()]) <= 5


def test_the_page_lists_every_property_and_each_says_who_broke_it_or_who_does_what():
    listed = set(re.findall(r"^\| `(\w+)` \|", PAGE.split("## The properties")[1].split("## Strategies")[0], re.M))
    functions = {name for name in properties.__all__ if callable(getattr(properties, name)) and name.islower()}
    assert listed == functions - {"check_coupled", "check_decoupled", "assert_visible"}


def test_the_demo_passes_the_right_one_and_shows_a_counterexample_of_each_wrong_one():
    done = subprocess.run(
        [sys.executable, "demos/verify_your_optimizer.py"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    right, late, subtracted = done.stdout.split("\n\n")
    assert right.startswith("adamw: decoupled")
    assert "the old weight decays" in late
    assert "w = [1.0]\n  g = [1.0]\n  lr = 1.0\n" in late
    assert "when g = 0" in subtracted
