"""Where graphs run: this machine's processor, or an accelerator that MAX can use (`gpu`), and what it is like."""

import atexit
import platform
import sys
import threading
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from max._mlir_context import default_mlir_context
from max.driver import CPU, Accelerator, Buffer, Device, accelerator_count
from max.dtype import DType
from max.engine import InferenceSession
from numpy.typing import NDArray

from gpt2.errors import EngineError, SettingsError
from gpt2.model.config import GPT2Config

from .cache import KVCache

Array = NDArray[np.float32]
DEVICES = ("auto", "cpu", "gpu")

if threading.current_thread() is not threading.main_thread():
    # MAX has entered its MLIR context in the thread that imports it, and leaves it in the main one when Python ends.
    atexit.register(default_mlir_context().__enter__)

PORTABLE = "x86-64-v3"
# What x86-64-v3 adds, as Linux names it (https://gitlab.com/x86-psABIs/x86-64-ABI).
PORTABLE_FEATURES = frozenset({"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"})


def resolve(asked: str) -> str:
    """What `auto`, `cpu` or `gpu` comes to here: `cpu`, or `gpu` where there is one; `auto` takes what there is.

    Raises:
        SettingsError: if it is none of the three.
        EngineError: if `gpu` was asked for and there is none that MAX can use.
    """
    if asked not in DEVICES:
        raise SettingsError(f"The device (--device, GPT2_DEVICE) must be auto, cpu or gpu, not {asked!r}.")
    if asked == "cpu":
        return asked
    try:
        reason = "" if accelerator_count() and device_of("gpu") else "it finds none"
    except Exception as error:  # whatever a driver has to say
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    if reason and asked == "gpu":
        raise EngineError(f"There is no GPU here that MAX can use ({reason}); choose cpu, or auto for what there is.")
    return "cpu" if reason else "gpu"


@cache
def device_of(device: str) -> Device:
    """MAX's own name for `cpu` or `gpu`."""
    return Accelerator() if device == "gpu" else CPU()


def session_on(device: str) -> InferenceSession:
    """What compiles graphs for a device, and runs them there."""
    return InferenceSession(devices=[CPU()] if device == "cpu" else [device_of(device), CPU()])


@cache
def cpu_features() -> frozenset[str]:
    """The features of this CPU, as Linux names them; empty elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return frozenset()
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), ":")
    return frozenset(flags.partition(":")[2].split())


def is_portable() -> bool:
    """Whether this machine runs what is compiled for x86-64-v3 Linux."""
    return sys.platform == "linux" and platform.machine() == "x86_64" and cpu_features() >= PORTABLE_FEATURES


def target(device: str = "cpu") -> str:
    """What graphs are compiled for here: x86-64-v3 where it runs, else this very CPU; and the accelerator's kind."""
    if device == "gpu":
        accelerator = device_of(device)
        return f"{target()} with {accelerator.api} {accelerator.architecture_name}"
    if is_portable():
        return PORTABLE
    features = sha256(repr(sorted(cpu_features())).encode()).hexdigest()
    return f"native {sys.platform} {platform.machine()} {features[:12]}"


class OnDevice:
    """An output that still lies in an accelerator's memory; it is a `captures.Distant`."""

    def __init__(self, buffer: Buffer) -> None:
        """Hold it there."""
        self.buffer, self.nbytes = buffer, buffer.num_elements * buffer.element_size

    def fetch(self) -> Array:
        """Copy it to this machine's memory."""
        copy = self.buffer.to(CPU())
        self.buffer.device.synchronize()
        return copy.to_numpy()


class DeviceCache(KVCache):
    """A KV cache in a device's own memory, where its graphs read it: nothing of it travels when a token is run."""

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
        self._copied.append(new)  # a copy runs in the background, and must find what it copies

    def extend(self, keys: Sequence[Any], values: Sequence[Any]) -> None:
        """Append new positions, all of them copied when this returns."""
        super().extend(keys, values)
        self._device.synchronize()
        self._copied.clear()

    @property
    def nbytes(self) -> int:
        """Bytes held, filled or not."""
        return sum(buffer.num_elements * buffer.element_size for buffer in (*self._k, *self._v))
