"""How far a visitor has come in the course: at home the files that passed, elsewhere what was put right here."""

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from gpt2.learn.lesson import Lesson
from gpt2.learn.lessons import LESSONS
from gpt2.learn.workbook import Workbook
from pages.server.host import own_code

from .session import this_visit

KEY = "put_together"
PASSED, PUT_TOGETHER, BEGUN = "passed", "put together", "begun"
WHOLE = "Your GPT-2 is whole: choose Mine among the models in the settings beside Run, and press Run."


@dataclass(frozen=True)
class Progress:
    """The lessons done.

    Attributes:
        put_together: the numbers of those whose blanks were all put right in this visit.
        workbook: the visitor's own files, if the app runs on the visitor's machine.
    """

    put_together: frozenset[int] = frozenset()
    workbook: Workbook | None = None

    def states(self) -> Mapping[int, str]:
        """The state of each lesson by its number, in a word or two; empty if it has not been begun."""
        passed = self.workbook.passed if self.workbook else frozenset()
        return {lesson.number: self._state(lesson, passed) for lesson in LESSONS}

    def _state(self, lesson: Lesson, passed: frozenset[int]) -> str:
        if lesson.number in passed:
            return PASSED
        if lesson.number in self.put_together:
            return PUT_TOGETHER
        return BEGUN if self.workbook and self.workbook.changed(lesson) else ""

    def sentence(self) -> str:
        """How many lessons are done; empty if none is begun."""
        states = list(self.states().values())
        told = [f"{states.count(word)} {word}" for word in (PASSED, PUT_TOGETHER) if word in states]
        if self.workbook and states.count(PASSED) == len(LESSONS):
            return f"All {len(LESSONS)} passed. {self.workbook.lacking() or WHOLE}"
        return f"Of {len(LESSONS)} lessons: {', '.join(told)}." if told else ""


def icon_of(state: str) -> str | None:
    """The sign of a lesson's state in lists; none if it is not done."""
    return {PASSED: ":material/check_circle:", PUT_TOGETHER: ":material/check:"}.get(state)


def progress() -> Progress:
    """The progress of this visitor."""
    folder = own_code(this_visit().choice.is_local)
    return Progress(frozenset(_numbers()), None if folder is None else Workbook(folder))


def note_put_together(lesson: Lesson) -> None:
    """Note that all blanks of a lesson are right; kept for the visit."""
    _numbers().add(lesson.number)


def _numbers() -> set[int]:
    state: MutableMapping[Any, Any] = st.session_state
    numbers: set[int] = state.setdefault(KEY, set())
    return numbers
