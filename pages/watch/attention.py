"""Attention: who each token looks at, head by head, and how one head computes its weights."""

import streamlit as st

from pages.charts import attention, attention_head, attention_row
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.matrix.component import matrix, picked_cell, selectable_matrix

MOSAIC, SQUARE = 760, 620  # pixels at most; narrow screens take less
LINES = Excerpt("model/attention.py", ("Attention.attend", "score", "mix")), Excerpt("model/mask.py", ("causal_mask",))

view = layout.open_page("attention")
layout.headline("Who is each token looking at?")
if view.step is None:
    layout.plain_text("Type a prompt above and run it: every head's attention appears here.")
    st.stop()

layout.note_storage(view, "attn.hook_q", "attn.hook_k", "attn.hook_attn_scores", "attn.hook_pattern")
layout.stop_if_missing(view, "attn.hook_pattern")
large, beside = st.columns([10, 9], gap="medium")
with beside, st.container(border=True):
    shown = st.segmented_control(
        "Show",
        attention.VIEWS,
        default=attention.EVERY_HEAD,
        required=True,
        key=view.key("view"),
        persist_state="session",
    )
    reading = attention.Reading(
        by_value=st.toggle(attention.BY_VALUE, key=view.key("by_value"), persist_state="session"),
        without_first=st.toggle(attention.WITHOUT_FIRST, key=view.key("without_first"), persist_state="session"),
    )

head = attention.first_head(view.trace, reading, view.head)
with large, st.container(border=True):
    if shown == attention.EVERY_HEAD:
        tile = attention.tile_of(view.trace, head)
        picture = attention.framing(view.picture(attention.mosaic_of_heads, reading, MOSAIC), tile)
        matrix(picture, key=view.key("heads"), selected=tile, is_picked=head == view.head)
        subject = attention.Subject((head[0],), head[1])
    elif shown == attention.EVERY_LAYER:
        key, picture = view.key("layers"), view.picture(attention.mosaic_of_layers, reading, MOSAIC)
        tile = picked_cell(key, (len(picture.rows), len(picture.columns))) or (0, 0)
        selectable_matrix(attention.framing(picture, tile), key=key, otherwise=(0, 0))
        subject = attention.layer_at(view.trace, tile)
    else:
        matrix(view.picture(attention.mean_of_all, reading, SQUARE), key=view.key("all"))
        subject = attention.all_layers(view.trace)

with beside, st.container(border=True):
    heading(view.key("row"), attention_row.TITLE)
    layout.plain_text(attention_row.attention_row_sentence(view.trace, subject, reading))
    chart = attention_row.attention_row(view.trace, subject, reading, view.palette)
    show_chart(chart, alt=attention_row.TITLE, key=view.key("row"))

with layout.explain_missing():
    with st.container(border=True):
        title, window = st.columns([3, 2], vertical_alignment="center")
        positions = window.segmented_control(
            "Positions shown",
            list(attention_head.WINDOWS),
            default="Newest 32",
            required=True,
            key=view.key("window"),
            persist_state="session",
        )
        matrices = attention_head.HeadMatrices.of(view.trace, *head, attention_head.WINDOWS[positions])
        with title:
            heading(view.key("head"), f"How {matrices.name} computes its weights", has_chart=False)
            layout.plain_text(matrices.sentence)
        key = view.key("cell")
        start = matrices.start, matrices.start
        picked = picked_cell(key, matrices.shape, start=start)
        cell, is_picked = picked or matrices.strongest, picked is not None
        unmasked, masked, pattern = matrices.pictures(cell, SQUARE)
        first, second, third = st.columns(3, gap="medium")
        with first:
            matrix(unmasked, key=view.key("unmasked"), selected=cell, is_picked=is_picked)
        with second:
            matrix(masked, key=view.key("masked"), selected=cell, is_picked=is_picked)
        with third:
            selectable_matrix(pattern, key=key, otherwise=matrices.strongest)
    layout.show_computation("How it is computed", attention_head.FORMULA, matrices.operands(cell), LINES)
