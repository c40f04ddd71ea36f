"""What stands half written on the disk, so that an interrupt removes it before it ends the process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

UNFINISHED: set[str] = set()


@contextmanager
def unfinished(path: str) -> Iterator[None]:
    """Within, a file or a folder is unfinished; if it is still there at the end, it is removed."""
    UNFINISHED.add(path)
    try:
        yield
    finally:
        remove(path)
        UNFINISHED.discard(path)


def remove_unfinished() -> None:
    """Remove everything that is unfinished now."""
    for path in list(UNFINISHED):
        remove(path)


def remove(path: str) -> None:
    """Remove a file or a folder, if it is there.

    Without `pathlib` and, for a file, without `shutil`: the command line imports this while it starts.
    """
    try:
        os.unlink(path)  # noqa: PTH108
    except IsADirectoryError:
        import shutil

        shutil.rmtree(path, ignore_errors=True)
    except OSError:
        pass
