"""The devices that run graphs, this machine's CPU or a GPU that MAX can use, and their properties."""

import os
import platform
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from ctypes import CDLL, RTLD_GLOBAL
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from max.driver import CPU, Accelerator, Buffer, Device, accelerator_count
from max.dtype import DType
from max.engine import InferenceSession
from numpy.typing import NDArray

from gpt2.errors import EngineError, SettingsError
from gpt2.model.config import GPT2Config

from .awake import watch_over
from .cache import KVCache
from .settings import DEVICES
from .shutdown import CALLS_IN_FLIGHT

Array = NDArray[np.float32]
TASKS = Path("/proc/self/task")
STARTING, HAS_STARTED = threading.Lock(), threading.Event()  # of MAX's threads in this process

NICENESS = 5  # of MAX's thread on a single core: a quarter of it is its own, however much Python has to do
CUBLAS = ("libcublas.so.13", "libcublas.so.12")
AVX2 = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"})
AVX512 = frozenset({"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"})
# The levels of x86-64 (https://gitlab.com/x86-psABIs/x86-64-ABI), the best first, and the CPU features, as Linux names
# them, that a graph compiled for one may use.
LEVELS = {"x86-64-v4": AVX2 | AVX512, "x86-64-v3": AVX2}


def resolve(asked: str) -> str:
    """Resolve `auto`, `cpu` or `gpu` to `cpu` or `gpu`; `auto` gives `gpu` if MAX can use one here.

    Raises:
        SettingsError: if it is none of the three.
        EngineError: if `gpu` was asked for, but MAX can use none here.
    """
    if asked not in DEVICES:
        raise SettingsError(f"The device (--device, GPT2_DEVICE) must be auto, cpu or gpu, not {asked!r}.")
    if asked == "cpu":
        return asked
    try:
        reason = "" if accelerator_count() else "it finds none"
        if not reason and is_nvidia("gpu"):
            load_cublas()
    except Exception as error:  # a driver may raise anything
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    if reason and asked == "gpu":
        raise EngineError(
            f"There is no GPU here that MAX can use ({reason}); choose cpu, or auto to use one if available."
        )
    return "cpu" if reason else "gpu"


@cache
def device_of(device: str) -> Device:
    """MAX's object for `cpu` or `gpu`."""
    return Accelerator() if device == "gpu" else CPU()


def is_nvidia(device: str) -> bool:
    """Whether `cpu` or `gpu` is a GPU of NVIDIA's."""
    return device == "gpu" and device_of(device).api == "cuda"


@cache
def load_cublas() -> None:
    """Load NVIDIA's cuBLAS, the system's or that of a Python package, and let it multiply in full float32.

    MAX's own kernels round the factors of a float32 product to TF32, which keeps 10 of 23 bits, and MAX asks cuBLAS to
    round too; the variable set here forbids it. MAX looks for the library by name, and finds one that is loaded.

    Raises:
        EngineError: if there is no cuBLAS here.
    """
    os.environ["NVIDIA_TF32_OVERRIDE"] = "0"
    packaged = [path for folder in sys.path for path in Path(folder).glob("nvidia/*/lib/libcublas.so.1[23]")]
    for path in (*CUBLAS, *map(str, packaged)):
        with suppress(OSError):
            CDLL(path, RTLD_GLOBAL)
            return
    raise EngineError("cuBLAS is missing: run pip install nvidia-cublas")


def session_on(device: str) -> InferenceSession:
    """A session that compiles graphs for a device and runs them on it."""
    watch_over_calls()
    session = InferenceSession(devices=[CPU()] if device == "cpu" else [device_of(device), CPU()])
    if is_nvidia(device):
        session._use_vendor_blas("true")  # see `load_cublas`
    return session


@cache
def watch_over_calls() -> None:
    """Let no call be slept through, from the first session of this process on."""
    watch_over(CALLS_IN_FLIGHT.stand_still, nudge)


def nudge() -> None:
    """Give MAX's threads a small task."""
    with CALLS_IN_FLIGHT:
        Buffer.zeros((1,), DType.float32, CPU()).copy()


def start_threads(threads: int) -> None:
    """Let MAX start so many threads, once in a process: it starts them with its first device or session, and no more.

    A later call changes nothing and returns at once; one that comes while MAX is starting waits until it has started.
    """
    with STARTING:
        if not HAS_STARTED.is_set():
            start_on_cores(threads)
            HAS_STARTED.set()


