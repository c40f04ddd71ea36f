"""The page of each lesson: it shows the lines under glass, runs what is chosen, and says why a choice is wrong."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from gpt2.engine.engine import Engine
from gpt2.learn import glass
from gpt2.learn.lesson import Lesson
from gpt2.learn.lessons import LESSONS, lesson_of
from gpt2.model.sampling import Sampling
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace
from pages.learn.blanks import LEFT_OUT, MARK, code_of
from pages.visit.player import Player
from pages.visit.visit import Visit

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
BY_NAME = [pytest.param(lesson, id=lesson.name) for lesson in LESSONS]


def page(lesson: Lesson, trace: Trace) -> AppTest:
    """The page of a lesson, run by itself with `trace` on the stage."""
    test = AppTest.from_file(str(ROOT / "pages" / "learn" / "lessons" / f"lesson_{lesson.slug}.py"), default_timeout=60)
    test.session_state["visit"] = Visit(Player(trace, "Once upon a time"), cursor=max(0, len(trace.steps) - 1))
    return test.run()


def said(test: AppTest) -> str:
    """All that the page says."""
    return "\n".join(str(one.value) for one in (*test.text, *test.warning, *test.success, *test.markdown))


def move(test: AppTest, lesson: Lesson) -> None:
    """Move what a lesson offers to play with."""
    if lesson.name == "attention":
        test.button_group(key="lesson.attention.mute 0 8").set_value([1, 4])
    elif lesson.name == "block":
        test.toggle[0].set_value(False)
    elif lesson.name == "layer_norm":
        test.select_slider[0].set_value(10.0)
    elif test.slider:
        slider = test.slider[-1]
        slider.set_value(slider.max if slider.value != slider.max else slider.min)


def played(test: AppTest) -> list[str]:
    """What the page says of what is played with."""
    marked = [str(one.value) for one in test.markdown]
    assert "**Play with it**" in marked
    return [*marked[: marked.index("**Put it together**")], *(one.value for one in test.text)]


@pytest.mark.parametrize("lesson", BY_NAME)
def test_what_is_moved_and_what_is_chosen_are_told_for_what_they_are(lesson: Lesson, trace: Trace) -> None:
    test = page(lesson, trace)
    assert not test.exception and [header.value for header in test.header] == [lesson.question]
    boxes = {box.key: box for box in test.selectbox if "blank" in str(box.key)}
    assert len(boxes) == len(lesson.blanks)
    before = played(test)
    assert before
    move(test, lesson)
    wrong, why = next(iter(lesson.blanks[0].wrong.items()))
    for at, blank in enumerate(lesson.blanks):
        boxes[f"lesson.{lesson.name}.blank{at}"].set_value(blank.right if at else wrong)
    test.run()
    assert played(test) != before
    assert not test.exception and [one.value for one in test.warning] == [why] and not test.success
    next(box for box in test.selectbox if str(box.key).endswith("blank0")).set_value(lesson.blanks[0].right)
    test.run()
    assert not test.exception and not test.warning
    assert [one.value for one in test.success] == [f"Right: this is {lesson.defines}."]


@pytest.mark.parametrize("lesson", BY_NAME)
def test_a_lesson_can_be_read_without_a_run_and_without_its_model(lesson: Lesson, trace: Trace) -> None:
    foreign = replace(trace, model="someone/else", config=replace(trace.config, layer_norm_epsilon=2e-5))
    for shown in (trace.cut(0), foreign):
        test = page(lesson, shown)
        assert not test.exception
        assert f"learn start {lesson.number}" in "".join(block.value for block in test.code)


def test_what_a_line_made_agrees_with_the_run(trace: Trace) -> None:
    lesson = next(one for one in LESSONS if one.name == "layer_norm")
    assert "in scale and normalized the two differ by" in said(page(lesson, trace))


def test_no_other_text_than_a_lessons_own_lines_is_ever_run(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A browser may send any text as the choice of a list."""
    lesson = next(one for one in LESSONS if one.name == "layer_norm")
    evil = "__import__('os').environ.update(EVIL='1')"
    monkeypatch.delenv("EVIL", raising=False)
    monkeypatch.setattr("streamlit.selectbox", lambda *_, **__: evil)
    test = page(lesson, trace)
    assert not test.exception and "EVIL" not in os.environ
    assert f"{len(lesson.blanks)} still to choose." in said(test)


