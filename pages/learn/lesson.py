"""One lesson on the page: why, the lines under glass, the component put together from choices, and how to write it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import streamlit as st
from streamlit.navigation.page import StreamlitPage

from gpt2.learn.lesson import MODEL, Blank, Failure, Lesson, OnStage
from gpt2.learn.lessons import LESSONS
from gpt2.learn.verdict import all_equal, describe, equal
from pages.frame import layout
from pages.frame.layout import View
from pages.look.numbers import rounding_error
from pages.matrix.component import matrix
from pages.matrix.scale import Concept
from pages.visit.progress import note_put_together

from .line_value import LineValue
from .listing import ListedLine, ListedValue, listing
from .own_file import show_own_file

if TYPE_CHECKING:
    from gpt2.learn.glass import Seen

# What each component's pictures are coloured as; all others as the residual stream.
CONCEPTS: dict[str, Concept] = {"attention": "attention", "mask": "attention", "mlp": "mlp", "embeddings": "token"}
CHOOSE = "Choose…"
HEIGHT = 360
HERE = Path(__file__).parent


def show(lesson: Lesson) -> None:
    """Draw the page of a lesson."""
    view = layout.open_page(f"lesson.{lesson.name}")
    layout.headline(lesson.question)
    show_neighbours(lesson)
    st.markdown(lesson.text)
    try:
        show_running(lesson, view)
    except ImportError as error:
        layout.plain_text(f"MAX cannot be imported here ({error}), so the lines cannot be run.")
        show_source(lesson)
    show_own_file(lesson, view, concept(lesson))


def show_running(lesson: Lesson, view: View) -> None:
    """Draw what runs: the lines under glass, if the component is in the run on the stage, and the blanks.

    Raises:
        ImportError: if MAX cannot be imported.
    """
    stage: OnStage | None = None
    if view.step is not None and view.checkpoint is not None and lesson.on_stage is not None:
        with layout.explain_missing():
            stage = lesson.on_stage(view.trace, view.checkpoint, chosen_layer(lesson, view))
            show_glass(lesson, view, stage)
    if stage is None:
        if lesson.on_stage is not None:
            layout.plain_text("The lines come under glass once a run of a loaded model is on the stage.")
        show_source(lesson)
    show_blanks(lesson, view, stage)


def show_neighbours(lesson: Lesson) -> None:
    """Draw the lesson's place in the course, and the ways to the lessons beside it."""
    at = LESSONS.index(lesson)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Lesson {lesson.number} of 12 · {lesson.title}")
        for other in (*LESSONS[max(0, at - 1) : at], *LESSONS[at + 1 : at + 2]):
            arrow = "arrow_back" if other.number < lesson.number else "arrow_forward"
            st.page_link(page_of(other), label=other.title, icon=f":material/{arrow}:")


def page_of(lesson: Lesson) -> StreamlitPage:
    """The page of a lesson, to link to."""
    return st.Page(HERE / f"lesson_{lesson.slug}.py", title=f"{lesson.number} {lesson.title}")


def show_source(lesson: Lesson) -> None:
    """Draw the component's source as it is."""
    st.code((MODEL / f"{lesson.component}.py").read_text(encoding="utf-8"), language="python", height=480)


def show_glass(lesson: Lesson, view: View, stage: OnStage) -> None:
    """Draw the component's lines with what each made of the run on the stage, and a map of the chosen one."""
    from gpt2.learn.glass import look

    with st.container(border=True):
        st.markdown("**Under glass: what each line made of your prompt**")
        seen = look(lesson, stage)
        axes = {one.value.shape: one.axes for one in seen if one.axes}  # for the lines that name none
        values = [
            LineValue(one.name, one.axes or axes.get(one.value.shape, ()), one.value, view.trace.labels) for one in seen
        ]
        left, right = st.columns([10, 9], gap="medium")
        with left:
            title = f"Lines of {lesson.component}.py with what each made"
            at = listing(listed(lesson, seen, values), title=title, key=view.key("lines"))
        value = sorted(zip((one.line for one in seen), range(len(seen)), values, strict=True))[at][2]
        with right:
            matrix(value.picture(value.name, concept(lesson), HEIGHT), key=view.key("value"))
        captured = {one.name: one.value - view.trace[hook] for one in seen if (hook := stage.captures.get(one.name))}
        if captured:
            off = rounding_error(float(max(np.abs(difference).max() for difference in captured.values())))
            layout.plain_text(
                "MAX ran these lines just now, operation by operation. The run on the stage was made by the compiled "
                f"graph: in {' and '.join(captured)} the two differ by {off} at most."
            )


def chosen_layer(lesson: Lesson, view: View) -> int:
    """The layer whose component is looked at."""
    layers = list(range(view.trace.config.n_layer))
    if not lesson.has_layers:
        return 0
    return int(
        st.segmented_control("Layer", layers, default=0, required=True, key=view.key("layer"), persist_state="session")
    )


