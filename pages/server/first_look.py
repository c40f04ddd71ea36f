"""The first page of a server comes before its first model: both want the processor, and a person looks first."""

import threading

MOST_SECONDS = 1.0

_was_shown = threading.Event()


def note_shown() -> None:
    """Say that a page has been made."""
    _was_shown.set()


def wait_until_shown() -> None:
    """Return once a page has been made, or after a second, and at once from then on."""
    _was_shown.wait(MOST_SECONDS)
    _was_shown.set()
