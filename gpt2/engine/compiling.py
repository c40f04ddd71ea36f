"""Graphs compiled once, in a process of their own, and kept with `compiled`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout
from max._core.driver import set_virtual_cpu_target

from gpt2.checkpoints.child import Child, listen
from gpt2.errors import EngineError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import GRAPH_KINDS
from gpt2.trace.unfinished import remove_unfinished, unfinished
from gpt2.trace.whole_file import PARTIAL

from . import devices
from .cache_folder import cache_folder, remove_partial, unwritable
from .compiled import SHIPPED, GraphKey, find_exactly, fingerprint_of, missing, source_hash, store

SECONDS_A_GRAPH = {"cpu": 60, "gpu": 110}


def compile_here(
    config: GPT2Config, folder: Path | None = None, device: str = "cpu", target: str = ""
) -> Iterator[str]:
    """Compile the graphs that `folder` lacks, in this process, and store them; yield each kind before it is compiled.

    A graph with the same fingerprint that is shipped or in the user's cache is copied, not compiled again. Run this in
    a process of its own: a compile takes a minute or more and over a gigabyte, and a process compiles for one target.
    """
    from gpt2.model.graphs import trace_graph

    target = target or devices.target(device)
    set_virtual_cpu_target(devices.level_of(target))
    session = devices.session_on(device)
    folder = folder or cache_folder()
    for kind in GRAPH_KINDS:
        key = GraphKey(kind, fingerprint_of(kind, config, device), version("max"), target)
        if (mef := find_exactly(key)) is None:
            yield kind
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f".{key.file_name}.{os.getpid()}{PARTIAL}"
            with unfinished(str(path)):
                session.compile(trace_graph(kind, config, devices.device_of(device)).graph).export_mef(path)
                mef = path.read_bytes()
        store(key, mef, folder, source_hash(kind, config, device))


def ship(models: Iterable[tuple[str, GPT2Config]]) -> Iterator[tuple[str, str]]:
    """Bring the graphs in the repository up to date, for every level of x86-64, and delete outdated ones.

    Yields each (model, level) before its graphs are compiled or copied from the user's cache, in a child process.

    Raises:
        EngineError: if the child fails.
    """
    wanted: set[str] = set()
    for model, config in models:
        fingerprints = {kind: fingerprint_of(kind, config) for kind in GRAPH_KINDS}
        for level in devices.LEVELS:
            wanted |= {GraphKey(kind, of, version("max"), level).file_name for kind, of in fingerprints.items()}
            yield model, level
            with _child(config, "cpu", level, str(SHIPPED)) as child:
                child.wait()
            if child.returncode:
                raise EngineError(f"Compiling the graphs of {model} failed ({child.last_words()}).")
    for path in SHIPPED.iterdir():
        if path.name.partition("-")[0] in GRAPH_KINDS and path.name.removesuffix(".json") not in wanted:
            path.unlink()


def compile_apart(
    config: GPT2Config,
    progress: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
    device: str = "cpu",
) -> None:
    """Compile missing graphs in a child process and report progress; end the child once `stopped` returns true.

    Raises:
        EngineError: if the child fails or is stopped.
    """
    if not missing(config, device):
        return
    with one_compile(progress, stopped):
        _compile_locked(config, progress, stopped, device)


@contextmanager
def one_compile(progress: Callable[[str], None], stopped: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Within, no other process that shares the cache compiles: it takes all cores and over a gigabyte.

    Raises:
        EngineError: if the cache cannot be written, or `stopped` returns true while another process compiles.
    """
    lock = FileLock(cache_folder() / ".lock")
    while True:
        try:
            cache_folder().mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0.2)
            break
        except Timeout:
            progress("Waiting until another model's graphs are compiled.")
        except OSError as error:
            raise EngineError(f"{unwritable(error)}.") from None
        if stopped():
            raise EngineError("Compiling was stopped; choose the model again to start anew.")
    try:
        yield
    finally:
        remove_partial()
        lock.release()


def _compile_locked(
    config: GPT2Config, progress: Callable[[str], None], stopped: Callable[[], bool], device: str
) -> None:
    names = [GraphKey.of(kind, config, device).file_name for kind in missing(config, device)]
    if not names:  # the process that held the lock before compiled the same graphs
        return
    since = time.monotonic()
    with _child(config, device) as child:
        while child.poll() is None:
            if stopped():
                raise EngineError("Compiling was stopped; choose the model again to start anew.")
            seconds, done = time.monotonic() - since, sum((cache_folder() / name).exists() for name in names)
            progress(
                f"Compiling this model's graphs, once: {done} of {len(names)} done after {seconds:.0f} s, "
                f"about {len(names) * SECONDS_A_GRAPH[device] / 60:.0f} min in all."
            )
            with suppress(subprocess.TimeoutExpired):
                child.wait(1)
        if child.returncode:
            raise EngineError(f"Compiling this model's graphs failed ({child.last_words()}); choose it again to retry.")


def _child(config: GPT2Config, device: str, target: str = "", folder: str = "") -> Child:
    return Child(
        ["gpt2.engine.compiling", json.dumps(config.to_dict()), device, target, folder], {}, subprocess.DEVNULL
    )


def main() -> None:
    """Compile one config's graphs, given as JSON, for a device, and for a target and a folder if they are given."""
    listen(ended=remove_unfinished)
    config, device, target, folder = sys.argv[1:5]
    try:
        for _ in compile_here(GPT2Config(**json.loads(config)), Path(folder) if folder else None, device, target):
            pass
    except OSError as error:
        sys.exit(unwritable(error))


if __name__ == "__main__":
    main()
