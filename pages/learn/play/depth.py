"""Lesson 10: choose how many blocks run, and see what the head would say then."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.learn.what_if import lens_rows
from gpt2.model.sampling import softmax
from gpt2.trace.trace import Trace
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View
from pages.look.numbers import percent
from pages.look.tokens import spoken

from .bars import next_tokens, pairs_chart


@dataclass(frozen=True)
class Depth:
    """What the head says of the newest token after some blocks and after all. Shapes: early, final [vocab]."""

    blocks: int
    n_layer: int
    early: NDArray[np.float64]
    final: NDArray[np.float64]

    @classmethod
    def of(cls, view: View, blocks: int) -> "Depth":
        """Read the stream after so many blocks with the final norm and the head."""
        assert view.checkpoint is not None
        rows = lens_rows(view.trace, view.checkpoint)
        return cls(blocks, len(rows) - 1, softmax(rows[blocks]), softmax(rows[-1]))

    def sentence(self, trace: Trace) -> str:
        """Which token leads at this depth, and where the final one stands."""
        lead, final = int(self.early.argmax()), int(self.final.argmax())
        label = trace.vocabulary.label
        begin = (
            f"After {self.blocks} of {self.n_layer} blocks {spoken(label(lead))} leads with {percent(self.early[lead])}"
        )
        if self.blocks == self.n_layer:
            return f"{begin}. That is what the model says."
        if lead == final:
            return f"{begin}; it leads at the end too, with {percent(self.final[final])}."
        rank = int((self.early > self.early[final]).sum()) + 1
        return (
            f"{begin}. {spoken(label(final))}, which leads at the end with {percent(self.final[final])}, has "
            f"{percent(self.early[final])} here and is number {rank:,}."
        )


def show(view: View, layer: int) -> None:
    """Draw the control, the likeliest next tokens at this depth and at the end, and what they say."""
    n_layer = view.trace.config.n_layer
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        blocks = st.slider("Run so many blocks", 0, n_layer, n_layer // 2, key=view.key(f"blocks {n_layer}"))
    depth = Depth.of(view, blocks)
    with picture:
        layout.plain_text(depth.sentence(view.trace))
        names = "After all blocks", "After those you chose"
        pairs = next_tokens(depth.final, depth.early, view.trace.vocabulary)
        chart = pairs_chart(pairs, names, view.palette.sampling, view.palette)
        show_chart(chart, alt="Bars: the likeliest next tokens after some blocks and after all", key=view.key("play"))
