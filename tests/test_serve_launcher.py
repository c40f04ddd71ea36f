"""Claims about starting the server: what is wrong is said in one line, and only sound graphs of this code are used."""

import hashlib
import json
import re
import shlex
import socket
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from gpt2.__main__ import parse
from gpt2.checkpoints.download import config_of
from gpt2.engine import compiled, devices
from gpt2.engine.compiled import GraphKey
from gpt2.errors import EngineError
from gpt2.serving import graphs, launcher
from gpt2.serving.requests import FIELDS, Offer, checked
from tests.checkpoints import write_checkpoint
from tests.command_line import refused
from tests.shapes import TINY

ROOT = Path(launcher.__file__).parents[2]
BUNDLED = config_of("bundled")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what MAX Serve needs were installed."""
    monkeypatch.setattr(launcher, "NEEDED", ())


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.create_server((launcher.HOST, 0)) as other:
        yield other.getsockname()[1]


def test_what_is_not_installed_is_named_with_the_line_that_installs_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launcher, "NEEDED", ("json", "no_such_package.part"))
    said = refused(capsys, "serve")
    assert "such as no_such_package.part; run pip install -r gpt2/serving/requirements.txt" in said
    assert (ROOT / "gpt2" / "serving" / "requirements.txt").exists()


def test_the_guide_asks_as_the_launcher_does() -> None:
    guide = (ROOT / ".github" / "SERVING.md").read_text(encoding="utf-8")
    shown = re.search(r"^curl .*?'\n", guide, re.MULTILINE | re.DOTALL)
    told = launcher.announcement("bundled", Namespace(port=8000, json=False), 11).splitlines()[1]
    assert shown is not None
    *command, asked = shlex.split(shown[0].replace("\\\n", ""))
    assert command == shlex.split(told)[:-1]
    assert json.loads(asked) == {**json.loads(shlex.split(told)[-1]), "temperature": 0}


@pytest.mark.usefixtures("installed")
def test_a_port_that_is_taken_is_named(capsys: pytest.CaptureFixture[str], taken: int) -> None:
    said = refused(capsys, "serve", "--port", str(taken))
    assert f"Port {taken} cannot be used (Address already in use); choose another with --port." in said


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("port", ["0", "-1", "65536"])
def test_what_is_no_port_is_refused(capsys: pytest.CaptureFixture[str], port: str) -> None:
    assert f"--port must be a number from 1 to 65535, not {port}" in refused(capsys, "serve", "--port", port)


@pytest.mark.usefixtures("installed")
def test_a_model_that_is_not_there_or_no_checkpoint_is_refused_at_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind((launcher.HOST, 0))
        port = str(free.getsockname()[1])
    assert "has no config.json" in refused(capsys, "serve", "--port", port, "--model", str(tmp_path))
    assert "nowhere" in refused(capsys, "serve", "--port", port, "--model", str(tmp_path / "nowhere"))
    (tmp_path / "plain").mkdir()
    config = write_checkpoint(tmp_path / "plain") / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "architectures": None}))
    said = refused(capsys, "serve", "--port", port, "--model", str(tmp_path / "plain"))
    assert said.endswith('by which MAX Serve finds a model: add "architectures": ["GPT2LMHeadModel"].')


def test_serving_pins_the_release_of_max_that_the_app_pins() -> None:
    pinned = [
        re.search(r"^max(?:\[serve\])?==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
        for name in ("requirements.txt", "gpt2/serving/requirements.txt")
    ]
    assert [found and found[1] for found in pinned] == [version("max")] * 2


def test_the_lines_to_try_are_a_shells_and_ask_for_the_model_that_is_served() -> None:
    told = launcher.announcement("it's mine", Namespace(port=8123, json=False), 19.6)
    curl, python = (shlex.split(line) for line in told.splitlines()[1:])
    assert curl[:3] == ["curl", "-N", "http://127.0.0.1:8123/v1/completions"]
    asked = json.loads(curl[-1])
    assert (asked["model"], asked["stream"]) == ("it's mine", True)  # piece by piece, which -N does not hold back
    assert python[:2] == ["python", "-c"] and compile(python[2], "try", "exec") and "it's mine" in python[2]
    as_json = json.loads(launcher.announcement("bundled", Namespace(port=8123, json=True), 19.6))
    assert as_json == {"model": "bundled", "url": "http://127.0.0.1:8123/v1", "at_once": 16, "seconds": 19.6}


def test_the_shipped_server_graphs_are_of_this_very_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a change to the model or to what is served: python -m gpt2.serving.graphs --ship."""
    monkeypatch.setattr(compiled, "folders", lambda: (compiled.SHIPPED,))  # not what was compiled on this machine
    fingerprint = graphs.remembered_fingerprint(BUNDLED)
    assert fingerprint, "the start would have to trace and perhaps to compile"
    names = {graphs.key_of(fingerprint, level).file_name for level in devices.LEVELS}
    assert {path.name for path in compiled.SHIPPED.glob(f"{graphs.KIND}-*.xz")} == names


