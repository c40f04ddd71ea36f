"""Downloads one large file from the hub into its cache by plain HTTP, and resumes at the byte where it stopped.

A partial file is stored as `blobs/<etag>.incomplete`. It is renamed to `blobs/<etag>` once it is complete and its
SHA-256 is the one that the hub states.
"""

import hashlib
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from gpt2.errors import CheckpointError

if TYPE_CHECKING:
    from huggingface_hub.file_download import HfFileMetadata

CHUNK = 1 << 18
# Retry a broken connection at most this often without a new byte, one second apart.
TRIES = 4
SECONDS_BETWEEN = 1.0


def part_of(blobs: Path, file: "HfFileMetadata") -> Path:
    """The path of a file during its download."""
    return blobs / f"{file.etag}.incomplete"


def bytes_on_disk(blobs: Path, file: "HfFileMetadata") -> int:
    """Return how many bytes of a file are on the disk."""
    for path in (blobs / str(file.etag), part_of(blobs, file)):
        with suppress(OSError):
            return path.stat().st_size
    return 0


def bring(url: str, file: "HfFileMetadata", blobs: Path, done: Callable[[int], None]) -> None:
    """Download one file into the cache, or its missing rest; wait if another process is downloading it.

    Raises:
        CheckpointError: if the file's size or SHA-256 is not the one that the hub states.
        httpx.TransportError: if the connection keeps breaking.
    """
    from filelock import Timeout
    from huggingface_hub.utils import WeakFileLock

    locks = blobs.parent.parent / ".locks" / blobs.parent.name
    for folder in (blobs, locks):
        folder.mkdir(parents=True, exist_ok=True)
    while True:
        try:
            with WeakFileLock(locks / f"{file.etag}.lock", timeout=0.5):
                if not (blobs / str(file.etag)).exists():
                    stream(url, file, part_of(blobs, file), done)
                    part_of(blobs, file).replace(blobs / str(file.etag))
                return
        except Timeout:
            done(bytes_on_disk(blobs, file))


def stream(url: str, file: "HfFileMetadata", part: Path, done: Callable[[int], None]) -> None:
    """Append the missing bytes to `part`, and compare the file with the hub's SHA-256 if the hub states one."""
    import httpx

    digest, size, tries = hashlib.sha256(), 0, 0
    with part.open("a+b") as out:
        out.seek(0)
        while chunk := out.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
        while file.size is None or size < file.size:
            before = size
            try:
                for restart, chunk in chunks(url, size):
                    if restart:  # the server ignores the range and sends the whole file
                        out.truncate(0)
                        digest, size = hashlib.sha256(), 0
                    out.write(chunk)
                    out.flush()
                    digest.update(chunk)
                    size += len(chunk)
                    done(size)
                if file.size is None:
                    break
            except httpx.TransportError:
                if tries >= TRIES:
                    raise
            tries = 0 if size > before else tries + 1
            if tries > TRIES:
                raise httpx.ReadError("The response keeps ending early.")
            if size < (file.size or 0):
                time.sleep(SECONDS_BETWEEN)
    if file.size not in (None, size) or (len(str(file.etag)) == 64 and digest.hexdigest() != file.etag):
        part.unlink(missing_ok=True)
        raise CheckpointError("The downloaded file is damaged and was deleted; choose the model again to download it.")


def chunks(url: str, begin: int) -> Iterator[tuple[bool, bytes]]:
    """Yield a file's bytes from `begin` on in chunks, each with True if the server starts over at byte 0 with it."""
    from huggingface_hub import constants, get_session
    from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity"}
    if begin:
        headers["Range"] = f"bytes={begin}-"
    timeout = constants.HF_HUB_DOWNLOAD_TIMEOUT
    with get_session().stream("GET", url, headers=headers, timeout=timeout, follow_redirects=True) as answer:
        hf_raise_for_status(answer)
        restart = begin > 0 and answer.status_code != 206
        for chunk in answer.iter_bytes():
            yield restart, chunk
            restart = False
