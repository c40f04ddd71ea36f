"""The machine that a measurement ran on, the versions of the libraries, and this process's memory."""

import os
import platform
import resource
import subprocess
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gpt2.engine.settings import cores

LIBRARIES = ("max", "numpy", "torch", "transformers")


def machine() -> dict[str, Any]:
    """The CPU's name, cores, memory and platform, and its load average of the last minute."""
    return {
        "cpu": cpu_name(),
        "cores": cores(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "platform": platform.platform(),
        "load_average": round(os.getloadavg()[0], 2),
    }


def cpu_name() -> str:
    """The CPU's name as its maker gives it, or the architecture if it cannot be read."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    with suppress(OSError, subprocess.SubprocessError):
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]  # macOS
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.machine()


def versions() -> dict[str, str]:
    """Versions of Python and of those of `LIBRARIES` that are installed."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def available_bytes() -> int:
    """Memory available without swapping; half of all memory if the system does not report it."""
    available = _bytes_listed("/proc/meminfo", "MemAvailable:")
    return available or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def resident_mb() -> float:
    """Memory that this process holds now, in megabytes."""
    held = _bytes_listed("/proc/self/status", "VmRSS:")
    if held is None:
        command = ["ps", "-o", "rss=", "-p", str(os.getpid())]
        held = 1024 * int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return round(held / 1e6, 1)


def peak_mb() -> float:
    """The most memory that this process ever held, in megabytes."""
    peak = _bytes_listed("/proc/self/status", "VmHWM:")  # getrusage's, on Linux, counts the parent's memory too
    return round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss if peak is None else peak) / 1e6, 1)


def _bytes_listed(path: str, name: str) -> int | None:
    """The amount that a Linux status file lists as `name`, in bytes; None on other systems."""
    with suppress(OSError):
        for line in Path(path).read_text(encoding="utf-8").splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
    return None
