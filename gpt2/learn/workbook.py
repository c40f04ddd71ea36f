"""A reader's folder: the files of the lessons they have begun, and what they have passed."""

import hashlib
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gpt2.errors import GPT2Error
from gpt2.trace.whole_file import whole_file

from .lesson import Lesson
from .lessons import LESSONS

PROGRESS = "progress.json"


class Workbook:
    """One folder with a reader's own files."""

    def __init__(self, folder: Path) -> None:
        """Use this folder; it is made when the first lesson begins."""
        self.folder = folder

    def path(self, lesson: Lesson) -> Path:
        """The reader's file of a lesson."""
        return self.folder / lesson.file_name

    def start(self, lesson: Lesson) -> tuple[Path, bool]:
        """Write the skeleton of a lesson, unless the reader has a file of it: its path, and whether it is new.

        Raises:
            GPT2Error: if the folder cannot be written.
        """
        path = self.path(lesson)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if path.exists():
                return path, False
            with whole_file(path) as file:
                file.write(lesson.skeleton.encode())
        except OSError as error:
            raise GPT2Error(f"{path} cannot be written: {error.strerror or error}.") from None
        return path, True

    @property
    def passed(self) -> frozenset[int]:
        """The numbers of the lessons that have been passed."""
        return frozenset(self._noted())

    def note(self, lesson: Lesson) -> None:
        """Note that a lesson has been passed, with this file; a folder that cannot be written loses nothing else."""
        noted = {**self._noted(), lesson.number: self._hash(lesson)}
        told = {"passed": sorted(noted), "files": {number: noted[number] for number in sorted(noted)}}
        with suppress(OSError), whole_file(self.folder / PROGRESS) as file:
            file.write(json.dumps(told).encode() + b"\n")

    def lacking(self) -> str:
        """What is still to be done before all files together are a GPT-2, in one sentence; empty if nothing is."""
        noted = self._noted()
        missing = [one for one in LESSONS if one.number not in noted or not self.path(one).is_file()]
        if missing:
            begin = "learn check" if self.path(missing[0]).is_file() else "learn start"
            return (
                f"Your GPT-2 in {self.folder} still lacks {numbered(missing)} of {len(LESSONS)}: "
                f"go on with python -m gpt2 {begin} {missing[0].number}."
            )
        changed = [one for one in LESSONS if noted[one.number] != self._hash(one)]
        if changed:
            verb = "files have" if len(changed) > 1 else "file has"
            return (
                f"The {verb} changed since {numbered(changed)} passed: "
                f"run python -m gpt2 learn check {changed[0].number}."
            )
        return ""

    def _noted(self) -> dict[int, str]:
        """The lessons that have been passed, and the hash of the file that passed; empty if that is not known."""
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            told = json.loads((self.folder / PROGRESS).read_text(encoding="utf-8"))
            files = dict(told.get("files", {}))
            return {number: str(files.get(str(number), "")) for number in told["passed"] if isinstance(number, int)}
        return {}

    def _hash(self, lesson: Lesson) -> str:
        with suppress(OSError):
            return hashlib.sha256(self.path(lesson).read_bytes()).hexdigest()
        return "unreadable"

    def changed(self, lesson: Lesson) -> int:
        """When the reader's file was last saved, in nanoseconds; 0 if it is not there."""
        with suppress(OSError):
            return self.path(lesson).stat().st_mtime_ns
        return 0


def numbered(lessons: Sequence[Lesson]) -> str:
    """Lessons by their numbers: `lesson 3`, `lessons 3, 7 and 12`."""
    *some, last = (str(lesson.number) for lesson in lessons)
    return f"lessons {', '.join(some)} and {last}" if some else f"lesson {last}"
