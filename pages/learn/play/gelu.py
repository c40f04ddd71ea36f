"""Lesson 4: turn the input of a layer's neurons up or down, and see how many still fire."""

from dataclasses import dataclass

import altair as alt
import numpy as np
import streamlit as st
from numpy.typing import NDArray

from gpt2.learn.what_if import gelu
from gpt2.trace.trace import Trace
from pages.charts import style
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View
from pages.look.numbers import fixed, number, signed
from pages.look.palette import Palette
from pages.look.tokens import spoken_at

NAMES = "in the run", "yours"
LEAST, MOST = -6.0, 6.0
SHOWN = 200  # neurons drawn, spread over all


@dataclass(frozen=True)
class Turned:
    """The newest token's neurons in one layer, and what the MLP writes, as they are and with a number added.

    Shapes: before, after [d_mlp], the neurons' inputs; written [2, d_model].
    """

    before: NDArray[np.float32]
    after: NDArray[np.float32]
    written: NDArray[np.float32]

    @classmethod
    def of(cls, view: View, layer: int, added: float) -> "Turned":
        """Add a number to the input of every neuron."""
        assert view.checkpoint is not None
        before = view.trace.row(f"blocks.{layer}.mlp.hook_pre", view.newest)
        after = before + np.float32(added)
        weight, bias = (view.checkpoint.weights[f"h.{layer}.mlp.c_proj.{part}"] for part in ("weight", "bias"))
        return cls(before, after, gelu(np.stack([before, after])).astype(np.float32) @ weight.T + bias)

    def sentence(self, trace: Trace, added: float) -> str:
        """How many neurons are above 0, and how long the vector is that the MLP writes."""
        above = [int((part > 0).sum()) for part in (self.before, self.after)]
        lengths = [number(float(np.linalg.norm(row))) for row in self.written]
        begin = f"{above[0]:,} of {len(self.before):,} neurons are above 0 at {spoken_at(trace, -1)}"
        if not added:
            return f"{begin}, and the MLP writes a vector of length {lengths[0]}."
        cosine = float(self.written[0] @ self.written[1] / np.prod(np.linalg.norm(self.written, axis=1)))
        return (
            f"{begin}; with {signed(added)} at each, {above[1]:,} are. The vector that the MLP writes goes from length "
            f"{lengths[0]} to {lengths[1]}, and the cosine of the two is {fixed(cosine, 2)}."
        )


def curve_chart(turned: Turned, palette: Palette) -> style.Figure:
    """The curve of GELU, that of ReLU, and the neurons on it before and after."""
    grid = np.linspace(LEAST, MOST, 97)
    curve = [{"x": float(x), "y": float(y), "relu": max(0.0, float(x))} for x, y in zip(grid, gelu(grid), strict=True)]
    every = max(1, len(turned.before) // SHOWN)
    points = [
        {"neuron": at, "which": name, "x": float(values[at]), "y": float(gelu(values[at]))}
        for name, values in zip(NAMES, (turned.before, turned.after), strict=True)
        for at in range(0, len(values), every)
    ]
    return style.Figure(_look(palette), {"curve": curve, "points": points})


@style.look
def _look(palette: Palette) -> style.AltairChart:
    x = alt.X("x:Q", title="before GELU", scale=alt.Scale(domain=[LEAST, MOST], clamp=True))
    y = alt.Y("y:Q", title="after GELU", scale=alt.Scale(domain=[-1, MOST], clamp=True))
    colours = alt.Scale(domain=list(NAMES), range=[palette.muted, palette.mlp])
    tip = [
        alt.Tooltip("neuron:Q", title="neuron"),
        alt.Tooltip("x:Q", title="before GELU", format=".3f"),
        alt.Tooltip("y:Q", title="after GELU", format=".3f"),
    ]
    layers = [
        style.named("curve").mark_line(strokeDash=[3, 3], strokeWidth=1, color=palette.muted).encode(x=x, y="relu:Q"),
        style.named("curve").mark_line(color=palette.mlp, opacity=0.5).encode(x=x, y=y),
        style.named("points")
        .mark_point(filled=True, size=34, opacity=0.55)
        .encode(x=x, y=y, color=alt.Color("which:N", scale=colours, title=None), tooltip=tip),
    ]
    return style.dressed(alt.layer(*layers), palette, 300)


def show(view: View, layer: int) -> None:
    """Draw the control, the neurons on the curve, and what the MLP writes."""
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        added = st.slider("Add to every neuron's input", -3.0, 3.0, 0.0, step=0.25, key=view.key("added"))
        st.caption(f"At most {SHOWN * 2} neurons are drawn. The dashed line is ReLU.")
    turned = Turned.of(view, layer, added)
    with picture:
        layout.plain_text(turned.sentence(view.trace, added))
        show_chart(curve_chart(turned, view.palette), alt="The curve of GELU with neurons on it", key=view.key("play"))
