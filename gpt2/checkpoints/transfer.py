"""One large file on its way from the hub into its cache, by plain HTTP, gone on with at whatever byte it was left.

What has come lies beside its future place as `blobs/<etag>.incomplete`; it gets its name once the whole is there and
has the SHA-256 that the hub tells.
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
# A connection that breaks is tried again this often without a new byte, a second apart.
TRIES = 4
SECONDS_BETWEEN = 1.0


def part_of(blobs: Path, file: "HfFileMetadata") -> Path:
    """Where a file lies while it is on its way."""
    return blobs / f"{file.etag}.incomplete"


def came(blobs: Path, file: "HfFileMetadata") -> int:
    """How many bytes of a file are on the disk."""
    for path in (blobs / str(file.etag), part_of(blobs, file)):
        with suppress(OSError):
            return path.stat().st_size
    return 0


def bring(url: str, file: "HfFileMetadata", blobs: Path, done: Callable[[int], None]) -> None:
    """Fetch one file into the cache, from where it was left; another process that fetches it is waited for.

    Raises:
        CheckpointError: if what came is not what the hub promised.
        httpx.TransportError: if the connection breaks again and again.
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
            done(came(blobs, file))


def stream(url: str, file: "HfFileMetadata", part: Path, done: Callable[[int], None]) -> None:
    """Write what `part` lacks, and compare the whole with the hub's SHA-256 where it tells one."""
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
                    if restart:  # the server sends all of it, whatever was asked for
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
                raise httpx.ReadError("The answer ends early again and again.")
            if size < (file.size or 0):
                time.sleep(SECONDS_BETWEEN)
    if file.size not in (None, size) or (len(str(file.etag)) == 64 and digest.hexdigest() != file.etag):
        part.unlink(missing_ok=True)
        raise CheckpointError("What came is not the file that the hub promised; choose the model again to start anew.")


def chunks(url: str, begin: int) -> Iterator[tuple[bool, bytes]]:
    """The bytes of a file from `begin` on, each chunk with whether it is the first of an answer that began at 0."""
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
