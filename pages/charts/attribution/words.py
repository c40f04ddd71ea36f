"""What the tokens that a head looked at brought to its part: over the text itself, and as bars."""

import altair as alt
import numpy as np

from gpt2.reading.logit_parts import LookedAt
from gpt2.trace.trace import Trace
from pages.charts.style import (
    LABEL,
    MONO,
    AltairChart,
    ChartData,
    Figure,
    dressed,
    in_rows,
    look,
    named,
    room,
    room_beyond,
    row_axis,
    zero_line,
)
from pages.look.numbers import PER_CENT, fixed, percent, rounding_error, signed
from pages.look.palette import Palette
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import signed as signed_scale

BARS_TITLE = "The tokens that brought most"
BARS = 10
# What is written as 0.
LEAST = 0.0005
ROW = 23
# The room for the written numbers, as a share of what the bars take.
ROOM, NARROW_ROOM = 0.5, 1.4
ROW_HEIGHT, BESIDE = 30, 76
ACROSS, NARROW_ACROSS, MOST = 7, 3, 140


def share(words: LookedAt, key: int) -> str:
    """A token's share of the head's part, with its sign: '−12 %'."""
    return f"{fixed(100 * float(words.shares[key]), 0)}{PER_CENT}"


def text_picture(trace: Trace, words: LookedAt, title: str, is_narrow: bool) -> Picture:
    """The text, a token a cell, in lines; orange for what a token brought, blue for what it took."""
    across = NARROW_ACROSS if is_narrow else ACROSS
    count = len(words.logits)
    start = max(0, count - MOST)
    lines = -(-(count - start) // across)
    values = np.full(lines * across, np.nan, np.float32)
    values[: count - start] = words.logits[start:]
    text, notes = [""] * len(values), [""] * len(values)
    for key in range(start, count):
        text[key - start] = trace.labels[key]
        notes[key - start] = f"position {key}, looked at with {percent(float(words.pattern[key]), 2)} of the attention"
    name = f"blocks.{words.part.layer}.attn"
    return Picture(
        values.reshape(lines, across),
        [str(start + line * across) for line in range(lines)],
        [""] * across,
        signed_scale("logits brought", values),
        title,
        words_sentence(trace, words) + _left_out(words, start),
        f"{name}.hook_pattern · hook_v · W_O of head {words.part.head}",
        text=[text[at : at + across] for at in range(0, len(text), across)],
        notes=[notes[at : at + across] for at in range(0, len(notes), across)],
        is_text=True,
        height=BESIDE + ROW_HEIGHT * lines,
    )


def _left_out(words: LookedAt, start: int) -> str:
    if not start:
        return ""
    return (
        f" The newest {len(words.logits) - start} tokens are shown; the {start} before them brought "
        f"{signed(float(words.logits[:start].sum()))}."
    )


def words_sentence(trace: Trace, words: LookedAt) -> str:
    """Where the head looked most, what brought most, and the check that all of it adds up."""
    looked, brought = int(words.pattern.argmax()), words.order[0]
    weight = percent(float(words.pattern[looked]))
    verb = "brought" if words.logits[brought] >= 0 else "took"
    amount = f"{signed(float(words.logits[brought]))} of its {signed(words.part.logit)}"
    if words.part.logit:
        amount += f" ({share(words, brought)})"
    if looked == brought:
        first = f"{words.part.name} looked most at {spoken_at(trace, looked)} ({weight}), which {verb} most: {amount}."
    else:
        first = (
            f"{words.part.name} looked most at {spoken_at(trace, looked)} ({weight}), but "
            f"{spoken_at(trace, brought)} {verb} most: {amount}."
        )
    return f"{first} All {len(words.logits)} tokens add up to the head's part; off by {rounding_error(words.error)}."


def bar_rows(trace: Trace, words: LookedAt) -> ChartData:
    """One row for each token that brought or took most, and one for the others together."""
    newest, labels = len(words.logits) - 1, trace.labels
    shown, rest = words.order[:BARS], words.order[BARS:]
    rows: ChartData = [
        {
            "place": place,
            "token": f"{labels[key]} {f'−{newest - key}' if key < newest else 'itself'}",
            "position": key,
            "weight": float(words.pattern[key]),
            "logit": float(words.logits[key]),
            "share": share(words, key) if words.part.logit else "",
            "written": f"{signed(float(words.logits[key]))} · {percent(float(words.pattern[key]))}",
        }
        for place, key in enumerate(shown)
    ]
    if rest:
        logit, weight = float(words.logits[rest].sum()), float(words.pattern[rest].sum())
        written = f"{signed(logit)} · {percent(weight)}"
        more = {"place": len(rows), "token": f"{len(rest)} more", "position": None, "share": ""}
        rows.append({**more, "weight": weight, "logit": logit, "written": written})
    return rows


def word_bars(trace: Trace, words: LookedAt, palette: Palette, is_narrow: bool) -> Figure:
    """Bars about 0; on the right what each token brought, and the weight with which it was looked at."""
    rows = bar_rows(trace, words)
    beyond = room_beyond((row["logit"] for row in rows), NARROW_ROOM if is_narrow else ROOM)
    return Figure(_look(palette), {"words": rows, "room": beyond})


@look
def _look(palette: Palette) -> AltairChart:
    base = in_rows(named("words"), "token").encode(y=alt.Y("row:N", axis=row_axis()))
    bars = base.mark_bar(height=13).encode(
        x=alt.X("logit:Q", scale=alt.Scale(nice=False), axis=alt.Axis(title="logits brought", tickCount=3)),
        color=alt.condition("datum.logit < 0", alt.value(palette.negative), alt.value(palette.positive)),
        tooltip=[
            alt.Tooltip("token:N", title="key (and how far back)"),
            alt.Tooltip("position:Q", title="position"),
            alt.Tooltip("weight:Q", title="attention weight", format=".4f"),
            alt.Tooltip("logit:Q", title="brought", format="+.4f"),
            alt.Tooltip("share:N", title="share of the head's part"),
        ],
    )
    text = base.mark_text(align="right", font=MONO, fontSize=LABEL).encode(x=alt.value("width"), text="written:N")
    return dressed(room() + zero_line() + bars + text, palette, ROW * (BARS + 1))


def bars_sentence(words: LookedAt) -> str:
    """What the two numbers of a row are, and how much of the part works against the rest."""
    against = words.logits[words.logits * (words.part.logit or 1) < 0]
    said = "On the right: what the token brought, and the weight with which the head looked at it."
    if against.size == 0 or abs(against.sum()) < LEAST:
        return f"{said} No token worked against the others."
    count = f"{len(against)} of {len(words.logits)}"
    return f"{said} {count} worked against the head's part, by {signed(float(against.sum()))}."
