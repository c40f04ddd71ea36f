"""The page of lesson 13: what happens to a request, a server that is asked, or a recorded example."""

from typing import Literal

import streamlit as st

from gpt2.errors import SettingsError
from gpt2.learn.lessons import LESSONS
from gpt2.trace.trace import Trace
from pages.frame import layout
from pages.frame.layout import View
from pages.frame.rerun import rerun
from pages.learn.lesson import page_of
from pages.learn.questions import show_question
from pages.server.host import served_at
from pages.visit.session import this_visit

from . import words
from .answers import AT_ONCE, Answers, recorded
from .asking import Asking
from .lanes import lanes_html, text_html

ASKING, SECONDS = "lesson.serve.asking", 0.4
FEWEST, MOST, USUAL = 16, 400, 160
GREEDY, AS_RUN = "Greedy", "The run's settings"


def show() -> None:
    """Draw the page."""
    view = layout.open_page("lesson.serve")
    layout.headline(words.QUESTION)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Lesson 13 · Serve your model")
        st.page_link(page_of(LESSONS[-1]), label=LESSONS[-1].title, icon=":material/arrow_back:")
    st.markdown(words.TEXT)
    try:
        url = served_at()
    except SettingsError as error:
        url = ""
        layout.plain_text(str(error))
    if url:
        show_server(view, url)
    else:
        show_recorded()
    with st.container(border=True):
        st.markdown("**What the cache takes**")
        st.latex(words.PAGES)
        st.latex(words.BYTES)
        layout.plain_text(
            "A cache that reserved the whole context for each request would mostly hold positions that no text ever "
            "reaches. Pages are taken one by one, so at most one of a request's is not full."
        )
    with st.container(border=True):
        st.markdown("**Predict, then look**")
        columns = st.columns(len(words.QUESTIONS), gap="medium")
        for column, question in zip(columns, words.QUESTIONS, strict=True):
            with column:
                show_question(question, view.key(f"ask.{question.name}"))
    with st.container(border=True):
        st.markdown("**Start a server of your own**")
        st.code(words.START, language=None)
        layout.plain_text(
            "It listens on this machine alone. Any client of OpenAI's completions can ask it; .github/SERVING.md tells "
            "how, and what it takes and refuses."
        )


def show_recorded() -> None:
    """Draw the example that was measured once, and say so."""
    example = recorded()
    with st.container(border=True):
        st.markdown("**Recorded: a server is asked**")
        layout.plain_text(
            f"No server is set for this app, so these numbers are recorded: {example.date}, {example.machine}. "
            f"The prompt was “{example.prompt}”."
        )
        show_answers(example.answers)


def show_server(view: View, url: str) -> None:
    """Draw the button, and what the server answers; while answers come, redraw them without the rest of the page."""
    visit = this_visit()
    asking: Asking | None = st.session_state.get(ASKING)
    if asking is not None and asking.run_id != view.run.run_id:
        asking.stop()
        asking = st.session_state[ASKING] = None
    is_asking = asking is not None and asking.is_running
    key = view.key
    run_id = view.run.run_id
    del view  # Streamlit holds the function below for long; it must not hold the numbers of an evicted run

    @st.fragment(run_every=SECONDS if is_asking else None)
    def draw() -> None:
        own: Asking | None = st.session_state.get(ASKING)
        if (is_asking and (own is None or not own.is_running)) or visit.player.trace.run_id != run_id:
            rerun()  # the answers have ended, or are of another run: redraw the page, without a timer
        left, middle, right = st.columns([2, 2, 1.2], gap="medium", vertical_alignment="bottom")
        with left:
            tokens = st.slider("Tokens to ask for", FEWEST, MOST, USUAL, step=16, key=key("tokens"), disabled=is_asking)
        with middle:
            chosen = st.segmented_control(
                "How tokens are chosen", (GREEDY, AS_RUN), default=GREEDY, required=True, key=key("how")
            )
        with right:
            if is_asking and own is not None:
                if st.button("Stop", key=key("stop"), width="stretch"):
                    own.stop()
                    rerun()
            elif st.button("Ask the server", key=key("ask"), type="primary", width="stretch"):
                begin(url, tokens, chosen == AS_RUN)
                rerun()
        if own is None:
            layout.plain_text(
                f"The server at {url} is sent the prompt of the run on the stage: once alone, then {AT_ONCE} times at "
                "once."
            )
            return
        if own.is_running:
            layout.plain_text(f"{own.doing} …")
        elif own.error:
            st.error(icon=":material/error:", body="The server was not asked to the end.")
            layout.plain_text(own.error)
        else:
            how = "greedy" if own.answers.is_greedy else "drawn with the run's settings"
            came = "All answers have come" if own.is_whole else "Stopped before the end"
            layout.plain_text(f"{came}: at most {own.answers.asked} tokens each, {how}.")
        show_answers(own.answers)

    with st.container(border=True):
        st.markdown("**Live: ask the server**")
        draw()


def begin(url: str, tokens: int, as_run: bool) -> None:
    """Send the prompt of the run on the stage, to be answered with its settings or greedily."""
    visit = this_visit()
    made_by = visit.model_of_run
    trace: Trace = visit.player.trace
    sampling = visit.sampling if as_run and visit.sampling.temperature else None
    st.session_state[ASKING] = Asking(trace, made_by.engine if made_by else None, url, tokens, sampling)


def show_answers(answers: Answers) -> None:
    """Draw the texts side by side, the lanes with their pages, and what follows from them."""
    texts: list[tuple[Literal["own", "alone"], str]] = [
        ("own", "The engine of this app, greedy"),
        ("alone", "The server, one request"),
    ]
    for column, (name, title) in zip(st.columns(2, gap="medium"), texts, strict=True):
        answer = getattr(answers, name)
        with column:
            st.markdown(f"**{title}**")
            st.html(text_html(answer, title, layout.palette()))
            st.caption(words.answer_sentence(answer))
    st.text(words.equal_sentence(answers))
    st.text(words.rates_sentence(answers))
    st.html(lanes_html(answers, layout.palette()))
    st.text(words.pages_sentence(answers))
    st.caption(words.COMPUTED)
