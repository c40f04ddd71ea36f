"""Predict, then look: a lesson's questions on the run's own numbers, each revealed once the reader has chosen."""

import streamlit as st

from gpt2.learn.lesson import Lesson
from gpt2.learn.question import Question, ask_all
from gpt2.trace.step import StepId
from gpt2.trace.trace import Trace
from pages.frame import layout
from pages.frame.layout import View
from pages.frame.rerun import rerun
from pages.look.tokens import markdown

PIN, PREFIX = "lesson.asked", "lesson.ask."


def show_questions(lesson: Lesson, view: View, layer: int) -> None:
    """Draw a lesson's questions about the step at which the reader first saw them in this run."""
    with st.container(border=True):
        st.markdown("**Predict, then look**")
        if view.step is None or view.checkpoint is None:
            layout.plain_text("Questions on the run's own numbers come once a run of a loaded model is on the stage.")
            return
        trace, number = pinned(view)
        say_step(lesson, view, trace, layer)
        with layout.explain_missing():
            questions = ask_all(lesson.asking, trace, view.checkpoint, layer)
            if not questions:
                layout.plain_text("This run is too short to ask about. Let it draw some tokens.")
                return
            for column, question in zip(st.columns(len(questions), gap="medium"), questions, strict=True):
                with column:
                    show_question(question, f"{PREFIX}{number}.{lesson.name}.{layer}.{question.name}")


def pinned(view: View) -> tuple[Trace, int]:
    """The run as of the step that is asked about, and the number of that step's questions.

    Nothing jumps while the run plays on. In another run the questions are new, and no answer is shown.
    """
    pin: tuple[StepId, int, int] | None = st.session_state.get(PIN)
    if pin is None or pin[1] >= len(view.run.steps) or view.run.steps[pin[1]].identity is not pin[0]:
        pin = ask_about(view)
    return view.run.cut(pin[1] + 1), pin[2]


def ask_about(view: View) -> tuple[StepId, int, int]:
    """Ask about the shown step from now on, and forget the answers about the one before."""
    for key in [str(key) for key in st.session_state if str(key).startswith(PREFIX)]:
        del st.session_state[key]
    before: tuple[StepId, int, int] | None = st.session_state.get(PIN)
    pin = view.trace.steps[-1].identity, view.step_index, 0 if before is None else before[2] + 1
    st.session_state[PIN] = pin
    return pin


def say_step(lesson: Lesson, view: View, trace: Trace, layer: int) -> None:
    """Say what the questions are about, and offer to ask about the shown step if that is another."""
    asked = len(trace.steps) - 1
    of_layer = f", layer {layer}" if lesson.has_layers else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        layout.plain_text(f"About step {asked} of this run{of_layer}: {trace.seq} tokens. Choose first, then read why.")
        ask = f"Ask about step {view.step_index}"
        if asked != view.step_index and st.button(ask, key=view.key("ask again")):
            ask_about(view)
            rerun()


def show_question(question: Question, key: str) -> None:
    """Draw a question, and once an option is chosen whether it is right, the answer with its number, and why."""
    ask, options = markdown(question.ask), question.options
    chosen = st.radio(ask, options, index=None, format_func=markdown, key=key, persist_state="session")
    if chosen is None:
        return
    if chosen == question.right:
        st.success(f"**Right.** {markdown(question.answer)} {markdown(question.why)}", icon=":material/check:")
    else:
        st.warning(f"**Not so.** {markdown(question.answer)} {markdown(question.why)}", icon=":material/close:")
