"""What other settings would draw: the settings of the Sampling page, and all that depends on them."""

import time
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from gpt2.errors import SettingsError
from gpt2.reading.arithmetic import explain, explain_probability
from gpt2.trace.step import Step
from pages.charts import lens
from pages.charts.sampling import columns, cumulative, entropy, outcome, stacked
from pages.charts.sampling import draw as bar
from pages.charts.sampling.formula import FORMULA, sampling_operands
from pages.charts.sampling.outcome import HOTTEST, Outcome, chosen_sampling, control_values, outcome_sentence
from pages.look.tokens import markdown, spoken
from pages.visit.branching import start_branch
from pages.visit.session import this_visit

from . import layout
from .arithmetic import show_sums
from .badge import pick_from
from .chart import show_chart, take_click
from .excerpt import Excerpt
from .heading import heading
from .rerun import rerun

# Streamlit sends what is drawn every 10 ms. After this moment the columns are on their way alone, and the browser
# paints them while the rest is made.
SENT_SECONDS = 0.012


def show_what_if(name: str, excerpts: Sequence[Excerpt]) -> None:
    """Draw the settings, and the pictures of the draw with them; a setting draws this alone anew.

    Args:
        name: the page's.
        excerpts: the lines that compute it.
    """
    visit = this_visit()
    step, _ = visit.view_key
    shown = (lambda: None) if step is None else weakref.ref(step)
    del step

    @st.fragment
    def draw() -> None:
        """Streamlit holds this for long: it must not hold the numbers of an evicted run, so it asks for them anew."""
        view = layout.view_of(name, visit)
        if view.step is None or view.step.identity is not shown() or "logits" not in view.step.captures:
            rerun()  # a branch is on the stage now, say, or the numbers were dropped: draw the whole page
        show_draw(view, view.step, excerpts)

    draw()


@dataclass(frozen=True)
class Settings:
    """The settings that a visitor tries at a step.

    Attributes:
        keys: of the widgets, by the setting's name. They contain the run's own settings: if those change, the visitor
            starts from them again.
        start: the values as the token was drawn.
    """

    keys: Mapping[str, str]
    start: dict[str, float | int]

    @classmethod
    def of(cls, view: layout.View, drawn: Outcome) -> "Settings":
        """Those of the page, at the values of its widgets, or as the token was drawn."""
        keys = {name: view.key(f"{name} {drawn.settings}") for name in ("temperature", "top_k", "top_p", "seed")}
        start = control_values(drawn.sampling)
        for name, key in keys.items():
            st.session_state.setdefault(key, start[name])
        return cls(keys, start)

    @property
    def values(self) -> dict[str, float | int | None]:
        """What the widgets say; None of one that is empty."""
        return {name: st.session_state[key] for name, key in self.keys.items()}

    def show(self, view: layout.View) -> None:
        """Draw the widgets, and the button that takes them back."""
        hot, many, mass, seed = self.keys.values()
        st.slider("Temperature", 0.0, HOTTEST, step=0.05, key=hot, persist_state="session")
        st.number_input("Top-k (0 is off)", 0, step=1, key=many, persist_state="session")
        st.slider("Top-p (1 is off)", 0.0, 1.0, step=0.01, key=mass, persist_state="session")
        st.number_input("Seed", 0, step=1, key=seed, persist_state="session")
        st.button(
            "Back to as drawn",
            key=view.key("reset"),
            on_click=st.session_state.update,
            args=({key: self.start[name] for name, key in self.keys.items()},),
            disabled=self.values == self.start,
            width="stretch",
        )


