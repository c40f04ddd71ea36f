"""Files that are written whole or not at all: a full disk or an interrupt leaves what was there before."""

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .unfinished import unfinished

PARTIAL = ".partial"


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name only once all of it is written; until then it stands beside, hidden.

    A device or a named pipe is written in place, and a link stays one.

    Raises:
        OSError: if it cannot be written; then nothing has changed.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    target = Path(os.path.realpath(path))
    if target.exists() and not os.access(target, os.W_OK):  # replacing it would not ask for this permission
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    partial = target.with_name(f".{os.getpid()}-{threading.get_ident()}{PARTIAL}")
    with unfinished(str(partial)):
        with partial.open("wb") as file:
            yield file
        if target.exists():
            shutil.copymode(target, partial)
        partial.replace(target)
