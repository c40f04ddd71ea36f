"""Precompiled graphs: found, checked before native code sees them, or compiled once in a process of their own.

A compiled graph file (MEF) is not checked by MAX, and a damaged one can abort the process. So a file is used only if
its SHA-256, the MAX version, the CPU's features and the fingerprint of the graph all match. The fingerprint is that of
the graph as it is traced; it is remembered for as long as the model's source files stay the same to the byte, because
what traces a graph takes seconds to import on a fresh machine.
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
from contextlib import suppress
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

from . import devices, settings

SHIPPED = Path(__file__).parents[1] / "bundled" / "graphs"
OFFERED: tuple[Path, ...] = ()  # more folders of compiled graphs, searched as SHIPPED is; the tests have one
# The files that decide what graph a config gives.
SOURCES = (
    *("config", "hooks", "interventions", "linear", "embeddings", "mask", "layer_norm"),
    *("attention", "mlp", "block", "transformer", "lm_head", "graphs"),
)
MAX_MEF_BYTES = 200_000_000
MAX_ORIGINS = 8
SECONDS_A_GRAPH = {"cpu": 60, "gpu": 110}


def cache_folder() -> Path:
    """Where graphs compiled on this machine are kept: `GPT2_CACHE`, or the user's cache folder."""
    if own := settings.read("GPT2_CACHE"):
        return Path(own) / "graphs"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gpt2-under-glass" / "graphs"


def folders() -> tuple[Path, ...]:
    """Where compiled graphs are looked for, in this order."""
    return (SHIPPED, *OFFERED, cache_folder())


@dataclass(frozen=True)
class GraphKey:
    """What must match before a compiled graph is used, all but the file's own hash."""

    kind: str
    fingerprint: str
    max_version: str
    target: str

    @classmethod
    @lru_cache(maxsize=32)
    def of(cls, kind: str, config: GPT2Config, device: str = "cpu") -> "GraphKey":
        """The key of this code's graph; the weights are not in it."""
        fingerprint = remembered(kind, config, device) or fingerprint_of(kind, config, device)
        return cls(kind, fingerprint, version("max"), devices.target(device))

    @property
    def file_name(self) -> str:
        """A name that differs whenever the key does."""
        digest = hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()
        return f"{self.kind}-{digest[:16]}.mef.xz"


def fingerprint_of(kind: str, config: GPT2Config, device: str = "cpu") -> str:
    """The graph's fingerprint: the SHA-256 of its text, traced afresh.

    The text's head lists the accelerators of the machine, whether the graph uses them or not: that part is left out.

    Raises:
        EngineError: if its outputs are not those that the engine expects.
    """
    from gpt2.model.graphs import trace_graph

    graph = trace_graph(kind, config, devices.device_of(device))
    if list(graph.out_tree.leaf_paths) != output_names(kind, config.n_layer):
        raise EngineError(f"The {kind} graph has other outputs than hooks.output_names names.")
    return hashlib.sha256(re.sub(r", gpu = #M\.device_info<[^>]*>", "", str(graph)).encode()).hexdigest()


@lru_cache(maxsize=32)
def origin(kind: str, config: GPT2Config, device: str = "cpu") -> str:
    """SHA-256 of all that a fingerprint depends on: the model's source files, the config, the MAX version, a GPU."""
    inputs = [kind, config.to_dict(), version("max"), *([device] if device != "cpu" else [])]
    whole = hashlib.sha256(json.dumps(inputs).encode())
    for name in SOURCES:
        whole.update(hashlib.sha256((Path(__file__).parents[1] / "model" / f"{name}.py").read_bytes()).digest())
    return whole.hexdigest()


def remembered(kind: str, config: GPT2Config, device: str = "cpu") -> str | None:
    """The fingerprint that was traced when a graph of this very origin was kept, or None."""
    for folder in folders():
        for name in sorted(glob(f"{kind}-*.json", root_dir=folder)):  # noqa: PTH207 - one that cannot be read has none
            with suppress(OSError, ValueError, KeyError, TypeError):
                entry = json.loads((folder / name).read_text(encoding="utf-8"))
                key = GraphKey(**entry["key"])
                # The name is a hash of the key: a damaged fingerprint would be believed for ever.
                if name == f"{key.file_name}.json" and origin(kind, config, device) in entry["origins"]:
                    return key.fingerprint
    return None


def find(key: GraphKey) -> bytes | None:
    """The compiled graph for `key` from the shipped files or the user's cache, or None if neither has a sound one."""
    for folder in folders():
        try:
            entry = json.loads((folder / f"{key.file_name}.json").read_text(encoding="utf-8"))
            packed = (folder / key.file_name).read_bytes()
            fits = entry["key"] == asdict(key) and devices.cpu_features() >= frozenset(entry["cpu"])
            if fits and hashlib.sha256(packed).hexdigest() == entry["sha256"]:
                unpack = lzma.LZMADecompressor(memlimit=2**28)
                mef = unpack.decompress(packed, MAX_MEF_BYTES)
                if unpack.eof:  # else it is larger than any graph, and this only its beginning
                    return mef
        except (OSError, ValueError, KeyError, TypeError, lzma.LZMAError):
            continue
    return None


