"""Leaving in peace: Python ends only when no thread works with MAX any more."""

import atexit
import threading

LONGEST_SECONDS = 60.0


class MaxWork:
    """Work with MAX under way in any thread, each a `with` block; a block may be inside another.

    Python ends only when there is none: a thread that gave MAX's memory back later would abort the process.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._changed, self._own = threading.Condition(), threading.local()
        self._under_way, self._is_over = 0, False

    def __enter__(self) -> None:
        """Begin; once Python is ending, wait for that instead."""
        depth = self._own.depth = getattr(self._own, "depth", 0) + 1
        with self._changed:
            while self._is_over and depth == 1:
                self._changed.wait()
            self._under_way += depth == 1

    def __exit__(self, *_: object) -> None:
        """End."""
        self._own.depth -= 1
        with self._changed:
            self._under_way -= self._own.depth == 0
            self._changed.notify_all()

    def end(self) -> None:
        """Return when all of it has ended, or has taken longer than any should; nothing else begins."""
        with self._changed:
            self._is_over = True
            self._changed.wait_for(lambda: not self._under_way, LONGEST_SECONDS)


MAX_WORK = MaxWork()
atexit.register(MAX_WORK.end)