def start_on_cores(threads: int) -> None:
    """Let MAX start a thread on each core in sight, of which so many are shown to it; it holds each thread there.

    Fewer threads than cores are let go again where the system finds room. The thread of a single core comes after
    Python's: after each pass it looks for more work, for milliseconds, in which Python would draw the token and make
    the page. On systems other than Linux MAX sees all cores.
    """
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
    if len(cores) != 1 and threads >= len(cores):
        return
    before = set(TASKS.iterdir())
    os.sched_setaffinity(0, sorted(cores)[:threads])
    try:
        session_on("cpu")
    finally:
        os.sched_setaffinity(0, cores)
        for task in set(TASKS.iterdir()) - before:
            with suppress(OSError):  # it has ended
                os.sched_setaffinity(int(task.name), cores)
                if len(cores) == 1:
                    os.setpriority(os.PRIO_PROCESS, int(task.name), NICENESS)


@cache
def cpu_features() -> frozenset[str]:
    """The features of this CPU, as Linux names them; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), ":")
    return frozenset(flags.partition(":")[2].split())


def target(device: str = "cpu") -> str:
    """The target to compile for: the best level of x86-64 here, else this very CPU; for a GPU, its kind too."""
    if device == "gpu":
        accelerator = device_of(device)
        return f"{target()} with {accelerator.api} {accelerator.architecture_name}"
    if sys.platform == "linux" and platform.machine() == "x86_64":
        for level, features in LEVELS.items():
            if cpu_features() >= features:
                return level
    digest = sha256(repr(sorted(cpu_features())).encode()).hexdigest()
    return f"native {sys.platform} {platform.machine()} {digest[:12]}"


def level_of(target: str) -> str:
    """The level of x86-64 of a target, with an accelerator or without; empty if it is a CPU of its own."""
    level = target.partition(" with ")[0]
    return level if level in LEVELS else ""


def stands_for(target: str) -> list[str]:
    """The targets whose graphs run where those for `target` do: itself first, then the older levels of x86-64."""
    level, levels = level_of(target), list(LEVELS)
    older = levels[levels.index(level) + 1 :] if level else []
    return [target, *(one + target.removeprefix(level) for one in older)]


class OnDevice:
    """An output that is still in a GPU's memory; it is a `captures.DeviceArray`."""

    def __init__(self, buffer: Buffer) -> None:
        """Keep the output on its device."""
        self.buffer, self.nbytes = buffer, buffer.num_elements * buffer.element_size

    def fetch(self) -> Array:
        """Copy the output to host memory."""
        copy = self.buffer.to(CPU())
        self.buffer.device.synchronize()
        return copy.to_numpy()


class DeviceCache(KVCache):
    """A KV cache in a device's own memory: graphs read it in place, so nothing of it is copied to run a token."""

    def __init__(self, config: GPT2Config, device: Device) -> None:
        """Start empty, with room for 64 positions."""
        self._device = device
        self._copied: list[Buffer] = []
        super().__init__(config)

    def _allocate(self, capacity: int) -> Sequence[Any]:
        shape = (capacity, self._config.n_head, self._config.d_head)
        return [Buffer(DType.float32, shape, self._device) for _ in range(self._config.n_layer)]

    def _read(self, buffer: Any, stop: int) -> Any:
        return buffer[:stop, :, :]

    def _write(self, buffer: Any, start: int, rows: Any) -> None:
        new = Buffer.from_dlpack(rows)
        buffer[start : start + new.shape[0], :, :].inplace_copy_from(new)
        self._copied.append(new)  # the copy runs in the background; its source must stay alive until it is done

    def extend(self, keys: Sequence[Any], values: Sequence[Any]) -> None:
        """Append new positions; the copies are complete when this returns."""
        super().extend(keys, values)
        self._device.synchronize()
        self._copied.clear()

    def copied(self, length: int) -> "DeviceCache":
        """Another cache with the first `length` positions of this one; the copies are complete when this returns."""
        other = super().copied(length)
        self._device.synchronize()
        self._copied.clear()
        assert isinstance(other, DeviceCache)
        other._copied = []
        return other

    @property
    def nbytes(self) -> int:
        """Bytes allocated, filled or not."""
        return sum(buffer.num_elements * buffer.element_size for buffer in (*self._k, *self._v))
