"""The machine's memory: how much this process may use, freeing unused objects, and returning memory to the system."""

import ctypes
import gc
import os
import threading
import time
from functools import cache
from pathlib import Path

# The files in which Linux states a container's memory limit, for both versions of control groups.
CGROUPS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
# If the system does not tell how much memory the machine has.
ASSUMED = 2_000_000_000


@cache
def machine_bytes() -> int:
    """The memory that this process may use: the container's, or the machine's if that is less."""
    sizes = []
    for path in CGROUPS:
        try:
            sizes.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # not Linux, or "max"
            continue
    try:
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        sizes.append(ASSUMED)
    return min(sizes)


class Collector:
    """Collects reference cycles, then freezes all live objects so that Python's own collections skip them.

    Frozen objects in a cycle are freed only here. Engines and the state of Streamlit sessions form cycles, so call this
    before relying on one of them being freed.
    """

    def __init__(self) -> None:
        """Begin the count of seconds."""
        self._lock, self._collected_at = threading.Lock(), time.monotonic()

    def __call__(self, after: float = 0) -> None:
        """Collect now, in 0.1 s; with `after`, only if the last collection is so many seconds ago."""
        with self._lock:
            if time.monotonic() - self._collected_at < after:
                return
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            self._collected_at = time.monotonic()


collect_garbage = Collector()


def trim_heap() -> None:
    """Return freed memory to the system; glibc would otherwise hold megabytes of it for later."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # not glibc
        return
