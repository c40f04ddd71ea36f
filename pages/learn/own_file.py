"""A reader's own file beside its lesson: at home its verdict, by itself at every save; elsewhere how to begin there."""

import numpy as np
import streamlit as st

from gpt2.learn.follower import follower
from gpt2.learn.lesson import Lesson
from gpt2.learn.verdict import Verdict
from gpt2.learn.workbook import Workbook
from pages.frame import layout
from pages.frame.layout import View
from pages.matrix.component import matrix
from pages.matrix.scale import Concept
from pages.visit.progress import progress

from .line_value import LineValue

LOOK_SECONDS = 1.0
HEIGHT = 240


def show_own_file(lesson: Lesson, view: View, concept: Concept) -> None:
    """Draw how to write the component, and at home what is told of the reader's file."""
    workbook = progress().workbook
    with st.container(border=True):
        st.markdown("**Write it**")
        if workbook is None:
            show_the_way_home(lesson)
        else:
            layout.plain_text(
                f"Write the component in {workbook.path(lesson)}, in your own editor. This page checks every save."
            )
            show_verdict(lesson, view.name, concept, workbook)
        for number, hint in enumerate(lesson.hints, 1):
            with st.expander(f"Hint {number}"):
                layout.plain_text(hint)


def show_the_way_home(lesson: Lesson) -> None:
    """Say how to write the component on one's own machine, and have it checked there."""
    layout.plain_text(
        "On your own machine, write the component in a file of your own. It is traced by MAX and compared with the "
        "project's, in a second, and a mistake that people often make is named. Your code never runs on this host."
    )
    st.code(
        f"python -m gpt2 learn start {lesson.number}    # writes my_gpt2/{lesson.file_name}\n"
        f"python -m gpt2 learn watch {lesson.number}    # checks it whenever you save\n"
        "GPT2_LEARN_FOLDER=my_gpt2 streamlit run app.py    # this page then follows your file",
        language="sh",
    )


@st.fragment(run_every=LOOK_SECONDS)
def show_verdict(lesson: Lesson, page: str, concept: Concept, workbook: Workbook) -> None:
    """Draw what is told of the file as it is now; it is looked at again and again."""
    followed, is_now = follower().look(workbook, lesson)
    if not followed.saved and is_now:
        st.code(f"python -m gpt2 learn start {lesson.number}    # writes {workbook.path(lesson)}", language="sh")
        return
    st.caption("Checked as you saved it." if is_now else "Checking what you saved …")
    if followed.error:
        layout.plain_text(followed.error)
    if followed.verdict is not None:
        tell(followed.verdict)
        draw_pair(followed.verdict, page, concept)


def tell(verdict: Verdict) -> None:
    """Say what a verdict says; nothing in it is read as markup."""
    if verdict.passed:
        st.success("Passed.", icon=":material/check:")
    else:
        st.warning("Not yet.", icon=":material/close:")
    for sentence in (verdict.says, verdict.why, *verdict.details):
        if sentence:
            layout.plain_text(sentence)


def draw_pair(verdict: Verdict, page: str, concept: Concept) -> None:
    """Draw the reader's numbers beside the right ones, in the same colours."""
    if not verdict.pair:
        return
    own, right = (np.array(numbers, np.float32) for numbers in verdict.pair)
    columns = st.columns(2, gap="medium")
    for column, title, value in zip(columns, ("Your file", "Right"), (own, right), strict=True):
        with column:
            made = LineValue("output", (), value, ())
            matrix(made.picture(title, concept, HEIGHT, like=right), key=f"{page}.own.{title}")
