"""One lesson on the page: text, lines under glass, questions, something to play with, blanks, and your own file."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from gpt2.engine.importing import importing_max
from gpt2.learn.lesson import Lesson, OnStage
from gpt2.learn.lessons import LESSONS
from pages.frame import layout
from pages.frame.layout import View

from .blanks import show_blanks
from .glass import concept, show_glass, show_source
from .held import hold
from .own_file import show_own_file
from .playing import show_play
from .questions import show_questions
from .words import show_words

HERE = Path(__file__).parent
SERVE = "Serve your model"
# The page that shows what a lesson builds in the run on the stage: its file and its title.
LENSES = {
    "causal_mask": ("attention.py", "Attention"),
    "mlp": ("mlp.py", "MLP"),
    "token_embeddings": ("embeddings.py", "Embeddings"),
    "position_embeddings": ("embeddings.py", "Embeddings"),
    "attention": ("attention.py", "Attention"),
    "residual": ("residual.py", "Residual stream"),
    "stack": ("residual.py", "Residual stream"),
    "lm_head": ("attribution.py", "Attribution"),
    "generation": ("sampling.py", "Sampling"),
}


def show(lesson: Lesson) -> None:
    """Draw the page of a lesson."""
    view = layout.open_page(f"lesson.{lesson.name}")
    layout.headline(lesson.question)
    show_neighbours(lesson)
    with st.container(key="lesson-text"):
        st.markdown(lesson.text)
    show_words(lesson.text)
    if lesson.name in LENSES:
        file, title = LENSES[lesson.name]
        lens = st.Page(HERE.parent / "watch" / file, title=title)
        st.page_link(lens, label=f"The page {title} shows it on your own prompt", icon=":material/search:")
    view = hold(view)
    layer = chosen_layer(lesson, view)
    try:
        stage = show_lines(lesson, view, layer)
    except ImportError as error:
        layout.plain_text(f"MAX cannot be imported here ({error}), so the lines cannot be run.")
        show_source(lesson)
        show_numbers(lesson, view, layer)
    else:
        show_numbers(lesson, view, layer)
        show_blanks(lesson, view, stage, layer)
    show_own_file(lesson, view, concept(lesson))


def show_lines(lesson: Lesson, view: View, layer: int) -> OnStage | None:
    """Draw the lines under glass, or as they are if the run does not hold the component; the component on the stage.

    Raises:
        ImportError: if MAX cannot be imported.
    """
    stage: OnStage | None = None
    if view.step is not None and view.checkpoint is not None and lesson.on_stage is not None:
        with layout.explain_missing():
            with importing_max():  # for what holds the component's inputs
                stage = lesson.on_stage(view.trace, view.checkpoint, layer)
            show_glass(lesson, view, stage, layer)
    if stage is None:
        if lesson.on_stage is not None:
            layout.plain_text("The lines come under glass once a run of a loaded model is on the stage.")
        show_source(lesson)
    return stage


def show_numbers(lesson: Lesson, view: View, layer: int) -> None:
    """Draw what is asked about the run's own numbers, and what can be done to them."""
    show_questions(lesson, view, layer)
    show_play(lesson, view, layer)


def show_neighbours(lesson: Lesson) -> None:
    """Draw the lesson's place in the course, and the ways to the lessons beside it."""
    at = LESSONS.index(lesson)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Lesson {lesson.number} of 12 · {lesson.title}")
        for other in (*LESSONS[max(0, at - 1) : at], *LESSONS[at + 1 : at + 2]):
            arrow = "arrow_back" if other.number < lesson.number else "arrow_forward"
            st.page_link(page_of(other), label=other.title, icon=f":material/{arrow}:")
        if lesson is LESSONS[-1]:
            st.page_link(serve_page(), label=SERVE, icon=":material/arrow_forward:")


def page_of(lesson: Lesson) -> StreamlitPage:
    """The page of a lesson, to link to."""
    return st.Page(HERE / "lessons" / f"lesson_{lesson.slug}.py", title=f"{lesson.number} {lesson.title}")


def serve_page() -> StreamlitPage:
    """The last page of the course, which has nothing to code."""
    return st.Page(HERE / "serve" / "lesson_13_serve.py", title=f"13 {SERVE}")


def chosen_layer(lesson: Lesson, view: View) -> int:
    """The layer whose component is looked at."""
    if not lesson.has_layers or view.step is None or view.checkpoint is None:
        return 0
    layers = list(range(view.trace.config.n_layer))
    return int(
        st.segmented_control("Layer", layers, default=0, required=True, key=view.key("layer"), persist_state="session")
    )
