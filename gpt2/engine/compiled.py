"""Precompiled graphs: found, checked before native code sees them, or compiled once in a process of their own.

MAX does not check a compiled graph file (MEF), and a damaged one can abort the process. So a file is used only if its
SHA-256, the MAX version, the CPU's features and the fingerprint of the graph all match. The fingerprint is the hash of
the traced graph. It is remembered as long as no byte of the model's source files changes, because the modules that
trace a graph take seconds to import on a fresh machine.
"""

import hashlib
import json
import lzma
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from glob import glob
from importlib.metadata import version
from io import BytesIO
from pathlib import Path

from filelock import FileLock, Timeout
from max._core.driver import set_virtual_cpu_target
from max.engine import CompiledModel, read

from gpt2.checkpoints.child import Child, listen
from gpt2.errors import EngineError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import GRAPH_KINDS, output_names
from gpt2.trace.unfinished import remove_unfinished, unfinished
from gpt2.trace.whole_file import PARTIAL, whole_file

from . import devices
from .cache_folder import cache_folder, remove_partial, unwritable

SHIPPED = Path(__file__).parents[1] / "bundled" / "graphs"
OFFERED: tuple[Path, ...] = ()  # more folders of compiled graphs, searched as SHIPPED is; the tests have one
# The source files that, with a config, determine the traced graph.
SOURCES = (
    *("config", "hooks", "inputs", "linear", "embeddings", "mask", "layer_norm"),
    *("changes", "attention", "mlp", "block", "transformer", "lm_head", "packing", "graphs"),
)
MAX_MEF_BYTES = 200_000_000
MAX_ORIGINS = 8
SECONDS_A_GRAPH = {"cpu": 60, "gpu": 110}


def folders() -> tuple[Path, ...]:
    """Where compiled graphs are looked for, in this order."""
    try:
        return (SHIPPED, *OFFERED, cache_folder())
    except EngineError:  # shipped graphs need no home
        return (SHIPPED, *OFFERED)


@dataclass(frozen=True)
class GraphKey:
    """All that must match before a compiled graph is used, except the file's own hash."""

    kind: str
    fingerprint: str
    max_version: str
    target: str

    @classmethod
    @lru_cache(maxsize=32)
    def of(cls, kind: str, config: GPT2Config, device: str = "cpu") -> "GraphKey":
        """The key of the graph that this code traces; the weights are no part of it."""
        fingerprint = remembered_fingerprint(kind, config, device) or fingerprint_of(kind, config, device)
        return cls(kind, fingerprint, version("max"), devices.target(device))

    @property
    def file_name(self) -> str:
        """A name that differs whenever the key does."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{self.kind}-{digest[:16]}.mef.xz"


def fingerprint_of(kind: str, config: GPT2Config, device: str = "cpu") -> str:
    """The graph's fingerprint: `hash_of` it, traced afresh.

    Raises:
        EngineError: if the graph's outputs are not those that the engine expects.
    """
    from gpt2.model.graphs import trace_graph

    graph = trace_graph(kind, config, devices.device_of(device))
    if list(graph.out_tree.leaf_paths) != output_names(kind, config.n_layer):
        raise EngineError(f"The {kind} graph does not have the outputs that hooks.output_names lists.")
    return hash_of(graph)


def hash_of(graph: object) -> str:
    """The SHA-256 of a traced graph's text, without the list of the machine's accelerators with which it begins."""
    return hashlib.sha256(re.sub(r", gpu = #M\.device_info<[^>]*>", "", str(graph)).encode()).hexdigest()


@lru_cache(maxsize=32)
def source_hash(kind: str, config: GPT2Config, device: str = "cpu") -> str:
    """SHA-256 of all inputs of a fingerprint: the model's source files, the config, the MAX version and any GPU."""
    inputs = [kind, config.to_dict(), version("max"), *([device] if device != "cpu" else [])]
    whole = hashlib.sha256(json.dumps(inputs).encode())
    for name in SOURCES:
        whole.update(hashlib.sha256((Path(__file__).parents[1] / "model" / f"{name}.py").read_bytes()).digest())
    return whole.hexdigest()


def remembered_fingerprint(kind: str, config: GPT2Config, device: str = "cpu") -> str | None:
    """The fingerprint stored with a graph that has the same source hash, or None."""
    for folder in folders():
        for name in sorted(glob(f"{kind}-*.json", root_dir=folder)):  # noqa: PTH207 - an unreadable folder lists nothing
            with suppress(OSError, ValueError, KeyError, TypeError):
                entry = json.loads((folder / name).read_text(encoding="utf-8"))
                key = GraphKey(**entry["key"])
                # The name is a hash of the key. Without this check a damaged fingerprint would be trusted for ever.
                if name == f"{key.file_name}.json" and source_hash(kind, config, device) in entry["origins"]:
                    return key.fingerprint
    return None


