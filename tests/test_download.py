"""Claims about downloading, with the hub's real client against a stand-in for the hub on loopback.

A transfer goes on where it was left, whatever broke it, and each way to fail is one sentence that says what to do.
"""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from gpt2.checkpoints import transfer
from gpt2.checkpoints.download import Transfer, download, model_folder
from gpt2.checkpoints.hub import locate, storage_folder
from gpt2.checkpoints.weights import load_checkpoint
from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config
from tests.checkpoints import edit_config, write_checkpoint
from tests.stand_in_hub import StandInHub, stand_in_hub

pytestmark = pytest.mark.slow

REPO = "someone/tiny"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[StandInHub]:
    """A hub that this process's children talk to, and an empty cache."""
    with stand_in_hub() as served:
        for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_HOME", "TRANSFORMERS_OFFLINE"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HF_ENDPOINT", served.url)
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
        yield served


@pytest.fixture
def tiny(hub: StandInHub, tmp_path: Path) -> Path:
    """A checkpoint of a megabyte on the hub."""
    folder = write_checkpoint(tmp_path / "tiny", vocab_size=4000, n_embd=64)
    hub.add(REPO, folder)
    return folder


def part() -> Path:
    (found,) = storage_folder(REPO).glob("blobs/*.incomplete")
    return found


def cut_off(hub: StandInHub, at: int) -> None:
    """Leave a download that a broken network ended at a byte."""
    hub.cuts[:] = [at] * (transfer.TRIES + 2)
    advice = "check the network and choose the model again to resume from the bytes kept so far"
    with pytest.raises(CheckpointError, match=advice):
        download(locate(REPO))
    assert part().stat().st_size == at
    hub.cuts.clear()
    hub.asked.clear()


def stop(hub: StandInHub, at: int) -> None:
    """Leave a download that was stopped once so many bytes had come, and no more came."""
    hub.hold_at = at
    with pytest.raises(CheckpointError, match="was stopped; choose it again to resume from the bytes kept so far"):
        download(locate(REPO), stopped=lambda: locate(REPO).here_bytes == at)
    assert hub.held.is_set() and not hub.go.is_set()
    hub.hold_at = None
    hub.asked.clear()


def test_a_download_gives_the_checkpoint_that_lies_on_the_hub(hub, tiny):
    place = locate(REPO)
    assert (place.state, place.folder) == ("to download", None)
    told: list[Transfer] = []
    folder = download(place, told.append)
    for name, array in load_checkpoint(tiny).weights.items():
        np.testing.assert_array_equal(load_checkpoint(folder).weights[name], array)
    size = (tiny / "model.safetensors").stat().st_size
    assert (told[-1].done, told[-1].total, told[-1].share) == (size, size, 1.0)
    assert [one.done for one in told] == sorted(one.done for one in told)
    after = locate(REPO)
    assert (after.state, after.folder, after.here_bytes) == ("downloaded", folder, size)


def test_the_hubs_own_client_finds_what_was_downloaded(hub, tiny):
    from huggingface_hub import snapshot_download

    folder = download(locate(REPO))
    assert Path(snapshot_download(REPO, local_files_only=True, cache_dir=storage_folder(REPO).parent)) == folder


def test_what_is_downloaded_is_never_asked_for_again(hub, tiny):
    folder = model_folder(REPO)
    hub.asked.clear()
    assert model_folder(REPO) == folder
    assert hub.asked == []


