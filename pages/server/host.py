"""What the host of the app has set: which models may be chosen, and how much memory they may take.

All of it is environment variables, read when they are asked for; root-level Streamlit secrets become such variables.
"""

import os
from pathlib import Path

from gpt2.checkpoints.catalog import KNOWN
from gpt2.errors import SettingsError

from .memory import machine_bytes

# Of the memory that there is, when GPT2_MEMORY_MB does not say; runs may take `limits.TRACES_SHARE` of it.
MEMORY_SHARE = 0.55


def offered_models() -> tuple[str, ...]:
    """The bundled model and exactly those in `GPT2_MODELS`, split at commas; without it, those with a short name."""
    told = os.environ.get("GPT2_MODELS")
    own = KNOWN if told is None else filter(None, map(str.strip, told.split(",")))
    default = os.environ.get("GPT2_DEFAULT_MODEL", "").strip()
    return tuple(dict.fromkeys(["bundled", *own, *filter(None, [default])]))


def default_model() -> str:
    """The model that a visit begins to load: `GPT2_DEFAULT_MODEL`, or the bundled one."""
    return os.environ.get("GPT2_DEFAULT_MODEL", "").strip() or "bundled"


def is_public() -> bool:
    """Whether the host has said that strangers visit: `GPT2_PUBLIC`."""
    return os.environ.get("GPT2_PUBLIC", "").strip().lower() not in ("", "0", "false", "no")


def takes_other_ids() -> bool:
    """Whether a visitor may name a model of the hub that is not in the list."""
    return "GPT2_MODELS" not in os.environ and not is_public()


def takes_folders(is_local: bool) -> bool:
    """Whether a visitor may name a folder: only where ids are free too, and from the machine that the app runs on."""
    return is_local and takes_other_ids()


def may_be_folder(name: str) -> bool:
    """Whether a name may stand for a folder: one that the host has named, or a whole path (`ModelChoice.take`)."""
    return Path(name).is_absolute() or name in offered_models()


def device() -> str:
    """Where models run: `GPT2_DEVICE`, which may be auto, cpu or gpu; the CPU where it says nothing."""
    return os.environ.get("GPT2_DEVICE", "").strip().lower() or "cpu"


def memory_budget() -> int:
    """Bytes that the program may take with all its models: `GPT2_MEMORY_MB`, or a share of what there is.

    Raises:
        SettingsError: if `GPT2_MEMORY_MB` is not a positive number.
    """
    told = os.environ.get("GPT2_MEMORY_MB", "").strip()
    if not told:
        return int(MEMORY_SHARE * machine_bytes())
    try:
        budget = float(told) * 1e6
    except ValueError:
        budget = 0
    if not 0 < budget < float("inf"):
        raise SettingsError(f"GPT2_MEMORY_MB must be a positive number of megabytes, not {told!r}; the host sets it.")
    return int(budget)