def show_draw(view: layout.View, step: Step, excerpts: Sequence[Excerpt]) -> None:
    """Draw the columns beside the settings, the picked token's arithmetic, and the draw of a step.

    The columns are what a visitor who moves a slider looks at: they are made first, and on the screen before the rest.
    """
    vocabulary = view.trace.vocabulary
    drawn = Outcome.drawn(step)
    settings, fault = Settings.of(view, drawn), ""
    try:
        preview = Outcome.preview(step, chosen_sampling(drawn.sampling, settings.values))
    except SettingsError as error:
        preview, fault = drawn, str(error)
    picture, controls = st.columns([5, 1.35])
    with picture, st.container(border=True, height="stretch"):
        choice = show_columns(view, step, drawn, preview)
    time.sleep(SENT_SECONDS)
    with controls, st.container(border=True, height="stretch"):
        heading(view.key("settings"), "What if", has_chart=False)
        settings.show(view)
        if fault:
            st.error(fault)
        layout.plain_text(bar.preview_sentence(drawn, preview, vocabulary))
        layout.plain_text(bar.as_drawn_sentence(drawn, vocabulary))

    if view.checkpoint is not None:
        token = token_of(choice, preview)
        temperature = preview.sampling.temperature
        show_sums(
            view,
            explain(view.trace, view.checkpoint, "logits", (view.newest, token)),
            explain_probability(step.logits, preview.distribution, temperature, token, vocabulary),
            is_picked=choice != outcome.DRAWN,
        )

    with st.container(border=True):
        heading(view.key("draw"), "The draw: the remaining tokens end to end, and one seeded number u")
        layout.plain_text(bar.draw_sentence(preview, vocabulary))
        layout.plain_text(outcome_sentence(preview, vocabulary.label(preview.token)))
        chart = bar.draw_chart(drawn, preview, vocabulary, view.palette, view.is_narrow)
        show_chart(chart, alt="Cumulative bars with the mark of u", key=view.key("draw"))

    left, right = st.columns(2)
    with left, st.container(border=True, height="stretch"):
        heading(view.key("cumulative"), "The whole vocabulary by rank")
        layout.plain_text(cumulative.cumulative_sentence(preview))
        chart = cumulative.cumulative_chart(preview, vocabulary, view.palette)
        show_chart(chart, alt="Curves: cumulative probability by rank", key=view.key("cumulative"))
    with right, st.container(border=True, height="stretch"):
        heading(view.key("entropy"), "How open the choice was at every step")
        rows = entropy.entropy_rows(view.trace)
        layout.plain_text(entropy.entropy_sentence(rows))
        show_chart(
            entropy.entropy_chart(rows, view.palette),
            alt="Line and points: entropy and surprisal by step",
            key=view.key("entropy"),
        )

    layout.show_computation(
        view, "How it is computed", FORMULA, sampling_operands(preview, step.logits, vocabulary), excerpts
    )


def show_columns(view: layout.View, step: Step, drawn: Outcome, preview: Outcome) -> int:
    """Draw the columns and, below them, the choice of a token; return it: an id, or `DRAWN` for the drawn one."""
    vocabulary = view.trace.vocabulary
    heading(view.key("columns"), "From logits to the draw, the same tokens in every column")
    layout.plain_text(columns.columns_sentence(preview, drawn, vocabulary))
    draw_columns = stacked.stacked_chart if view.is_narrow else columns.columns_chart
    chart = draw_columns(preview, drawn, step.logits, vocabulary, view.palette)
    key = view.key("stacked columns" if view.is_narrow else "columns")
    click = partial(take_click, key, view.key("token"))
    show_chart(chart, alt="Bars: probabilities of the same tokens in five columns", key=key, on_select=click)
    st.caption(stacked.LEGEND if view.is_narrow else columns.LEGEND)
    chosen, button = st.columns([3, 2], vertical_alignment="bottom")
    with chosen:
        choice = pick_from(
            outcome.token_options(preview, drawn, st.session_state.get(view.key("token"))),
            "The picked token",
            format_func=partial(lens.candidate_label, vocabulary),
            key=view.key("token"),
            otherwise=outcome.DRAWN,
        )
    visit, other = this_visit(), outcome.other_than_drawn(drawn, token_of(choice, preview))
    button.button(
        f"Branch here with {markdown(spoken(vocabulary.label(other)))}",
        key=view.key("branch"),
        on_click=start_branch,
        args=(visit, view.step_index, other, visit.max_new_tokens),
        width="stretch",
    )
    if visit.branches.error:
        st.error("There is no new branch.")
        layout.plain_text(visit.branches.error)
    return choice


def token_of(choice: int, preview: Outcome) -> int:
    """The token that the list's choice stands for."""
    return preview.token if choice == outcome.DRAWN else choice