def test_after_a_cut_only_the_rest_is_fetched(hub, tiny):
    cut_off(hub, 300_000)
    place = locate(REPO)
    assert (place.state, place.here_bytes) == ("partly downloaded", 300_000)
    folder = download(place)
    assert hub.begins() == [300_000]
    assert (folder / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()
    assert not list(storage_folder(REPO).glob("**/*.incomplete"))


def test_a_connection_that_drops_once_is_taken_up_again_by_itself(hub, tiny):
    hub.cuts = [100_000, 250_000]
    folder = download(locate(REPO))
    assert hub.begins() == [0, 100_000, 250_000]
    assert (folder / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()


def test_a_server_that_sends_all_of_a_file_again_does_not_spoil_it(hub, tiny):
    stop(hub, 300_000)
    hub.ignores_ranges = True
    assert (download(locate(REPO)) / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()


def test_a_stopped_download_ends_although_no_byte_comes_and_goes_on_later(hub, tiny):
    stop(hub, 200_000)
    assert (download(locate(REPO)) / "model.safetensors").read_bytes() == (tiny / "model.safetensors").read_bytes()
    assert hub.begins() == [200_000]


def test_two_that_download_one_model_fetch_it_once(hub, tiny):
    hub.hold_at = 200_000
    folders: list[Path] = []
    waits = threading.Event()

    def tell(told: Transfer) -> None:
        waits.set()

    first = threading.Thread(target=lambda: folders.append(download(locate(REPO))))
    first.start()
    assert hub.held.wait(30)
    second = threading.Thread(target=lambda: folders.append(download(locate(REPO), tell)))
    second.start()
    assert waits.wait(30)  # the second tells what the first has fetched
    hub.go.set()
    first.join(30)
    second.join(30)
    assert len(folders) == 2 and folders[0] == folders[1]
    assert hub.begins() == [0]


def test_shards_are_fetched_by_their_index(hub, tmp_path):
    folder = write_checkpoint(tmp_path / "sharded", vocab_size=4000, n_embd=64, shards=3)
    hub.add(REPO, folder)
    told: list[Transfer] = []
    got = download(locate(REPO), told.append)
    weights = load_checkpoint(folder).weights
    np.testing.assert_array_equal(load_checkpoint(got).weights["wte.weight"], weights["wte.weight"])
    assert told[-1].total == sum(path.stat().st_size for path in folder.glob("*.safetensors"))


def test_the_files_that_decide_tokens_and_the_end_of_a_text_come_along(hub, tiny):
    names = {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "generation_config.json"}
    for name in (*names, "training_args.json"):
        (tiny / name).write_text("{}")
    edit_config(tiny, eos_token_id=3)
    folder = download(locate(REPO))
    assert names == {path.name for path in folder.iterdir()} - {"config.json", "tokenizer.json", "model.safetensors"}
    assert load_checkpoint(folder).end_of_text == load_checkpoint(tiny).end_of_text == frozenset()


def test_a_revision_is_another_model(hub, tiny, tmp_path):
    other = write_checkpoint(tmp_path / "older", vocab_size=4000, n_embd=64, seed=7)
    commit = hub.add(REPO, other, "v1")
    main, older = model_folder(REPO), model_folder(f"{REPO}@v1")
    assert main != older and model_folder(f"{REPO}@{commit}") == older
    want = load_checkpoint(other).weights["wte.weight"]
    np.testing.assert_array_equal(load_checkpoint(older).weights["wte.weight"], want)
    with pytest.raises(CheckpointError, match="has no revision 'v2'"):
        model_folder(f"{REPO}@v2")


def test_the_token_of_the_environment_goes_to_the_hub_and_nowhere_else(hub, tiny, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    download(locate(REPO))
    assert {(one.path.startswith("/cdn/"), one.token) for one in hub.asked} == {(False, "hf_secret"), (True, "")}


def refused(name: str = REPO) -> str:
    with pytest.raises(CheckpointError) as refusal:
        download(locate(name))
    assert "\n" not in str(refusal.value) and len(str(refusal.value)) < 350
    return str(refusal.value)


def test_offline_nothing_is_asked_and_the_variable_is_named(hub, tiny, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "HF_HUB_OFFLINE is set; unset it" in refused() and hub.asked == []


def test_a_downloaded_model_is_there_offline(hub, tiny, monkeypatch):
    folder = download(locate(REPO))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert model_folder(REPO) == folder


def test_a_model_that_is_not_there_is_named(hub):
    assert f"There is no model {REPO}" in refused()


@pytest.mark.parametrize(
    ("status", "code", "sentence"),
    [
        (401, "GatedRepo", "accept its licence"),
        (403, "GatedRepo", "HF_TOKEN"),
        (401, "", "HF_TOKEN"),
        (403, "", "HF_TOKEN"),
        (500, "", "error 500; try again later"),
        (429, "", "error 429; try again later"),
    ],
)
def test_what_the_hub_refuses_says_what_to_do(hub, tiny, status, code, sentence):
    hub.refuse = {"/api/": (status, code)}
    assert sentence in refused()


@pytest.mark.parametrize(("status", "sentence"), [(403, "HF_TOKEN"), (500, "error 500")])
def test_a_refusal_of_the_weights_alone_says_what_to_do(hub, tiny, status, sentence):
    hub.refuse = {"/cdn/": (status, "")}
    assert sentence in refused()


def test_without_safetensors_nothing_at_all_is_fetched(hub, tiny):
    (tiny / "model.safetensors").rename(tiny / "pytorch_model.bin")
    assert "only pytorch_model.bin, which is never opened" in refused()
    assert hub.names() == set()


def test_an_adapter_is_named_before_anything_is_fetched(hub, tiny):
    (tiny / "adapter_config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="is a LoRA adapter"):
        download(locate(REPO))
    assert hub.names() == set()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model_type": "llama"}, "model_type = 'llama' is not supported"),
        ({"activation_function": "relu"}, "activation_function"),
        ({"n_head": 3}, "does not divide"),
    ],
)
def test_of_what_is_no_gpt2_only_the_config_is_fetched(hub, tiny, change, sentence):
    edit_config(tiny, **change)
    assert sentence in refused()
    assert hub.names() == {"config.json"}


def test_a_config_that_is_not_accepted_ends_the_download_before_the_weights(hub, tiny):
    def refuse(config: GPT2Config) -> None:
        raise CheckpointError(f"{config.n_embd} is too wide.")

    with pytest.raises(CheckpointError, match="64 is too wide"):
        download(locate(REPO), accept=refuse)
    assert hub.names() == {"config.json"}


def test_what_came_damaged_is_thrown_away(hub, tiny):
    hub.damage = True
    assert "downloaded file is damaged and was deleted" in refused()
    assert not list(storage_folder(REPO).glob("blobs/*.incomplete"))
    hub.damage = False
    assert download(locate(REPO))


def test_a_full_disk_is_told_before_anything_large_is_asked_for(hub, tiny):
    hub.claims = 10**15
    assert "The disk is too full" in refused() and hub.begins() == []


def test_a_cache_that_cannot_be_written_is_named(hub, tiny, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "file" / "cache"))
    assert "cannot be written" in refused() and "set HF_HUB_CACHE" in refused()


def test_a_hub_that_cannot_be_reached_is_one_sentence(hub, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    assert "check the network" in refused()


def test_an_index_that_names_files_elsewhere_is_refused(hub, tmp_path):
    folder = write_checkpoint(tmp_path / "sharded", shards=2)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"wte.weight": "../../etc/passwd.safetensors"}}))
    hub.add(REPO, folder)
    assert "cannot be read as an index" in refused()
