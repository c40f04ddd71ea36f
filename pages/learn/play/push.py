"""Lesson 11: push the last vector along a token's row in the table, and see which scores rise."""

from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.model.sampling import softmax
from gpt2.reading.lens import final_norm
from gpt2.trace.trace import Trace
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View
from pages.look.numbers import number, percent
from pages.look.tokens import spoken

from .bars import next_tokens, pairs_chart

NAMES = "as it is", "pushed"
MOST_TOKENS = 200


@dataclass(frozen=True)
class Push:
    """The scores after the newest token, as they are and with its last vector pushed. Shapes: before, after [vocab]."""

    token: int
    length: float
    before: NDArray[np.float32]
    after: NDArray[np.float32]

    @classmethod
    def of(cls, view: View, token: int, length: float) -> "Push":
        """Push the vector that the head reads by so much along the row of a token."""
        assert view.checkpoint is not None
        top = view.trace.row(f"blocks.{view.trace.config.n_layer - 1}.hook_resid_post", view.newest)
        table = view.checkpoint.weights["lm_head.weight"]
        row = table[token] / max(float(np.linalg.norm(table[token])), float(np.finfo(np.float32).tiny))
        read = final_norm(view.checkpoint, top[None])[0]
        return cls(token, length, table @ read, table @ (read + np.float32(length) * row))

    @property
    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Next-token probabilities of both. Shapes: [vocab] twice."""
        return softmax(self.before), softmax(self.after)

    def sentence(self, trace: Trace) -> str:
        """How the token's score and share grow, and which other token's score rises most."""
        label, gained = trace.vocabulary.label, (self.after - self.before).astype(np.float64)
        shares = [percent(share[self.token]) for share in self.shares]
        name = spoken(label(self.token))
        if not self.length:
            return f"{name} has the score {number(float(self.before[self.token]))} and so {shares[0]}."
        own = float(gained[self.token])
        gained[self.token] = -np.inf
        next_best = int(gained.argmax())
        return (
            f"Pushed by {self.length:g} along its row, {name} gains {number(own)} and goes from {shares[0]} to "
            f"{shares[1]}. Of all others {spoken(label(next_best))} gains most, {number(float(gained[next_best]))}: "
            "its row has most in common with that one."
        )


def show(view: View, layer: int) -> None:
    """Draw the controls, the likeliest next tokens before and after, and what they say."""
    vocabulary, tokens = view.trace.vocabulary, list(dict.fromkeys(reversed(view.trace.computed_ids)))[:MOST_TOKENS]
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        token = int(st.selectbox("Along the row of", tokens, format_func=vocabulary.label, key=view.key("token")))
        length = st.slider("Push the last vector by", 0.0, 10.0, 0.0, step=0.5, key=view.key("push"))
    push = Push.of(view, token, length)
    with picture:
        layout.plain_text(push.sentence(view.trace))
        pairs = next_tokens(*push.shares, vocabulary)
        chart = pairs_chart(pairs, NAMES, view.palette.sampling, view.palette)
        show_chart(chart, alt="Bars: the likeliest next tokens, as it is and pushed", key=view.key("play"))
