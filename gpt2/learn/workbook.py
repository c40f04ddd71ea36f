"""A reader's folder: the files of the lessons they have begun, and what they have passed."""

import json
from contextlib import suppress
from pathlib import Path

from gpt2.errors import GPT2Error
from gpt2.trace.whole_file import whole_file

from .lesson import Lesson

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
        with suppress(OSError, ValueError, TypeError, KeyError):
            told = json.loads((self.folder / PROGRESS).read_text(encoding="utf-8"))["passed"]
            return frozenset(number for number in told if isinstance(number, int))
        return frozenset()

    def note(self, lesson: Lesson) -> None:
        """Note that a lesson has been passed; a folder that cannot be written loses nothing else."""
        with suppress(OSError), whole_file(self.folder / PROGRESS) as file:
            file.write(json.dumps({"passed": sorted({*self.passed, lesson.number})}).encode() + b"\n")

    def changed(self, lesson: Lesson) -> int:
        """When the reader's file was last saved, in nanoseconds; 0 if it is not there."""
        with suppress(OSError):
            return self.path(lesson).stat().st_mtime_ns
        return 0
