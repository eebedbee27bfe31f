"""keep_freed_memory: what was freed is used again without asking the operating system."""

import platform
import subprocess
import sys

import pytest

import minigrad as mg

FAULTS = """
import resource, sys
import numpy as np
import minigrad as mg

if sys.argv[1] == "kept":
    assert mg.keep_freed_memory()
steps = []
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(5_000_000) for _ in range(3)]
    del arrays
    steps.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(sum(steps[3:]))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's setting")
def test_a_step_gets_the_memory_of_the_last_one_without_page_faults():
    kept, returned = (
        int(subprocess.run([sys.executable, "-c", FAULTS, how], check=True, capture_output=True, text=True).stdout)
        for how in ("kept", "returned")
    )
    assert returned > 100  # 120 MB a step, in pages of 2 MiB at the most
    assert kept < returned / 10


def test_elsewhere_nothing_is_changed_and_the_answer_is_no(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert mg.keep_freed_memory() is False
