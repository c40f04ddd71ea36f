"""Bring the compiled graphs in tests/graphs up to date: `python -m tests.ship_graphs`, after a change to the model.

They are what the tests would compile on a fresh machine: the graphs of the odd shapes that are compared with the
references, and two for a GPU. What the user's cache holds already is taken from there.
"""

import json
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import version
from itertools import product
from pathlib import Path

from gpt2.engine import compiled, compiling, devices
from gpt2.engine.compiled import GraphKey
from gpt2.model.config import GPT2Config
from gpt2.model.hooks import GRAPH_KINDS
from tests.checkpoints import write_checkpoint
from tests.compiling import GPU, GPU_KINDS, GRAPHS, LEVEL, with_virtual_gpu
from tests.shapes import ODD


def odd_config(name: str) -> GPT2Config:
    """The config of an odd shape, as it is read from its checkpoint."""
    with tempfile.TemporaryDirectory() as folder:
        return GPT2Config.from_file(write_checkpoint(Path(folder), **ODD[name]) / "config.json")


def wanted() -> Iterator[tuple[GraphKey, str]]:
    """The key of every graph that belongs here, its fingerprint traced afresh, and its origin."""
    for config in map(odd_config, ODD):
        for kind in GRAPH_KINDS:
            key = GraphKey(kind, compiled.fingerprint_of(kind, config), version("max"), LEVEL)
            yield key, compiled.source_hash(kind, config)
    printed = with_virtual_gpu(f"""
for kind in {GPU_KINDS}:
    print(json.dumps([kind, compiled.fingerprint_of(kind, config, "gpu"), compiled.source_hash(kind, config, "gpu")]))
""")
    for kind, fingerprint, origin in map(json.loads, printed):
        yield GraphKey(kind, fingerprint, version("max"), GPU), origin


def main() -> None:
    """Compile what is missing, a minute or two a graph, and delete what is replaced."""
    if LEVEL not in devices.stands_for(devices.target()):
        sys.exit(f"The graphs in tests/graphs are for {LEVEL} Linux: run this on such a machine.")
    names = {key.file_name for key, _ in wanted()}  # before a compile: it changes the process's idea of its CPU
    for name, kind in product(ODD, GRAPH_KINDS):
        print(f"Compiling {kind} of the shape {name!r}, if it is new ...", flush=True)
        with compiling.compiling_child(kind, odd_config(name), "cpu", LEVEL, str(GRAPHS)) as child:
            assert child.wait() == 0, child.last_words()
    print("Compiling what is missing for a GPU ...", flush=True)
    with_virtual_gpu(f"""
for kind in {GPU_KINDS}: compiling.compile_here(kind, config, shipped, "gpu", {GPU!r})
""")
    for path in GRAPHS.iterdir():
        if path.name.removesuffix(".json") not in names:
            path.unlink()
    print(f"{len(names)} graphs in {GRAPHS} are up to date.")


if __name__ == "__main__":
    main()
