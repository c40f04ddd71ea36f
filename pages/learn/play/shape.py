"""Lesson 1: choose how many blocks a model has and how wide it is, and see where its parameters would be."""

from dataclasses import dataclass, replace

import altair as alt
import streamlit as st

from gpt2.model.config import GPT2Config
from pages.charts import style
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View
from pages.look.numbers import number, percent
from pages.look.palette import Palette

NAMES = "on the stage", "yours"
PARTS = "token table", "positions", "attention", "MLP", "norms"
# The widths of GPT-2 in its four sizes are among them.
WIDTHS = (64, 128, 256, 384, 512, 768, 1024, 1280, 1600)
MOST_BLOCKS = 48
BYTES = 4  # of a float32


@dataclass(frozen=True)
class Shape:
    """The model on the stage, and one with another number of blocks and another width, all else as in the first."""

    own: GPT2Config
    other: GPT2Config

    @classmethod
    def of(cls, own: GPT2Config, n_layer: int, n_embd: int) -> "Shape":
        """Its MLP is wider in proportion. How many heads share the width changes no count: here one has it all."""
        n_inner = n_embd * own.n_inner // own.n_embd
        return cls(own, replace(own, n_layer=n_layer, n_embd=n_embd, n_head=1, n_inner=n_inner))

    def sentence(self) -> str:
        """How many parameters there would be, what they weigh, and which part has most of them."""
        own, other = self.own.n_params, self.other.n_params
        counts = parameters(self.other)
        most = max(counts, key=lambda part: counts[part])
        times = "as many as" if own == other else f"{number(other / own)} times the {own:,} of"
        return (
            f"{self.other.n_layer} blocks of width {self.other.n_embd:,} make {other:,} parameters, {times} the model "
            f"on the stage: {other * BYTES / 1e6:,.0f} MB in float32. Most, {percent(counts[most] / other)}, are in "
            f"its {most}."
        )


def parameters(config: GPT2Config) -> dict[str, int]:
    """The parameters of each part; together they are `n_params`."""
    width, inner, blocks = config.n_embd, config.n_inner, config.n_layer
    tables = 1 if config.tie_word_embeddings else 2
    counts = (
        tables * config.vocab_size * width,
        config.n_positions * width,
        blocks * (4 * width**2 + 4 * width),
        blocks * (2 * width * inner + width + inner),
        (2 * blocks + 1) * 2 * width,
    )
    return dict(zip(PARTS, counts, strict=True))


def parts_chart(shape: Shape, palette: Palette) -> style.Figure:
    """Two bars for each part, in the part's colour: the model on the stage, paler, and the other."""
    counts = [parameters(config) for config in (shape.own, shape.other)]
    rows = [
        {"part": part, "which": name, "count": count[part], "text": f"{count[part]:,}"}
        for part in PARTS
        for name, count in zip(NAMES, counts, strict=True)
    ]
    most = max(max(count.values()) for count in counts)
    return style.Figure(_look(palette, most), {"parts": rows})


@style.look
def _look(palette: Palette, most: int) -> style.AltairChart:
    colours = palette.token, palette.position, palette.attention, palette.mlp, palette.residual
    x = alt.X("count:Q", title="parameters, M: millions", scale=alt.Scale(domain=[0, most * 1.25], nice=False))
    x = x.axis(format="~s", tickCount=6)
    y = alt.Y("part:N", sort=list(PARTS), title=None, scale=alt.Scale(paddingInner=0.25))
    offset = alt.YOffset("which:N", sort=list(NAMES), scale=alt.Scale(domain=list(NAMES)))
    colour = alt.Color("part:N", legend=None, scale=alt.Scale(domain=list(PARTS), range=list(colours)))
    shades = alt.Scale(domain=list(NAMES), range=[0.45, 1.0])
    pale = alt.Opacity("which:N", title=None, scale=shades, legend=alt.Legend(symbolFillColor=palette.text))
    tip = [alt.Tooltip("part:N"), alt.Tooltip("which:N", title="model"), alt.Tooltip("count:Q", format=",")]
    bars = style.named("parts")
    layers = [
        bars.mark_bar().encode(x=x, y=y, yOffset=offset, color=colour, opacity=pale, tooltip=tip),
        bars.mark_text(align="left", dx=4, fontSize=style.LABEL).encode(x=x, y=y, yOffset=offset, text="text:N"),
    ]
    return style.dressed(alt.layer(*layers), palette, 250)


def show(view: View, layer: int) -> None:
    """Draw the controls, the parameters of each part in both models, and what they say."""
    own = view.trace.config
    widths = sorted({*WIDTHS, own.n_embd})
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        most = max(MOST_BLOCKS, own.n_layer)
        n_layer = st.slider("Blocks, n_layer", 1, most, own.n_layer, key=view.key(f"blocks {own.n_layer}"))
        n_embd = st.select_slider("Width, n_embd", widths, own.n_embd, key=view.key(f"width {own.n_embd}"))
        st.caption(
            f"Vocabulary and context stay as they are: {own.vocab_size:,} tokens, {own.n_positions:,} positions."
        )
    shape = Shape.of(own, n_layer, n_embd)
    with picture:
        layout.plain_text(shape.sentence())
        chart = parts_chart(shape, view.palette)
        show_chart(chart, alt="Bars: the parameters of each part, on the stage and yours", key=view.key("play"))
