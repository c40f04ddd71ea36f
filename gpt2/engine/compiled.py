"""Compiled graphs: found, and checked before native code sees them; `compiling` makes those that are missing.

MAX does not check a compiled graph file (MEF), and a damaged one can abort the process. So a file is used only if its
SHA-256, the MAX version, the CPU's features and the fingerprint of the graph all match. The fingerprint is the hash of
the traced graph. It is remembered as long as no byte of the model's source files changes, because the modules that
trace a graph take seconds to import on a fresh machine.
"""

import hashlib
import json
import lzma
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache, lru_cache
from glob import glob
from importlib import metadata
from io import BytesIO
from pathlib import Path

from max.engine import CompiledModel, read

from gpt2.errors import EngineError
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import GRAPH_KINDS, output_names
from gpt2.trace.whole_file import whole_file

from . import devices
from .cache_folder import cache_folder

SHIPPED = Path(__file__).parents[1] / "bundled" / "graphs"
OFFERED: tuple[Path, ...] = ()  # more folders of compiled graphs, searched as SHIPPED is; the tests have one
# The source files that, with a config, determine the traced graph.
SOURCES = (
    *("config", "hooks", "inputs", "linear", "embeddings", "mask", "layer_norm"),
    *("changes", "attention", "mlp", "block", "transformer", "lm_head", "packing", "graphs"),
)
MAX_MEF_BYTES = 200_000_000
MAX_ORIGINS = 8


@cache
def max_version() -> str:
    """The release of MAX that is installed; to read it takes some milliseconds."""
    return metadata.version("max")


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
        return cls(kind, fingerprint, max_version(), devices.target(device))

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
    inputs = [kind, config.to_dict(), max_version(), *([device] if device != "cpu" else [])]
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
    """The compiled graph for `key`, or for an older CPU that its target stands for; None if there is no intact one."""
    return next((mef for one in _stands_for(key) if (mef := find_exactly(one)) is not None), None)


def find_exactly(key: GraphKey) -> bytes | None:
    """The compiled graph for `key` from the shipped files or the user's cache, or None if neither has an intact one."""
    for packed in _intact(key):
        with suppress(lzma.LZMAError):
            unpack = lzma.LZMADecompressor(memlimit=2**28)
            mef = unpack.decompress(packed, MAX_MEF_BYTES)
            if unpack.eof:  # else it is larger than any graph, and `mef` is only its beginning
                return mef
    return None


def _stands_for(key: GraphKey) -> Iterator[GraphKey]:
    return (replace(key, target=target) for target in devices.stands_for(key.target))


def _intact(key: GraphKey) -> Iterator[bytes]:
    """The packed files of exactly this key that are as they were written."""
    for folder in folders():
        with suppress(OSError, ValueError, KeyError, TypeError):
            entry = json.loads((folder / f"{key.file_name}.json").read_text(encoding="utf-8"))
            packed = (folder / key.file_name).read_bytes()
            fits = entry["key"] == asdict(key) and devices.cpu_features() >= frozenset(entry["cpu"])
            if fits and hashlib.sha256(packed).hexdigest() == entry["sha256"]:
                yield packed


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
    features = devices.LEVELS.get(devices.level_of(key.target), devices.cpu_features())
    manifest = {
        "key": asdict(key),
        "origins": origins[:MAX_ORIGINS],
        "sha256": hashlib.sha256(packed).hexdigest(),
        "cpu": sorted(features),
    }
    text = json.dumps(manifest, indent=1).encode() + b"\n"
    for name, data in ((f"{key.file_name}.json", text), (key.file_name, packed)):
        with whole_file(folder / name) as file:
            file.write(data)


def missing(config: GPT2Config, device: str = "cpu") -> list[str]:
    """The kinds of graph that still have to be compiled for this config; none is unpacked to see that."""
    keys = {kind: GraphKey.of(kind, config, device) for kind in GRAPH_KINDS}
    return [kind for kind, key in keys.items() if not any(next(_intact(one), None) for one in _stands_for(key))]


def load(kind: str, config: GPT2Config, device: str = "cpu") -> CompiledModel:
    """The compiled graph, still without weights.

    Raises:
        EngineError: if it has not been compiled; call `compile_apart` first.
    """
    mef = find(GraphKey.of(kind, config, device))
    if mef is None:
        raise EngineError(f"The {kind} graph is not compiled for this model; run python -m gpt2 compile.")
    return read(BytesIO(mef))
