"""The server's compiled graphs: found, checked before native code sees them, or compiled once in a child process.

MAX Serve needs three: the served model, a sampler, and one for log probabilities. It takes a compiled graph by its name
and the types of its inputs, so one of changed code would be used and nobody told. Here all three are one file, kept and
checked as `engine.compiled` keeps its own: by SHA-256, MAX version, the CPU's features, and the fingerprint of the
graph that this code traces.
"""

import hashlib
import io
import json
import re
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path
from tempfile import TemporaryDirectory

from max._core.driver import set_virtual_cpu_target

from gpt2.checkpoints.child import Child, listen
from gpt2.checkpoints.download import model_folder
from gpt2.engine import compiled, compiling, devices
from gpt2.engine.compiled import GraphKey, max_version
from gpt2.errors import EngineError
from gpt2.model.config import GPT2Config

KIND = "serve"
SOURCES = ("served", "architecture")
SECONDS = 300  # a compile of all three, on two cores


def source_hash(config: GPT2Config) -> str:
    """SHA-256 of all that determines the served graph: the model's source files, the config, MAX, and this room's."""
    whole = hashlib.sha256(compiled.source_hash(KIND, config).encode())
    for name in SOURCES:
        whole.update(hashlib.sha256((Path(__file__).parent / f"{name}.py").read_bytes()).digest())
    return whole.hexdigest()


def fingerprint_of(config: GPT2Config) -> str:
    """The SHA-256 of the served graph's text, traced afresh; a list of the machine's accelerators is left out."""
    from .architecture import traced

    return hashlib.sha256(re.sub(r", gpu = #M\.device_info<[^>]*>", "", traced(config)).encode()).hexdigest()


def remembered_fingerprint(config: GPT2Config) -> str | None:
    """The fingerprint stored with graphs of the same sources, or None."""
    for folder in compiled.folders():
        for name in sorted(glob(f"{KIND}-*.json", root_dir=folder)):  # noqa: PTH207 - an unreadable folder lists nothing
            with suppress(OSError, ValueError, KeyError, TypeError):
                entry = json.loads((folder / name).read_text(encoding="utf-8"))
                key = GraphKey(**entry["key"])
                if name == f"{key.file_name}.json" and source_hash(config) in entry["origins"]:
                    return key.fingerprint
    return None


def key_of(fingerprint: str, target: str = "") -> GraphKey:
    """What must match before the graphs are used, by default on this CPU, except the file's own hash."""
    return GraphKey(KIND, fingerprint, max_version(), target or devices.target())


def find(config: GPT2Config) -> bytes | None:
    """The sound graphs of a model's shape and of this code, in one; None if there are none that is known of."""
    fingerprint = remembered_fingerprint(config)
    return compiled.find(key_of(fingerprint)) if fingerprint else None


def unpack(config: GPT2Config, folder: Path) -> None:
    """Put the compiled graphs into a folder as MAX Serve reads them.

    Raises:
        EngineError: if there are none; call `compile_apart` first.
    """
    packed = find(config)
    if packed is None:
        raise EngineError("The server's graphs for this model were lost; start again to compile them.")
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


def pack(folder: Path) -> bytes:
    """The files that MAX Serve wrote, in one; the same files give the same bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for path in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            with path.open("rb") as file:
                archive.addfile(entry, file)
    return packed.getvalue()


def compile_here(model: Path, folder: Path, target: str = "") -> None:
    """Compile a checkpoint's graphs in this process and keep them in `folder`; it takes minutes and two gigabytes.

    Graphs of the same fingerprint are taken as they are, and their sources noted.
    """
    config = GPT2Config.from_file(model / "config.json")
    key = key_of(fingerprint_of(config), target)
    if (packed := compiled.find_exactly(key)) is None:
        from .server import pipeline

        set_virtual_cpu_target(devices.level_of(key.target))
        with TemporaryDirectory() as written:
            pipeline(model, export_mefs=written)
            packed = pack(Path(written))
    compiled.store(key, packed, folder, source_hash(config))


def ship() -> None:
    """Bring the bundled model's graphs in the repository up to date, and delete outdated ones.

    Raises:
        EngineError: if they cannot be compiled.
    """
    model = model_folder("bundled")
    fingerprint = fingerprint_of(GPT2Config.from_file(model / "config.json"))
    for level in devices.LEVELS:
        with compiling_child(model, compiled.SHIPPED, level) as child:
            if child.wait():
                raise EngineError(f"Compiling the server's graphs failed ({child.last_words()}).")
    wanted = {key_of(fingerprint, level).file_name for level in devices.LEVELS}
    for path in compiled.SHIPPED.glob(f"{KIND}-*"):
        if path.name.removesuffix(".json") not in wanted:
            path.unlink()


@contextmanager
def compiling_child(model: Path, folder: Path, target: str = "") -> Iterator[Child]:
    """Within, a process compiles a checkpoint's graphs, by default for this CPU."""
    command = ["gpt2.serving.graphs", str(model), str(folder), target]
    with compiling.own_kernels() as kernels:
        variables = {"HF_HUB_OFFLINE": "1", **kernels}
        with Child(command, variables, subprocess.DEVNULL, leads_group=True) as child:
            yield child


def compile_apart(model: Path, config: GPT2Config, progress: Callable[[str], None]) -> None:
    """Compile a checkpoint's graphs in a child process, if there are none, and say how it goes.

    Raises:
        EngineError: if the child fails.
    """
    if find(config) is not None:
        return
    # The child also finds a graph that other sources gave, by tracing these; that takes seconds and much memory.
    with compiling.one_compile(progress):
        since = time.monotonic()
        with compiling_child(model, compiled.cache_folder()) as child:
            while child.poll() is None:
                seconds = time.monotonic() - since
                progress(f"Compiling the server's graphs for this model, once: {seconds:.0f} s of about {SECONDS}.")
                with suppress(subprocess.TimeoutExpired):
                    child.wait(1)
            if child.returncode:
                raise EngineError(f"Compiling the server's graphs failed ({child.last_words()}); start again.")


def main() -> None:
    """Compile the graphs of a checkpoint's folder, as the child of `compile_apart`; or those that are shipped."""
    if sys.argv[1:] == ["--ship"]:
        ship()
        return
    listen()
    model, folder, target = sys.argv[1:4]
    compile_here(Path(model), Path(folder), target)


if __name__ == "__main__":
    main()
