"""What a host sets in the environment: one table, one parser, one sentence for each kind of mistake.

A setting is read whenever it is asked for. Root-level entries of Streamlit's secrets are environment variables too.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from gpt2.checkpoints.catalog import KNOWN
from gpt2.errors import SettingsError
from gpt2.model.config import GPT2Config

MEGABYTE = 10**6
MOST_MEGABYTES = 10**12
TRACE_MB = 256
LEARN_FOLDER = "my_gpt2"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
DEVICES = ("auto", "cpu", "gpu")
# Where Linux states how much of each period a container may compute, for both versions of control groups.
CPU_TIMES = (
    (Path("/sys/fs/cgroup/cpu.max"),),
    (Path("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), Path("/sys/fs/cgroup/cpu/cpu.cfs_period_us")),
)
# Parameters of a model of which two cores make a token hardly faster than one.
SMALL = 30_000_000


@dataclass(frozen=True)
class Setting:
    """One setting: its name, its kind, what it limits or chooses, and its default in words."""

    name: str
    kind: Literal["number", "megabytes", "models", "switch", "device", "folder", "loopback"]
    meaning: str
    default: str


SETTINGS = (
    Setting("GPT2_MAX_PROMPT_TOKENS", "number", "The longest prompt, in tokens.", "the model's context"),
    Setting("GPT2_MAX_NEW_TOKENS", "number", "The most tokens for one press of Run or Play.", "the model's context"),
    Setting("GPT2_MODELS", "models", "The models offered beside the bundled one.", "the short names, and any id"),
    Setting("GPT2_DEFAULT_MODEL", "models", "The model that a visit begins to load.", "the bundled one"),
    Setting("GPT2_PUBLIC", "switch", "1: only the models in the list may be chosen.", "0"),
    Setting("GPT2_DEVICE", "device", "Where models run: cpu, gpu, or auto for a GPU if there is one.", "cpu"),
    Setting(
        "GPT2_THREADS",
        "number",
        "Threads that run models.",
        "one a core that it may use, half if the first model is small",
    ),
    Setting("GPT2_MEMORY_MB", "megabytes", "The program's memory with all its models.", "55 % of the memory"),
    Setting("GPT2_TRACE_MB", "megabytes", "The captures of one run, made here or opened from a file.", f"{TRACE_MB}"),
    Setting(
        "GPT2_TRACES_MB",
        "megabytes",
        "All visitors' captures and KV caches together.",
        "40 % of the memory, or what is left of it",
    ),
    Setting(
        "GPT2_LEARN_FOLDER",
        "folder",
        "The course's files of whoever runs the app, used if the browser is on the same machine.",
        f"{LEARN_FOLDER}, if it is there and the app serves its own machine alone",
    ),
    Setting(
        "GPT2_SERVER",
        "loopback",
        "What lesson 13 asks: `python -m gpt2 serve` on this machine, such as http://127.0.0.1:8000.",
        "none; the lesson shows a recorded example",
    ),
    Setting("GPT2_CACHE", "folder", "Where graphs compiled on this machine are kept.", "~/.cache/gpt2-under-glass"),
)


def read(name: str) -> str:
    """A setting as it is set, without blanks around it; empty if it is not."""
    return os.environ.get(name, "").strip()


def count(name: str, default: int) -> int:
    """A setting that is a whole number from 1 up.

    Raises:
        SettingsError: if it is anything else.
    """
    raw = read(name)
    if not raw:
        return default
    if raw.isascii() and raw.isdecimal() and 0 < len(raw) <= 12 and int(raw) > 0:
        return int(raw)
    raise SettingsError(f"{name} must be a whole number from 1 up, not {raw!r}; whoever hosts this app can change it.")


def megabytes(name: str, default: int) -> int:
    """Bytes, of a setting in megabytes (a million bytes); `default` is in bytes too.

    Raises:
        SettingsError: if it is not a positive number.
    """
    raw = read(name)
    if not raw:
        return default
    try:
        number = float(raw) if raw.isascii() else 0
    except ValueError:
        number = 0
    if number < MOST_MEGABYTES and number * MEGABYTE >= 1:
        return int(number * MEGABYTE)
    raise SettingsError(
        f"{name} must be a positive number of megabytes, not {raw!r}; whoever hosts this app can change it."
    )


def device(name: str) -> str:
    """A setting that is one of `DEVICES`, in capitals or not; the CPU if it is not set.

    Raises:
        SettingsError: if it is anything else.
    """
    raw = read(name)
    if (chosen := raw.lower() or "cpu") in DEVICES:
        return chosen
    raise SettingsError(f"{name} must be auto, cpu or gpu, not {raw!r}; whoever hosts this app can change it.")


def loopback(name: str) -> str:
    """A setting that is the address of a server on this machine, written anew; empty if it is not set.

    Raises:
        SettingsError: if it is anything else.
    """
    raw = read(name)
    if not raw:
        return ""
    try:
        parts = urlsplit(raw)
        host, port = parts.hostname, parts.port or 80
    except ValueError:  # no port, or no address
        host, port = None, 0
    else:
        plain = f"http://{parts.netloc}"
        if host not in LOOPBACK or parts.username is not None or raw.rstrip("/").lower() != plain.lower():
            host = None
    if host is None:
        raise SettingsError(
            f"{name} must be an address of this machine such as http://127.0.0.1:8000, not {raw!r}; "
            "whoever hosts this app can change it."
        )
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def problem() -> str:
    """The sentence about the first setting that cannot be read; empty if all can."""
    parsers: dict[str, Callable[[str], object]] = {
        "number": lambda name: count(name, 1),
        "megabytes": lambda name: megabytes(name, MEGABYTE),
        "device": device,
        "loopback": loopback,
    }
    for setting in SETTINGS:
        try:
            if parse := parsers.get(setting.kind):
                parse(setting.name)
        except SettingsError as error:
            return str(error)
    return ""


def is_on(name: str) -> bool:
    """A setting that is a switch: off if it is empty, 0, false or no."""
    return read(name).lower() not in ("", "0", "false", "no")


def trace_budget() -> int:
    """Bytes that one run may hold: `GPT2_TRACE_MB`.

    Raises:
        SettingsError: if it is not a positive number.
    """
    return megabytes("GPT2_TRACE_MB", TRACE_MB * MEGABYTE)


def learn_folder() -> Path:
    """The folder with the course's files, for whoever works at the command line: `GPT2_LEARN_FOLDER` or its default."""
    return Path(read("GPT2_LEARN_FOLDER") or LEARN_FOLDER)


