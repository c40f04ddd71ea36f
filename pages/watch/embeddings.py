"""Embeddings: each token before the first block, as the sum of a token vector and a position vector."""

import streamlit as st

from pages.charts import embeddings as parts
from pages.charts import embeddings_map as flat
from pages.charts import embeddings_positions as positions
from pages.frame import layout
from pages.frame.arithmetic import show_arithmetic
from pages.frame.chart import show_chart
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.frame.marked_image import show_marked_image
from pages.frame.positions import pick_position
from pages.frame.table_file import offer_table
from pages.matrix.component import matrix, picked_cell, selectable_matrix

ALIKE = "Alike positions"
LINES = [Excerpt("model/embeddings.py", ("Embeddings.forward",))]

view = layout.open_page("embeddings")
trace = view.trace
layout.headline("What is each token before the model thinks?")
if view.step is None:
    layout.plain_text("This run has no steps yet; type a prompt above and press Run.")
    st.stop()

tables = parts.own_tables(trace, view.tables)
layout.plain_text(parts.parts_sentence(trace))
matrices = [parts.part_picture(trace, part) for part in parts.PARTS]
key, first = view.key(parts.SUM), (len(matrices[0].rows) - 1, 0)
picked = picked_cell(key, matrices[0].values.shape, start=(parts.start(trace), 0))
cell = picked or first
for column, part, shown in zip(st.columns(3), parts.PARTS, matrices, strict=True):
    with column, st.container(border=True):
        if part == parts.SUM:
            selectable_matrix(shown, key=key, otherwise=first)
        else:
            matrix(shown, key=view.key(part), selected=cell, is_picked=picked is not None)
show_arithmetic(view, *parts.numbers(trace, cell), is_picked=picked is not None)

left, right = st.columns([3, 2])
if tables is None:
    layout.plain_text(parts.NO_TABLES)
else:
    found = flat.EmbeddingMap.of(trace, tables)
    with left, st.container(border=True, height="stretch"):
        heading(view.key("map"), "The run's tokens among their neighbours")
        layout.plain_text(flat.map_sentence(found))
        chart = flat.map_chart(found, trace, view.palette, view.is_narrow)
        show_chart(chart, alt="Map of token embeddings", key=view.key("map"))
        st.caption(flat.map_caption(found))
    with right, st.container(border=True, height="stretch"):
        title = "Nearest tokens in the whole vocabulary"
        token = trace.computed_ids[pick_position(trace, title, key=view.key("chosen"), has_chart=True)]
        layout.plain_text(parts.neighbours_sentence(tables, trace.vocabulary, token))
        chart = parts.neighbours_chart(tables, trace.vocabulary, token, view.palette)
        show_chart(chart, alt="Bars: cosines of the nearest tokens", key=view.key("neighbours"))

left, beside = st.columns([5, 8])
with left, st.container(border=True, height="stretch"):
    heading(view.key("norms"), "How long each part is")
    layout.plain_text(parts.norms_sentence(trace))
    show_chart(
        parts.norms_chart(trace, view.palette),
        alt="Lines: norms of token, position and sum",
        key=view.key("norms"),
    )
if tables is not None:
    middle, right = beside.columns([3, 5])
    with middle, st.container(border=True, height="stretch"):
        heading(view.key("alike"), ALIKE)
        layout.plain_text(positions.positions_sentence(tables))
        picture, caption = positions.position_png(tables, view.palette), positions.positions_caption(tables)
        show_marked_image(picture, (view.newest, len(tables.wpe)), view.palette.sampling, caption=caption, alt=ALIKE)
        offer_table("gpt2-embeddings-alike", positions.cosines_csv, key=view.key("cosines"))
    with right, st.container(border=True, height="stretch"):
        heading(view.key("newest"), "The newest position against all others")
        layout.plain_text(positions.position_sentence(tables, view.newest))
        chart = positions.position_chart(tables, view.newest, view.palette)
        show_chart(chart, alt="Line: cosine of the newest position with all others", key=view.key("newest"))

layout.show_computation(view, "How it is computed", parts.FORMULA, parts.embedding_operands(trace), LINES)
