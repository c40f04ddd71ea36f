"""A clean exit: Python ends only when no thread uses MAX any more."""

import atexit
import threading

LONGEST_SECONDS = 60.0


class CallsInFlight:
    """The calls in progress that use MAX or its memory, in any thread; each is a `with` block and may be nested.

    Python ends only when there are none: a thread that freed MAX's memory later would abort the process.
    """

    def __init__(self) -> None:
        """Start with no calls."""
        self._changed, self._own = threading.Condition(), threading.local()
        self._count, self._ended, self._seen, self._is_ending = 0, 0, -1, False

    def __enter__(self) -> None:
        """Count this call; once Python is ending, wait for the end instead."""
        depth = self._own.depth = getattr(self._own, "depth", 0) + 1
        with self._changed:
            while self._is_ending and depth == 1:
                self._changed.wait()
            self._count += depth == 1

    def __exit__(self, *_: object) -> None:
        """Count this call no longer."""
        self._own.depth -= 1
        with self._changed:
            self._count -= self._own.depth == 0
            self._ended += 1
            self._changed.notify_all()

    def stand_still(self) -> bool:
        """Whether calls are under way and none has ended since this was asked before."""
        with self._changed:
            seen, self._seen = self._seen, self._ended
            return self._count > 0 and seen == self._ended

    def end(self) -> None:
        """Return once all calls have ended, or after `LONGEST_SECONDS`; no new call begins."""
        with self._changed:
            self._is_ending = True
            self._changed.wait_for(lambda: not self._count, LONGEST_SECONDS)


CALLS_IN_FLIGHT = CallsInFlight()
atexit.register(CALLS_IN_FLIGHT.end)