def find(key: GraphKey) -> bytes | None:
    """The compiled graph for `key` from the shipped files or the user's cache, or None if neither has an intact one."""
    for folder in folders():
        try:
            entry = json.loads((folder / f"{key.file_name}.json").read_text(encoding="utf-8"))
            packed = (folder / key.file_name).read_bytes()
            fits = entry["key"] == asdict(key) and devices.cpu_features() >= frozenset(entry["cpu"])
            if fits and hashlib.sha256(packed).hexdigest() == entry["sha256"]:
                unpack = lzma.LZMADecompressor(memlimit=2**28)
                mef = unpack.decompress(packed, MAX_MEF_BYTES)
                if unpack.eof:  # else it is larger than any graph, and `mef` is only its beginning
                    return mef
        except (OSError, ValueError, KeyError, TypeError, lzma.LZMAError):
            continue
    return None


def store(key: GraphKey, mef: bytes, folder: Path, source_hash: str = "") -> None:
    """Write a compiled graph and its manifest, so that readers see either both complete or neither.

    Configs may share a graph if it does not use the sizes in which they differ. So the manifest lists several source
    hashes, the newest `MAX_ORIGINS`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed = lzma.compress(mef, preset=6)
    origins = [source_hash]
    with suppress(OSError, ValueError, KeyError, TypeError):
        before = json.loads((folder / f"{key.file_name}.json").read_text(encoding="utf-8"))
        origins += [str(other) for other in before["origins"] if other != source_hash and before["key"] == asdict(key)]
    is_portable = key.target.partition(" with ")[0] == devices.PORTABLE  # with an accelerator or without
    manifest = {
        "key": asdict(key),
        "origins": origins[:MAX_ORIGINS],
        "sha256": hashlib.sha256(packed).hexdigest(),
        "cpu": sorted(devices.PORTABLE_FEATURES if is_portable else devices.cpu_features()),
    }
    text = json.dumps(manifest, indent=1).encode() + b"\n"
    for name, data in ((f"{key.file_name}.json", text), (key.file_name, packed)):
        with whole_file(folder / name) as file:
            file.write(data)


def missing(config: GPT2Config, device: str = "cpu") -> list[str]:
    """The kinds of graph that still have to be compiled for this config."""
    return [kind for kind in GRAPH_KINDS if find(GraphKey.of(kind, config, device)) is None]


def compile_here(config: GPT2Config, folder: Path | None = None, device: str = "cpu") -> Iterator[str]:
    """Compile the graphs that `folder` lacks, in this process, and store them; yield each kind before it is compiled.

    A graph with the same fingerprint that is shipped or in the user's cache is copied, not compiled again. Run this in
    a process of its own: a compile takes a minute or more and over a gigabyte.
    """
    from gpt2.model.graphs import trace_graph

    if devices.is_portable():
        set_virtual_cpu_target(devices.PORTABLE)
    session = devices.session_on(device)
    folder = folder or cache_folder()
    for kind in GRAPH_KINDS:
        key = GraphKey(kind, fingerprint_of(kind, config, device), version("max"), devices.target(device))
        if (mef := find(key)) is None:
            yield kind
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f".{key.file_name}.{os.getpid()}{PARTIAL}"
            with unfinished(str(path)):
                session.compile(trace_graph(kind, config, devices.device_of(device)).graph).export_mef(path)
                mef = path.read_bytes()
        store(key, mef, folder, source_hash(kind, config, device))


def ship(models: Iterable[tuple[str, GPT2Config]]) -> Iterator[tuple[str, str]]:
    """Bring the graphs in the repository up to date: yield each (model, kind) to be compiled, delete outdated graphs.

    Graphs in the user's cache are copied from it.
    """
    wanted: set[str] = set()
    for model, config in models:
        keys = [GraphKey(kind, fingerprint_of(kind, config), version("max"), devices.target()) for kind in GRAPH_KINDS]
        wanted |= {key.file_name for key in keys}
        for kind in compile_here(config, SHIPPED):
            yield model, kind
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
    with Child(["gpt2.engine.compiled", json.dumps(config.to_dict()), device], {}, subprocess.DEVNULL) as child:
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


def load(kind: str, config: GPT2Config, device: str = "cpu") -> CompiledModel:
    """The compiled graph, still without weights.

    Raises:
        EngineError: if it has not been compiled; call `compile_apart` first.
    """
    mef = find(GraphKey.of(kind, config, device))
    if mef is None:
        raise EngineError(f"The {kind} graph is not compiled for this model; run python -m gpt2 compile.")
    return read(BytesIO(mef))


def main() -> None:
    """Compile one config's graphs, given as JSON, for a device: the child of `compile_apart`."""
    listen(ended=remove_unfinished)
    try:
        for _ in compile_here(GPT2Config(**json.loads(sys.argv[1])), device=sys.argv[2]):
            pass
    except OSError as error:
        sys.exit(unwritable(error))


if __name__ == "__main__":
    main()
