"""Hypothesis profiles, and the largest error/bound of the session in the summary.

HYPOTHESIS_PROFILE chooses `dev` (the default), `ci` (the default where CI is set; the same draws every time) or
`nightly` (many). None has a deadline: a shared machine is no stopwatch.
"""

import functools
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
    """Skip searches that take minutes, unless the profile is `nightly`, and tests of a GPU where there is none."""
    for item in items:
        if item.get_closest_marker("nightly") and not NIGHTLY:
            item.add_marker(pytest.mark.skip(reason="a long search; set HYPOTHESIS_PROFILE=nightly"))
        if item.get_closest_marker("gpu") and (reason := without_gpu()):
            item.add_marker(pytest.mark.skip(reason=reason))


@functools.cache
def without_gpu():
    """Why no test can run on a GPU here, or None where one can."""
    import minigrad as mg

    try:
        with mg.use_backend("cupy"):
            return None
    except (ImportError, RuntimeError) as error:
        return f"no GPU: {error}"


def pytest_generate_tests(metafunc):
    """Run what is marked `device` twice, the second time with the strict stand-in for CuPy as the back end."""
    marks = {mark.name for mark in metafunc.definition.iter_markers()}
    if "device" in marks and "host" not in marks:
        metafunc.parametrize("back_end", ["numpy", "stand-in"], indirect=True)


@pytest.fixture(autouse=True)
def back_end(request):
    """Make the back end that the test was parametrised with the current one."""
    if getattr(request, "param", "numpy") == "numpy":
        yield
    else:
        from tests.device import machine

        folder = request.getfixturevalue("tmp_path_factory").getbasetemp()
        with request.getfixturevalue("monkeypatch").context() as patch, machine.standing_in(patch, folder):
            yield


@pytest.fixture
def device(monkeypatch, tmp_path_factory):
    """The stand-in device as the current back end; its log of what was asked of it."""
    from tests.device import machine

    with machine.standing_in(monkeypatch, tmp_path_factory.getbasetemp()) as log:
        yield log


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
