"""Claims about every lesson: the solution passes, the skeleton helps, and each mistake is named for what it is."""

import re

import pytest

from gpt2.learn.child import Examiner
from gpt2.learn.lesson import Lesson, unfilled
from gpt2.learn.lessons import LESSONS, lesson_of

pytestmark = pytest.mark.slow

BY_NAME = [pytest.param(lesson, id=lesson.name) for lesson in LESSONS]


@pytest.fixture(scope="module", params=BY_NAME)
def examiner(request: pytest.FixtureRequest) -> Examiner:
    return Examiner(request.param)


def test_lessons_are_numbered_in_their_order() -> None:
    numbers = [lesson.number for lesson in LESSONS]
    assert numbers == sorted(set(numbers)) and all(lesson_of(one.number) is one for one in LESSONS)


def test_the_solution_passes(examiner: Examiner) -> None:
    told = examiner.verdict(examiner.lesson.solution, "own.py")
    assert told.passed, told


def test_an_untouched_skeleton_is_told_line_by_line(examiner: Examiner) -> None:
    lesson = examiner.lesson
    told, lines = examiner.verdict(lesson.skeleton, "own.py"), unfilled(lesson.skeleton)
    assert len(lines) == len(lesson.blanks) and all(str(line) in told.says for line in lines)
    assert not told.passed and "..." in told.says and told.line == lines[0]


def test_every_mistake_is_refused_and_named_for_what_it_is(examiner: Examiner) -> None:
    variants = list(examiner.lesson.variants())
    assert len(variants) >= 5
    for text, why in variants:
        told = examiner.verdict(text, "own.py")
        assert not told.passed and told.why == why, (why, told)


def test_an_ellipsis_that_python_means_is_no_blank() -> None:
    assert unfilled("class A(Module[..., int]):\n    def f(self, x): ...\n    y = x[..., 0] + ...\n") == [3]


@pytest.mark.parametrize("lesson", BY_NAME)
def test_hints_and_questions_hold_no_answer(lesson: Lesson) -> None:
    def plain(text: str) -> str:
        return re.sub(r"\s", "", text)

    told = plain(" ".join([*lesson.hints, *(blank.ask for blank in lesson.blanks), lesson.question]))
    assert len(lesson.hints) >= 3
    for blank in lesson.blanks:
        assert plain(blank.right) not in told
        assert 1 <= len(blank.wrong) <= 4 and blank.right not in blank.wrong
