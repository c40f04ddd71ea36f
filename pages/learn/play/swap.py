"""Lesson 6: swap two tokens, and see that the newest one looks elsewhere because their positions changed."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.checkpoints.weights import Checkpoint
from gpt2.learn.what_if import swapped_pattern
from gpt2.trace.trace import Trace
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View
from pages.look.names import head_name
from pages.look.numbers import percent
from pages.look.tokens import spoken_at

from .bars import Pair, largest, pairs_chart

NAMES = "As the run has them", "Swapped"


@dataclass(frozen=True)
class Swap:
    """Two tokens that change places. Shapes: before, after [head, token], the share that the newest gives to each."""

    trace: Trace
    one: int
    other: int
    before: NDArray[np.float32]
    after: NDArray[np.float32]

    @classmethod
    def of(cls, trace: Trace, checkpoint: Checkpoint, one: int, other: int) -> "Swap":
        """Swap them, and follow every token to its new place."""
        before, after = swapped_pattern(trace, checkpoint, one, other)
        place = np.arange(trace.seq)
        place[[one, other]] = other, one
        return cls(trace, one, other, before, after[:, place])

    def pairs(self, head: int) -> list[Pair]:
        """The shares of the tokens that get most in one head; the places of the two that moved."""
        moved = {self.one: self.other, self.other: self.one} if self.one != self.other else {}
        labels = [
            f"{label} {at}→{moved[at]}" if at in moved else f"{label} {at}"
            for at, label in enumerate(self.trace.labels)
        ]
        triples = zip(labels, self.before[head], self.after[head], strict=True)
        return largest([Pair(label, float(before), float(after)) for label, before, after in triples])

    def sentence(self, head: int) -> str:
        """What the first of the two gets at both places, and how much of all attention goes elsewhere."""
        newest, name = spoken_at(self.trace, -1), head_name(0, head)
        if self.one == self.other:
            return f"Choose two positions. This is what {newest} looks at in head {name} as the run stands."
        shares = percent(float(self.before[head, self.one])), percent(float(self.after[head, self.one]))
        moved = float(np.abs(self.after - self.before).sum(axis=1).mean()) / 2
        return (
            f"In head {name}, {newest} gives {shares[0]} to {spoken_at(self.trace, self.one)} at position {self.one}, "
            f"and {shares[1]} at position {self.other}. Over all heads of layer 0, {percent(moved)} of its attention "
            "goes elsewhere. Without position embeddings every token would keep its share."
        )


def show(view: View, layer: int) -> None:
    """Draw the controls, the shares before and after the swap, and what they say."""
    trace = view.trace
    if trace.seq < 3 or view.checkpoint is None:
        layout.plain_text("This run is too short to swap anything. Let it draw some tokens.")
        return
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        last = trace.seq - 2
        one = st.slider("The token at position", 0, last, max(0, last - 1), key=view.key(f"one {last}"))
        other = st.slider("swaps places with that at", 0, last, 0, key=view.key(f"other {last}"))
        heads = list(range(trace.config.n_head))
        head = int(st.selectbox("Head of layer 0", heads, key=view.key(f"head {len(heads)}")))
    swap = Swap.of(trace, view.checkpoint, one, other)
    with picture:
        layout.plain_text(swap.sentence(head))
        chart = pairs_chart(swap.pairs(head), NAMES, view.palette.position, view.palette)
        show_chart(chart, alt="Bars: what the newest token looks at, before and after", key=view.key("play"))
