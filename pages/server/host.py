"""What the host of the app has set: which models may be chosen, where they run, and how much memory they may take."""

from pathlib import Path

from streamlit import config

from gpt2.engine import settings
from gpt2.engine.settings import (
    LEARN_FOLDER,
    LOOPBACK,
    MEGABYTE,
    is_on,
    megabytes,
    offered_models,
    offers_any_model,
    read,
)

from .memory import machine_bytes

# Of the machine's memory, if GPT2_MEMORY_MB is not set; runs may take `limits.TRACES_SHARE` of it.
MEMORY_SHARE = 0.55
# Streamlit holds an upload whole, and beside it lies what it unpacks to.
UPLOAD_SHARE = 0.1
NOT_AT_HOME = (
    "The model that you built runs at home alone: start the app on your own machine with GPT2_LEARN_FOLDER=my_gpt2."
)


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


def learn_folder() -> Path | None:
    """The folder with the course's files of whoever runs this app on their own machine; None if it is no such app.

    It is one if `GPT2_LEARN_FOLDER` says so, or if it serves its own machine alone and the usual folder is there; a
    public one never is. What is in the folder may be run, in processes of its own.
    """
    if is_public():
        return None
    if named := read("GPT2_LEARN_FOLDER"):
        return Path(named)
    usual = Path(LEARN_FOLDER)
    return usual if config.get_option("server.address") in LOOPBACK and usual.is_dir() else None


def own_code(is_local: bool) -> Path | None:
    """The folder whose code may run for a visitor: `learn_folder`, if the visitor's browser is on the same machine."""
    return learn_folder() if is_local else None


def device() -> str:
    """Where models run: `GPT2_DEVICE`, which may be auto, cpu or gpu; the CPU if it is not set.

    Raises:
        SettingsError: if `GPT2_DEVICE` is anything else.
    """
    return settings.device("GPT2_DEVICE")


def served_at() -> str:
    """Where lesson 13 finds a server of this model: `GPT2_SERVER`; empty if there is none.

    Raises:
        SettingsError: if `GPT2_SERVER` is no address of this machine.
    """
    return settings.loopback("GPT2_SERVER")


def upload_mb() -> int:
    """The largest upload: what Streamlit's own setting says, or less where it would take the host's memory."""
    return max(1, min(int(config.get_option("server.maxUploadSize")), int(UPLOAD_SHARE * machine_bytes() / MEGABYTE)))


def memory_budget() -> int:
    """Bytes that the program may take with all its models: `GPT2_MEMORY_MB`, or a share of the machine's memory.

    Raises:
        SettingsError: if `GPT2_MEMORY_MB` is not a positive number.
    """
    return megabytes("GPT2_MEMORY_MB", int(MEMORY_SHARE * machine_bytes()))
