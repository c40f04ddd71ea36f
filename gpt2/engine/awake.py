"""A watch over the calls of MAX: one that MAX's own thread sleeps through is woken.

Once in some million calls, the thread that MAX 26.7 starts goes to sleep just as a task is put in its queue; whoever
waits for that task would wait for ever. Any further task wakes the thread.
"""

import threading
import time
from collections.abc import Callable

SECONDS = 1.0


def watch_over(may_sleep: Callable[[], bool], nudge: Callable[[], None]) -> None:
    """Call `nudge` once a second, whenever `may_sleep` says that a call may have been slept through."""

    def watch() -> None:
        while True:
            time.sleep(SECONDS)
            if may_sleep():
                nudge()

    threading.Thread(target=watch, name="watch over MAX", daemon=True).start()
