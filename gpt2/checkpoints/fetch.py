"""The child process of `download`: the one place that talks to the Hugging Face hub.

It requests the listing first, then config.json, and the other files only for a GPT-2 with safetensors. It downloads
weights by plain HTTP, which can resume at any byte (`transfer`).
"""

import errno
import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config

from .catalog import in_words
from .child import listen
from .hub import SIDE_FILES, absence, cache_folder, storage_folder
from .transfer import bring, bytes_on_disk
from .weights import weight_files

# Files that decide token ids, text or where it ends; a repository has some of them.
SMALL = ("vocab.json", "merges.txt", *SIDE_FILES)
INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
SECONDS_BETWEEN_REPORTS = 0.2
RESERVE = 64_000_000  # bytes of disk to leave free
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Tell = Callable[..., None]


def fetch(repo: str, revision: str, tell: Tell) -> Path:
    """Download a repository's config, tokenizer and safetensors into the hub's cache.

    Args:
        repo: its id on the hub.
        revision: a branch, a tag or a commit.
        tell: called once with `config=`, and returns when the weights may be fetched; then called with `done=` and
            `total=` in bytes.

    Raises:
        CheckpointError: if it is not a GPT-2 that this program can run, or a downloaded file is damaged.
        Exception: any error of the hub's client; `sentence` explains it.
    """
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_download, hf_hub_url

    info = HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=10)
    commit, names = str(info.sha), {file.rfilename for file in info.siblings or ()}
    check_listing(repo, names)

    def small(name: str) -> Path:
        return Path(hf_hub_download(repo, name, revision=commit))

    try:
        config = GPT2Config.from_file(small("config.json"))
    except CheckpointError as error:
        raise CheckpointError(f"{repo} cannot be run here, and nothing more was fetched: {error}") from None
    tell(config=config.to_dict())
    for name in SMALL:
        if name in names:
            folder = small(name).parent
    weights = ["model.safetensors"]
    if weights[0] not in names:
        weights = shards(small(INDEX))
    sources = {name: hf_hub_url(repo, name, revision=commit) for name in weights if not (folder / name).exists()}
    files = {name: get_hf_file_metadata(url) for name, url in sources.items()}
    here = sum((folder / name).stat().st_size for name in weights if name not in files)
    blobs = storage_folder(repo) / "blobs"
    total = here + sum(file.size or 0 for file in files.values())
    check_room(repo, total - here - sum(bytes_on_disk(blobs, file) for file in files.values()))
    for name, file in files.items():
        bring(sources[name], file, blobs, lambda done, before=here: tell(done=before + done, total=total))  # type: ignore[misc]
        small(name)  # the file is stored already: this only links it into the snapshot
        here += file.size or 0
    weight_files(folder)
    note_absent(repo, commit, names)
    note_revision(repo, revision, commit)
    return folder


def check_listing(repo: str, names: set[str]) -> None:
    """Refuse a repository that lacks a required file, judged by file names alone.

    Raises:
        CheckpointError: if the config, the tokenizer or safetensors are missing.
    """
    if "adapter_config.json" in names:
        raise CheckpointError(f"{repo} is a LoRA adapter (adapter_config.json), not a whole model; choose another.")
    if "config.json" not in names:
        raise CheckpointError(f"{repo} has no config.json, so it is not a GPT-2 checkpoint; choose another.")
    if "model.safetensors" not in names and INDEX not in names:
        pickles = sorted(name for name in names if name.endswith(PICKLES))
        has = f" (only {pickles[0]}, which is never opened)" if pickles else ""
        raise CheckpointError(f"{repo} has no model.safetensors{has}; choose a repository that has one.")
    if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
        raise CheckpointError(f"{repo} has neither tokenizer.json nor vocab.json and merges.txt; choose another.")


def shards(index: Path) -> list[str]:
    """Return the names of the shards in an index.

    Raises:
        CheckpointError: if it names no shards, or a file that is not a safetensors file in the same folder.
    """
    try:
        names = sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        names = []
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise CheckpointError(f"{INDEX} of this repository cannot be read as an index of shards; choose another.")
    return names


