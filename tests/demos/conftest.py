import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def demo(tmp_path):
    """Run a demo by its name, as a person does, with files in a fresh folder; return what it said and that folder."""
    pytest.importorskip("matplotlib")
    pytest.importorskip("rich")

    def run(name, *arguments, status=0):
        out = tmp_path / "out"
        done = subprocess.run(
            [sys.executable, f"demos/{name}.py", "--out", str(out), *map(str, arguments)],
            cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False, timeout=300,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        )  # fmt: skip
        assert done.returncode == status, done.stderr
        return done.stdout, done.stderr, out

    return run


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Let a test import the demos as they import each other."""
    monkeypatch.syspath_prepend(str(ROOT / "demos"))
