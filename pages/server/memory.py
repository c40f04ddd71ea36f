"""The host's memory as the host counts it: its limit, what is left of it, and how freed memory is given back."""

import ctypes
import gc
import os
import threading
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path

# Where Linux states a container's memory, for both versions of control groups: limit, use, and idle cache of files.
CGROUPS = (
    (Path("/sys/fs/cgroup"), "memory.max", "memory.current", "inactive_file"),
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
MEMINFO = Path("/proc/meminfo")
# If the system does not tell how much memory the machine has.
ASSUMED = 2_000_000_000
# What stays free: a page that is being drawn, or a long prompt that is being read, takes tens of megabytes at once.
MARGIN_SHARE, LEAST_MARGIN, MOST_MARGIN = 0.15, 64_000_000, 300_000_000
READING_SECONDS = 0.1
# mallopt's names of its settings (malloc.h), and the block size from which memory goes back to the system at once.
M_MMAP_THRESHOLD, M_ARENA_MAX, MMAP_BYTES = -3, -8, 32_768


@cache
def machine_bytes() -> int:
    """The memory that this process may use: the container's, or the machine's if that is less."""
    sizes = [_number(folder / limit) for folder, limit, _, _ in CGROUPS]
    try:
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        sizes.append(ASSUMED)
    return min(size for size in sizes if size is not None)


def left_bytes() -> int:
    """The memory that can still be taken before the host runs out of it, as the host counts it now.

    A container counts all its processes, and of the files that they read those in use.
    """
    left = [machine_bytes()]
    for folder, limit, use, idle in CGROUPS:
        allowed, used = _number(folder / limit), _number(folder / use)
        if allowed is not None and used is not None:
            left.append(allowed - used + _table(folder / "memory.stat").get(idle, 0))
    if available := _table(MEMINFO).get("MemAvailable:"):
        left.append(available * 1024)
    return min(left)


def margin_bytes() -> int:
    """What stays free: a share of the memory, within bounds."""
    return min(MOST_MARGIN, max(LEAST_MARGIN, int(MARGIN_SHARE * machine_bytes())))


class Spare:
    """What is left beyond the margin that this program keeps, in bytes; negative if it is short of memory.

    Reading it from the system takes 0.2 ms, and every token asks for it: a reading holds for a tenth of a second.
    """

    def __init__(self) -> None:
        """Read it when it is first asked for."""
        self._bytes, self._until = 0, 0.0

    def __call__(self) -> int:
        """The newest reading."""
        if time.monotonic() >= self._until:
            self._bytes = left_bytes() - margin_bytes()
            self._until = time.monotonic() + READING_SECONDS
        return self._bytes

    def forget(self) -> None:
        """Read it anew the next time: memory has been given back."""
        self._until = 0.0


spare_bytes = Spare()


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # not Linux, or "max"
        return None


def _table(path: Path) -> Mapping[str, int]:
    """The first number of each line of a file, by the line's name."""
    try:
        lines = [line.split() for line in path.read_text(encoding="ascii").splitlines()]
        return {words[0]: int(words[1]) for words in lines if len(words) > 1}
    except (OSError, ValueError):
        return {}


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


@cache
def tune_heap() -> None:
    """Let all threads share one heap, and give freed blocks back to the system at once.

    By default glibc makes a heap for every few threads and, after a large block was freed, keeps ever larger ones: with
    six visitors more memory lay idle in them than was in use.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)
    except (AttributeError, OSError, TypeError):  # not glibc
        return


def trim_heap() -> None:
    """Return freed memory to the system; glibc would otherwise hold megabytes of it for later."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # not glibc
        return
    finally:
        spare_bytes.forget()