def check_room(repo: str, nbytes: int) -> None:
    """Refuse a download that does not fit the disk.

    Raises:
        CheckpointError: if the cache's disk has less than `nbytes` plus a reserve free.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if nbytes + RESERVE > free:
        raise CheckpointError(
            f"The disk is too full: {repo} needs {in_words(nbytes)} more, and {cache} has {in_words(free)} free; "
            "make room, or set HF_HUB_CACHE to a folder on another disk."
        )


def note_absent(repo: str, commit: str, names: set[str]) -> None:
    """Note which small files the repository does not have, so that nobody asks for them again."""
    for name in SIDE_FILES:
        if name not in names:
            path = absence(storage_folder(repo), commit, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def note_revision(repo: str, revision: str, commit: str) -> None:
    """Write the commit of a branch or tag into the cache; done last, so that a revision in the cache is complete."""
    if revision == commit:
        return
    ref = storage_folder(repo) / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    partial = ref.with_name(f"{ref.name}.{os.getpid()}.incomplete")
    partial.write_text(commit, encoding="utf-8")
    partial.replace(ref)


def sentence(error: Exception, repo: str, revision: str) -> str:
    """Explain an error in one sentence that says what went wrong and what to do."""
    import httpx
    from huggingface_hub import errors

    while isinstance(error, errors.LocalEntryNotFoundError) and isinstance(error.__cause__, Exception):
        error = error.__cause__
    match error:
        case CheckpointError():
            return str(error)
        case errors.GatedRepoError():
            return f"{repo} is gated: accept its licence on its page on the hub, and set HF_TOKEN to your token."
        case errors.RepositoryNotFoundError():
            return f"There is no model {repo} on the hub, or it is private: check the name, or set HF_TOKEN."
        case errors.RevisionNotFoundError():
            return f"{repo} has no revision {revision!r}; leave out @{revision} for its newest."
        case errors.HFValidationError():
            return f"There is no model {repo}: the hub allows no such name; check it."
        case errors.HfHubHTTPError() if error.response.status_code in (401, 403):
            return f"The hub refuses {repo}: set HF_TOKEN to a valid token, and accept the model's licence on its page."
        case errors.HfHubHTTPError():
            status = error.response.status_code
            return f"{repo} cannot be downloaded: the hub answers with error {status}; try again later."
        case httpx.TransportError():
            return (
                f"{repo} cannot be downloaded ({type(error).__name__}): the hub cannot be reached, or the connection "
                "broke; check the network and choose the model again to resume from the bytes kept so far."
            )
        case OSError() if error.errno in NO_ROOM:
            return f"The disk is full: make room in {cache_folder()}, then choose {repo} again to resume."
        case OSError() if error.errno is not None:
            return f"{cache_folder()} cannot be written ({error.strerror}); set HF_HUB_CACHE to a writable folder."
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{repo} cannot be downloaded ({reason[:200]}); check the network and try again."


class Report:
    """Sends messages to the parent, one JSON object per line; repeats the progress even if the download stalls."""

    def __init__(self) -> None:
        """Start to send and to listen."""
        self._lock, self._latest, self._may_go_on = threading.Lock(), "", threading.Event()
        listen(self._may_go_on.set)
        threading.Thread(target=self._repeat, daemon=True).start()

    def tell(self, **message: Any) -> None:
        """Send one message; after a config, wait until the parent allows the weights."""
        if "done" in message:
            self._latest = json.dumps(message)
            return
        self._say(self._latest)
        self._say(json.dumps(message))
        if "config" in message:
            self._may_go_on.wait()

    def _say(self, line: str) -> None:
        try:
            with self._lock:
                print(line, end="\n" if line else "", flush=True)
        except OSError:
            os._exit(1)  # the parent no longer reads

    def _repeat(self) -> None:
        while True:
            self._say(self._latest)
            time.sleep(SECONDS_BETWEEN_REPORTS)


def main() -> None:
    """Fetch the repository and revision on the command line."""
    repo, revision = sys.argv[1:]
    report = Report()
    try:
        report.tell(folder=str(fetch(repo, revision, report.tell)))
    except Exception as error:
        report.tell(error=sentence(error, repo, revision))


if __name__ == "__main__":
    main()
