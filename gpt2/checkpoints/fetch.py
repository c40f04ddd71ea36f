"""The child process of `download`: the one place that talks to the Hugging Face hub.

The listing comes first, then config.json, and only for a GPT-2 with safetensors anything else. Weights travel by plain
HTTP, which can be gone on with at any byte (`transfer`).
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
from .hub import cache_folder, storage_folder
from .transfer import bring, came
from .weights import weight_files

TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt")
INDEX = "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
SECONDS_BETWEEN_TOLD = 0.2
RESERVE = 64_000_000  # bytes of disk that are left free
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Tell = Callable[..., None]


def fetch(repo: str, revision: str, tell: Tell) -> Path:
    """Bring a repository's config, tokenizer and safetensors into the hub's cache.

    Args:
        repo: its id on the hub.
        revision: a branch, a tag or a commit.
        tell: given `config=` once, and returns when the weights may be fetched; then `done=` and `total=` in bytes.

    Raises:
        CheckpointError: if it is not a GPT-2 that can be run, or what came is damaged.
        Exception: what the hub's client raises; `sentence` puts it into words.
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
    for name in TOKENIZER:
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
    check_room(repo, total - here - sum(came(blobs, file) for file in files.values()))
    for name, file in files.items():
        bring(sources[name], file, blobs, lambda done, before=here: tell(done=before + done, total=total))  # type: ignore[misc]
        small(name)  # the file is there: this only gives it its name in the snapshot
        here += file.size or 0
    weight_files(folder)
    note_revision(repo, revision, commit)
    return folder


def check_listing(repo: str, names: set[str]) -> None:
    """Refuse a repository by the names of its files alone.

    Raises:
        CheckpointError: if config, tokenizer or safetensors are not among them.
    """
    if "config.json" not in names:
        raise CheckpointError(f"{repo} has no config.json, so it is not a GPT-2 checkpoint; choose another.")
    if "model.safetensors" not in names and INDEX not in names:
        pickles = sorted(name for name in names if name.endswith(PICKLES))
        has = f" (only {pickles[0]}, which is never opened)" if pickles else ""
        raise CheckpointError(f"{repo} has no model.safetensors{has}; choose a repository that has one.")
    if "tokenizer.json" not in names and not {"vocab.json", "merges.txt"} <= names:
        raise CheckpointError(f"{repo} has neither tokenizer.json nor vocab.json and merges.txt; choose another.")


def shards(index: Path) -> list[str]:
    """The files that an index names.

    Raises:
        CheckpointError: if it names none, or something else than safetensors beside it.
    """
    try:
        names = sorted({str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        names = []
    if not names or any(Path(name).name != name or not name.endswith(".safetensors") for name in names):
        raise CheckpointError(f"{INDEX} of this repository cannot be read as an index of shards; choose another.")
    return names


def check_room(repo: str, nbytes: int) -> None:
    """Refuse what the disk cannot take.

    Raises:
        CheckpointError: if fewer than `nbytes` bytes and a reserve are free where the cache is.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if nbytes + RESERVE > free:
        raise CheckpointError(
            f"The disk is too full: {repo} needs {in_words(nbytes)} more in {cache}, where {in_words(free)} are free; "
            "make room, or set HF_HUB_CACHE to a folder on another disk."
        )


def note_revision(repo: str, revision: str, commit: str) -> None:
    """Say in the cache which commit a branch or tag is; the last step, so that what has a name there is whole."""
    if revision == commit:
        return
    ref = storage_folder(repo) / "refs" / revision
    ref.parent.mkdir(parents=True, exist_ok=True)
    partial = ref.with_name(f"{ref.name}.{os.getpid()}.incomplete")
    partial.write_text(commit, encoding="utf-8")
    partial.replace(ref)


def sentence(error: Exception, repo: str, revision: str) -> str:
    """What went wrong, and what to do, in one sentence."""
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
                "broke; check the network and choose the model again, what has come is kept."
            )
        case OSError() if error.errno in NO_ROOM:
            return f"The disk is full: make room in {cache_folder()}; what has come of {repo} is kept."
        case OSError() if error.errno is not None:
            return f"{cache_folder()} cannot be written ({error.strerror}); set HF_HUB_CACHE to a folder that can be."
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"{repo} cannot be downloaded ({reason[:200]}); check the network and try again."


class Report:
    """What is told to whoever asked: one JSON object a line, and how far it is again and again, stalled or not."""

    def __init__(self) -> None:
        """Begin to tell, and to listen."""
        self._lock, self._latest, self._may_go_on = threading.Lock(), "", threading.Event()
        listen(self._may_go_on.set)
        threading.Thread(target=self._repeat, daemon=True).start()

    def tell(self, **told: Any) -> None:
        """Tell one thing; after a config, wait for the word to go on."""
        if "done" in told:
            self._latest = json.dumps(told)
            return
        self._say(self._latest)
        self._say(json.dumps(told))
        if "config" in told:
            self._may_go_on.wait()

    def _say(self, line: str) -> None:
        try:
            with self._lock:
                print(line, end="\n" if line else "", flush=True)
        except OSError:
            os._exit(1)  # nobody reads any more

    def _repeat(self) -> None:
        while True:
            self._say(self._latest)
            time.sleep(SECONDS_BETWEEN_TOLD)


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
