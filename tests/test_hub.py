"""Claims about finding a model: the bundled one, a folder, or one clear sentence; nothing is fetched without need."""

import socket
from pathlib import Path
from typing import NoReturn

import pytest

import gpt2
from gpt2.errors import CheckpointError
from gpt2.hub import FILES, model_folder
from tests.checkpoints import write_checkpoint
from tests.conftest import BUNDLED


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No connection can be made, as at a talk."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise OSError("Network is unreachable")

    for way in ("create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, way, refuse)
    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


def test_the_bundled_model_is_in_the_repository() -> None:
    assert model_folder("bundled") == BUNDLED


def test_a_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_checkpoint(tmp_path / "own model")
    assert model_folder(str(folder)) == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_folder("~/own model") == folder


def test_a_file_is_no_model(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="is a file; give the folder"):
        model_folder(str(folder / "model.safetensors"))


@pytest.mark.parametrize(
    "name", ["", "a/b/c", "../no such", "wrong name!", "x" * 200, "x" * 5000, "~nobody/model", "a\0b", "-a", "a\nb"]
)
def test_a_name_that_no_model_can_have_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"There is no model|cannot be downloaded") as refusal:
        model_folder(name)
    assert "\n" not in str(refusal.value)


def test_a_model_that_cannot_be_reached_is_one_sentence() -> None:
    with pytest.raises(CheckpointError, match=r"cannot be downloaded \(.*check the network") as refusal:
        model_folder("openai-community/gpt2")
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 350


def test_no_pickle_and_no_code_is_ever_fetched() -> None:
    assert not [pattern for pattern in FILES if pattern.endswith(("bin", "pt", "py", "pkl", "ckpt", "*"))]


def test_loading_the_bundled_model_needs_no_network() -> None:
    told: list[str] = []
    engine = gpt2.load("bundled", told.append)
    assert engine.run("Once upon a time").prompt_ids == tuple(engine.tokenizer.encode("Once upon a time"))
    assert told == []
