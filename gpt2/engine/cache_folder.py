"""The user's folder of compiled graphs: where it is, and what is wrong with it."""

import os
from contextlib import suppress
from pathlib import Path

from gpt2.errors import EngineError
from gpt2.trace.unfinished import remove
from gpt2.trace.whole_file import PARTIAL

from . import settings


def cache_folder() -> Path:
    """The folder for graphs compiled on this machine: in `GPT2_CACHE`, or in the user's cache folder.

    Raises:
        EngineError: if neither that setting nor a home folder says where it is.
    """
    if own := settings.read("GPT2_CACHE"):
        return Path(own) / "graphs"
    try:
        cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    except RuntimeError:  # HOME is not set, and this user is not in the system's list
        raise EngineError("There is no home folder to keep graphs in; set GPT2_CACHE to a folder.") from None
    return Path(cache) / "gpt2-under-glass" / "graphs"


def unwritable(error: OSError) -> str:
    """Why the folder cannot be written, and what to do."""
    return f"{cache_folder()} cannot be written ({error.strerror}); set GPT2_CACHE to a folder that can be"


def remove_partial() -> None:
    """Remove what a compile that failed, or was killed, has left half written."""
    with suppress(OSError):
        for left in cache_folder().glob(f".*{PARTIAL}"):
            remove(str(left))
