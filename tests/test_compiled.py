"""Claims about precompiled graphs: those that ship are this code's, and nothing else ever reaches native code."""

import hashlib
import json
import lzma
import re
import shutil
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpt2.checkpoints.catalog import SHIPPED
from gpt2.checkpoints.download import config_of
from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine import compiled, compiling, devices
from gpt2.engine.compiled import GraphKey, find, find_exactly, store
from gpt2.engine.engine import Engine
from gpt2.errors import EngineError
from gpt2.interpreter.kernels import KIND as KERNELS
from gpt2.model.graphs import GRAPHS
from gpt2.model.sampling import Sampling
from gpt2.serving.graphs import KIND as SERVED
from tests.compiling import traced_key
from tests.models import PROMPT

ROOT = Path(compiled.__file__).parents[2]
KEY = GraphKey("prefill", "f" * 64, "26.7.0", "x86-64-v3")


def refuse_native(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(_: object) -> NoReturn:
        raise AssertionError("an unsound graph was given to native code")

    monkeypatch.setattr(compiled, "read", read)


@pytest.mark.slow
def test_every_shipped_graph_is_this_codes_and_none_is_stale(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After a change to the model: python -m gpt2 compile --ship."""
    monkeypatch.setenv("GPT2_CACHE", str(tmp_path))
    names = set()
    for config in map(config_of, SHIPPED):
        assert compiled.missing(config) == []
        traced = [traced_key(kind, config) for kind in GRAPHS]
        keys = [replace(key, target=level) for key in traced for level in devices.LEVELS]
        for key in [key for key in keys if compiling.is_worth_shipping(key.kind, config, key.target)]:
            told = json.loads((compiled.SHIPPED / f"{key.file_name}.json").read_text())
            assert told["key"] == asdict(key)
            assert compiled.source_hash(key.kind, config) in told["origins"], "start-up would have to trace it"
            names.add(key.file_name)
    graphs = {path.name for path in compiled.SHIPPED.iterdir() if not path.name.startswith((KERNELS, SERVED))}
    assert graphs == names | {f"{name}.json" for name in names}


def test_shipped_graphs_are_for_the_pinned_release_and_name_what_they_need_of_a_cpu() -> None:
    pinned = re.search(r"^max==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    for manifest in compiled.SHIPPED.glob("*.json"):
        told = json.loads(manifest.read_text())
        assert told["key"]["max_version"] == pinned[1] == version("max")
        assert set(told["cpu"]) == devices.LEVELS[told["key"]["target"]]


def test_shipped_graphs_are_small_enough_for_the_repository() -> None:
    assert sum(path.stat().st_size for path in compiled.SHIPPED.iterdir()) < 6_000_000


def test_what_is_kept_is_found_again(empty: Path) -> None:
    mef = bytes(range(256)) * 50
    store(KEY, mef, empty)
    assert find(KEY) == mef
    assert sorted(path.name for path in empty.iterdir()) == [KEY.file_name, f"{KEY.file_name}.json"]


@given(mef=st.binary(max_size=2000))
def test_any_bytes_are_found_again(empty: Path, mef: bytes) -> None:
    store(KEY, mef, empty)
    assert find(KEY) == mef


def test_the_shipped_graph_comes_before_the_users(empty: Path) -> None:
    store(KEY, b"shipped", compiled.SHIPPED)
    store(KEY, b"own", empty)
    assert find(KEY) == b"shipped"
    (compiled.SHIPPED / KEY.file_name).write_bytes(b"damaged")
    assert find(KEY) == b"own"


@given(data=st.data())
@settings(max_examples=150)
def test_a_graph_with_any_byte_changed_is_not_used(empty: Path, checkpoint: Checkpoint, data: st.DataObject) -> None:
    key = shipped_into(empty, checkpoint)
    path = empty / key.file_name
    packed = bytearray(path.read_bytes())
    packed[data.draw(st.integers(0, len(packed) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(packed)
    assert find(key) is None


@given(data=st.data())
def test_a_graph_cut_anywhere_is_not_used(empty: Path, checkpoint: Checkpoint, data: st.DataObject) -> None:
    key = shipped_into(empty, checkpoint)
    path = empty / key.file_name
    path.write_bytes(path.read_bytes()[: data.draw(st.integers(0, path.stat().st_size - 1))])
    assert find(key) is None


@given(data=st.data())
@settings(max_examples=150)
def test_a_manifest_with_any_byte_changed_is_not_believed_about_the_graph(
    empty: Path, checkpoint: Checkpoint, data: st.DataObject
) -> None:
    """A fingerprint read wrongly would have the graph compiled again and again, and never found."""
    key = shipped_into(empty, checkpoint)
    path = empty / f"{key.file_name}.json"
    told = bytearray(path.read_bytes())
    told[data.draw(st.integers(0, len(told) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(told)
    assert compiled.remembered_fingerprint("lens", checkpoint.config) in (None, key.fingerprint)


def test_a_shipped_graph_is_not_compiled_again_for_a_size_that_shares_it(empty: Path, checkpoint: Checkpoint) -> None:
    shipped_into(compiled.SHIPPED, checkpoint)
    assert not compiling.compile_here("lens", checkpoint.config)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=150)
def test_a_manifest_with_any_byte_changed_never_leads_to_other_bytes(empty: Path, data: st.DataObject) -> None:
    store(KEY, b"the graph", empty)
    path = empty / f"{KEY.file_name}.json"
    told = bytearray(path.read_bytes())
    told[data.draw(st.integers(0, len(told) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(told)
    assert find(KEY) in (None, b"the graph")


def shipped_into(folder: Path, checkpoint: Checkpoint) -> GraphKey:
    """A copy of a real graph that a test may damage."""
    key = GraphKey.of("lens", checkpoint.config)
    folder.mkdir(parents=True, exist_ok=True)
    for name in (key.file_name, f"{key.file_name}.json"):
        shutil.copy(ROOT / "gpt2" / "bundled" / "graphs" / name, folder / name)
    return key


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "decode"},
        {"fingerprint": "e" * 64},
        {"max_version": "26.6.0"},
        {"target": "native darwin arm64 0123456789ab"},
    ],
)
def test_a_graph_for_something_else_is_not_used_even_under_this_name(empty: Path, change: dict[str, str]) -> None:
    other = replace(KEY, **change)
    store(other, b"the graph", empty)
    assert find(other) == b"the graph"
    assert other.file_name != KEY.file_name and find(KEY) is None
    for end in ("", ".json"):
        (empty / f"{other.file_name}{end}").rename(empty / f"{KEY.file_name}{end}")
    assert find(KEY) is None


def test_a_cpu_without_a_needed_feature_uses_no_graph(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(KEY, b"the graph", empty)
    for lacking in devices.AVX2:
        monkeypatch.setattr(devices, "cpu_features", lambda lacking=lacking: devices.AVX2 - {lacking})
        assert find(KEY) is None
        assert devices.target().startswith("native")
    monkeypatch.setattr(devices, "cpu_features", lambda: devices.AVX2 | {"avx512f"})
    assert find(KEY) == b"the graph" and devices.target() == "x86-64-v3"


@pytest.mark.parametrize("accelerator", ["", " with cuda sm_90"])
def test_a_cpu_with_avx512_uses_its_own_graph_or_an_older_cpus_and_never_the_other_way_round(
    empty: Path, monkeypatch: pytest.MonkeyPatch, accelerator: str
) -> None:
    old, new = (replace(KEY, target=f"{level}{accelerator}") for level in ("x86-64-v3", "x86-64-v4"))
    monkeypatch.setattr(devices, "cpu_features", lambda: devices.AVX2 | devices.AVX512)
    assert devices.target() == "x86-64-v4"
    store(old, b"for AVX2", empty)
    assert (find(new), find_exactly(new)) == (b"for AVX2", None)
    store(new, b"for AVX-512", empty)
    assert (find(new), find(old)) == (b"for AVX-512", b"for AVX2")
    (empty / new.file_name).write_bytes(b"damaged")
    assert find(new) == b"for AVX2"
    store(new, b"for AVX-512", empty)
    for lacking in devices.AVX512:
        monkeypatch.setattr(
            devices, "cpu_features", lambda lacking=lacking: (devices.AVX2 | devices.AVX512) - {lacking}
        )
        assert devices.target() == "x86-64-v3"
        assert find(new) == find(old) == b"for AVX2"


def test_two_cpus_that_are_not_portable_do_not_share_graphs(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = set()
    for features in (frozenset(), frozenset({"neon"}), frozenset({"neon", "sve"})):
        monkeypatch.setattr(devices, "cpu_features", lambda features=features: features)
        targets.add(devices.target())
    assert len(targets) == 3


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"{}", b'{"key": 1}', b"\xff\xfe", b'{"key": {}}'])
def test_a_manifest_that_is_none_is_as_if_absent(empty: Path, content: bytes) -> None:
    store(KEY, b"the graph", empty)
    (empty / f"{KEY.file_name}.json").write_bytes(content)
    assert find(KEY) is None


def test_a_graph_that_two_sizes_share_is_remembered_with_both(empty: Path) -> None:
    store(KEY, b"the graph", empty, "one")
    store(KEY, b"the graph", empty, "other")
    store(KEY, b"the graph", empty, "one")
    told = json.loads((empty / f"{KEY.file_name}.json").read_text())
    assert told["origins"] == ["one", "other"]
    for number in range(20):
        store(KEY, b"the graph", empty, str(number))
    assert len(json.loads((empty / f"{KEY.file_name}.json").read_text())["origins"]) == compiled.MAX_ORIGINS


@pytest.mark.parametrize("missing", ["", ".json"])
def test_half_of_a_pair_is_as_if_absent(empty: Path, missing: str) -> None:
    store(KEY, b"the graph", empty)
    (empty / f"{KEY.file_name}{missing}").unlink()
    assert find(KEY) is None


def test_a_sound_file_with_other_contents_is_not_used(empty: Path) -> None:
    store(KEY, b"the graph", empty)
    (empty / KEY.file_name).write_bytes(lzma.compress(b"another graph"))
    assert find(KEY) is None


def test_what_unpacks_beyond_any_graph_is_not_used(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store(KEY, bytes(5000), empty)
    monkeypatch.setattr(compiled, "MAX_MEF_BYTES", 4999)
    assert find(KEY) is None


def test_bytes_that_do_not_unpack_are_not_used_though_their_hash_is_right(empty: Path) -> None:
    store(KEY, b"the graph", empty)
    packed = lzma.compress(b"the graph")[:-8]
    (empty / KEY.file_name).write_bytes(packed)
    manifest = empty / f"{KEY.file_name}.json"
    told = json.loads(manifest.read_text()) | {"sha256": hashlib.sha256(packed).hexdigest()}
    manifest.write_text(json.dumps(told))
    assert find(KEY) is None


def test_a_damaged_graph_never_reaches_native_code(
    empty: Path, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = shipped_into(empty, checkpoint)
    packed = bytearray((empty / key.file_name).read_bytes())
    packed[len(packed) // 2] ^= 1
    (empty / key.file_name).write_bytes(packed)
    refuse_native(monkeypatch)
    with pytest.raises(EngineError, match=r"lens graph is not compiled.*python -m gpt2 compile"):
        compiled.load("lens", checkpoint.config)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GPT2_CACHE", str(tmp_path))
    assert compiled.cache_folder() == tmp_path / "graphs"
    monkeypatch.delenv("GPT2_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert compiled.cache_folder() == tmp_path / "x" / "gpt2-under-glass" / "graphs"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert compiled.cache_folder() == tmp_path / ".cache" / "gpt2-under-glass" / "graphs"


@pytest.mark.slow
def test_the_graphs_for_every_cpu_make_the_same_run(
    checkpoint: Checkpoint, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine has one best set; the others are tried here too, if it can run them."""
    expected = engine.start(PROMPT)
    for _ in range(8):
        expected.advance(Sampling(0.8, seed=3))
    for level in devices.stands_for(devices.target())[1:]:
        monkeypatch.setattr(devices, "cpu_features", lambda level=level: devices.LEVELS[level])
        GraphKey.of.cache_clear()
        run = Engine(checkpoint).start(PROMPT)
        for _ in range(8):
            run.advance(Sampling(0.8, seed=3))
        GraphKey.of.cache_clear()
        assert run.trace.ids == expected.trace.ids
        for name in expected.trace.steps[0].captures:
            whole = expected.trace[name]
            np.testing.assert_allclose(run.trace[name], whole, atol=1e-5 * np.abs(whole[np.isfinite(whole)]).max())
