"""Claims about models that another program has put into the hub's cache without all of their small files."""

import shutil
from pathlib import Path

import pytest
from huggingface_hub import try_to_load_from_cache

from gpt2.checkpoints.download import model_folder
from gpt2.checkpoints.hub import SIDE_FILES, cache_folder, locate, storage_folder
from gpt2.text.tokenizer import Tokenizer
from tests.checkpoints import write_checkpoint
from tests.stand_in_hub import StandInHub
from tests.test_download import REPO, hub
from tests.tokenizer_folders import TEACHER, old_files

__all__ = ["hub"]  # the fixture: a hub on loopback, and an empty cache
pytestmark = pytest.mark.slow

PROMPT = f"One {TEACHER} day"


@pytest.fixture
def whole(hub: StandInHub, tmp_path: Path) -> Path:
    """A model on the hub whose vocabulary has a token more than its oldest files say."""
    folder = write_checkpoint(tmp_path / "whole", vocab_size=400)
    (folder / "tokenizer.json").unlink(missing_ok=True)
    old_files(folder, added_tokens={TEACHER: 300})
    hub.add(REPO, folder)
    return folder


@pytest.fixture
def bare(whole: Path, hub: StandInHub) -> Path:
    """The same in the cache with its oldest files alone, at the commit that the hub has."""
    storage = storage_folder(REPO)
    commit = hub.commits[REPO, "main"]
    folder = storage / "snapshots" / commit
    folder.mkdir(parents=True)
    for name in ("config.json", "vocab.json", "merges.txt", "model.safetensors"):
        shutil.copy(whole / name, folder / name)
    (storage / "refs").mkdir()
    (storage / "refs" / "main").write_text(commit)
    return folder


def test_small_files_that_are_missing_are_fetched_once_and_no_weights(bare: Path, whole: Path, hub: StandInHub) -> None:
    before = Tokenizer.from_folder(bare).encode(PROMPT)
    assert model_folder(REPO) == bare
    assert Tokenizer.from_folder(bare).encode(PROMPT) == Tokenizer.from_folder(whole).encode(PROMPT) != before
    assert hub.begins() == [] and "added_tokens.json" in hub.names()
    hub.asked.clear()
    assert model_folder(REPO) == bare and hub.asked == []


def test_a_branch_that_has_moved_on_does_not_move_the_cached_model(bare: Path, hub: StandInHub, tmp_path: Path) -> None:
    hub.add(REPO, write_checkpoint(tmp_path / "newer", vocab_size=400, seed=9))
    assert model_folder(REPO) == bare and (bare / "added_tokens.json").exists()
    assert hub.begins() == []


@pytest.mark.parametrize("why", ["refused", "gone", "offline"])
def test_without_the_hub_the_model_runs_with_what_is_there(
    bare: Path, hub: StandInHub, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    told: list[str] = []
    if why == "refused":
        hub.refuse = {"/api/": (500, "")}
    elif why == "gone":
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    else:
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert model_folder(REPO, told.append) == bare and told == []
    assert (hub.asked == []) == (why != "refused")


def test_what_a_repository_lacks_is_noted_as_transformers_notes_it(whole: Path, hub: StandInHub) -> None:
    folder = model_folder(REPO)
    assert not locate(REPO).may_lack
    absent = [name for name in SIDE_FILES if not (whole / name).exists()]
    assert absent
    for name in absent:
        noted = try_to_load_from_cache(REPO, name, cache_dir=cache_folder(), revision=folder.name)
        assert noted is not None and not isinstance(noted, str)  # the client's own sign for "known to be absent"
