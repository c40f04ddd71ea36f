"""Checking a reader's file from outside: in a process of its own, within limits, killed with all that it started."""

import json
import queue
import re
import signal
import subprocess
import threading
import time
from contextlib import suppress
from pathlib import Path

from gpt2.checkpoints.child import Child
from gpt2.errors import GPT2Error

from .lesson import Lesson
from .verdict import Verdict

READY_SECONDS, CHECK_SECONDS, GRACE_SECONDS = 120.0, 10.0, 0.5
MAX_SOURCE_BYTES = 200_000
BEGIN = "python -m gpt2 learn start"


class UnreadableError(GPT2Error):
    """A reader's file that cannot be read as text: one sentence."""


class Checker:
    """A process that is ready to check one file of one lesson; it ends after that."""

    def __init__(self, lesson: Lesson, seconds: float = CHECK_SECONDS) -> None:
        """Start it; it is ready after about a second. A check is given up after so many seconds."""
        self.lesson, self._seconds = lesson, seconds
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
            UnreadableError: if the file cannot be read.
            GPT2Error: if the process fails before it has seen the file.
        """
        source = read_source(path, self.lesson)
        if not self._line(READY_SECONDS):
            raise GPT2Error(f"The checker cannot start ({self._child.last_words()}).")
        with suppress(OSError):
            assert self._child.stdin is not None
            job = {"source": source, "path": str(path), "seconds": self._seconds}
            self._child.stdin.write(json.dumps(job) + "\n")
            self._child.stdin.flush()
        if not self._line(READY_SECONDS):
            raise GPT2Error(f"The checker ended before the check ({self._child.last_words()}).")
        until, trace = time.monotonic() + self._seconds + GRACE_SECONDS, ""
        while line := self._line(until - time.monotonic()):
            if line.startswith("{"):
                told = json.loads(line)
                if "ran" in told:  # what is left is comparing, which takes its time in some lessons
                    until = time.monotonic() + READY_SECONDS
                    continue
                return Verdict(**{**told, "details": tuple(told["details"]), "pair": tuple(told["pair"])})
            trace += line  # it is stuck or has crashed: where
        status = None if line is None else self._child.wait()
        return without_verdict(self.lesson, status, self._seconds, line_in(trace, path))

    def _read(self) -> None:
        assert self._child.stdout is not None
        with suppress(ValueError):  # closed
            for line in self._child.stdout:
                self._lines.put(line)
        self._lines.put("")

    def _line(self, seconds: float) -> str | None:
        """The next line, empty at the end; None if none comes in this time."""
        try:
            return self._lines.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None


def without_verdict(lesson: Lesson, status: int | None, seconds: float, line: int | None) -> Verdict:
    """What is told if the process came to no verdict: it did not end (no status), or ended on the way."""
    where = f"Line {line}: " if line else ""
    if status is None or status == -signal.SIGXCPU:
        says = f"{where}{lesson.defines} did not end within {seconds:g} s: is a loop endless?"
    else:
        how = f"with status {status}" if status >= 0 else f"by a signal: {signal.strsignal(-status)}"
        says = f"{where}the file ended the whole process ({how}); a component only computes."
    return Verdict(False, says, line=line)


def line_in(trace: str, path: Path) -> int | None:
    """The innermost line of a reader's file in what Python's `faulthandler` wrote."""
    name = str(path).encode("ascii", "backslashreplace").decode()
    found = re.search(rf'File "{re.escape(name)}", line (\d+) in', trace)
    return int(found[1]) if found else None


def read_source(path: Path, lesson: Lesson) -> str:
    """The text of a reader's file.

    Raises:
        UnreadableError: if it is not there, no text, or too long.
    """
    try:
        if not path.is_file() and path.exists():
            raise UnreadableError(f"{path} is not a file; move it away, and begin with {BEGIN} {lesson.number}.")
        if path.stat().st_size > MAX_SOURCE_BYTES:
            raise UnreadableError(f"{path} is longer than {MAX_SOURCE_BYTES // 1000} kB; a lesson fits in a page.")
        return path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except FileNotFoundError:
        raise UnreadableError(f"{path} is not there; begin the lesson with {BEGIN} {lesson.number}.") from None
    except UnicodeDecodeError as error:
        raise UnreadableError(f"{path} is not text in UTF-8, from byte {error.start} on; save it as UTF-8.") from None
    except OSError as error:
        raise UnreadableError(f"{path} cannot be read: {error.strerror or error}.") from None
