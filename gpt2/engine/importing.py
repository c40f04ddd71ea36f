"""Before MAX is imported: the limits that it would abort at, and one thread at a time.

Native libraries abort for want of addresses (`ulimit -v`); a file that cannot be opened for want of others
(`ulimit -n`) looks as if it were gone. Parts of MAX are defined in its MLIR context, which only the thread is in that
imported that context first: a second thread that imports such a part meanwhile fails.
"""

import atexit
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from gpt2.errors import EngineError

# MAX reserves far more than it fills: the bundled model, with 0.2 GB in memory, takes 3.0 GB of addresses on two cores,
# 0.1 of it for each core.
MAX_BYTES = 3_000_000_000 + 200_000_000 * (os.cpu_count() or 1)
# Python with NumPy, for commands that do without MAX.
NUMPY_BYTES = 400_000_000
# Commands have up to six files open beside the standard streams, for a moment.
FILES = 12

_one_thread = threading.RLock()


@contextmanager
def importing_max() -> Iterator[None]:
    """Import MAX, or what imports it, within this: in its context, and while no other thread does.

    Raises:
        ImportError: if MAX is not installed.
    """
    with _one_thread:
        is_first = "max._mlir_context" not in sys.modules
        from max._mlir_context import default_mlir_context, ensure_default_mlir_context

        if is_first and threading.current_thread() is not threading.main_thread():
            # MAX has entered its context in this thread, but leaves it in the main one at exit.
            atexit.register(default_mlir_context().__enter__)
        with ensure_default_mlir_context():
            yield


def check_address_space(needed: int = MAX_BYTES) -> None:
    """Refuse to go on in an address space in which native libraries would abort.

    Raises:
        EngineError: if fewer than `needed` bytes are allowed.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    allowed, _ = resource.getrlimit(resource.RLIMIT_AS)
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        raise EngineError(
            f"This process may use only {allowed / 1e9:.1f} GB of addresses, and {needed / 1e9:.1f} GB are needed; "
            "raise the limit with ulimit -v unlimited."
        )


def check_open_files(needed: int = FILES) -> None:
    """Refuse to go on where a graph or a library could not be opened.

    Raises:
        EngineError: if fewer than `needed` files can be opened beside those that are open.
    """
    with ExitStack() as opened:
        for at in range(needed):
            try:
                opened.callback(os.close, os.open(os.devnull, os.O_RDONLY))
            except OSError as error:
                raise EngineError(
                    f"This process can open only {at} more files, and {needed} are needed ({error.strerror}); "
                    "raise the limit with ulimit -n 256."
                ) from None
