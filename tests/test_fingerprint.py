"""Claims about fingerprints: a graph is known by what is traced, and remembered while nothing it comes from changes."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

import pytest
from max.experimental import functional as F

from gpt2.engine import compiled
from gpt2.engine.compiled import GraphKey, store
from gpt2.model import transformer
from gpt2.model.graphs import GRAPHS, trace_graph
from gpt2.model.hooks import output_names
from tests.compiling import traced_key
from tests.shapes import TINY

ROOT = Path(compiled.__file__).parents[2]
# MAX leaves variables in the process that send a new Python to another home; Python's own copy is clean.
OWN = dict(os.environ)


@pytest.mark.slow
def test_the_fingerprint_is_the_same_in_another_process() -> None:
    code = (
        "from gpt2.engine.compiled import GraphKey; from gpt2.model.config import GPT2Config; "
        "from gpt2.model.graphs import GRAPHS; "
        f"print(*(GraphKey.of(kind, {TINY!r}).fingerprint for kind in GRAPHS))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=OWN, capture_output=True, text=True, check=True, timeout=120
    )
    assert told.stdout.split() == [GraphKey.of(kind, TINY).fingerprint for kind in GRAPHS]


@pytest.mark.parametrize(
    "change", [{"n_layer": 2}, {"n_head": 3}, {"n_inner": 9}, {"n_embd": 8}, {"layer_norm_epsilon": 1e-6}]
)
@pytest.mark.parametrize("kind", ["prefill", "decode"])
def test_another_shape_has_another_fingerprint(kind: str, change: dict[str, int | float]) -> None:
    other = replace(TINY, **change)
    assert GraphKey.of(kind, other).fingerprint != GraphKey.of(kind, TINY).fingerprint


def test_a_change_in_the_model_changes_the_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here: a mask that hides a position from itself too; the graph's inputs and outputs stay the same."""
    before = compiled.fingerprint_of("prefill", TINY)
    right = transformer.causal_mask
    monkeypatch.setattr(transformer, "causal_mask", lambda positions: F.transpose(right(positions), 0, 1))
    assert compiled.fingerprint_of("prefill", TINY) != before


def test_a_fingerprint_is_remembered_only_for_the_same_sources_config_and_release(
    empty: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key = traced_key("decode", TINY)
    store(key, b"the graph", empty, compiled.source_hash("decode", TINY))
    assert compiled.remembered_fingerprint("decode", TINY) == key.fingerprint
    assert compiled.remembered_fingerprint("prefill", TINY) is None
    assert compiled.remembered_fingerprint("decode", replace(TINY, n_layer=2)) is None
    changed = tmp_path / "gpt2"
    shutil.copytree(ROOT / "gpt2", changed, ignore=shutil.ignore_patterns("bundled", "__pycache__"))
    mask = changed / "model" / "mask.py"
    mask.write_text(mask.read_text() + "\n")
    monkeypatch.setattr(compiled, "__file__", str(changed / "engine" / "compiled.py"))
    compiled.source_hash.cache_clear()
    try:
        assert compiled.remembered_fingerprint("decode", TINY) is None
    finally:
        compiled.source_hash.cache_clear()


def test_every_file_that_the_graphs_are_made_of_counts_for_their_origin() -> None:
    """All that `graphs` imports of the model, and what that imports; nothing else changes a graph."""
    found, waiting = set(), ["graphs"]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            text = (ROOT / "gpt2" / "model" / f"{name}.py").read_text()
            waiting += re.findall(r"^\s*from \.(\w+) import", text, re.MULTILINE)
    assert found == set(compiled.SOURCES)


@pytest.mark.parametrize("n_layer", [1, 12])
@pytest.mark.parametrize("kind", GRAPHS)
def test_outputs_are_in_the_order_that_the_engine_reads_them(kind: str, n_layer: int) -> None:
    staged = trace_graph(kind, replace(TINY, n_layer=n_layer))
    assert list(staged.out_tree.leaf_paths) == output_names(kind, n_layer)


@pytest.mark.slow
def test_loading_a_shipped_model_imports_nothing_that_traces_graphs() -> None:
    """On a fresh machine that import compiles Mojo code for seconds."""
    code = "import sys, gpt2; gpt2.load(); print([n for n in sys.modules if n.startswith('max.experimental.nn')])"
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=OWN, capture_output=True, text=True, timeout=120)
    assert told.stdout.strip() == "[]", told.stderr


def test_the_key_of_each_graph_differs() -> None:
    keys = [GraphKey.of(kind, TINY) for kind in GRAPHS]
    assert len({key.file_name for key in keys}) == len({key.fingerprint for key in keys}) == 4
    assert all(asdict(key)["max_version"] == version("max") for key in keys)
