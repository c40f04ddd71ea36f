"""Lesson 12: turn the temperature and throw again, and see where the number falls."""

from dataclasses import replace

import streamlit as st

from pages.charts.sampling import draw as bar
from pages.charts.sampling.outcome import HOTTEST, LARGEST_SEED, Outcome, control_values
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View


def show(view: View, layer: int) -> None:
    """Draw the controls, the bar of the run's own draw above that of the chosen settings, and what they say."""
    if view.step is None or view.step.draw is None or "logits" not in view.step.captures:
        layout.plain_text("No token has been drawn at this step. Press Play or Step above to draw one.")
        return
    drawn, vocabulary = Outcome.drawn(view.step), view.trace.vocabulary
    start = control_values(drawn.sampling)
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        key = view.key(f"temperature {drawn.settings}")
        temperature = st.slider("Temperature", 0.0, HOTTEST, float(start["temperature"]), step=0.05, key=key)
        key = view.key(f"seed {drawn.settings}")
        seed = int(st.number_input("Seed of the dice", 0, LARGEST_SEED, int(start["seed"]), key=key))
    sampling = drawn.sampling
    if temperature != start["temperature"]:
        sampling = replace(sampling, temperature=temperature)
    if seed != start["seed"]:
        sampling = replace(sampling, seed=seed)
    preview = Outcome.preview(view.step, sampling)
    with picture:
        layout.plain_text(bar.draw_sentence(preview, vocabulary))
        layout.plain_text(bar.preview_sentence(drawn, preview, vocabulary))
        chart = bar.draw_chart(drawn, preview, vocabulary, view.palette, view.is_narrow)
        show_chart(chart, alt="Bars from 0 to 1 with the mark of u", key=view.key("play"))
