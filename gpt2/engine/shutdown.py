"""A clean exit: Python ends only when no thread uses MAX any more."""

import atexit
import threading

LONGEST_SECONDS = 60.0


class CallsInFlight:
    """The calls in progress that use MAX or its memory, in any thread; each is a `with` block and may be nested.

    Python ends only when there are none: a thread that freed MAX's memory later would abort the process.

    Attributes:
        under_way: how many there are.
        ended: how many have ended.
    """

    def __init__(self) -> None:
        """Start with no calls."""
        self._changed, self._own = threading.Condition(), threading.local()
        self.under_way, self.ended, self._is_ending = 0, 0, False

    def __enter__(self) -> None:
        """Count this call; once Python is ending, wait for the end instead."""
        depth = self._own.depth = getattr(self._own, "depth", 0) + 1
        with self._changed:
            while self._is_ending and depth == 1:
                self._changed.wait()
            self.under_way += depth == 1

    def __exit__(self, *_: object) -> None:
        """Count this call no longer."""
        self._own.depth -= 1
        with self._changed:
            self.under_way -= self._own.depth == 0
            self.ended += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Return once all calls have ended, or after `LONGEST_SECONDS`; no new call begins."""
        with self._changed:
            self._is_ending = True
            self._changed.wait_for(lambda: not self.under_way, LONGEST_SECONDS)


CALLS_IN_FLIGHT = CallsInFlight()
atexit.register(CALLS_IN_FLIGHT.end)
