"""Sampling: how the next token is chosen from the logits, and what other settings would choose."""

import streamlit as st

from pages.frame import layout
from pages.frame.excerpt import Excerpt
from pages.frame.what_if import show_what_if

LINES = [Excerpt("model/sampling.py", ("Distribution.of", "temper", "cut_top_k", "cut_top_p", "keep", "place_of"))]

view = layout.open_page("sampling")
layout.headline("How is the next token chosen?")
if view.step is None or view.step.draw is None:
    layout.plain_text("No token has been drawn at this step; press Play or Step above to draw one.")
    st.stop()

layout.note_storage(view, "logits")
if "logits" not in view.step.captures:
    layout.plain_text("Move the cursor to a newer step, or load the model that made this run.")
    st.stop()

show_what_if(view.name, LINES)
