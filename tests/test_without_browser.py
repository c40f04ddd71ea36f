"""Claims about a machine without Chromium: the browser tests are left out there, in one line, and fail only in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import NO_BROWSER

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]


def run_browser_tests(path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of one file that need a browser, where nothing but `path` is searched for one."""
    command = [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "tests/test_browser_models.py"]
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "CHROMIUM")}
    return subprocess.run(
        command, cwd=ROOT, env={**environment, "PATH": str(path), **variables}, capture_output=True, text=True
    )


def test_browser_tests_are_left_out_and_one_line_says_how_to_have_them(tmp_path: Path) -> None:
    done = run_browser_tests(tmp_path)
    assert done.returncode == 0, done.stdout
    assert done.stdout.count(NO_BROWSER) == 1
    assert "passed" not in done.stdout
    assert "failed" not in done.stdout


def test_in_ci_they_fail(tmp_path: Path) -> None:
    done = run_browser_tests(tmp_path, CI="true")
    assert done.returncode == 1, done.stdout
    assert NO_BROWSER in done.stdout
    assert "skipped" not in done.stdout


def test_a_browser_that_chromium_names_is_used(tmp_path: Path) -> None:
    """Here one that ends at once, so that the tests fail instead of being left out."""
    done = run_browser_tests(tmp_path, CHROMIUM=sys.executable)
    assert done.returncode == 1, done.stdout
    assert NO_BROWSER not in done.stdout
