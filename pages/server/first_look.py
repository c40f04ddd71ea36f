"""The first page of a server comes before its first model: both want the processor, and a person looks first."""

import threading


class FirstLook:
    """Whether a page of this server has been shown in a browser yet."""

    def __init__(self, most_seconds: float = 1.0) -> None:
        """None has been shown; nobody waits for one longer than `most_seconds`."""
        self._most_seconds, self._was_shown = most_seconds, threading.Event()

    def note_shown(self) -> None:
        """Say that a browser has shown a page."""
        self._was_shown.set()

    def wait(self) -> None:
        """Return once a page has been shown, or none has for long, and at once from then on."""
        self._was_shown.wait(self._most_seconds)
        self._was_shown.set()


FIRST_LOOK = FirstLook()
