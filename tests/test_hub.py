"""Claims about finding a model on this machine: the bundled one, a folder, or what is in the hub's cache."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpt2
from gpt2.checkpoints.catalog import KNOWN, in_words, memory_needed, weight_bytes
from gpt2.checkpoints.download import model_folder
from gpt2.checkpoints.hub import cache_folder, locate, storage_folder
from gpt2.checkpoints.listing import listed, table
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.errors import CheckpointError
from tests.checkpoints import write_checkpoint
from tests.models import BUNDLED

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache, and a hub that must not be asked, as at a talk."""
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def cached(repo: str, revision: str = "main", **options: object) -> Path:
    """A repository in the cache, as the hub's client lays it out."""
    storage = storage_folder(repo)
    folder = write_checkpoint(storage / "snapshots" / COMMIT, **options)  # type: ignore[arg-type]
    (storage / "refs").mkdir(parents=True)
    (storage / "refs" / revision).write_text(COMMIT)
    return folder


def test_the_bundled_model_is_in_the_repository() -> None:
    assert (model_folder("bundled"), locate("bundled").state) == (BUNDLED, "bundled")


def test_a_folder_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_checkpoint(tmp_path / "own model")
    assert model_folder(str(folder)) == folder
    monkeypatch.setenv("HOME", str(tmp_path))
    assert model_folder("~/own model") == folder


def test_a_short_name_comes_before_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_checkpoint(tmp_path / "gpt2")
    monkeypatch.chdir(tmp_path)
    assert (locate("gpt2").repo, locate("gpt2").state) == ("openai-community/gpt2", "to download")
    assert locate("./gpt2").folder == Path("gpt2")


def test_a_file_is_no_model(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="is a file; give the folder"):
        model_folder(str(folder / "model.safetensors"))


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a/b/c",
        "../no such",
        "wrong name!",
        "x" * 200,
        "x" * 5000,
        "~nobody/model",
        "a\0b",
        "-a",
        "a\nb",
        "a/b@",
        "a@..",
        "gpt2@",
        "gpt2@../../../dev/zero",
        "gpt2@a b",
        "gpt2@a\0b",
        "gpt2@a\nb",
    ],
)
def test_a_name_that_no_model_can_have_is_refused(name: str) -> None:
    with pytest.raises(CheckpointError, match=r"There is no model") as refusal:
        model_folder(name)
    assert "\n" not in str(refusal.value)


@given(st.sampled_from(["", "gpt2@", "a/b@"]), st.text(max_size=120))
def test_whatever_is_typed_is_a_place_in_the_cache_or_one_sentence(before: str, name: str) -> None:
    try:
        place = locate(before + name)
    except CheckpointError as refusal:
        assert "\n" not in str(refusal)
    else:
        assert place.folder is not None or storage_folder(place.repo).parent == cache_folder()


def test_what_is_in_the_cache_is_found_without_a_network() -> None:
    folder = cached("someone/tiny", shards=2)
    place = locate("someone/tiny")
    assert (place.state, place.folder) == ("downloaded", folder)
    assert model_folder(f"someone/tiny@{COMMIT}") == folder
    with pytest.raises(CheckpointError, match="HF_HUB_OFFLINE is set; unset it"):
        model_folder("someone/tiny@v2")


def test_a_snapshot_that_lacks_a_file_is_not_whole() -> None:
    folder = cached("someone/tiny", shards=2)
    next(folder.glob("*-00002-*")).unlink()
    place = locate("someone/tiny")
    assert (place.state, place.folder) == ("partly downloaded", None)
    assert place.here_bytes == sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def test_links_that_lead_nowhere_and_a_cache_that_cannot_be_read_are_as_if_nothing_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = cached("someone/tiny", shards=1)
    for path in folder.iterdir():
        path.unlink()
        path.symlink_to(tmp_path / "gone")
    assert locate("someone/tiny").state == "to download"
    (tmp_path / "copied").mkdir()
    (tmp_path / "copied" / "model.safetensors").symlink_to(tmp_path / "gone")
    with pytest.raises(CheckpointError):
        load_checkpoint(model_folder(str(tmp_path / "copied")))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    assert locate("someone/tiny").state == "to download"


def test_a_cut_off_file_is_named_where_it_lies_so_that_it_can_be_deleted() -> None:
    folder = cached("someone/tiny", shards=1)
    blob = next(folder.glob("*.safetensors")).resolve()
    blob.write_bytes(blob.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"not a whole safetensors file .* delete it, then download") as refusal:
        load_checkpoint(folder)
    assert str(blob) in str(refusal.value)


