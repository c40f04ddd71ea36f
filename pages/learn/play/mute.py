"""Lessons 7, 8 and 9: mute heads, attention or the MLP of a layer at the newest token, and see what it says then."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.learn.what_if import Newest, Strength, newest
from gpt2.model.sampling import softmax
from gpt2.trace.trace import Trace
from pages.charts import style
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View
from pages.look.names import head_name, layer_name
from pages.look.numbers import fixed, number, percent
from pages.look.palette import Palette
from pages.look.tokens import spoken, spoken_at

from .bars import next_tokens, pairs_chart

NAMES = "as it is", "as you set it"


@dataclass(frozen=True)
class Muted:
    """The newest token's way through the model, as it is and with one layer's parts louder or softer."""

    before: Newest
    after: Newest

    @classmethod
    def of(cls, view: View, layer: int, strength: Strength) -> "Muted":
        """As it is, it stands in the trace; from the changed layer on it is computed anew."""
        assert view.checkpoint is not None
        before = newest(view.trace, view.checkpoint, {})
        return cls(before, before if strength.is_neutral else newest(view.trace, view.checkpoint, {layer: strength}))

    @property
    def shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Next-token probabilities of both. Shapes: [vocab] twice."""
        return softmax(self.before.logits), softmax(self.after.logits)

    @property
    def lengths(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Lengths of the stream before the first block and after each, of both. Shapes: [layer + 1] twice."""
        before, after = (np.linalg.norm(one.stream, axis=1) for one in (self.before, self.after))
        return before, after

    def sentence(self, trace: Trace, what: str) -> str:
        """What becomes of the likeliest next token, and how far the last vector turns."""
        before, after = self.shares
        best, now = int(before.argmax()), int(after.argmax())
        label = trace.vocabulary.label
        if not what:
            return f"After {spoken_at(trace, -1)}, {spoken(label(best))} is likeliest with {percent(before[best])}."
        one, other = self.before.stream[-1], self.after.stream[-1]
        cosine = float(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)))
        then = "stays likeliest" if now == best else f"gives way to {spoken(label(now))} with {percent(after[now])}"
        return (
            f"With {what}, {spoken(label(best))} goes from {percent(before[best])} to {percent(after[best])} and "
            f"{then}. The vector that leaves the last layer has a cosine of {fixed(cosine, 3)} with the one before."
        )


def lengths_chart(muted: Muted, palette: Palette) -> style.Figure:
    """The length of the newest token's vector up the stack, as it is and as set."""
    rows = [
        {"depth": depth, "which": name, "length": float(length)}
        for name, lengths in zip(NAMES, muted.lengths, strict=True)
        for depth, length in enumerate(lengths)
    ]
    return style.Figure(_look(palette), {"lengths": rows})


@style.look
def _look(palette: Palette) -> style.AltairChart:
    colours = alt.Scale(domain=list(NAMES), range=[palette.muted, palette.residual])
    tip = [alt.Tooltip("depth:Q", title="blocks done"), alt.Tooltip("length:Q", title="length", format=".1f")]
    chart = style.named("lengths").encode(
        x=alt.X("depth:Q", title="blocks done", axis=alt.Axis(tickMinStep=1, format="d", grid=False)),
        y=alt.Y("length:Q", title="length of the stream", scale=alt.Scale(domainMin=0)),
        color=alt.Color("which:N", scale=colours, title=None),
        strokeDash=alt.StrokeDash("which:N", scale=alt.Scale(domain=list(NAMES), range=[[4, 4], [1, 0]]), title=None),
        tooltip=tip,
    )
    return style.dressed(alt.layer(chart.mark_line(), chart.mark_point(filled=True, size=50)), palette, 260)


def is_changed(view: View) -> bool:
    """Whether the shown step has interventions; says that this needs a run without."""
    if view.step is not None and view.step.interventions:
        layout.plain_text("This run has interventions of its own. Play with a run that has none.")
        return True
    return False


def show_heads(view: View, layer: int) -> None:
    """Lesson 7: draw the heads to mute, and the next tokens with and without them."""
    if is_changed(view):
        return
    n_head = view.trace.config.n_head
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        label, key = f"Mute heads of layer {layer} at the newest token", view.key(f"mute {layer} {n_head}")
        mute: Sequence[int] = st.pills(label, range(n_head), selection_mode="multi", key=key)
    heads = np.ones(n_head, np.float32)
    heads[list(mute)] = 0
    muted = Muted.of(view, layer, Strength(heads))
    with picture:
        names = " and ".join(head_name(layer, head) for head in sorted(mute))
        layout.plain_text(muted.sentence(view.trace, f"{names} mute" if names else ""))
        show_next_tokens(view, muted)


def show_parts(view: View, layer: int) -> None:
    """Lesson 8: draw how loud both parts of a layer are, and the length of the stream."""
    if is_changed(view):
        return
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        attention = st.slider(f"Attention of layer {layer}", 0.0, 3.0, 1.0, step=0.25, key=view.key("attention"))
        mlp = st.slider(f"MLP of layer {layer}", 0.0, 3.0, 1.0, step=0.25, key=view.key("mlp"))
        st.caption("How strongly each writes to the newest token: 1 as it is, 0 not at all.")
    muted = Muted.of(view, layer, Strength(np.ones(view.trace.config.n_head, np.float32), attention, mlp))
    with picture:
        what = f"attention at {attention:g} and the MLP at {mlp:g}" if (attention, mlp) != (1, 1) else ""
        layout.plain_text(muted.sentence(view.trace, what))
        before, after = (number(float(lengths[-1])) for lengths in muted.lengths)
        layout.plain_text(f"The stream leaves the last layer with length {before}; as you set it, {after}.")
        show_chart(lengths_chart(muted, view.palette), alt="Lines: length of the stream", key=view.key("play"))


def show_block(view: View, layer: int) -> None:
    """Lesson 9: draw which parts of a block run, and the next tokens with and without them."""
    if is_changed(view):
        return
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        attention = st.toggle(f"Attention of block {layer}", value=True, key=view.key("attention"))
        mlp = st.toggle(f"MLP of block {layer}", value=True, key=view.key("mlp"))
        st.caption("What is switched off writes nothing to the newest token.")
    strength = Strength(np.ones(view.trace.config.n_head, np.float32), float(attention), float(mlp))
    muted = Muted.of(view, layer, strength)
    off = [name for name, is_on in (("attention", attention), ("the MLP", mlp)) if not is_on]
    with picture:
        what = f"{' and '.join(off)} of {layer_name(layer)} switched off" if off else ""
        layout.plain_text(muted.sentence(view.trace, what))
        show_next_tokens(view, muted)


def show_next_tokens(view: View, muted: Muted) -> None:
    """Draw the likeliest next tokens of both."""
    chart = pairs_chart(next_tokens(*muted.shares, view.trace.vocabulary), NAMES, view.palette.sampling, view.palette)
    show_chart(chart, alt="Bars: the likeliest next tokens, as it is and as set", key=view.key("play"))
