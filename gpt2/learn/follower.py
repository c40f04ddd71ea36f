"""A reader's files checked by themselves whenever they are saved, for all who look at them, with one process ready."""

import threading
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from gpt2.errors import GPT2Error

from .checker import Checker
from .lesson import Lesson
from .verdict import Verdict
from .workbook import Workbook


@dataclass(frozen=True)
class Followed:
    """What is known of a reader's file.

    Attributes:
        saved: when the file was saved that this is about, in nanoseconds; 0 if there is none.
        verdict: the verdict on it; None until there is one.
        error: why there is none, in one sentence.
    """

    saved: int
    verdict: Verdict | None = None
    error: str = ""


NOT_BEGUN = Followed(0)


class Follower:
    """Checks one file after the other, each after a save; a spare process is ready for the lesson looked at last."""

    def __init__(self) -> None:
        """Nothing is started before a file is looked at."""
        self._lock, self._checking = threading.Lock(), False
        self._known: dict[Path, Followed] = {}
        self._spare: Checker | None = None

    def look(self, workbook: Workbook, lesson: Lesson) -> tuple[Followed, bool]:
        """What is known of a lesson's file, and whether it is as the file is now; this never waits for a check."""
        path, saved = workbook.path(lesson), workbook.changed(lesson)
        if not saved:
            return NOT_BEGUN, True
        with self._lock:
            known = self._known.get(path, NOT_BEGUN)
            if known.saved != saved and not self._checking:
                self._checking = True
                threading.Thread(target=self._check, args=(workbook, lesson, saved), daemon=True).start()
            return known, known.saved == saved

    def close(self) -> None:
        """End the spare process."""
        with self._lock:
            if self._spare is not None:
                self._spare.close()
                self._spare = None

    def _check(self, workbook: Workbook, lesson: Lesson, saved: int) -> None:
        path = workbook.path(lesson)
        try:
            told = self._verdict(lesson, path)
            if told.passed:
                workbook.note(lesson)
            known = Followed(saved, told)
        except (GPT2Error, OSError) as error:  # the machine may have no room for a process
            known = Followed(saved, error=str(error))
        with self._lock:
            self._known[path], self._checking = known, False
            self._spare = self._spare or Checker(lesson)

    def _verdict(self, lesson: Lesson, path: Path) -> Verdict:
        """Check with the spare process, or with a new one if there is none of this lesson.

        Raises:
            GPT2Error: if the file cannot be read, or the process fails.
        """
        with self._lock:
            spare, self._spare = self._spare, None
        if spare is not None and spare.lesson is not lesson:
            spare.close()
            spare = None
        with spare or Checker(lesson) as checker:
            return checker.check(path)


@cache
def follower() -> Follower:
    """The one of this process."""
    return Follower()
