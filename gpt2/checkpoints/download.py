"""Downloading a model in a process of its own, so that it can be ended at any moment; what has come is gone on with."""

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

from .catalog import KNOWN, in_words
from .child import Child
from .hub import Place, cache_folder, is_offline, locate

SPEED_SECONDS = 4.0
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Transfer:
    """How far a download is: bytes of the weights, and bytes a second over the last seconds (None at the start)."""

    name: str
    done: int
    total: int
    per_second: float | None = None

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return min(1.0, self.done / self.total) if self.total else 0.0

    @property
    def figures(self) -> str:
        """As a person reads it: 212 of 548 MB · 14 MB/s."""
        done, total = in_words(self.done), in_words(self.total)
        short = done.partition(" ")[0] if done[-2:] == total[-2:] else done
        return f"{short} of {total}" + ("" if self.per_second is None else f" · {in_words(self.per_second)}/s")

    @property
    def sentence(self) -> str:
        """The same with the model's name."""
        return f"Downloading {self.name}: {self.figures}."


def download(
    place: Place,
    progress: Callable[[Transfer], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
    accept: Callable[[GPT2Config], None] = lambda _: None,
) -> Path:
    """Bring a model of the hub into the hub's cache and return its folder.

    Args:
        place: as `hub.locate` found it.
        progress: told several times a second how far it is.
        stopped: asked all the time; once true, the download ends within a second, and what has come is kept.
        accept: given the config before any weights are asked for; what it raises ends the download.

    Raises:
        CheckpointError: in one sentence, if the model cannot be had or was stopped.
    """
    if is_offline():
        raise CheckpointError(f"{place.name} is not downloaded and HF_HUB_OFFLINE is set; unset it to download.")
    with Child(["gpt2.checkpoints.fetch", place.repo, place.revision], _variables(), subprocess.PIPE) as child:
        speed = Speed()
        for told in _messages(child, stopped):
            if "error" in told:
                raise CheckpointError(told["error"])
            if "folder" in told:
                return Path(told["folder"])
            if "config" in told:
                accept(GPT2Config(**told["config"]))
                assert child.stdin is not None
                with suppress(BrokenPipeError):  # it has ended; what comes next says why
                    child.stdin.write("go on\n")
                    child.stdin.flush()
            elif "done" in told:
                progress(Transfer(place.name, told["done"], told["total"], speed.of(told["done"])))
        if stopped():
            raise CheckpointError(
                f"The download of {place.name} was stopped; what has come is kept, choose it again to go on."
            )
        raise CheckpointError(f"The download of {place.name} failed ({child.last_words()}); choose it again to go on.")


def model_folder(
    model: str,
    progress: Callable[[str], None] = lambda _: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Path:
    """The folder of a model, downloaded first if it is not on this machine.

    Args:
        model: as `locate` takes it.
        progress: told in one sentence how far the download is.
        stopped: asked all the time; once true, the download ends and what has come is kept.

    Raises:
        CheckpointError: if there is no such model, it cannot be reached, or it is no GPT-2.
    """
    place = locate(model)
    if place.folder is not None:
        return place.folder
    return download(place, lambda transfer: progress(transfer.sentence), stopped)


def config_of(model: str, progress: Callable[[str], None] = lambda _: None) -> GPT2Config:
    """The sizes of a model; those with a short name are known without a download.

    Raises:
        CheckpointError: as `model_folder`.
    """
    if model in KNOWN:
        return KNOWN[model].config
    return GPT2Config.from_file(model_folder(model, progress) / "config.json")


class Speed:
    """Bytes a second over the last seconds."""

    def __init__(self) -> None:
        """Begin with nothing seen."""
        self._seen: deque[tuple[float, int]] = deque()

    def of(self, done: int) -> float | None:
        """The speed now that `done` bytes have come; None until a second has been seen."""
        now = time.monotonic()
        self._seen.append((now, done))
        while now - self._seen[0][0] > SPEED_SECONDS:
            self._seen.popleft()
        since, before = self._seen[0]
        return None if now - since < 1 else (done - before) / (now - since)


def _variables() -> dict[str, str]:
    return {
        "HF_HUB_CACHE": str(cache_folder()),
        "HF_HUB_DISABLE_XET": "1",  # by plain HTTP a file can be gone on with at any byte
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",  # the hub is asked for the model and for nothing else
    }


def _messages(child: Child, stopped: Callable[[], bool]) -> Iterator[dict[str, Any]]:
    """What the child tells, until it ends or is to be stopped."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert child.stdout is not None
        with suppress(ValueError):  # closed while it was read: the child was ended
            for line in child.stdout:
                lines.put(line)
        lines.put("")

    threading.Thread(target=read, name="download", daemon=True).start()
    while not stopped():
        with suppress(queue.Empty):
            if not (line := lines.get(timeout=POLL_SECONDS)):
                return
            if line.startswith("{"):  # a library may print too
                yield json.loads(line)
