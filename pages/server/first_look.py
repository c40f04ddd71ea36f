"""The first page of a server comes before its first model: both want the processor, and a person looks first."""

import threading


class FirstLook:
    """Whether this server has made a page yet."""

    def __init__(self, most_seconds: float = 1.0) -> None:
        """None has been made; nobody waits for one longer than `most_seconds`."""
        self._most_seconds, self._was_made = most_seconds, threading.Event()

    def note_made(self) -> None:
        """Say that a page has been made."""
        self._was_made.set()

    def wait(self) -> None:
        """Return once a page has been made, or none has for long, and at once from then on."""
        self._was_made.wait(self._most_seconds)
        self._was_made.set()


FIRST_LOOK = FirstLook()
