"""An interrupt of the command line: what is half written is removed, and the process ends at once.

No exception is raised for it. It could come up in a module of MAX that is being imported, or in a finalizer, where
native code aborts, or Python prints a traceback and goes on.
"""

import os
import signal
from types import FrameType

from gpt2.trace.unfinished import remove_unfinished

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


def end(number: int, _frame: FrameType | None) -> None:
    """End with the status that a shell gives: 128 and the signal's number. Children end with this process."""
    remove_unfinished()
    os._exit(128 + number)


def handle() -> None:
    """End this process on any of `SIGNALS`, except those that it was started to ignore, as `nohup` does."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, end)
