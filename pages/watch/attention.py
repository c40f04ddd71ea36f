"""Attention: who each token looks at, head by head, and how one head computes its weights."""

from functools import partial

import streamlit as st

from pages.charts import (
    attention,
    attention_head,
    attention_pair,
    attention_roles,
    attention_row,
    attention_shares,
    attention_text,
    embeddings,
)
from pages.frame import layout
from pages.frame.arithmetic import show_arithmetic
from pages.frame.chart import show_chart
from pages.frame.excerpt import Excerpt
from pages.frame.head_roles import choose_role, show_roles
from pages.frame.heading import heading
from pages.frame.positions import pick_positions
from pages.frame.remembered import keep_choice
from pages.matrix.component import matrix, picked_cell, selectable_matrix
from pages.matrix.text import text_view

MOSAIC, SQUARE, ROLES, STRIPS = 760, 620, 560, 330  # pixels at most; narrow screens take less
LINES = Excerpt("model/attention.py", ("Attention.attend", "score", "mix")), Excerpt("model/mask.py", ("causal_mask",))
WRITTEN = (Excerpt("reading/attention_rows.py", ("written_norms",)),)
MEASURED = (
    Excerpt("reading/roles.py", ("role_keys", "mean_weights")),
    Excerpt("engine/head_roles.py", ("repeated_tokens",)),
)

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
    names: list[str] = []
    if shown == attention.SELECTION:
        parts = list(attention.part_options(view.trace))
        keep_choice(view.key("parts"), parts)
        names = st.multiselect(
            "Heads and layers", parts, placeholder="all heads", key=view.key("parts"), persist_state="session"
        )
    elif shown == attention.ROLES:
        role, source = choose_role(view)
    has_weights = view.checkpoint is not None
    by_value = st.toggle(
        attention.BY_VALUE, key=view.key("by_value"), persist_state="session", disabled=not has_weights
    )
    without_first = st.toggle(attention.WITHOUT_FIRST, key=view.key("without_first"), persist_state="session")
    reading = attention.Reading.of(view.trace, view.checkpoint, by_value, without_first)
with beside, st.container(border=True):
    title, bars = st.container(), st.container()
    places = embeddings.option_labels(view.trace)
    chosen = pick_positions(
        range(view.trace.seq),
        "Tokens that look",
        format_func=partial(embeddings.option_label, places),
        key=view.key("queries"),
        run_id=view.trace.run_id,
        placeholder="the newest token",
    )
    join = st.segmented_control(
        "Several are joined by",
        list(attention_shares.JOINED),
        format_func=attention_shares.JOIN_LABELS.__getitem__,
        default="mean",
        required=True,
        key=view.key("join"),
        persist_state="session",
    )
    queries = attention_row.chosen_queries(view.trace, chosen)

head = view.framed(attention.first_head(view.trace, reading, view.head))
with large, st.container(border=True):
    if shown == attention.EVERY_HEAD:
        tile = attention.tile_of(view.trace, head)
        picture = attention.framing(view.picture(attention.mosaic_of_heads, reading, MOSAIC), tile)
        matrix(picture, key=view.key("heads"), selected=tile, is_picked=head == view.head)
        subject = attention.Subject((head,), join)
    elif shown == attention.EVERY_LAYER:
        key, picture = view.key("layers"), view.picture(attention.mosaic_of_layers, reading, MOSAIC)
        tile = picked_cell(key, (len(picture.rows), len(picture.columns))) or (0, 0)
        selectable_matrix(attention.framing(picture, tile), key=key, otherwise=(0, 0))
        subject = attention.layer_at(view.trace, tile, join)
    elif shown == attention.ROLES:
        head = show_roles(view, role, source, otherwise=head, height=ROLES)
        subject = attention.Subject((head,), join)
    else:
        subject = attention.selected(view.trace, names, join)
        matrix(view.picture(attention.joined_heads, reading, subject, SQUARE), key=view.key("all"))

with title:
    heading(view.key("row"), attention_row.row_title(view.trace, queries))
    layout.plain_text(attention_row.attention_row_sentence(view.trace, subject, reading, queries))
with bars:
    chart = attention_row.attention_row(view.trace, subject, reading, queries, view.palette)
    show_chart(chart, alt=attention_row.TITLE, key=view.key("row"))

with st.container(border=True):
    picture = view.picture(attention_text.text_picture, subject, reading, queries)
    heading(view.key("text"), picture.title)
    layout.plain_text(picture.caption)
    text_view(picture, key=view.key("text"), looking=attention_text.shown_queries(view.trace, queries))

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
    pair = attention_pair.PairOfTokens.of(matrices, cell)
    vectors, terms = st.columns([11, 8], gap="medium")
    with vectors, st.container(border=True, height="stretch"):
        matrix(attention_pair.strips(pair, STRIPS), key=view.key("vectors"))
    with terms, st.container(border=True, height="stretch"):
        heading(view.key("terms"), attention_pair.TITLE)
        layout.plain_text(attention_pair.terms_sentence(pair))
        chart = attention_pair.term_bars(pair, view.palette)
        show_chart(chart, alt=attention_pair.TITLE, key=view.key("terms"))
    show_arithmetic(view, *matrices.numbers(cell), is_picked=is_picked)
    lines = LINES + WRITTEN if reading.by_value else LINES
    layout.show_computation(view, "How it is computed", attention_head.FORMULA, matrices.operands(cell), lines)
if shown == attention.ROLES:
    layout.show_computation(
        view, "How a role is measured", attention_roles.FORMULA, attention_roles.operands(), MEASURED
    )
