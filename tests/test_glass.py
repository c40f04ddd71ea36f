"""Claims about components under glass: the values of their lines are those that the compiled graphs captured."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from gpt2.engine.engine import Engine
from gpt2.learn.glass import look, with_choices
from gpt2.learn.lesson import MODEL, Failure, Lesson
from gpt2.learn.lessons import LESSONS, lesson_of
from gpt2.learn.verdict import equal
from gpt2.trace.trace import Trace
from tests.reference import relative_difference

pytestmark = pytest.mark.slow

ON_STAGE = [pytest.param(lesson, id=lesson.name) for lesson in LESSONS if lesson.on_stage is not None]
TOLERANCE = 1e-4


@pytest.fixture(params=ON_STAGE)
def lesson(request: pytest.FixtureRequest) -> Lesson:
    return request.param


def test_what_the_lines_make_is_what_the_compiled_graph_captured(lesson: Lesson, engine: Engine, trace: Trace) -> None:
    assert lesson.on_stage is not None
    for layer in (0, 3):
        stage = lesson.on_stage(trace, engine.checkpoint, layer)
        seen = {one.name: one.value for one in look(lesson, stage)}
        assert set(stage.captures) <= set(seen)
        for name, hook in stage.captures.items():
            assert relative_difference(seen[name], trace[hook]) <= TOLERANCE, name


def test_each_value_is_told_on_a_line_that_names_it(lesson: Lesson, engine: Engine, trace: Trace) -> None:
    assert lesson.on_stage is not None
    source = (MODEL / f"{lesson.component}.py").read_text(encoding="utf-8").splitlines()
    for one in look(lesson, lesson.on_stage(trace, engine.checkpoint, 0)):
        assert one.name.partition("[")[0] in source[one.line - 1], one
        assert not one.axes or len(one.axes) == one.value.ndim, one


def test_the_right_choices_give_what_the_component_gives_and_others_run_or_say_why_not(
    lesson: Lesson, engine: Engine, trace: Trace
) -> None:
    assert lesson.on_stage is not None
    stage = lesson.on_stage(trace, engine.checkpoint, 1)
    right = [blank.right for blank in lesson.blanks]
    expected = with_choices(lesson, stage, right)
    assert not isinstance(expected, Failure)
    assert equal(look(lesson, stage)[-1].value, expected)
    for at, blank in enumerate(lesson.blanks):
        for wrong in blank.wrong:
            found = with_choices(lesson, stage, [*right[:at], wrong, *right[at + 1 :]])
            assert found.says if isinstance(found, Failure) else found.dtype == expected.dtype


def test_visitors_look_at_once_and_see_what_they_see_alone(engine: Engine, trace: Trace) -> None:
    lesson = lesson_of(3)
    assert lesson.on_stage is not None
    stages = [lesson.on_stage(trace, engine.checkpoint, layer) for layer in range(4)]
    alone = [look(lesson, stage)[-1].value for stage in stages]
    with ThreadPoolExecutor(4) as threads:
        at_once = list(threads.map(lambda stage: look(lesson, stage)[-1].value, stages))
    for one, other in zip(alone, at_once, strict=True):
        np.testing.assert_array_equal(one, other)
