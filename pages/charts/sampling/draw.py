"""The seeded draw: all tokens laid end to end on a bar from 0 to 1, and the uniform number that points into it."""

import altair as alt
import numpy as np

from gpt2.text.vocabulary import Vocabulary
from pages.charts import style
from pages.charts.style import ChartData
from pages.look.numbers import percent
from pages.look.palette import Palette
from pages.look.tokens import spoken

from .outcome import Outcome

# The tokens past this many share one segment: each of them would be thinner than a pixel.
SHOWN_SEGMENTS = 48
# A label needs this share of the bar for each of its letters, at the narrowest width of the page and of a phone.
LETTER, NARROW_LETTER = 0.0075, 0.034
AS_DRAWN, WHAT_IF = "As drawn", "What if"


def segments(outcome: Outcome, row: str, vocabulary: Vocabulary, letter: float = LETTER) -> ChartData:
    """The bar's segments, most likely first. Tokens past the first few share one; the drawn token has its own."""
    distribution = outcome.distribution
    left = int(np.count_nonzero(distribution.final))
    ends = np.minimum(np.cumsum(distribution.final[distribution.order[:left]]), 1.0)
    chosen = distribution.rank(outcome.token) - 1
    own = range(max(chosen - 1, 0), min(chosen + 1, left))  # a person may have chosen a token that a filter removed
    lasts = sorted({*range(min(SHOWN_SEGMENTS, left)), *own, left - 1})
    rows: ChartData = []
    for before, last in zip([-1, *lasts], lasts, strict=False):
        start, end, count = float(ends[before]) if before >= 0 else 0.0, float(ends[last]), last - before
        label = vocabulary.label(int(distribution.order[last])) if count == 1 else f"{count:,} tokens"
        room = int((end - start) / letter) - 1
        rows.append(
            {
                "row": row,
                "x": start,
                "x2": end,
                "middle": (start + end) / 2,
                "share": end - start,
                "token": label,
                "text": label if len(label) <= room else "",
                "chosen": last == chosen,
                "lump": count > 1,
            }
        )
    return rows


def draw_chart(
    as_drawn: Outcome, preview: Outcome, vocabulary: Vocabulary, palette: Palette, is_narrow: bool = False
) -> style.Figure:
    """Two bars, the run's own draw and the preview's, each with its uniform number `u` marked."""
    pairs = ((AS_DRAWN, as_drawn), (WHAT_IF, preview))
    letter = NARROW_LETTER if is_narrow else LETTER
    rows = {
        "segments": [segment for row, outcome in pairs for segment in segments(outcome, row, vocabulary, letter)],
        "marks": [
            {"row": row, "x": outcome.u, "text": f"u = {outcome.u:.3f} → {vocabulary.label(outcome.token)}"}
            for row, outcome in pairs
            if outcome.u is not None
        ],
    }
    return style.Figure(_look(palette), rows)


@style.look
def _look(palette: Palette) -> style.AltairChart:
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1]), title="u")
    x = x.axis(format=".1f", grid=False, tickCount=alt.ExprRef(f"width < {style.NARROW} ? 5 : 10"))
    order = [AS_DRAWN, WHAT_IF]
    y = alt.Y("row:N", sort=order, title=None, scale=alt.Scale(domain=order, paddingInner=0.55, paddingOuter=0.4))
    y = y.axis(domain=False, ticks=False, labelColor=palette.text, labelFontSize=style.LABEL)
    tip = [
        alt.Tooltip("token:N", title="token"),
        alt.Tooltip("x:Q", title="from u =", format=".4f"),
        alt.Tooltip("x2:Q", title="up to u =", format=".4f"),
        alt.Tooltip("share:Q", title="final probability", format=".4%"),
    ]
    opacity = (
        alt.when("datum.chosen").then(alt.value(1)).when("datum.lump").then(alt.value(0.15)).otherwise(alt.value(0.38))
    )
    bar = style.named("segments")
    ink = alt.when("datum.chosen").then(alt.value(palette.panel)).otherwise(alt.value(palette.text))
    layers = [
        bar.mark_bar(color=palette.sampling, stroke=palette.panel, strokeWidth=1, cornerRadius=0).encode(
            x=x, x2="x2:Q", y=y, opacity=opacity, tooltip=tip
        ),
        bar.mark_text(font=style.MONO, fontSize=style.LABEL).encode(
            x=alt.X("middle:Q", scale=alt.Scale(domain=[0, 1])), y=y, text="text:N", color=ink
        ),
        style.named("marks").mark_tick(color=palette.text, thickness=2, bandSize=34).encode(x=x, y=y),
        style.named("marks")
        .mark_point(shape="triangle-down", filled=True, size=90, yOffset=-21, opacity=1, color=palette.text)
        .encode(x=x, y=y, tooltip=[alt.Tooltip("x:Q", title="u", format=".6f")]),
        *(
            style.named("marks")
            .transform_filter(test)
            .mark_text(align=side, dx=shift, yOffset=-21, fontSize=style.LABEL)
            .encode(x=x, y=y, text="text:N")
            for test, side, shift in (("datum.x < 0.6", "left", 8), ("datum.x >= 0.6", "right", -8))
        ),
    ]  # fmt: skip
    return style.dressed(alt.layer(*layers), palette, 168)


def draw_sentence(outcome: Outcome, vocabulary: Vocabulary) -> str:
    """The token whose stretch holds `u`, and the tokens on both sides of it."""
    distribution = outcome.distribution
    left, place = int(np.count_nonzero(distribution.final)), distribution.rank(outcome.token) - 1
    start, end = outcome.stretch
    hit = (
        f"u = {outcome.u:.3f} falls in {spoken(vocabulary.label(outcome.token))}, which spans {start:.3f} to {end:.3f}"
    )
    if left == 1:
        return f"{hit}: no other u could have changed it."
    sides = []
    if place:
        below = spoken(vocabulary.label(int(distribution.order[place - 1])))
        sides.append(f"a u just below {start:.3f} would have drawn {below}")
    if place + 1 < left:
        above = spoken(vocabulary.label(int(distribution.order[place + 1])))
        sides.append(
            f"one just above {end:.3f} {above}" if sides else f"a u just above {end:.3f} would have drawn {above}"
        )
    return f"{hit} ({percent(end - start)}); {' and '.join(sides)}."


def preview_sentence(as_drawn: Outcome, preview: Outcome, vocabulary: Vocabulary) -> str:
    """The token that the preview draws, and that the run does not change."""
    if preview.sampling == as_drawn.sampling:
        return "These are the run's own settings. Change one to see its effect on the same logits."
    was, would = spoken(vocabulary.label(as_drawn.token)), spoken(vocabulary.label(preview.token))
    if preview.token == as_drawn.token:
        return f"What if: the token would still be {would}. This is only a preview; the run does not change."
    return f"What if: the token would be {would} instead of {was}. This is only a preview; the run does not change."


def as_drawn_sentence(as_drawn: Outcome, vocabulary: Vocabulary) -> str:
    """The run's own settings and the token that they drew, or the one that a person chose instead."""
    label = spoken(vocabulary.label(as_drawn.token))
    if as_drawn.u is None:
        return f"Chosen by hand, not drawn: {label}; the run went on with {as_drawn.settings}."
    return f"As drawn: {label} with {as_drawn.settings}."