def listed(lesson: Lesson, seen: "Sequence[Seen]", values: Sequence[LineValue]) -> list[ListedLine]:
    """The component's lines from its first definition on, each with what it made."""
    by_line: dict[int, list[ListedValue]] = {}
    for one, value in zip(seen, values, strict=True):
        by_line.setdefault(one.line, []).append(ListedValue(value.name, value.shape_text, value.range_text))
    source = (MODEL / f"{lesson.component}.py").read_text(encoding="utf-8").splitlines()
    return [
        ListedLine(number, text, tuple(by_line.get(number, ())))
        for number, text in enumerate(source, 1)
        if number >= lesson.first_line
    ]


def concept(lesson: Lesson) -> Concept:
    """The colour of a lesson's pictures."""
    return CONCEPTS.get(lesson.component, "residual")


def show_blanks(lesson: Lesson, view: View, stage: OnStage | None) -> None:
    """Draw the blanks with their choices, and what the chosen lines make of the run beside what is right."""
    with st.container(border=True):
        st.markdown("**Put it together**")
        runs = "What you choose runs in MAX, on your prompt." if stage else "What you choose is run and compared."
        layout.plain_text(f"These lines are missing from the component. {runs}")
        left, right = st.columns([10, 9], gap="medium")
        with right:
            choices = [choose(at, blank, view) for at, blank in enumerate(lesson.blanks)]
        with left:
            parts = [choice or f"▢{at}" for at, choice in enumerate(choices, 1)]
            st.code(code_of(lesson.filled(parts), lesson.first_line), language="python", wrap_lines=True)
        if any(choice is None for choice in choices):
            layout.plain_text(f"{sum(choice is None for choice in choices)} still to choose.")
            return
        chosen = [str(choice) for choice in choices]
        say_choices(lesson, chosen)
        if stage is None:
            say_outcome(lesson, chosen)
        else:
            show_outcome(lesson, view, stage, chosen)


def code_of(source: str, first_line: int) -> str:
    """A component's code from its first definition on, without docstrings."""
    text = "\n".join(source.splitlines()[first_line - 1 :])
    return re.sub(r'\n +"""[^"]*"""(?=\n)', "", text)


def choose(at: int, blank: Blank, view: View) -> str | None:
    """Draw one blank; the choice, or None if none has been made."""
    options = sorted([blank.right, *blank.wrong], key=lambda text: crc32(f"{at} {text}".encode()))  # shuffled for good
    title, key = f"▢{at + 1} {blank.ask}", view.key(f"blank{at}")
    chosen = st.selectbox(title, options, index=None, placeholder=CHOOSE, key=key, persist_state="session")
    return chosen if chosen in options else None  # it will run here, and a browser may send any text


def say_choices(lesson: Lesson, choices: Sequence[str]) -> None:
    """Say that all choices are right, or of each wrong one why it is."""
    if all(chosen == blank.right for blank, chosen in zip(lesson.blanks, choices, strict=True)):
        st.success(f"Right: this is {lesson.defines}.", icon=":material/check:")
        note_put_together(lesson)
    for blank, chosen in zip(lesson.blanks, choices, strict=True):
        if chosen in blank.wrong:
            st.warning(blank.wrong[chosen], icon=":material/close:")


def say_outcome(lesson: Lesson, choices: Sequence[str]) -> None:
    """Say what the chosen lines make of the lesson's own cases, where that is wrong."""
    from gpt2.learn.trial import attempt

    cases = lesson.cases()
    found, expected = (attempt(text, lesson.file_name, cases) for text in (lesson.filled(choices), lesson.solution))
    assert not isinstance(expected, Failure)
    if isinstance(found, Failure):
        layout.plain_text(f"Python cannot run this: {found.says}")
        return
    for case, own, right in zip(cases, found, expected, strict=True):
        if not all_equal([own], [right]):
            layout.plain_text(describe(case.label, own[0], right[0])[0])
            return


def show_outcome(lesson: Lesson, view: View, stage: OnStage, choices: Sequence[str]) -> None:
    """Draw what the chosen lines make of the run, beside what is right, and say what is wrong."""
    from gpt2.learn.glass import with_choices

    found = with_choices(lesson, stage, choices)
    expected = with_choices(lesson, stage, [blank.right for blank in lesson.blanks])
    assert not isinstance(expected, Failure)
    if isinstance(found, Failure):
        layout.plain_text(f"MAX cannot run this: {found.says}")
        return
    if not equal(found, expected):
        layout.plain_text(describe("your prompt", found, expected)[0])
    elif any(chosen in blank.wrong for blank, chosen in zip(lesson.blanks, choices, strict=True)):
        layout.plain_text("This prompt in this model happens to give the same numbers all the same; others do not.")
    left, right = st.columns(2, gap="medium")
    for column, title, value in ((left, "Yours", found), (right, "Right", expected)):
        made = LineValue("output", (), value, view.trace.labels)
        with column:
            matrix(made.picture(title, concept(lesson), 240, like=expected), key=view.key(title))
