"""Attribution: why a token came, from its logit back to the parts of the model that gave it, and to the words."""

from functools import partial

import streamlit as st

from gpt2.reading.arithmetic import explain, explain_part
from gpt2.reading.attribution import attribute, logits_at, looked_at
from gpt2.reading.logit_parts import HEAD
from gpt2.text.one_token import one_token
from pages.charts.attribution import formula, head_map, subject, waterfall, words
from pages.frame import layout
from pages.frame.arithmetic import show_sums
from pages.frame.badge import pick_from
from pages.frame.chart import show_chart, take_cell
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.frame.muted_parts import show_measured
from pages.frame.positions import pick_position
from pages.matrix.component import matrix, picked_cell, selectable_matrix

HOOKS = "attn.hook_z", "hook_mlp_out", "attn.hook_pattern", "attn.hook_v"
LINES = (
    Excerpt("reading/attribution.py", ("Reader.of", "Reader.of_heads", "looked_at")),
    Excerpt("experiments/muted.py", ("mute_each",)),
    Excerpt("model/layer_norm.py", ("LayerNorm.forward",)),
    Excerpt("model/lm_head.py", ("LMHead.forward",)),
)

view = layout.open_page("attribution")
trace, checkpoint = view.trace, view.checkpoint
layout.headline("Why this token?")
if view.step is None:
    layout.plain_text("Type a prompt above and run it: what gave each token its logit appears here.")
    st.stop()
if checkpoint is None:
    layout.plain_text(subject.no_weights_sentence(trace))
    st.stop()

layout.note_storage(view, *HOOKS)
layout.stop_if_missing(view, *HOOKS)
with st.container(border=True):
    which, whose, other = st.columns(3, gap="medium")
with which:
    position = pick_position(trace, "After which token", key=view.key("position"))
logits, _ = logits_at(trace, checkpoint, position)
named = partial(one_token, tokenizer=checkpoint.tokenizer)
with whose:
    key = view.key("token")
    first = pick_from(
        [subject.FIRST, *subject.token_options(logits, st.session_state.get(key))],
        "Why this one",
        format_func=partial(subject.first_label, trace.vocabulary),
        key=key,
        otherwise=subject.FIRST,
        typed=named,
    )
with other:
    key = view.key("against")
    second = pick_from(
        [subject.RUNNER_UP, subject.ALONE, *subject.token_options(logits, st.session_state.get(key))],
        "And not this one",
        format_func=partial(subject.other_label, trace.vocabulary),
        key=key,
        otherwise=subject.RUNNER_UP,
        typed=named,
    )

with layout.explain_missing():
    found = attribute(trace, checkpoint, *subject.tokens_of(trace, logits, position, first, second), position)
    parts, heads = st.columns([10, 9], gap="medium")
    with parts, st.container(border=True, height="stretch"):
        heading(view.key("parts"), waterfall.TITLE)
        layout.plain_text(waterfall.parts_sentence(trace, found))
        layout.plain_text(waterfall.check_sentence(found))
        chart = waterfall.waterfall(found, view.palette)
        click = partial(take_cell, view.key("parts"), view.key("map"), head_map.shape(trace)[1])
        show_chart(chart, alt=waterfall.TITLE, key=view.key("parts"), on_select=click)
        st.caption(waterfall.LEGEND)
    with heads, st.container(border=True, height="stretch"):
        key, otherwise = view.key("map"), head_map.first_cell(trace, found, view.head)
        picture, below = head_map.map_picture(trace, found, height=470), len(head_map.BELOW)
        selectable_matrix(picture, key=key, otherwise=otherwise, below=below)
        picked = picked_cell(key, head_map.shape(trace), below=below)
        cell = picked or otherwise
    part = head_map.part_at(trace, found, cell)
    show_measured(view, found, part)
    if part.kind != HEAD or part.layer is None or part.head is None:
        layout.plain_text(head_map.no_head_sentence(part))
    else:
        brought = looked_at(trace, checkpoint, found, part.layer, part.head)
        text, bars = st.columns([13, 8], gap="medium")
        with text, st.container(border=True, height="stretch"):
            picture = words.text_picture(trace, brought, head_map.words_title(brought), view.is_narrow)
            matrix(picture, key=view.key("text"))
        with bars, st.container(border=True, height="stretch"):
            heading(view.key("words"), words.BARS_TITLE)
            layout.plain_text(words.bars_sentence(brought))
            chart = words.word_bars(trace, brought, view.palette, view.is_narrow)
            show_chart(chart, alt=words.BARS_TITLE, key=view.key("words"))
    show_sums(
        view,
        explain_part(trace, checkpoint, found, part),
        explain(trace, checkpoint, "logits", (found.position, found.token)),
        is_picked=picked is not None,
    )
    layout.show_computation(
        view, "How it is computed", formula.FORMULA, formula.operands(trace, checkpoint, found, part), LINES
    )
