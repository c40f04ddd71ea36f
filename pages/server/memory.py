"""The machine's memory: how much there is for this process, freeing what nobody needs, and giving it back."""

import ctypes
import gc
import os
import threading
import time
from functools import cache
from pathlib import Path

# Where Linux tells how much memory a container may use, in either version of control groups.
CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# Where nothing tells how much memory there is.
ASSUMED = 2_000_000_000


@cache
def machine_bytes() -> int:
    """The memory that this process may use: the container's, or the machine's where there is no smaller container."""
    told = []
    for path in CGROUPS:
        try:
            told.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # not Linux, or "max"
            continue
    try:
        told.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        told.append(ASSUMED)
    return min(told)


class Collector:
    """Frees what holds itself, and keeps the rest out of the collector's own rounds until it sweeps again.

    What is frozen dies by no other collection, and an engine's parts and a Streamlit session's state form rings: so
    whatever counts on a visit being over, or on a model having gone, sweeps first.
    """

    def __init__(self) -> None:
        """Begin the count of seconds."""
        self._lock, self._swept = threading.Lock(), time.monotonic()

    def __call__(self, after: float = 0) -> None:
        """Sweep, which takes 0.1 s; with `after`, only where the last time was so many seconds ago."""
        with self._lock:
            if time.monotonic() - self._swept < after:
                return
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._swept = time.monotonic()


collect_garbage = Collector()


def trim_heap() -> None:
    """Give freed memory back to the system, where the C library would keep it for later: glibc keeps arrays of MBs."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # not glibc
        return
