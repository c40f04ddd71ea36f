"""Paths: where what leaves the last layer came from, back through heads and MLPs to the embeddings, as a graph."""

from functools import partial

import streamlit as st

from gpt2.reading.arrivals import arrival
from gpt2.reading.paths import THRESHOLD, walk_back
from pages.charts.attribution import subject
from pages.charts.paths import bars, drawn, formula, words
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.frame.positions import pick_position
from pages.frame.remembered import remembered
from pages.graph.component import graph

HOOKS = "hook_resid_mid", "hook_mlp_out", "attn.hook_pattern", "attn.hook_v"
LINES = (
    Excerpt("reading/arrivals.py", ("nearness", "arrival", "head_parts")),
    Excerpt("reading/paths.py", ("walk_back", "edges_into", "PathGraph.paths")),
)

view = layout.open_page("paths")
trace, checkpoint = view.trace, view.checkpoint
layout.headline("Where did the answer come from?")
if view.step is None:
    layout.plain_text("Type a prompt above and run it: the paths that led to its newest token appear here.")
    st.stop()
if checkpoint is None:
    layout.plain_text(subject.no_weights_sentence(trace))
    st.stop()

layout.note_storage(view, *HOOKS)
layout.stop_if_missing(view, *HOOKS)
with st.container(border=True):
    where, least = st.columns(2, gap="medium")
with where:
    position = pick_position(trace, "After which token", key=view.key("position"))
with least:
    percents = st.slider(
        "Leave out edges that carry less, in per cent of the whole",
        *(0.5, 10.0, 100 * THRESHOLD, 0.5),
        format="%.1f",
        key=view.key("threshold"),
        persist_state="session",
    )

with layout.explain_missing():
    asked = trace.steps[-1].identity, position, percents
    walk = partial(walk_back, trace, checkpoint, position, percents / 100)
    found = remembered(view.key("walk"), asked, walk)
    large, beside = st.columns([12, 7], gap="medium")
    with large, st.container(border=True):
        key = view.key("graph")
        heading(key, drawn.TITLE)
        sentence = words.path_sentence(trace, checkpoint, found)
        layout.plain_text(sentence)
        picked = graph(drawn.picture(trace, found, sentence), view.palette, key=key, otherwise=drawn.first_pick(found))
        layout.plain_text(words.origins_sentence(trace, found))
        layout.plain_text(words.thinning_sentence(found))
        st.caption(drawn.CAPTION)
    place, edge = drawn.opened(found, picked)
    arrived = arrival(trace, checkpoint, place)
    source = bars.key_of(arrived, edge)
    with beside, st.container(border=True):
        heading(view.key("arrives"), bars.ARRIVES)
        layout.plain_text(bars.arrival_sentence(trace, arrived))
        chart = bars.bars_chart(bars.arrival_rows(trace, arrived), view.palette)
        show_chart(chart, alt=bars.ARRIVES, key=view.key("arrives"))
        st.caption(bars.CAPTION)
    with beside, st.container(border=True):
        heading(view.key("heads"), bars.HEADS)
        if source is None:
            layout.plain_text(bars.NO_HEADS)
        else:
            layout.plain_text(bars.heads_sentence(trace, arrived, source))
            chart = bars.bars_chart(bars.head_rows(arrived, source), view.palette)
            show_chart(chart, alt=bars.HEADS, key=view.key("heads"))
    layout.show_computation(
        view, "How it is computed", formula.FORMULA, formula.operands(trace, checkpoint, arrived, source), LINES
    )
