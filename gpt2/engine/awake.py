"""A watch over MAX's own threads: one that sleeps through a task is woken, and one that hardly sleeps is let sleep.

Once in some million calls, the thread that MAX 26.7 starts goes to sleep just as a task is put in its queue; whoever
waits for that task would wait for ever. Any further task wakes the thread.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import CDLL, c_ulong

SECONDS = 1.0
LOGS = threading.Event()  # set once MAX's log thread has been started in this process
LATE_NANOSECONDS = 100_000_000
SET_TIMER_SLACK, DEFAULT_SLACK = 29, 0  # of prctl(2)


def watch_over(may_sleep: Callable[[], bool], nudge: Callable[[], None]) -> None:
    """Call `nudge` once a second, whenever `may_sleep` says that a call may have been slept through."""

    def watch() -> None:
        while True:
            time.sleep(SECONDS)
            if may_sleep():
                nudge()

    threading.Thread(target=watch, name="watch over MAX", daemon=True).start()


@contextmanager
def first_call() -> Iterator[None]:
    """Call a graph of MAX within: on Linux, the thread that the first call of a process starts may wake up late.

    It writes MAX's log, and asks for new lines 10,000 times a second, as long as the process lives: that takes an
    eighth of a core, also while nothing is computed, and each time it stops a kernel of the model on one of the cores,
    for which the other ones wait. A thread inherits from the one that starts it how late the system may wake it up, so
    this one asks a few times a second. Later calls are not touched: a thread that comes back from one of them waits for
    Python's lock with a timer.
    """
    if LOGS.is_set() or sys.platform != "linux":
        yield
        return
    prctl = CDLL(None).prctl
    prctl(SET_TIMER_SLACK, c_ulong(LATE_NANOSECONDS), 0, 0, 0)
    try:
        yield
    finally:
        prctl(SET_TIMER_SLACK, c_ulong(DEFAULT_SLACK), 0, 0, 0)
    LOGS.set()  # unless the call failed
