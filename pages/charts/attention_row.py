"""The keys that the newest token looks at: one row of a pattern as bars."""

import altair as alt
import numpy as np

from gpt2.trace.trace import Trace
from pages.look.numbers import percent
from pages.look.palette import Palette
from pages.look.tokens import spoken_at

from .attention import look_phrase
from .attention_shares import Reading, Subject, newest_row
from .style import LABEL, MONO, ChartData, dressed, named, token_axis

TITLE = "Where the newest token looks"
BARS = 12
ROW_HEIGHT = 21


def key_rows(trace: Trace, subject: Subject, reading: Reading) -> ChartData:
    """One row for each of the largest weights, largest first, and one row for the rest together."""
    row = newest_row(trace, subject, reading)  # [key]
    order = [int(key) for key in np.argsort(-np.nan_to_num(row, nan=-1.0), kind="stable") if not np.isnan(row[key])]
    labels, newest = trace.labels, trace.seq - 1
    shown, rest = order[:BARS], order[BARS:]
    rows: ChartData = [
        {
            "place": place,
            "token": f"{labels[key]} {f'−{newest - key}' if key < newest else 'itself'}",
            "position": key,
            "weight": float(row[key]),
            "written": percent(float(row[key])),
            "what": "first token" if key == 0 else "other tokens",
        }
        for place, key in enumerate(shown)
    ]
    if rest:
        total = float(row[rest].sum())
        rows.append(
            {
                "place": len(rows),
                "token": f"{len(rest)} more",
                "position": None,
                "weight": total,
                "written": percent(total),
                "what": "the rest, together",
            }
        )
    return rows


def attention_row(trace: Trace, subject: Subject, reading: Reading, palette: Palette) -> alt.Chart | alt.LayerChart:
    """Bars on [0, 1], one a key; each label tells how many tokens back the key is."""
    base = named("keys").encode(
        y=alt.Y("token:N", sort=alt.EncodingSortField("place", op="min"), axis=token_axis()),
        tooltip=[
            alt.Tooltip("token:N", title="key (and how far back)"),
            alt.Tooltip("position:Q", title="position"),
            alt.Tooltip("weight:Q", title=reading.label, format=".4f"),
        ],
    )
    kinds = ["first token", "other tokens", "the rest, together"]
    bars = base.mark_bar(height=13).encode(
        x=alt.X(
            "weight:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(title=reading.label, format=".0%", tickCount=5),
        ),
        color=alt.Color(
            "what:N",
            # The first token, a sink for attention that heads do not need, in the same colour at half its strength.
            scale=alt.Scale(domain=kinds, range=[f"{palette.attention}80", palette.attention, palette.residual]),
            legend=alt.Legend(title=None),
        ),
    )
    text = base.mark_text(align="left", dx=4, font=MONO, fontSize=LABEL).encode(x="weight:Q", text="written:N")
    height = ROW_HEIGHT * (BARS + 1)
    return dressed(bars + text, palette, height, keys=key_rows(trace, subject, reading))


def attention_row_sentence(trace: Trace, subject: Subject, reading: Reading) -> str:
    """The largest weight of the newest row, and the first token's."""
    row = newest_row(trace, subject, reading)
    sentence = f"{subject.name}: {spoken_at(trace, -1)} {look_phrase(trace, row)}."
    if not reading.without_first and trace.seq > 1:
        sentence += f" The first token, {spoken_at(trace, 0)}, gets {percent(float(row[0]))}."
    return sentence
