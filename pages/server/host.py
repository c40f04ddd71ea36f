"""What the host of the app has set: which models may be chosen, where they run, and how much memory they may take."""

from pathlib import Path

from streamlit import config

from gpt2.engine import settings
from gpt2.engine.settings import MEGABYTE, is_on, megabytes, offered_models, offers_any_model, read

from .memory import machine_bytes

# Of the machine's memory, if GPT2_MEMORY_MB is not set; runs may take `limits.TRACES_SHARE` of it.
MEMORY_SHARE = 0.55
# Streamlit holds an upload whole, and beside it lies what it unpacks to.
UPLOAD_SHARE = 0.1


def default_model() -> str:
    """The model that a visit begins to load: `GPT2_DEFAULT_MODEL`, or the bundled one."""
    return read("GPT2_DEFAULT_MODEL") or "bundled"


def is_public() -> bool:
    """Whether the host has said that strangers visit: `GPT2_PUBLIC`."""
    return is_on("GPT2_PUBLIC")


def takes_other_ids() -> bool:
    """Whether a visitor may name a model of the hub that is not in the list."""
    return offers_any_model() and not is_public()


def takes_folders(is_local: bool) -> bool:
    """Whether a visitor may name a folder: only if ids are free too, and from the machine that the app runs on."""
    return is_local and takes_other_ids()


def may_be_folder(name: str) -> bool:
    """Whether a name may stand for a folder: one that the host has named, or a whole path (`ModelChoice.take`)."""
    return Path(name).is_absolute() or name in offered_models()


def device() -> str:
    """Where models run: `GPT2_DEVICE`, which may be auto, cpu or gpu; the CPU if it is not set.

    Raises:
        SettingsError: if `GPT2_DEVICE` is anything else.
    """
    return settings.device("GPT2_DEVICE")


def upload_mb() -> int:
    """The largest upload: what Streamlit's own setting says, or less where it would take the host's memory."""
    return max(1, min(int(config.get_option("server.maxUploadSize")), int(UPLOAD_SHARE * machine_bytes() / MEGABYTE)))


def memory_budget() -> int:
    """Bytes that the program may take with all its models: `GPT2_MEMORY_MB`, or a share of the machine's memory.

    Raises:
        SettingsError: if `GPT2_MEMORY_MB` is not a positive number.
    """
    return megabytes("GPT2_MEMORY_MB", int(MEMORY_SHARE * machine_bytes()))
