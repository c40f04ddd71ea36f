"""Lesson 2: move the token that looks, and see what the mask takes away from it."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.learn.what_if import shares_of
from gpt2.trace.trace import Trace
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View
from pages.look.names import head_name
from pages.look.numbers import percent
from pages.look.tokens import spoken_at

from .bars import MOST_PAIRS, Pair, largest, pairs_chart

NAMES = "Without the mask", "With the mask"


@dataclass(frozen=True)
class Looking:
    """One position that looks, in one head of layer 0. Shapes: free, masked [key], the shares without and with it."""

    trace: Trace
    head: int
    query: int
    free: NDArray[np.float32]
    masked: NDArray[np.float32]

    @classmethod
    def of(cls, trace: Trace, head: int, query: int) -> "Looking":
        """What a position looks at: with the mask as it was captured, without it as the scores have it."""
        q = trace.row("blocks.0.attn.hook_q", query)[head]  # [d_head]
        k = trace["blocks.0.attn.hook_k"][:, head]  # [key, d_head]
        pattern = trace.queries("blocks.0.attn.hook_pattern", query, query + 1)[head, 0]
        return cls(trace, head, query, shares_of(q @ k.T / np.float32(trace.config.d_head**0.5)), pattern)

    @property
    def pairs(self) -> list[Pair]:
        """The allowed tokens that get most, in the order of the text, and all later ones together."""
        labels = [f"{at} {label}" for at, label in enumerate(self.trace.labels)]
        triples = zip(labels, self.free, self.masked, strict=True)
        every = [Pair(label, float(free), float(masked)) for label, free, masked in triples]
        allowed, later = every[: self.query + 1], every[self.query + 1 :]
        if not later:
            return largest(allowed)
        free, masked = (sum(getattr(pair, part) for pair in later) for part in ("before", "after"))
        return [*largest(allowed, MOST_PAIRS - 1), Pair("all later ones", free, masked)]

    @property
    def sentence(self) -> str:
        """What the mask allows, and what the later tokens would get without it."""
        seq, allowed = self.trace.seq, self.query + 1
        name = f"{spoken_at(self.trace, self.query)} at position {self.query}"
        if allowed == seq:
            return f"{name} is the newest: it may look at all {seq} tokens, so the mask takes nothing away."
        later = float(self.free[allowed:].sum())
        return (
            f"{name} may look at {allowed} of {seq} tokens. Without the mask, head {head_name(0, self.head)} would "
            f"give {percent(later)} to the {seq - allowed} later ones; with it, these get 0 and the others share that."
        )


def show(view: View, layer: int) -> None:
    """Draw the controls, the shares with and without the mask, and what they say."""
    trace = view.trace
    if trace.seq < 2:
        layout.plain_text("This run has one token only. Let it draw some.")
        return
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        query = st.slider(
            "The position that looks", 0, trace.seq - 1, trace.seq // 2, key=view.key(f"query {trace.seq}")
        )
        heads = list(range(trace.config.n_head))
        head = int(st.selectbox("Head of layer 0", heads, key=view.key(f"head {len(heads)}")))
    looking = Looking.of(trace, head, query)
    with picture:
        layout.plain_text(looking.sentence)
        chart = pairs_chart(looking.pairs, NAMES, view.palette.attention, view.palette)
        show_chart(chart, alt="Bars: what the token looks at, without and with the mask", key=view.key("play"))