def test_a_model_replaced_on_disk_leaves_the_loaded_one_as_it_was(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    loaded = load_checkpoint(folder)
    before = {name: array.copy() for name, array in loaded.weights.items()}
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-4000] + b"\x00" * 4000)  # in place: the same file, not a new one
    assert all((loaded.weights[name] == array).all() for name, array in before.items())


WHERE = "from huggingface_hub import constants; print(constants.HF_HUB_CACHE)"


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HF_HOME": "/x/home"},
        {"HF_HOME": "~/home"},
        {"XDG_CACHE_HOME": "/x/xdg"},
        {"HF_HOME": "/x/home", "HF_HUB_CACHE": "/y/cache"},
        {"HUGGINGFACE_HUB_CACHE": "/z/old"},
        {"HF_HUB_CACHE": "$HOME/c"},
    ],
)
def test_the_cache_is_where_the_hubs_client_has_it(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    # MAX, once it has run, leaves variables in the C library's environment that lead Python elsewhere: pass our own.
    command, own = [sys.executable, "-c", WHERE], dict(os.environ)
    told = subprocess.run(command, env=own, capture_output=True, text=True, check=True).stdout.strip()
    assert cache_folder() == Path(told).expanduser()


def test_the_known_models_have_the_sizes_that_they_are_known_by() -> None:
    counts = {name: round(known.config.n_params / 1e6) for name, known in KNOWN.items()}
    assert counts == {"distilgpt2": 82, "gpt2": 124, "gpt2-medium": 355, "gpt2-large": 774, "gpt2-xl": 1558}
    for known in KNOWN.values():  # a download has the weights once, and causal masks at most
        assert weight_bytes(known.config) < known.download_bytes < weight_bytes(known.config) * 1.15


def test_memory_counts_float32_weights_with_a_tied_head_once() -> None:
    checkpoint = load_checkpoint(BUNDLED)
    arrays = {id(array): array.nbytes for array in checkpoint.weights.values()}
    assert weight_bytes(checkpoint.config) == sum(arrays.values())
    assert memory_needed(checkpoint.config) > weight_bytes(checkpoint.config)


@pytest.mark.parametrize(
    ("nbytes", "words"), [(812, "1 kB"), (999_600, "1 MB"), (548_105_171, "548 MB"), (6_431_829_964, "6.43 GB")]
)
def test_bytes_are_told_as_a_person_reads_them(nbytes: int, words: str) -> None:
    assert in_words(nbytes) == words


def test_the_listing_tells_size_memory_and_state() -> None:
    row = listed("gpt2")
    assert (row.label, row.memory, row.state) == ("GPT-2 124M", "0.8 GB memory", "to download 548 MB")
    row = listed("bundled")
    assert (row.label, row.memory, row.state) == ("Bundled storyteller", "0.3 GB memory", "bundled")
    folder = cached("openai-community/gpt2")
    assert listed("gpt2").state == "downloaded"
    shutil.rmtree(folder)
    blobs = storage_folder("openai-community/gpt2") / "blobs"
    blobs.mkdir()
    (blobs / "abc.incomplete").write_bytes(b"\0" * 2_000_000)
    assert listed("gpt2").state == "2 MB of 548 MB downloaded"
    row = listed("someone/unseen")
    assert (row.label, row.memory, row.state) == ("unseen", "", "to download")


def test_the_table_has_a_line_for_each_model_and_json_the_same(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from gpt2.__main__ import main

    monkeypatch.setenv("GPT2_MODELS", "someone/unseen, gpt2")
    main(["models"])
    lines = capsys.readouterr().out.splitlines()
    names = ["bundled", *KNOWN, "someone/unseen"]
    assert [line.split()[0] for line in lines] == ["name", *names]
    main(["models", "--json"])
    told = json.loads(capsys.readouterr().out)["models"]
    assert [row["name"] for row in told] == names
    assert lines == table([listed(name) for name in names]).splitlines()
    by_name = {row["name"]: row for row in told}
    assert by_name["gpt2"]["download_bytes"] == 548_105_171 and by_name["someone/unseen"]["parameters"] is None


def test_loading_the_bundled_model_needs_no_network() -> None:
    told: list[str] = []
    engine = gpt2.load("bundled", told.append)
    assert engine.run("Once upon a time").prompt_ids == tuple(engine.tokenizer.encode("Once upon a time"))
    assert told == []
