"""Finds a model by its name: the bundled model, a local folder, or a Hugging Face repository in the hub's cache.

This module reads the disk alone; `download` fetches missing models.
"""

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gpt2.errors import CheckpointError

from .catalog import KNOWN, MINE
from .weights import weight_files

BUNDLED = Path(__file__).parents[1] / "bundled"
# Ids that the hub allows: a name, or an owner and a name.
REPOSITORY = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*", re.ASCII)
REVISION = re.compile(r"[A-Za-z0-9][\w./-]*", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
MAX_NAME = 96
# Files that a repository may do without, and that change token ids or the end of a text where it has them.
SIDE_FILES = (
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    "generation_config.json",
)

State = Literal["bundled", "your own code", "folder", "downloaded", "partly downloaded", "to download"]


@dataclass(frozen=True)
class Place:
    """The location of a model, and how much of it is on this machine.

    Attributes:
        name: as it was given.
        folder: the checkpoint's folder, or None if it is not (completely) on this machine.
        repo, revision: of the hub; empty for the bundled model and for folders.
        here_bytes, total_bytes: bytes of the weights on the disk, and of all weights (None if unknown).
        may_lack: whether the hub may have small files beside these, which other programs did not ask for.
    """

    name: str
    state: State
    folder: Path | None
    repo: str = ""
    revision: str = ""
    here_bytes: int = 0
    total_bytes: int | None = None
    may_lack: bool = False


def locate(model: str, folders: bool = True) -> Place:
    """Find a model: `bundled`, `mine`, a short name of `catalog.KNOWN`, a folder, or a hub id, perhaps with @revision.

    A short name takes precedence over a folder; write ./gpt2 for the folder. If `folders` is false, ignore folders.

    Raises:
        CheckpointError: if no model can have this name, or it names a file.
    """
    if model in ("bundled", MINE):
        size = (BUNDLED / "model.safetensors").stat().st_size
        state: State = "bundled" if model == "bundled" else "your own code"
        return Place(model, state, BUNDLED, here_bytes=size, total_bytes=size)
    name, at, revision = model.partition("@")
    has_revision = bool(REVISION.fullmatch(revision)) and ".." not in revision
    if name in KNOWN and (has_revision or not at):
        return _cached(model, KNOWN[name].repo, revision or "main")
    if folders and (folder := _folder(model)) is not None:
        size = _bytes(folder.glob("*.safetensors"))
        return Place(model, "folder", folder, here_bytes=size, total_bytes=size)
    fits = REPOSITORY.fullmatch(name) and len(name) <= MAX_NAME and not re.search(r"--|\.\.|\.git$", name)
    if not fits or (at and not has_revision):
        raise CheckpointError(
            f"There is no model {model[:100]!r}: give bundled, gpt2, a folder, or a Hugging Face id such as "
            "openai-community/gpt2."
        )
    return _cached(model, name, revision or "main")


def cache_folder() -> Path:
    """The cache of the hub's client, from the same variables, which the client itself reads only once per process.

    Raises:
        CheckpointError: if it is in a home folder that nobody has.
    """
    variable = os.environ.get
    home = variable("HF_HOME") or f"{variable('XDG_CACHE_HOME') or '~/.cache'}/huggingface"
    cache = variable("HF_HUB_CACHE") or variable("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    try:
        return Path(os.path.expandvars(cache)).expanduser()
    except RuntimeError:  # HOME is not set and this user is not in the system's list, or ~user names nobody
        raise CheckpointError(f"There is no home folder for {cache}; set HF_HUB_CACHE to a folder.") from None


def storage_folder(repo: str) -> Path:
    """A repository's folder in the cache; it holds `blobs`, `snapshots` and `refs`."""
    return cache_folder() / f"models--{repo.replace('/', '--')}"


def is_offline() -> bool:
    """Whether `HF_HUB_OFFLINE` forbids requests to the hub, by the rules of the hub's client."""
    offline = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return offline.upper() in ("1", "ON", "YES", "TRUE")


def is_whole(folder: Path) -> bool:
    """Whether a folder has the config, the tokenizer and all weights; the files themselves are not read."""
    try:
        weight_files(folder)
    except CheckpointError:
        return False
    has_tokenizer = (folder / "tokenizer.json").exists() or (
        (folder / "vocab.json").exists() and (folder / "merges.txt").exists()
    )
    return has_tokenizer and (folder / "config.json").exists()


def _folder(model: str) -> Path | None:
    try:
        path = Path(model).expanduser()
        found = bool(model) and path.exists()
    except (OSError, RuntimeError, ValueError):  # a name too long for a file, or ~user of an unknown user
        return None
    if found and not path.is_dir():
        raise CheckpointError(f"{model} is a file; give the folder that holds config.json and model.safetensors.")
    return path if found else None


def absence(storage: Path, commit: str, file: str) -> Path:
    """The empty file by which the hub's client and transformers note that a repository does not have a file."""
    return storage / ".no_exist" / commit / file


def _may_lack(storage: Path, commit: str) -> bool:
    snapshot = storage / "snapshots" / commit
    return not all((snapshot / file).exists() or absence(storage, commit, file).exists() for file in SIDE_FILES)


def _bytes(paths: Iterable[Path]) -> int:
    """The size of these files; a file deleted meanwhile, or a broken link, counts as 0."""
    size = 0
    for path in paths:
        with suppress(OSError):
            size += path.stat().st_size
    return size


def _cached(name: str, repo: str, revision: str) -> Place:
    total = next((known.download_bytes for known in KNOWN.values() if known.repo == repo), None)
    try:
        storage = storage_folder(repo)
    except CheckpointError:  # without a place for them there are no downloads yet
        return Place(name, "to download", None, repo, revision, 0, total)
    try:
        commit = revision if COMMIT.fullmatch(revision) else (storage / "refs" / revision).read_text().strip()
        snapshot = storage / "snapshots" / commit
        if is_whole(snapshot):
            size = _bytes(weight_files(snapshot))
            return Place(name, "downloaded", snapshot, repo, revision, size, size, _may_lack(storage, commit))
    except (OSError, ValueError):
        pass  # not in the cache, or not readable: it has to be downloaded
    partial = 0
    with suppress(OSError):  # the cache cannot be read
        partial = _bytes(storage.glob("blobs/*.incomplete"))
        for snapshot in storage.glob("snapshots/*"):  # shards downloaded before the others
            partial += 0 if is_whole(snapshot) else _bytes(snapshot.glob("*.safetensors"))
    return Place(name, "partly downloaded" if partial else "to download", None, repo, revision, partial, total)
