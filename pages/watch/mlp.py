"""MLP: how far each neuron of a layer fires at a token, what it writes, and where else it fires."""

from functools import partial

import streamlit as st

from pages.charts.mlp import bars, curve, layers, measures, places, tokens
from pages.frame import layout
from pages.frame.arithmetic import show_arithmetic
from pages.frame.badge import pick_from
from pages.frame.chart import show_chart, take_click
from pages.frame.excerpt import Excerpt
from pages.frame.heading import heading
from pages.matrix.component import matrix, picked_cell, selectable_matrix

LINES = (Excerpt("model/mlp.py", ("MLP.forward",)),)
EFFECTS = (Excerpt("reading/neurons.py", ("written_norms", "direct_effects", "promoted")),)

view = layout.open_page("mlp")
layout.headline("What does each neuron do?")
if view.step is None:
    layout.plain_text("Type a prompt above and run it: the neurons of every layer appear here.")
    st.stop()

layout.note_storage(view, "mlp.hook_pre", "mlp.hook_post")
layout.stop_if_missing(view, "mlp.hook_post")
with st.container(border=True):
    key, top = view.key("layers"), (0, view.newest)
    row, position = picked_cell(key, layers.shape(view.trace), watched=view.watched) or top
    layer = view.trace.config.n_layer - 1 - row
    picture = layers.layer_map(view.trace, layer, position, height=250)
    selectable_matrix(picture, key=key, otherwise=top, watched=view.watched)

measured = measures.Measured.of(view.trace, view.checkpoint, layer, position)
large, beside = st.columns([10, 9], gap="medium")
with beside, st.container(border=True, height="stretch"):
    title = st.container()
    measure = measures.ACTIVATION
    if view.checkpoint is not None:
        measure = st.segmented_control(
            "Sorted by",
            list(measured.values),
            default=measures.ACTIVATION,
            required=True,
            key=view.key("measure"),
            persist_state="session",
        )
    order = measured.order(measure)
    choice = pick_from(
        measured.options(order),
        "The chosen neuron",
        format_func=partial(measures.option_label, len(order)),
        key=view.key("neuron"),
        otherwise=measures.FIRST,
    )
    neuron = measured.chosen(choice, order)
    with title:
        heading(view.key("bars"), bars.TITLE)
        layout.plain_text(measures.leaders_sentence(measured))
    chart = bars.bars_chart(measured, measure, order, neuron, view.palette)
    click = partial(take_click, view.key("bars"), view.key("neuron"))
    show_chart(chart, alt=bars.TITLE, key=view.key("bars"), on_select=click)
    st.caption(bars.CAPTION)
with large, st.container(border=True, height="stretch"):
    heading(view.key("curve"), curve.TITLE)
    layout.plain_text(curve.curve_sentence(measured, neuron))
    show_chart(curve.curve_chart(measured, neuron, view.palette), alt=curve.TITLE, key=view.key("curve"))
    st.caption(curve.caption(measured))

written, elsewhere = st.columns([9, 10], gap="medium")
with elsewhere, st.container(border=True, height="stretch"):
    picture = places.places_picture(measured, order, neuron, height=380)
    matrix(picture, key=view.key("places"), selected=(0, position))
with written, st.container(border=True, height="stretch"):
    heading(view.key("tokens"), tokens.TITLE)
    if view.checkpoint is None:
        layout.plain_text(measures.no_weights_sentence(view.trace))
    else:
        shown = tokens.Promoted(measured, view.checkpoint, neuron)
        layout.plain_text(tokens.tokens_sentence(shown))
        show_chart(tokens.tokens_chart(shown, view.palette), alt=tokens.TITLE, key=view.key("tokens"))
        st.caption(tokens.caption(shown))

show_arithmetic(view, *measured.numbers(neuron), is_picked=choice != measures.FIRST)
layout.show_computation(view, "How a neuron fires", curve.FORMULA, curve.operands(measured, neuron), LINES)
if view.checkpoint is not None:
    layout.show_computation(
        view, "How its effect is computed", tokens.FORMULA, tokens.operands(shown, view.checkpoint), EFFECTS
    )
