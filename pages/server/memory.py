"""The machine's memory: how much this process may use, collecting garbage, and returning freed memory."""

import ctypes
import gc
import os
import threading
import time
from functools import cache
from pathlib import Path

# The files in which Linux says how much memory a container may use, for both versions of control groups.
CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Taken as the machine's memory if the system does not say.
ASSUMED = 2_000_000_000


@cache
def machine_bytes() -> int:
    """The memory that this process may use: the container's or the machine's, whichever is smaller."""
    limits = []
    for path in CGROUPS:
        try:
            limits.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # not Linux, or "max"
            continue
    try:
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        limits.append(ASSUMED)
    return min(limits)


class Collector:
    """Frees reference cycles, then freezes all other objects so that automatic collections need not walk them.

    Cycles frozen by `gc.freeze()` are freed only here. Engines and the state of Streamlit sessions form reference
    cycles, so call this before relying on a visit or a model being freed.
    """

    def __init__(self) -> None:
        """Begin the count of seconds."""
        self._lock, self._swept = threading.Lock(), time.monotonic()

    def __call__(self, after: float = 0) -> None:
        """Collect, which takes 0.1 s; with `after`, only if the last time is at least that many seconds ago."""
        with self._lock:
            if time.monotonic() - self._swept < after:
                return
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._swept = time.monotonic()


collect_garbage = Collector()


def trim_heap() -> None:
    """Return freed memory to the system; glibc would otherwise keep arrays of some megabytes for later use."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # not glibc
        return