def default_threads(config: GPT2Config) -> int:
    """How many threads run a model where the host does not say: one a core, and for a small model half as many.

    The threads of a small model go in step hundreds of times a token: if another program takes one's core, all wait.
    """
    return cores() if config.n_params > SMALL else max(1, cores() // 2)


def cores() -> int:
    """How many cores this process may keep busy: those it sees, or fewer where its container is given less time.

    A container of one core's time on a machine of 16 sees all 16. With a thread on each its time would be used up while
    they wait for each other, and all be halted until the next tenth of a second.
    """
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    given = [quota // period for quota, period in map(_cpu_time, CPU_TIMES) if quota > 0 < period]
    return max(1, min([seen, *given]))


def _cpu_time(files: Sequence[Path]) -> tuple[int, int]:
    """A container's share of a period, and the period, in microseconds; (0, 0) if there is no limit."""
    with suppress(OSError, ValueError):  # "max" is no number
        quota, period = map(int, " ".join(file.read_text(encoding="ascii") for file in files).split())
        return quota, period
    return 0, 0


def threads(config: GPT2Config) -> int:
    """How many threads run a model: `GPT2_THREADS`, or the model's default.

    Raises:
        SettingsError: if the setting is not a whole number from 1 up.
    """
    return count("GPT2_THREADS", default_threads(config))


def offers_any_model() -> bool:
    """Whether `GPT2_MODELS` is not set at all; set to nothing it offers the bundled model alone."""
    return "GPT2_MODELS" not in os.environ


def offered_models() -> tuple[str, ...]:
    """The bundled model and exactly those in `GPT2_MODELS`, split at commas; without it, those with a short name."""
    own = KNOWN if offers_any_model() else filter(None, map(str.strip, read("GPT2_MODELS").split(",")))
    return tuple(dict.fromkeys(["bundled", *own, *filter(None, [read("GPT2_DEFAULT_MODEL")])]))