def test_shipped_server_graphs_are_unpacked_as_max_reads_them(tmp_path: Path) -> None:
    graphs.unpack(BUNDLED, tmp_path)
    listed = json.loads((tmp_path / "manifest.json").read_text())["graphs"]
    assert {path.name for path in tmp_path.iterdir()} == {"manifest.json", *(graph["key"] for graph in listed)}
    assert len(listed) == 3


def test_graphs_are_packed_into_the_same_bytes_whenever_they_are(tmp_path: Path) -> None:
    for name in ("b.mef", "a.mef", "manifest.json"):
        (tmp_path / name).write_bytes(name.encode() * 9)
    first = graphs.pack(tmp_path)
    (tmp_path / "a.mef").touch()
    assert graphs.pack(tmp_path) == first and hashlib.sha256(first).digest() != hashlib.sha256(b"").digest()


def kept(folder: Path, tmp_path: Path) -> GraphKey:
    """Graphs for TINY in a cache, which are none."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "manifest.json").write_text("{}")
    key = GraphKey(graphs.KIND, "f" * 64, version("max"), devices.target())
    compiled.store(key, graphs.pack(tmp_path / "made"), folder, graphs.source_hash(TINY))
    return key


def test_damaged_graphs_are_never_unpacked(empty: Path, tmp_path: Path) -> None:
    key = kept(empty, tmp_path)
    (tmp_path / "out").mkdir()
    graphs.unpack(TINY, tmp_path / "out")
    assert (tmp_path / "out" / "manifest.json").read_text() == "{}"
    packed = bytearray((empty / key.file_name).read_bytes())
    packed[len(packed) // 2] ^= 1
    (empty / key.file_name).write_bytes(packed)
    (tmp_path / "again").mkdir()
    with pytest.raises(EngineError, match="start again"):
        graphs.unpack(TINY, tmp_path / "again")
    assert not list((tmp_path / "again").iterdir())


def test_graphs_of_another_shape_or_of_other_sources_are_not_taken_for_these(
    empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(empty, tmp_path)
    assert graphs.remembered_fingerprint(TINY) == "f" * 64
    assert graphs.remembered_fingerprint(replace(TINY, n_layer=TINY.n_layer + 1)) is None
    monkeypatch.setattr(graphs, "SOURCES", (*graphs.SOURCES, "requests"))
    assert graphs.remembered_fingerprint(TINY) is None


def test_the_page_on_serving_tells_of_every_field_and_shows_what_the_server_takes() -> None:
    page = (ROOT / ".github" / "SERVING.md").read_text(encoding="utf-8")
    named = {name for row in re.findall(r"^\| (`.+?) \|", page, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert named == {"prompt", *FIELDS}
    (body,) = re.findall(r"-d '(\{.+?\})'", page)
    assert checked(body.encode(), Offer("bundled", BUNDLED))["prompt"] == "Once upon a time"
    (example,) = re.findall(r"^```python\n(.+?)^```", page, re.MULTILINE | re.DOTALL)
    compile(example, "SERVING.md", "exec")
    for command in re.findall(r"^python -m gpt2 (\w+)", page, re.MULTILINE):
        parse([command])