def keep(key: GraphKey, mef: bytes, folder: Path, origin: str = "") -> None:
    """Write a compiled graph and its manifest, so that readers see both whole or neither.

    Sizes that differ elsewhere may share a graph: it is remembered with the newest few of its origins.
    """
    folder.mkdir(parents=True, exist_ok=True)
    packed = lzma.compress(mef, preset=6)
    origins = [origin]
    with suppress(OSError, ValueError, KeyError, TypeError):
        before = json.loads((folder / f"{key.file_name}.json").read_text(encoding="utf-8"))
        origins += [str(other) for other in before["origins"] if other != origin and before["key"] == asdict(key)]
    is_portable = key.target.partition(" with ")[0] == devices.PORTABLE  # with an accelerator or without
    manifest = {
        "key": asdict(key),
        "origins": origins[:MAX_ORIGINS],
        "sha256": hashlib.sha256(packed).hexdigest(),
        "cpu": sorted(devices.PORTABLE_FEATURES if is_portable else devices.cpu_features()),
    }
    text = json.dumps(manifest, indent=1).encode() + b"\n"
    for name, data in ((f"{key.file_name}.json", text), (key.file_name, packed)):
        partial = folder / f".{name}.{os.getpid()}"
        partial.write_bytes(data)
        partial.replace(folder / name)


def missing(config: GPT2Config, device: str = "cpu") -> list[str]:
    """The kinds of graph that would have to be compiled for this config."""
    return [kind for kind in GRAPH_KINDS if find(GraphKey.of(kind, config, device)) is None]


def compile_here(config: GPT2Config, folder: Path | None = None, device: str = "cpu") -> Iterator[str]:
    """Compile what `folder` lacks in this process and keep it there, naming each graph before its compile starts.

    A graph that is here already, shipped or kept by other source files that give the same graph, is not compiled again.
    To be run in a process of its own: a compile takes a minute or more and over a gigabyte.
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
            path = folder / f".{key.file_name}.{os.getpid()}.raw"
            session.compile(trace_graph(kind, config, devices.device_of(device)).graph).export_mef(path)
            mef = path.read_bytes()
            path.unlink()
        keep(key, mef, folder, origin(kind, config, device))


def ship(models: Iterable[tuple[str, GPT2Config]]) -> Iterator[tuple[str, str]]:
    """Bring the graphs in the repository up to date: name each (model, kind) that is compiled, delete what is replaced.

    What the user's cache holds already is taken from there.
    """
    wanted: set[str] = set()
    for model, config in models:
        keys = [GraphKey(kind, fingerprint_of(kind, config), version("max"), devices.target()) for kind in GRAPH_KINDS]
        wanted |= {key.file_name for key in keys}
        for kind in compile_here(config, SHIPPED):
            yield model, kind
    for path in SHIPPED.iterdir():
        if path.name.removesuffix(".json") not in wanted:
            path.unlink()


def compile_apart(
    config: GPT2Config,
    progress: Callable[[str], None],
    stopped: Callable[[], bool] = lambda: False,
    device: str = "cpu",
) -> None:
    """Compile what is missing in a child process, telling how far it is; once `stopped`, the child is ended too.

    Raises:
        EngineError: if the child fails or is stopped.
    """
    if not missing(config, device):
        return
    turn = FileLock(cache_folder() / ".lock")  # of all that share the cache: a compile takes all cores and gigabytes
    while True:
        try:
            cache_folder().mkdir(parents=True, exist_ok=True)
            turn.acquire(timeout=0.2)
            break
        except Timeout:
            progress("Waiting until another model's graphs are compiled.")
        except OSError as error:
            raise EngineError(
                f"{cache_folder()} cannot be written ({error.strerror}); set GPT2_CACHE to a folder that can be."
            ) from None
        if stopped():
            raise EngineError("Compiling was stopped; choose the model again to start anew.")
    try:
        _compile_in_turn(config, progress, stopped, device)
    finally:
        turn.release()


def _compile_in_turn(
    config: GPT2Config, progress: Callable[[str], None], stopped: Callable[[], bool], device: str
) -> None:
    names = [GraphKey.of(kind, config, device).file_name for kind in missing(config, device)]
    if not names:  # whoever had the turn before compiled the same
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
    """The compiled graph, ready to be given weights.

    Raises:
        EngineError: if it has not been compiled; `missing` and `compile_apart` come first.
    """
    mef = find(GraphKey.of(kind, config, device))
    if mef is None:
        raise EngineError(f"The {kind} graph is not compiled for this model; run python -m gpt2 compile.")
    return read(BytesIO(mef))


def main() -> None:
    """Compile one config's graphs, given as JSON, for a device: the child of `compile_apart`."""
    listen()
    for _ in compile_here(GPT2Config(**json.loads(sys.argv[1])), device=sys.argv[2]):
        pass


if __name__ == "__main__":
    main()
