"""Hypothesis profiles, and the largest error/bound of the session in the summary.

HYPOTHESIS_PROFILE chooses `dev` (the default), `ci` (the default where CI is set; the same draws every time) or
`nightly` (many). None has a deadline: a shared machine is no stopwatch.
"""

import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("dev", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), max_examples=100, derandomize=True, print_blob=True)
settings.register_profile("nightly", settings.get_profile("dev"), max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev"))

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
LARGEST = "largest error/bound"


def pytest_collection_modifyitems(items):
    """Skip searches that take minutes, unless the profile is `nightly`."""
    for item in items:
        if item.get_closest_marker("nightly") and not NIGHTLY:
            item.add_marker(pytest.mark.skip(reason="a long search; set HYPOTHESIS_PROFILE=nightly"))


def pytest_terminal_summary(terminalreporter):
    """Print the largest ratio of error to derived bound that the identity's tests have met."""
    met = [
        (float(value), report.nodeid)
        for report in terminalreporter.stats.get("passed", [])
        for name, value in report.user_properties
        if name == LARGEST
    ]
    if met:
        ratio, where = max(met)
        terminalreporter.write_line(f"{LARGEST}: {ratio:.3f} in {where}")
