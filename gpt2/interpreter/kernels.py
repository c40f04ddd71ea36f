"""MAX's own kernels for its interpreter, compiled ahead as one file and checked before native code sees it.

A kernel serves every shape: some ninety of them run any GPT-2 that is written in MAX. Where no file fits this machine,
`numpy_kernels` stand in.
"""

import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from io import BytesIO
from pathlib import Path

from max import _eager_policy
from max._core.driver import set_virtual_cpu_target
from max._interpreter_ops.gc_compile import GCOpFamily, registered_families
from max._mlir_context import in_default_mlir_context
from max.driver import Device
from max.engine import read
from max.graph import Module

from gpt2.engine import compiled, devices
from gpt2.engine.compiled import GraphKey, max_version
from gpt2.trace.unfinished import unfinished
from gpt2.trace.whole_file import PARTIAL

from .interpreter import Interpreter
from .programs import PROGRAMS, VALUES, trace

KIND = "kernels"
Build = Callable[[Module], None]

_adopting = threading.Lock()
_adopted: list[int] = []


@contextmanager
def recording() -> Iterator[dict[str, Build]]:
    """Note each kernel that is asked for, by its name, and how it is built; none is compiled or given out."""
    asked: dict[str, Build] = {}

    def note(
        family: GCOpFamily,
        key: str,
        device: Device,
        build: Build,
        *,
        unsupported_reason: Callable[[], str | None] | None = None,
    ) -> None:
        if unsupported_reason is not None and (reason := unsupported_reason()) is not None:
            raise _eager_policy.UnsupportedOpVariant(reason)
        asked[key] = build
        raise _eager_policy.EagerLazyCompileDisallowed(key)

    model_for, caches = GCOpFamily.model_for, {family.name: family.cache for family in registered_families()}
    GCOpFamily.model_for = note
    try:
        for family in registered_families():
            family.cache = {}
        yield asked
    finally:
        GCOpFamily.model_for = model_for
        for family in registered_families():
            family.cache = caches[family.name]


def needed() -> dict[str, Build]:
    """The kernels that the programs need, by name; each builds its graph into a module."""
    with recording() as asked:
        for program in PROGRAMS:
            Interpreter(trace(program)).run(list(VALUES.values()))
    return dict(sorted(asked.items()))


def key_of(names: list[str]) -> GraphKey:
    """What must match before a file with these kernels is used, except its hash."""
    fingerprint = hashlib.sha256("\n".join(names).encode()).hexdigest()
    return GraphKey(KIND, fingerprint, max_version(), target())


def target() -> str:
    """The oldest CPU that this one stands for: of kernels that run for minutes at most, one set is enough."""
    return devices.stands_for(devices.target())[-1]


def compile_here(folder: Path) -> Iterator[str]:
    """Compile all kernels into `folder`, unless they are there; yield what before that. It takes minutes."""
    set_virtual_cpu_target(devices.level_of(target()))
    kernels = needed()
    key = key_of(list(kernels))
    if (mef := compiled.find_exactly(key)) is None:
        yield f"{len(kernels)} kernels of the interpreter"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f".{key.file_name}.{os.getpid()}{PARTIAL}"
        with unfinished(str(path)):
            devices.session_on("cpu").compile(module_of(kernels)).export_mef(path)
            mef = path.read_bytes()
    compiled.store(key, mef, folder)
    for manifest in manifests(folder):
        if manifest.name != f"{key.file_name}.json":
            manifest.unlink()
            manifest.with_suffix("").unlink(missing_ok=True)


@in_default_mlir_context
def module_of(kernels: dict[str, Build]) -> Module:
    """One module with all these kernels: compiling them together is ten times cheaper than one by one."""
    module = Module()
    for build in kernels.values():
        build(module)
    return module


def manifests(folder: Path) -> list[Path]:
    """The manifests of all files of kernels in a folder."""
    with suppress(OSError):
        return sorted(folder.glob(f"{KIND}-*.json"))
    return []


def find() -> bytes | None:
    """A file of kernels for this MAX and this machine, checked; None if there is none."""
    for folder in compiled.folders():
        for manifest in manifests(folder):
            with suppress(OSError, ValueError, KeyError, TypeError):
                key = GraphKey(**json.loads(manifest.read_text(encoding="utf-8"))["key"])
                fits = asdict(key) | {"kind": KIND, "max_version": max_version(), "target": target()}
                if fits == asdict(key) and (mef := compiled.find(key)) is not None:
                    return mef
    return None


def adopt() -> int:
    """Give MAX's interpreter the precompiled kernels, once in a process; returns how many there are, 0 if none fit.

    Where none fitted, it looks again at the next call: they may have been compiled since.
    """
    with _adopting:
        if not _adopted and (mef := find()) is not None:
            models = devices.session_on("cpu").init_all(read(BytesIO(mef)))
            for family in registered_families():  # each looks for its own names only
                family.cache.update(models)
            _adopted.append(len(models))
        return sum(_adopted)
