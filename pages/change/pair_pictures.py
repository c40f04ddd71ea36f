"""Two runs side by side at the step on the stage: the texts, the strip of all steps, and each picture three ways."""

import streamlit as st

from gpt2.experiments.trace_pair import TracePair
from pages.change.comparison import Comparison
from pages.charts.branches.parting import norms_sentence
from pages.charts.compare import attention, bars, lens, strip, texts
from pages.charts.compare.which import DIFFERENCE, VIEWS, left_out
from pages.charts.lens import ReadLens
from pages.frame.chart import show_chart
from pages.frame.heading import heading
from pages.frame.layout import View, plain_text
from pages.matrix.component import matrix

STRIP, SQUARE, LENS = 180, 540, 400  # pixels


def show_pair(view: View, comparison: Comparison, pair: TracePair, read_second: ReadLens | None) -> list[str]:
    """Draw all that is shown of a pair; return the operands of its divergence at the shown step."""
    step, (values, choices) = min(view.step_index, pair.n_steps - 1), comparison.next_tokens(pair)
    with st.container(border=True):
        heading(view.key("texts"), texts.TITLE, has_chart=False)
        plain_text(texts.texts_sentence(pair, choices))
        both = texts.texts_of(pair)[: 1 if pair.has_one_text else 2]
        for column, name, text in zip(st.columns(len(both), gap="medium"), VIEWS, both, strict=False):
            with column:
                st.caption("Both" if pair.has_one_text else name)
                plain_text(text)
    with st.container(border=True):
        matrix(strip.kl_strip(pair, values, step, STRIP), key=view.key("kl"))
    said, control = st.columns([3, 1.4], vertical_alignment="center")
    with said:
        plain_text(texts.step_sentence(pair, step, view.step_index, comparison.is_running))
    which = control.segmented_control(
        "What the pictures show",
        VIEWS,
        default=DIFFERENCE,
        required=True,
        key=view.key("which"),
        persist_state="session",
        label_visibility="collapsed",
    )
    show_step(view, pair.at(step), read_second, which)
    return strip.operands(pair, values, step)


def show_step(view: View, pair: TracePair, read_second: ReadLens | None, which: str) -> None:
    """Draw the four pictures of a pair at its newest step: of the first, of the second, or of their difference."""
    head = attention.shown_head(pair, view.head)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, height="stretch"):
        picture, tile = attention.mosaic(pair, which, SQUARE), (pair.n_layer - 1 - head[0], head[1])
        matrix(picture, key=view.key("heads"), selected=tile, is_picked=head == view.head)
    with right, st.container(border=True, height="stretch"):
        matrix(attention.pattern(pair, head, which, SQUARE), key=view.key("pattern"))
    low_left, low_right = st.columns(2, gap="medium")
    with low_left, st.container(border=True, height="stretch"):
        heading(view.key("next"), bars.NEXT_TITLE)
        plain_text(bars.next_sentence(pair))
        show_chart(bars.next_chart(pair, which, view.palette), alt=bars.NEXT_TITLE, key=view.key("next"))
    with low_right, st.container(border=True, height="stretch"):
        heading(view.key("norms"), bars.NORMS_TITLE)
        norms = pair.stream_norms()
        sentence = norms_sentence(pair, len(pair.first.steps) - 1, norms)
        plain_text(f"{sentence} {left_out(pair)}".strip())
        show_chart(bars.norms_chart(norms, which, view.palette), alt=bars.NORMS_TITLE, key=view.key("norms"))
    with st.container(border=True):
        if view.read_lens is None or read_second is None:
            heading(view.key("lens"), lens.TITLE, has_chart=False)
            plain_text("Load the models that made these runs to read the lens.")
            return
        found = lens.lens_pair(pair, (view.read_lens, read_second))
        matrix(lens.lens_picture(pair, found, which, LENS), key=view.key("lens"))
