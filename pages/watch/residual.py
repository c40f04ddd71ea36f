"""Residual stream: the vectors that each layer adds to every token, and the prediction at each depth."""

from functools import partial

import streamlit as st

from gpt2.reading.arithmetic import explain, explain_cosine, explain_lens, explain_norm
from pages.charts import lens, lens_watch, residual
from pages.frame import layout
from pages.frame.arithmetic import show_sums
from pages.frame.badge import pick_from
from pages.frame.chart import show_chart, take_cell
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.matrix.component import picked_cell, selectable_matrix

STREAM = Excerpt("model/embeddings.py", ("Embeddings.forward",)), Excerpt("model/block.py", ("Block.forward",))
LENS = Excerpt("model/layer_norm.py", ("LayerNorm.forward",)), Excerpt("model/lm_head.py", ("LMHead.forward",))

view = layout.open_page("residual")
layout.headline("What does each layer add?")
if view.step is None:
    layout.plain_text("Type a prompt above and run it: the residual stream of every token appears here.")
    st.stop()

layout.note_storage(view, "hook_attn_out", "hook_mlp_out")
layout.stop_if_missing(view, "hook_attn_out", "hook_mlp_out")
with st.container(border=True):
    large = st.container()
    without_first = st.toggle(
        "Scale the colours without the first token",
        value=True,
        key=view.key("without_first"),
        persist_state="session",
    )
    key, newest = view.key("norms"), (0, view.newest)
    picked = picked_cell(key, residual.shape(view.trace), watched=view.watched)
    row, position = picked or newest
    with large:
        picture = residual.norm_map(view.trace, position, without_first, height=400)
        selectable_matrix(picture, key=key, otherwise=newest, watched=view.watched)

with layout.explain_missing():
    hook = residual.hook_of(view.trace, row)
    sums = [explain_norm(view.trace, hook, position)]
    if view.checkpoint is not None:
        sums.append(explain(view.trace, view.checkpoint, hook, residual.largest_number(view.trace, hook, position)))
    show_sums(view, *sums, is_picked=picked is not None, title="The arithmetic of the picked norm")

added, direction = st.columns(2, gap="medium")
with added, st.container(border=True, height="stretch"):
    heading(view.key("added"), residual.ADDED_TITLE)
    layout.plain_text(residual.added_sentence(view.trace, position))
    chart = residual.added_bars(view.trace, position, view.palette)
    click = partial(take_cell, view.key("added"), view.key("norms"), view.trace.seq)
    show_chart(chart, alt=residual.ADDED_TITLE, key=view.key("added"), on_select=click)
with direction, st.container(border=True, height="stretch"):
    heading(view.key("direction"), residual.DIRECTION_TITLE)
    layout.plain_text(residual.direction_sentence(view.trace, position))
    chart = residual.direction_bars(view.trace, position, view.palette)
    click = partial(take_cell, view.key("direction"), view.key("norms"), view.trace.seq)
    show_chart(chart, alt=residual.DIRECTION_TITLE, key=view.key("direction"), on_select=click)

if hooks := residual.added_at(hook):
    with layout.explain_missing():
        sums = [explain_norm(view.trace, hooks[0], position), explain_cosine(view.trace, *hooks, position)]
        show_sums(
            view, *sums, is_picked=picked is not None, panel="part", title="The arithmetic of what is added there"
        )

if view.read_lens is None:
    layout.plain_text(lens.no_lens_sentence(view.trace))
    layout.show_computation(
        view, "How the stream is computed", residual.FORMULA, residual.operands(view.trace, position), STREAM
    )
    st.stop()

large, beside = st.columns([13, 8], gap="medium")
with large, st.container(border=True):
    grid = lens.lens_grid(view.trace, view.read_lens)
    key, top = view.key("lens"), grid.top
    picked = picked_cell(key, grid.tokens.shape, start=(grid.start, 0))
    read = picked or top
    selectable_matrix(lens.lens_picture(view.trace, grid, height=700), key=key, otherwise=top)
with beside, st.container(border=True):
    logits = lens.newest_logits(view.trace, view.read_lens)
    choice = pick_from(
        lens.candidates(logits, st.session_state.get(view.key("watched"))),
        "Watch a token",
        format_func=partial(lens.candidate_label, view.trace.vocabulary),
        key=view.key("watched"),
        otherwise=lens.DRAWN,
    )
    watched = lens.watch(logits, lens.candidate(view.trace, logits, choice))
    heading(view.key("probability"), lens_watch.PROBABILITY_TITLE)
    layout.plain_text(lens_watch.watched_sentence(view.trace, watched))
    chart = lens_watch.probability_line(view.trace, watched, view.palette)
    show_chart(chart, alt=lens_watch.PROBABILITY_TITLE, key=view.key("probability"))
    heading(view.key("rank"), lens_watch.RANK_TITLE)
    layout.plain_text(lens_watch.rank_sentence(view.trace, watched))
    chart = lens_watch.rank_line(view.trace, watched, view.palette)
    show_chart(chart, alt=lens_watch.RANK_TITLE, key=view.key("rank"))

if view.checkpoint is not None:
    found = explain_lens(view.trace, view.checkpoint, *lens.number(view.trace, grid, read))
    title = "The arithmetic of the logit that the lens reads"
    show_sums(view, found, is_picked=picked is not None, panel="logit", title=title)
layout.show_computation(
    view, "How the stream is computed", residual.FORMULA, residual.operands(view.trace, position), STREAM
)
layout.show_computation(
    view, "How the logit lens is computed", lens.FORMULA, lens.operands(view.trace, logits, watched), LENS
)
