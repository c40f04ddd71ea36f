"""Standard output and standard error of the command line, whatever terminal, pipe or file they are."""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import Any, TextIO, cast

from gpt2.errors import GPT2Error


class ReaderGone(Exception):
    """Whoever read standard output has closed it, as `head` does; there is nobody to tell."""


class Output:
    """Standard output that takes any character, and fails with a sentence."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`; a character that its encoding lacks becomes a backslash and its code."""
        self._stream = stream
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write.

        Raises:
            GPT2Error: if it cannot be written.
            ReaderGone: if nobody reads it any more.
        """
        with self._explained():
            return self._stream.write(text)

    def flush(self) -> None:
        """Write what is still buffered; raises as `write`."""
        with self._explained():
            self._stream.flush()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            drop(self._stream)
            raise ReaderGone from None
        except (OSError, UnicodeError) as error:
            drop(self._stream)
            reason = error.strerror if isinstance(error, OSError) else error
            raise GPT2Error(
                f"Standard output cannot be written ({reason}); send it to a file or a terminal that can be."
            ) from None


class Messages:
    """Standard error, for progress and reasons: a message that cannot be written is no reason to stop."""

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's own."""
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write if possible."""
        try:
            return self._stream.write(text)
        except (OSError, ValueError):
            drop(self._stream)
        return len(text)

    def flush(self) -> None:
        """Write what is still buffered, if possible."""
        try:
            self._stream.flush()
        except (OSError, ValueError):
            drop(self._stream)

    def isatty(self) -> bool:
        """Whether it is a terminal that can erase a line."""
        return os.environ.get("TERM") != "dumb" and self._stream.isatty()


@contextmanager
def messages() -> Iterator[None]:
    """Within, standard error never fails, and no file that is opened takes the number of a closed standard stream."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # the lowest free number is the one that is missing
            os.open(os.devnull, os.O_RDWR)
    stream = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - None, if it was closed
    with redirect_stderr(cast("TextIO", Messages(stream))):
        try:
            yield
        finally:
            sys.stderr.flush()


@contextmanager
def output() -> Iterator[None]:
    """Within, standard output takes any character, and all of it is written before the end.

    Raises:
        GPT2Error: if it is closed, or cannot be written.
        ReaderGone: if nobody reads it any more.
    """
    if sys.stdout is None:
        raise GPT2Error("Standard output is closed; send it to a file, or to /dev/null.")
    with redirect_stdout(cast("TextIO", Output(sys.stdout))):
        try:
            yield
        except SystemExit:  # of --help, or of a comparison that failed: there is output too
            sys.stdout.flush()
            raise
        sys.stdout.flush()


def drop(stream: TextIO) -> None:
    """Let a stream that failed write to nothing, or Python would fail once more with what it still buffers."""
    with suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, stream.fileno())
        os.close(nothing)


def tell(sentence: str) -> None:
    """Report progress on standard error; on a terminal it overwrites the previous line."""
    clear()
    print(sentence, end="" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


def answer(options: argparse.Namespace, payload: dict[str, Any], sentence: str) -> None:
    """Print one JSON object or one text, as the command line asks, in place of the progress line."""
    clear()
    print(json.dumps(payload) if options.json else sentence)


def clear() -> None:
    """Erase the progress line on a terminal."""
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
