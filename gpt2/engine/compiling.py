"""Graphs compiled once, in a process of their own, and kept with `compiled`."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

from filelock import FileLock, Timeout
from max._core.driver import set_virtual_cpu_target

from gpt2.checkpoints.child import Child, listen
from gpt2.errors import EngineError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import GRAPH_KINDS
from gpt2.trace.unfinished import remove_unfinished, unfinished
from gpt2.trace.whole_file import PARTIAL

from . import compiled, devices
from .cache_folder import cache_folder, remove_partial, unwritable
from .compiled import SHIPPED, GraphKey, find_exactly, fingerprint_of, max_version, missing, source_hash, store

SECONDS_A_GRAPH = {"cpu": 80, "gpu": 110}


def compile_here(
    kind: str, config: GPT2Config, folder: Path | None = None, device: str = "cpu", target: str = ""
) -> bool:
    """Compile a graph in this process and keep it in `folder`; return whether it had to be compiled.

    A graph with the same fingerprint that is shipped or in the user's cache is copied, not compiled again. Run this in
    a process of its own: a compile takes a minute or more and over a gigabyte, and a process compiles for one target.
    """
    from gpt2.model.graphs import trace_graph

    target, folder = target or devices.target(device), folder or cache_folder()
    key = GraphKey(kind, fingerprint_of(kind, config, device), max_version(), target)
    kept = mef = find_exactly(key)
    if mef is None:
        set_virtual_cpu_target(devices.level_of(target))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".{key.file_name}.{os.getpid()}{PARTIAL}"
        with unfinished(str(path)):
            graph = trace_graph(kind, config, devices.device_of(device)).graph
            devices.session_on(device).compile(graph).export_mef(path)
            mef = path.read_bytes()
    store(key, mef, folder, source_hash(kind, config, device))
    return kept is None


@contextmanager
def compiling_child(
    kind: str, config: GPT2Config, device: str = "cpu", target: str = "", folder: str = ""
) -> Iterator[Child]:
    """Within, a process compiles a graph, by default for this CPU and into the user's cache."""
    command = ["gpt2.engine.compiling", kind, json.dumps(config.to_dict()), device, target, folder]
    with own_kernels() as variables, Child(command, variables, subprocess.DEVNULL) as child:
        yield child


@contextmanager
def own_kernels() -> Iterator[dict[str, str]]:
    """Within, these variables give a process that compiles an empty place of its own for MAX's kernels.

    MAX keeps all that it compiles in one place. If a graph needs a kernel that is there, its file gets everything that
    was compiled with that kernel, which takes memory for as long as the graph is loaded.
    """
    place = cache_folder() / f".kernels.{os.getpid()}{PARTIAL}"
    with unfinished(str(place)):
        yield {"MODULAR_DERIVED_PATH": str(place)}


def ship(models: Iterable[tuple[str, GPT2Config]]) -> Iterator[str]:
    """Bring the graphs in the repository up to date, for every level of x86-64, and delete outdated ones.

    Yields the name of each graph before it is compiled, or copied from the user's cache.

    Raises:
        EngineError: if a graph cannot be compiled.
    """
    wanted: set[str] = set()
    for (model, config), level, kind in product(models, devices.LEVELS, GRAPH_KINDS):
        if not is_worth_shipping(kind, config, level):
            continue
        wanted.add(GraphKey(kind, fingerprint_of(kind, config), max_version(), level).file_name)
        yield f"{kind} of {model} for {level}"
        with compiling_child(kind, config, "cpu", level, str(SHIPPED)) as child:
            if child.wait():
                raise EngineError(f"Compiling the {kind} graph of {model} failed ({child.last_words()}).")
    for path in SHIPPED.iterdir():
        if path.name.partition("-")[0] in GRAPH_KINDS and path.name.removesuffix(".json") not in wanted:
            path.unlink()


def is_worth_shipping(kind: str, config: GPT2Config, level: str) -> bool:
    """Whether a graph gains by a level of x86-64.

    Reading a prompt does, by a third, and each token of GPT-2's smallest size, by a twentieth. A token of a smaller
    model takes as long, and half a millisecond longer after a pause, in which the CPU lets its wide units sleep.
    """
    return kind != "decode" or level == "x86-64-v3" or config.n_embd >= 768


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
    since = time.monotonic()
    kinds = missing(config, device)  # none, if the process that held the lock before compiled the same graphs
    for done, kind in enumerate(kinds):
        with compiling_child(kind, config, device) as child:
            while child.poll() is None:
                if stopped():
                    raise EngineError("Compiling was stopped; choose the model again to start anew.")
                seconds, minutes = time.monotonic() - since, len(kinds) * SECONDS_A_GRAPH[device] / 60
                progress(
                    f"Compiling this model's graphs, once: {done} of {len(kinds)} done after {seconds:.0f} s, "
                    f"about {minutes:.0f} min in all."
                )
                with suppress(subprocess.TimeoutExpired):
                    child.wait(1)
            if child.returncode:
                reason = child.last_words()
                raise EngineError(f"Compiling this model's graphs failed ({reason}); choose it again to retry.")


def main() -> None:
    """Compile a graph of a config, given as JSON, for a device; for a target and into a folder, if they are given."""
    listen(ended=remove_unfinished)
    kind, config, device, target, folder = sys.argv[1:6]
    if folder:
        compiled.OFFERED = (Path(folder),)
    try:
        compile_here(kind, GPT2Config(**json.loads(config)), Path(folder) if folder else None, device, target)
    except OSError as error:
        sys.exit(unwritable(error))


if __name__ == "__main__":
    main()
