"""Claims about a machine without Chromium: the browser tests are left out there, in one line, and fail only in CI."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NO_BROWSER

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
# Runs the browser tests of one file in each of these surroundings, in one process, which imports what they need once.
RUNS = """
import contextlib, io, json, os, sys, pytest
told = {}
for name, variables in json.loads(sys.argv[1]).items():
    os.environ.update(variables)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        status = pytest.main(["-n0", "-p", "no:cacheprovider", "tests/test_browser_theme.py"])
    for variable in variables:
        del os.environ[variable]
    told[name] = status, printed.getvalue()
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str]]:
    """Status and output where nothing but an empty folder is searched for a browser; that of `named` ends at once."""
    surroundings = {"here": {}, "in CI": {"CI": "true"}, "named": {"CHROMIUM": sys.executable}}
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "CHROMIUM")}
    done = subprocess.run(
        [sys.executable, "-c", RUNS, json.dumps(surroundings)],
        cwd=ROOT,
        env={**environment, "PATH": str(tmp_path_factory.mktemp("empty"))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_browser_tests_are_left_out_and_one_line_says_how_to_have_them(told) -> None:
    status, printed = told["here"]
    assert status == 0, printed
    assert printed.count(NO_BROWSER) == 1
    assert "passed" not in printed
    assert "failed" not in printed


def test_in_ci_they_fail(told) -> None:
    status, printed = told["in CI"]
    assert status == 1, printed
    assert NO_BROWSER in printed
    assert "skipped" not in printed


def test_a_browser_that_chromium_names_is_used(told) -> None:
    """Here one that ends at once, so that the tests fail instead of being left out."""
    status, printed = told["named"]
    assert status == 1, printed
    assert NO_BROWSER not in printed
