"""A watch over the calls of MAX: one that MAX's own thread sleeps through is woken.

Once in some million calls, the thread that MAX 26.7 starts goes to sleep just as a task is put in its queue; whoever
waits for that task would wait for ever. Any further task wakes the thread.
"""

import threading
import time
from collections.abc import Callable

from .shutdown import CallsInFlight

SECONDS = 1.0  # after so long without the end of any call, a task is given


def watch_over(calls: CallsInFlight, nudge: Callable[[], None]) -> threading.Thread:
    """Call `nudge` once a second while calls are under way and none of them ends, from a thread of its own."""

    def watch() -> None:
        ended = -1
        while True:
            time.sleep(SECONDS)
            if calls.under_way and calls.ended == ended:
                nudge()
            ended = calls.ended

    thread = threading.Thread(target=watch, name="watch over MAX", daemon=True)
    thread.start()
    return thread