def radios(test: AppTest) -> dict[str, Any]:
    """The questions of a page, by their names."""
    return {str(one.key).rsplit(".", 1)[-1]: one for one in test.radio}


def test_a_wrong_answer_is_told_with_the_right_one_and_the_right_one_is_told_to_be_so(trace: Trace) -> None:
    test = page(lesson_of(2), trace)
    assert set(radios(test)) == {"cells_of_row", "cells_of_square", "tempting_cell"}
    masked = sum(key > 14 for key in range(trace.seq))  # of row 14
    assert "How many cells of row 14 are −∞" in radios(test)["cells_of_row"].label
    radios(test)["cells_of_row"].set_value(str(masked + 1)).run()
    assert not test.exception and not test.success
    assert test.warning[0].value.startswith("**Not so.**") and f"{masked}: row 14" in test.warning[0].value
    radios(test)["cells_of_row"].set_value(str(masked)).run()
    assert not test.exception and not test.warning and "A row is a query" in test.success[0].value


def test_an_answer_belongs_to_its_run_and_its_step_and_stays_while_the_run_goes_on(trace: Trace) -> None:
    test = page(lesson_of(2), trace.cut(10))
    visit: Visit = test.session_state["visit"]
    radios(test)["cells_of_row"].set_value("9").run()
    assert test.success
    visit.player.open(trace)  # the same run, ten steps and thirty more
    visit.cursor = len(trace.steps) - 1
    test.run()
    assert radios(test)["cells_of_row"].value == "9" and "About step 9 of this run" in said(test)
    next(one for one in test.button if one.label == f"Ask about step {visit.cursor}").click().run()
    assert not test.exception and {one.value for one in radios(test).values()} == {None}

    radios(test)["cells_of_row"].set_value("29").run()
    assert test.success
    other = replace(trace, steps=tuple(replace(step, identity=StepId()) for step in trace.steps))
    visit.player.open(other)
    test.run()
    assert not test.exception and not test.success
    assert {one.value for one in radios(test).values()} == {None}


def test_a_lesson_lies_still_while_the_run_plays_and_follows_when_it_pauses(
    engine: Engine, trace: Trace, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    look = glass.look
    monkeypatch.setattr(glass, "look", lambda lesson, stage: looks.append(1) or look(lesson, stage))
    test = page(lesson_of(3), trace)
    test.run()
    assert len(looks) == 1  # not at every rerun
    visit: Visit = test.session_state["visit"]
    begun = engine.start("The bird")
    for _ in range(3):
        begun.advance(Sampling(seed=1))
    visit.player.open(begun.trace)
    visit.cursor = 2
    monkeypatch.setattr(Player, "is_running", True)
    test.run()
    assert len(looks) == 2 and "shows step" not in said(test)
    for _ in range(2):
        begun.advance(Sampling(seed=1))
    visit.player._state = replace(visit.player._state, trace=begun.trace)
    visit.cursor = 4
    test.run()
    assert not test.exception and len(looks) == 2
    assert "The run is playing. This page shows step 2 until it pauses." in said(test)
    monkeypatch.setattr(Player, "is_running", False)
    test.run()
    assert not test.exception and len(looks) == 3 and "shows step" not in said(test)
    assert "About step 2 of this run" in said(test) and any(one.label == "Ask about step 4" for one in test.button)


@pytest.mark.parametrize("lesson", BY_NAME)
def test_the_code_to_put_together_is_short_and_holds_every_blank(lesson: Lesson) -> None:
    marks = [f"▢{at}" for at, _ in enumerate(lesson.blanks, 1)]
    code = code_of(lesson.filled([MARK + mark for mark in marks]), lesson.first_line)
    assert all(code.count(mark) == 1 for mark in marks) and MARK not in code
    assert len(code.splitlines()) <= 80 and '"""' not in code
    whole = {line.strip() for line in lesson.filled(marks).splitlines()}
    assert {line.strip() for line in code.splitlines()} <= whole | {LEFT_OUT}
