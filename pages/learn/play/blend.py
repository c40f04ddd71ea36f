"""Lesson 5: go from one token's row of the table to another's, and see whose row is nearest on the way."""

from dataclasses import dataclass

import altair as alt
import numpy as np
import streamlit as st

from gpt2.reading.tables import Tables
from gpt2.text.vocabulary import Vocabulary
from pages.charts import style
from pages.frame import layout
from pages.frame.chart import show_chart
from pages.frame.layout import View
from pages.look.numbers import fixed, whole_percent
from pages.look.palette import Palette
from pages.look.tokens import spoken

SHOWN, MOST_TOKENS = 8, 200
KINDS = "one of the two", "another token"


@dataclass(frozen=True)
class Blend:
    """The tokens whose rows point most like a vector between two tokens' rows.

    Attributes:
        ends: the two tokens.
        share: how far from the first to the second, 0 to 1.
        nearest: tokens and their cosines, the nearest first.
    """

    ends: tuple[int, int]
    share: float
    nearest: list[tuple[int, float]]

    @classmethod
    def of(cls, tables: Tables, one: int, other: int, share: float) -> "Blend":
        """Mix the two rows, and compare the mixture with every row of the table."""
        vector = (1 - np.float32(share)) * tables.wte[one] + np.float32(share) * tables.wte[other]
        cosines = tables.cosines(vector)
        order = np.argsort(-cosines, kind="stable")[:SHOWN].tolist()
        return cls((one, other), share, [(token, float(cosines[token])) for token in order])

    def sentence(self, vocabulary: Vocabulary) -> str:
        """Whose row is nearest, and the first token on the list that is neither of the two."""
        one, other = (spoken(vocabulary.label(token)) for token in self.ends)
        (token, cosine), rest = self.nearest[0], [pair for pair in self.nearest if pair[0] not in self.ends]
        begin = f"{whole_percent(self.share)} of the way from {one} to {other} the nearest row is that of"
        said = f"{begin} {spoken(vocabulary.label(token))}, with a cosine of {fixed(cosine, 2)}"
        if not rest or rest[0][0] == token:
            return f"{said}."
        third, its_cosine = rest[0]
        return f"{said}; of all other tokens {spoken(vocabulary.label(third))} comes nearest, {fixed(its_cosine, 2)}."


def nearest_chart(blend: Blend, vocabulary: Vocabulary, palette: Palette) -> style.Figure:
    """A bar for each of the nearest tokens, the two between which one goes in full colour."""
    rows = [
        {
            "place": style.placed(at, vocabulary.label(token)),
            "label": vocabulary.label(token),
            "kind": KINDS[token not in blend.ends],
            "cosine": cosine,
            "text": fixed(cosine, 2),
        }
        for at, (token, cosine) in enumerate(blend.nearest)
    ]
    return style.Figure(_look(palette), {"nearest": rows})


@style.look
def _look(palette: Palette) -> style.AltairChart:
    y = alt.Y("place:O", axis=style.row_axis(), scale=alt.Scale(paddingInner=0.25))
    x = alt.X("cosine:Q", title="cosine with the vector", scale=alt.Scale(domain=[0, 1.12]))
    x = x.axis(values=[0, 0.2, 0.4, 0.6, 0.8, 1])
    colours = alt.Scale(domain=list(KINDS), range=[palette.token, palette.muted])
    tip = [alt.Tooltip("label:N", title="token"), alt.Tooltip("cosine:Q", format=".3f")]
    bars = style.named("nearest")
    layers = [
        bars.mark_bar().encode(x=x, y=y, color=alt.Color("kind:N", title=None, scale=colours), tooltip=tip),
        bars.mark_text(align="left", dx=4, fontSize=style.LABEL).encode(x=x, y=y, text="text:N"),
    ]
    return style.dressed(alt.layer(*layers), palette, 290)


def show(view: View, layer: int) -> None:
    """Draw the controls, the tokens that are nearest on the way, and what they say."""
    assert view.tables is not None
    vocabulary, tokens = view.trace.vocabulary, list(dict.fromkeys(reversed(view.trace.computed_ids)))[:MOST_TOKENS]
    controls, picture = st.columns([1, 2], gap="medium")
    with controls:
        one, other = (
            int(st.selectbox(title, tokens, min(at, len(tokens) - 1), vocabulary.label, key=view.key(title)))
            for at, title in enumerate(("From the row of", "to the row of"))
        )
        share = st.slider("How far", 0, 100, 50, step=5, format="%d %%", key=view.key("share")) / 100
    blend = Blend.of(view.tables, one, other, share)
    with picture:
        layout.plain_text(blend.sentence(vocabulary))
        chart = nearest_chart(blend, vocabulary, view.palette)
        show_chart(chart, alt="Bars: the tokens whose rows are nearest", key=view.key("play"))
