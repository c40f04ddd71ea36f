"""All parts of a logit as a waterfall: each bar begins where the one before ends, and the last is their sum."""

from itertools import pairwise

import altair as alt

from gpt2.reading.logit_parts import ATTENTION_BIAS, CHANGE, FINAL_BIAS, HEAD, MLP, POSITION, TOKEN, Attribution, Part
from gpt2.trace.trace import Trace
from pages.charts.style import (
    LABEL,
    SANS,
    AltairChart,
    ChartData,
    Figure,
    dressed,
    in_rows,
    legend_columns,
    look,
    named,
    picking,
    room,
    room_beyond,
    row_axis,
    zero_line,
)
from pages.look.numbers import number, rounding_error, signed
from pages.look.palette import Palette
from pages.look.tokens import spoken, spoken_at

from .head_map import option_of

TITLE = "What each part adds"
LEGEND = (
    "Each bar begins where the one above it ends; the last is their sum, from 0. Pale bars take away. "
    "What a part makes later parts write is not in its bar. Click the bar of a part to open its arithmetic."
)
BARS = 13
ROW = 25
# The room for the written numbers, as a share of what the bars take.
ROOM = 0.24
SUM, REST = "the sum", "the rest"
CONCEPTS = {HEAD: "attention", ATTENTION_BIAS: "attention", MLP: "MLP", TOKEN: "token", POSITION: "position"}
KINDS = ("attention", "MLP", "token", "position", REST, SUM)


def waterfall_rows(found: Attribution) -> ChartData:
    """One row for each of the largest parts, one for the rest together, and one for their sum."""
    shown, rest = found.largest[:BARS], found.largest[BARS:]
    bars = [(p.name, p.logit, CONCEPTS.get(p.kind, REST), p.hook, option_of(found, p)) for p in shown]
    if rest:
        bars.append((f"{len(rest)} more parts", sum(part.logit for part in rest), REST, "", None))
    rows: ChartData = []
    end = 0.0
    for place, (name, logit, kind, hook, option) in enumerate(bars):
        rows.append(_row(place, name, end, end + logit, kind, hook) | {"option": option})
        end += logit
    rows.append(_row(len(rows), SUM, 0.0, found.total, SUM, "") | {"option": None})
    for row, below in pairwise(rows):
        row["below"] = below["name"]
    return rows


def _row(place: int, name: str, start: float, end: float, kind: str, hook: str) -> dict[str, object]:
    return {
        "place": place,
        "name": name,
        "start": start,
        "end": end,
        "logit": end - start,
        "written": signed(end - start),
        "kind": kind,
        "takes": end < start,
        "hook": hook,
        "below": None,
    }


def waterfall(found: Attribution, palette: Palette) -> Figure:
    """Horizontal bars, the largest part on top; the numbers stand in a column of their own on the right."""
    rows = waterfall_rows(found)
    return Figure(_look(palette), {"parts": rows, "room": room_beyond((row["end"] for row in rows), ROOM)})


@look
def _look(palette: Palette) -> AltairChart:
    axis = row_axis(labelColor=palette.text, labelFont=SANS, labelLimit=130)
    base = in_rows(named("parts"), "name").encode(y=alt.Y("row:N", axis=axis))
    scale = alt.Scale(nice=False, zero=True)
    x = alt.X("start:Q", scale=scale, axis=alt.Axis(title="logits", tickCount=5))
    colours = [palette.attention, palette.mlp, palette.token, palette.position, palette.residual, palette.sampling]
    marks = [
        base.transform_filter("datum.option == null").mark_bar(height=15, cornerRadius=1.5),
        base.transform_filter("datum.option != null")
        .mark_bar(height=15, cornerRadius=1.5, cursor="pointer")
        .add_params(picking()),
    ]
    seen = dict(
        x=x,
        x2="end:Q",
        color=alt.Color(
            "kind:N",
            scale=alt.Scale(domain=KINDS, range=colours),
            legend=alt.Legend(title=None, columns=legend_columns(2), symbolStrokeWidth=0),
        ),
        opacity=alt.condition("datum.takes && datum.kind != 'the sum'", alt.value(0.45), alt.value(1)),
        tooltip=[
            alt.Tooltip("name:N", title="part"),
            alt.Tooltip("logit:Q", title="adds", format="+.4f"),
            alt.Tooltip("end:Q", title="sum so far", format="+.4f"),
            alt.Tooltip("hook:N", title="hook"),
        ],
    )
    bars = [mark.encode(**seen) for mark in marks]
    steps = (
        base.transform_filter("datum.below != null")
        .transform_calculate(beneath="format(datum.place + 1, '04d') + '|' + datum.below")
        .mark_rule(strokeWidth=1)
        .encode(x="end:Q", y2="beneath:N")
    )
    values = [
        base.transform_filter(f"{sign}(datum.kind == '{SUM}')")
        .mark_text(align="right", fontSize=LABEL, fontWeight=weight)
        .encode(x=alt.value("width"), text="written:N")
        for sign, weight in (("", "bold"), ("!", "normal"))
    ]
    return dressed(alt.layer(room(), zero_line(), steps, *bars, *values), palette, ROW * (BARS + 2))


def extremes(found: Attribution) -> tuple[Part, Part]:
    """The part that adds most, and the one that takes most or adds least."""
    return max(found.parts, key=lambda part: part.logit), min(found.parts, key=lambda part: part.logit)


def parts_sentence(trace: Trace, found: Attribution) -> str:
    """The two ends of the parts, and what is meant by adding."""
    label = trace.vocabulary.label
    token, place = spoken(label(found.token)), spoken_at(trace, found.position)
    most, least = extremes(found)
    if found.against is None:
        begins = f"After {place}, the logit of {token} is {number(found.logit)}"
    else:
        way = "above" if found.logit >= 0 else "below"
        other = spoken(label(found.against))
        begins = f"After {place}, the logit of {token} is {number(abs(found.logit))} {way} that of {other}"
    verb = "takes" if least.logit < 0 else "adds least,"
    return (
        f"{begins}: {told(most)} adds most, {signed(most.logit)}, and {told(least)} {verb}"
        f"{' most,' if least.logit < 0 else ''} {signed(least.logit)}. This is the direct effect alone: what each part "
        "itself writes."
    )


def check_sentence(found: Attribution) -> str:
    """The sum of all parts beside the model's own number."""
    what = "logit" if found.against is None else "difference of the logits"
    if found.is_captured:
        what = "model's logit" if found.against is None else "difference of the model's logits"
    else:
        what += ", read from the top of the stream,"
    return (
        f"The {len(found.parts)} parts add up to {number(found.total)}; the {what} is {number(found.logit)}; "
        f"off by {rounding_error(found.error)}."
    )


def told(part: Part) -> str:
    """A part in a sentence: 'L2·H4', 'MLP of L2', 'the token embedding'."""
    return f"the {part.name}" if part.kind in (TOKEN, POSITION, FINAL_BIAS, CHANGE) else part.name
