"""Bars of two runs at one step: the stream's length by layer, and the likeliest next tokens; or what differs."""

import altair as alt
import numpy as np
from numpy.typing import NDArray

from gpt2.experiments.effect import effect_of
from gpt2.experiments.trace_pair import TracePair
from gpt2.model.sampling import softmax
from pages.charts.experiments.following import shown_tokens
from pages.charts.style import (
    AFTER_BAR,
    AltairChart,
    ChartData,
    Figure,
    dressed,
    in_rows,
    look,
    named,
    row_axis,
    zero_line,
)
from pages.look.names import layer_name
from pages.look.numbers import percent, round_above
from pages.look.palette import Palette
from pages.look.tokens import spoken

from .which import DIFFERENCE, MINUS, POINTS, shown, shown_shares

Floats = NDArray[np.floating]
NORMS_TITLE = "How long the stream is after each layer"
NEXT_TITLE = "The next token at this step"
ROW, AROUND, TALLEST = 24, 50, 480  # pixels


def norms_chart(both: Floats, which: str, palette: Palette) -> Figure:
    """A bar a layer, the last on top. Shapes: both [2, layer]."""
    names, values = [layer_name(layer) for layer in reversed(range(both.shape[1]))], shown(both, which)[::-1]
    rows, end = _rows(names, both[:, ::-1], values, which)
    return Figure(_norms_look(palette, which == DIFFERENCE, end, len(rows)), {"bars": rows})


@look
def _norms_look(palette: Palette, is_signed: bool, end: float, n_bars: int) -> AltairChart:
    title = f"norm, {MINUS}" if is_signed else "norm of the stream"
    across, down = (
        alt.Axis(title=title, tickCount=5),
        alt.Axis(title="layer", grid=False, domain=False, labelExpr=AFTER_BAR),
    )
    return _bars(palette, palette.residual, is_signed, end, n_bars, across, down, ".3f")


def shown_next(pair: TracePair) -> tuple[list[int], Floats]:
    """The likeliest next tokens of both at their newest step, and their probabilities. Shapes: [2, token]."""
    logits = [trace.step(-1).logits for trace in pair.both]
    tokens = shown_tokens(effect_of(logits[0], logits[1], None, None))
    return tokens, np.stack([softmax(row)[tokens] for row in logits])


def next_chart(pair: TracePair, which: str, palette: Palette) -> Figure:
    """A bar a token, the first run's likeliest on top."""
    tokens, both = shown_next(pair)
    labels = [pair.first.vocabulary.label(token) for token in tokens]
    rows, end = _rows(labels, both, shown_shares(both, which), which)
    return Figure(_next_look(palette, which == DIFFERENCE, end, len(rows)), {"bars": rows})


@look
def _next_look(palette: Palette, is_signed: bool, end: float, n_bars: int) -> AltairChart:
    if is_signed:
        across = alt.Axis(title=f"probability, {MINUS}, {POINTS}", tickCount=5)
    else:
        across = alt.Axis(title="probability", tickCount=5, format=".0%")
    return _bars(palette, palette.sampling, is_signed, end, n_bars, across, row_axis(), ".2%")


def next_sentence(pair: TracePair) -> str:
    """The first choices of both, and the token whose probability differs most."""
    tokens, both = shown_next(pair)
    label = pair.first.vocabulary.label
    one, other = (f"{spoken(label(tokens[int(row.argmax())]))} ({percent(float(row.max()))})" for row in both)
    most = int(np.abs(both[1] - both[0]).argmax())
    return (
        f"The first is likeliest to go on with {one}, the second with {other}. {spoken(label(tokens[most]))} differs "
        f"most: {percent(float(both[0, most]))} and {percent(float(both[1, most]))}."
    )


def _rows(names: list[str], both: Floats, values: Floats, which: str) -> tuple[ChartData, float]:
    """The bars, and a round end for their axis, which is both runs' own and so the same for either."""
    end = round_above(1.1 * float(np.abs(values if which == DIFFERENCE else both).max()))
    rows: ChartData = [
        {
            "name": name,
            "place": place,
            "value": float(value),
            "first": float(first),
            "second": float(second),
            "sign": "above" if value >= 0 else "below",
        }
        for place, (name, value, first, second) in enumerate(zip(names, values, *both, strict=True))
    ]
    return rows, end


def _bars(
    palette: Palette, colour: str, is_signed: bool, end: float, n_bars: int, across: alt.Axis, down: alt.Axis, form: str
) -> AltairChart:
    """Bars on one axis for both runs, or on one symmetric about 0, blue below and orange above."""
    signs = alt.Scale(domain=["above", "below"], range=[palette.positive, palette.negative])
    bars = (
        in_rows(named("bars"), "name")
        .mark_bar()
        .encode(
            y=alt.Y("row:N", axis=down),
            x=alt.X("value:Q", scale=alt.Scale(domain=[-end if is_signed else 0, end], nice=False), axis=across),
            color=alt.Color("sign:N", scale=signs, legend=None) if is_signed else alt.value(colour),
            tooltip=[
                alt.Tooltip("name:N", title="of"),
                alt.Tooltip("first:Q", format=form),
                alt.Tooltip("second:Q", format=form),
            ],
        )
    )
    return dressed(bars + zero_line(), palette, min(ROW * n_bars + AROUND, TALLEST))
