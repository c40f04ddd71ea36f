"""Entropy along the run: how open the model's choice was at every step, and how surprising the drawn token was."""

import altair as alt
import numpy as np

from gpt2.trace.trace import Trace
from pages.charts import style
from pages.charts.style import ChartData
from pages.look.numbers import bits
from pages.look.palette import Palette

ENTROPY, SURPRISAL = "entropy", "surprisal of the draw"


def entropy_rows(trace: Trace) -> ChartData:
    """One row for each step: the model's own entropy and the surprisal of the drawn token, both at temperature 1."""
    rows: ChartData = []
    for index, step in enumerate(trace.steps):
        entropy, surprisal = step.choice
        token = "nothing drawn" if step.draw is None else trace.vocabulary.label(step.draw.token)
        rows.append({"step": index, "entropy": entropy, "surprisal": surprisal, "token": token})
    return rows


def entropy_chart(rows: ChartData, palette: Palette) -> style.Figure:
    """A line of entropies and a point for every drawn token, in bits; the shown step is marked."""
    return style.Figure(_look(palette), {"steps": rows, "shown": rows[-1:]})


@style.look
def _look(palette: Palette) -> style.AltairChart:
    x = alt.X("step:Q", title="step", scale=alt.Scale(nice=False, padding=8), axis=alt.Axis(tickMinStep=1, format="d"))
    x = x.axis(grid=False, tickMinStep=1, format="d")
    line, point = (
        alt.Color("what:N", scale=alt.Scale(domain=[what], range=[colour]), title=None)
        for what, colour in ((ENTROPY, palette.sampling), (SURPRISAL, palette.text))
    )
    scale = alt.Scale(domainMin=0, nice=True)
    tip = [
        alt.Tooltip("step:Q", title="step"),
        alt.Tooltip("token:N", title="drawn"),
        alt.Tooltip("entropy:Q", title="entropy, bits", format=".3f"),
        alt.Tooltip("surprisal:Q", title="surprisal, bits", format=".3f"),
    ]
    steps, shown = style.named("steps"), style.named("shown")
    layers = [
        shown.mark_rule(color=palette.sampling, strokeWidth=10, opacity=0.18).encode(x=x),
        steps.transform_calculate(what=f"'{ENTROPY}'").mark_line().encode(
            x=x, y=alt.Y("entropy:Q", title="bits", scale=scale), color=line
        ),
        steps.transform_calculate(what=f"'{SURPRISAL}'").mark_point(size=28, strokeWidth=1.5).encode(
            x=x, y=alt.Y("surprisal:Q", scale=scale), color=point, tooltip=tip
        ),
        shown.mark_point(filled=True, size=80, color=palette.sampling, opacity=1).encode(
            x=x, y=alt.Y("entropy:Q", scale=scale), tooltip=tip
        ),
    ]  # fmt: skip
    # A legend each, so that the line stands for the line and the ring for the points.
    return style.dressed(alt.layer(*layers).resolve_scale(color="independent"), palette, 250)


def entropy_sentence(rows: ChartData) -> str:
    """The shown step's entropy among all steps so far."""
    values = [row["entropy"] for row in rows]
    now, mean = values[-1], float(np.mean(values))
    choices = f"as open as a fair choice among {2**now:,.1f} tokens"
    if len(values) == 1:
        return f"At step 0 the entropy is {bits(now)}, {choices}."
    openest = int(np.argmax(values))
    return (
        f"At step {len(values) - 1} the entropy is {bits(now)}, {choices}; the mean so far is {bits(mean)}, "
        f"the highest {bits(values[openest])} at step {openest}."
    )
