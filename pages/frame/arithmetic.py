"""The panel of a picked number: its formula, its real terms, the lines of the model that compute it, and a lesson."""

from pathlib import Path

import streamlit as st

from gpt2.learn.lesson import Lesson
from gpt2.learn.lessons import LESSONS
from gpt2.reading.arithmetic import explain
from gpt2.reading.source_line import SourceLine
from gpt2.reading.terms import Sum
from pages.charts.ledger import TITLE, check_sentence, ledger, source

from .details import details
from .heading import heading
from .layout import View, explain_missing, plain_text

DETAILS = "Its terms, and the lines that compute it"
LESSON_PAGES = Path(__file__).parents[1] / "learn" / "lessons"


def show_arithmetic(view: View, *numbers: tuple[str, tuple[int, ...]], is_picked: bool) -> None:
    """Draw the arithmetic of captured numbers, each a hook and an index; nothing without the weights of the run."""
    if (checkpoint := view.checkpoint) is not None:
        with explain_missing():
            sums = [explain(view.trace, checkpoint, hook, index) for hook, index in numbers]
            show_sums(view, *sums, is_picked=is_picked)


def show_sums(view: View, *sums: Sum, is_picked: bool, panel: str = "arithmetic", title: str = TITLE) -> None:
    """Draw the numbers of one panel, or of a few that belong together, and one click away how each is computed.

    They are open if the visitor has picked them.
    """
    with st.container(border=True):
        heading(view.key(panel), title, has_chart=False)
        for found in sums:
            plain_text(check_sentence(found))
        box = details(DETAILS, key=view.key(f"{panel}.terms"), icon=":material/calculate:", opens=is_picked)
        if not box.open:
            return
        for column, found in zip(box.columns(len(sums), gap="medium"), sums, strict=True):
            with column:
                _show(found)


def _show(found: Sum) -> None:
    st.latex(found.rule.formula)
    st.code(ledger(found), language=None)
    st.code(source(found), language="python", wrap_lines=True)
    if lesson := lesson_of(found.rule.lines):
        page = st.Page(LESSON_PAGES / f"lesson_{lesson.slug}.py", title=f"{lesson.number} {lesson.title}")
        st.page_link(page, label=f"Lesson {lesson.number} builds this: {lesson.title}", icon=":material/school:")


def lesson_of(lines: tuple[SourceLine, ...]) -> Lesson | None:
    """The first lesson that builds a file of these lines; it has what every line made of the run on the stage."""
    files = [line.file for line in lines]
    return next((lesson for lesson in LESSONS if f"model/{lesson.component}.py" in files), None)
