"""Checking a reader's file from outside: in a process of its own, within limits, killed with all that it started."""

import json
import queue
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from gpt2.checkpoints.child import Child
from gpt2.errors import GPT2Error

from .lesson import Lesson
from .verdict import Verdict

READY_SECONDS, CHECK_SECONDS = 120.0, 10.0
MAX_SOURCE_BYTES = 200_000


class Checker:
    """A process that is ready to check one file of one lesson; it ends after that."""

    def __init__(self, lesson: Lesson) -> None:
        """Start it; it is ready after about a second."""
        self.lesson = lesson
        # As one core: MAX's threads would wait for each other, and the limit on time counts them all.
        variables = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        self._child = Child(["gpt2.learn.child", str(lesson.number)], variables, subprocess.PIPE, leads_group=True)
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __enter__(self) -> "Checker":
        """Use it in a `with` block, which ends the process."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self.close()

    def close(self) -> None:
        """End the process and all that it has started."""
        self._child.__exit__(None, None, None)

    def check(self, path: Path) -> Verdict:
        """The verdict on a file.

        Raises:
            GPT2Error: if the file cannot be read, or the process fails before it has seen the file.
        """
        source = read_source(path)
        if self._line(READY_SECONDS) is None:
            raise GPT2Error(f"The checker cannot start ({self._child.last_words()}).")
        since = time.monotonic()
        with suppress(OSError):
            assert self._child.stdin is not None
            self._child.stdin.write(json.dumps({"source": source, "path": str(path)}) + "\n")
            self._child.stdin.flush()
        line = self._line(CHECK_SECONDS)
        if line is not None:
            told = json.loads(line)
            return Verdict(**{**told, "details": tuple(told["details"])})
        if self._child.poll() is None:
            return Verdict(False, f"{self.lesson.defines} did not end within {CHECK_SECONDS:.0f} s: is a loop endless?")
        return Verdict(
            False,
            f"{self.lesson.defines} ended the whole process after {time.monotonic() - since:.1f} s "
            f"({self._child.last_words()}).",
        )

    def _read(self) -> None:
        assert self._child.stdout is not None
        with suppress(ValueError):  # closed
            for line in self._child.stdout:
                self._lines.put(line)
        self._lines.put("")

    def _line(self, seconds: float) -> str | None:
        try:
            return self._lines.get(timeout=seconds) or None
        except queue.Empty:
            return None


def read_source(path: Path) -> str:
    """The text of a reader's file.

    Raises:
        GPT2Error: if it is not there, no text, or too long.
    """
    try:
        if path.stat().st_size > MAX_SOURCE_BYTES:
            raise GPT2Error(f"{path} is longer than {MAX_SOURCE_BYTES // 1000} kB; a lesson fits in a page.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise GPT2Error(f"{path} is not there; begin the lesson with python -m gpt2 learn start.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise GPT2Error(f"{path} cannot be read as text: {error}.") from None
