"""Claims about the compiled graphs that come with the tests: this code's, so that a fresh machine compiles none."""

import hashlib
import json
from dataclasses import asdict

import pytest

from gpt2.engine import devices
from tests.compiling import GRAPHS, LEVEL
from tests.ship_graphs import wanted

pytestmark = pytest.mark.slow


def test_every_graph_of_the_tests_is_this_codes_and_none_is_stale() -> None:
    """After a change to the model: python -m tests.ship_graphs."""
    names = set()
    for key, origin in wanted():
        manifest = json.loads((GRAPHS / f"{key.file_name}.json").read_text())
        assert manifest["key"] == asdict(key)
        assert origin in manifest["origins"]
        assert hashlib.sha256((GRAPHS / key.file_name).read_bytes()).hexdigest() == manifest["sha256"]
        assert set(manifest["cpu"]) == devices.LEVELS[LEVEL]
        names.add(key.file_name)
    assert {path.name for path in GRAPHS.iterdir()} == names | {f"{name}.json" for name in names}


def test_the_graphs_of_the_tests_are_small_enough_for_the_repository() -> None:
    assert sum(path.stat().st_size for path in GRAPHS.iterdir()) < 3_000_000
