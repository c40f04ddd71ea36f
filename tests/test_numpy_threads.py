"""NumPy computes in one thread, as its threads would wait for whatever else runs on the machine."""

import json
import os

import pytest

from tests.source_tree import python

pytestmark = pytest.mark.slow

# The libraries that NumPy has loaded for matrix products, by how many threads each has.
COUNT = """
import json
import threadpoolctl
print(json.dumps([pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]))
"""
ENTRIES = {
    "app": "import streamlit.web.bootstrap, streamlit.web.server\nfrom pages.frame import navigation",
    "command": "import gpt2.__main__",
    "name": "from gpt2 import Trace",
}
VARIABLE = "OPENBLAS_NUM_THREADS"


def threads(entry: str) -> set[int]:
    """How many threads NumPy has in a process that begins so."""
    return set(json.loads(python(f"{entry}\nimport numpy\n{COUNT}")))


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_numpy_has_one_thread_wherever_the_program_begins(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert threads(entry) == {1}


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one thread in any case")
def test_whoever_asks_for_more_threads_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "2")
    assert threads(ENTRIES["name"]) == {2}
