"""Downloads a model in a child process, so that it can be stopped at any moment and resumed later."""

import json
import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gpt2.errors import CheckpointError
from gpt2.model.config import GPT2Config

from .catalog import KNOWN, MINE, in_words
from .child import Child
from .hub import Place, cache_folder, is_offline, locate

SPEED_SECONDS = 4.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Transfer:
    """Progress of a download: bytes of the weights, and bytes per second over the last seconds (None at the start)."""

    name: str
    done: int
    total: int
    per_second: float | None = None

    @property
    def share(self) -> float:
        """The part downloaded, from 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def figures(self) -> str:
        """The progress for a person, such as 212 of 548 MB · 14 MB/s."""
        done, total = in_words(self.done), in_words(self.total)
        short = done.partition(" ")[0] if done[-2:] == total[-2:] else done
        return f"{short} of {total}" + ("" if self.per_second is None else f" · {in_words(self.per_second)}/s")

    @property
    def sentence(self) -> str:
        """The figures in a sentence with the model's name."""
        return f"Downloading {self.name}: {self.figures}."


def download(
    place: Place,
    progress: Callable[[Transfer], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    accept: Callable[[GPT2Config], None] = lambda _: None,
) -> Path:
    """Download a model into the hub's cache and return its folder.

    Args:
        place: the model, as returned by `hub.locate`.
        progress: called with the progress several times a second.
        stopped: polled; once true, the download ends within a second and keeps the bytes downloaded so far.
        accept: called with the config before any weights are requested; an exception from it ends the download.

    Raises:
        CheckpointError: if the model cannot be downloaded, or the download was stopped.
    """
    if is_offline():
        raise CheckpointError(f"{place.name} is not downloaded and HF_HUB_OFFLINE is set; unset it to download.")
    revision = place.revision if place.folder is None else place.folder.name  # its commit: a branch may have moved on
    with Child(["gpt2.checkpoints.fetch", place.repo, revision], _variables(), subprocess.PIPE) as child:
        speed = Speed()
        for message in _messages(child, stopped):
            if "error" in message:
                raise CheckpointError(message["error"])
            if "folder" in message:
                return Path(message["folder"])
            if "config" in message:
                accept(GPT2Config(**message["config"]))
                assert child.stdin is not None
                with suppress(BrokenPipeError):  # the child has ended; the next message says why
                    child.stdin.write("go on\n")
                    child.stdin.flush()
            elif "done" in message:
                progress(Transfer(place.name, message["done"], message["total"], speed.of(message["done"])))
        if stopped():
            raise CheckpointError(
                f"The download of {place.name} was stopped; choose it again to resume from the bytes kept so far."
            )
        raise CheckpointError(f"The download of {place.name} failed ({child.last_words()}); choose it again to resume.")


def obtain(
    place: Place,
    progress: Callable[[Transfer], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    accept: Callable[[GPT2Config], None] = lambda _: None,
) -> Path:
    """Return the folder of a model, downloaded if it is not on this machine; arguments as of `download`.

    Small files that another program has left out are fetched too. If the hub cannot be asked, the model runs without
    them, as it does with transformers.

    Raises:
        CheckpointError: if the model is not here and cannot be downloaded, or the download was stopped.
    """
    if place.folder is not None and (not place.may_lack or is_offline()):
        return place.folder
    try:
        return download(place, progress, stopped, accept)
    except CheckpointError:
        if place.folder is None or stopped():
            raise
        return place.folder


def model_folder(
    model: str,
    progress: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Path:
    """Return the folder of a model; download the model first if it is not on this machine.

    Args:
        model: a name that `locate` accepts.
        progress: called with one sentence on the download's progress.
        stopped: polled; once true, the download ends and keeps the bytes downloaded so far.

    Raises:
        CheckpointError: if there is no such model, it cannot be reached, or it is no GPT-2.
    """
    if model == MINE:
        raise CheckpointError("The model that you built runs with generate, trace and the app alone.")
    return obtain(locate(model), lambda transfer: progress(transfer.sentence), stopped)


def config_of(model: str, progress: Callable[[str], None] = lambda _: None) -> GPT2Config:
    """Return the config of a model; a short name needs no download.

    Raises:
        CheckpointError: as `model_folder`.
    """
    if model in KNOWN:
        return KNOWN[model].config
    return GPT2Config.from_file(model_folder(model, progress) / "config.json")


class Speed:
    """Bytes per second over the last seconds."""

    def __init__(self) -> None:
        """Start without measurements."""
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, done: int) -> float | None:
        """Return the speed after `done` bytes; None during the first second."""
        now = time.monotonic()
        self._seen.append((now, done))
        while now - self._seen[0][0] > SPEED_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        return None if now - since < 1 else (done - before) / (now - since)


def _variables() -> dict[str, str]:
    return {
        "HF_HUB_CACHE": str(cache_folder()),
        "HF_HUB_DISABLE_XET": "1",  # plain HTTP can resume a file at any byte
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",  # send the hub requests for the model and nothing else
    }


def _messages(child: Child, stopped: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """Yield the child's messages until it ends or `stopped` is true."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert child.stdout is not None
        with suppress(ValueError):  # the pipe was closed while it was read: the child was killed
            for line in child.stdout:
                lines.put(line)
        lines.put("")

    threading.Thread(target=read, name="download", daemon=True).start()
    while not stopped():
        with suppress(queue.Empty):
            if not (line := lines.get(timeout=POLL_SECONDS)):
                return
            if line.startswith("{"):  # skip anything that a library prints
                yield json.loads(line)
