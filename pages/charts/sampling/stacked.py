"""The large picture of the Sampling page on a narrow screen: each token on a line, its five columns below it."""

import altair as alt
import numpy as np

from gpt2.text.vocabulary import Vocabulary
from pages.charts import style
from pages.charts.style import ChartData
from pages.look.numbers import MINUS, fixed, percent
from pages.look.palette import Palette

from .columns import lengths, rest
from .outcome import SHOWN_TOKENS, Column, Outcome, columns_of, shown_tokens

# x counts columns and y counts tokens, from the upper edge of the first; a token has its name, numbers and bars.
NAME, VALUE, BAR, BAR_END = 0.23, 0.56, 0.73, 0.85
FULL, COLUMNS, TOP = 0.86, 5, -2.8
PITCH = 40
HEADS = "Model", "Temp.", "Top-k", "Top-p", "Final"
LEGEND = (
    "Bars are probabilities, on one scale in all columns. Hollow bars were removed by a filter; they stay in place. "
    "The strong colour marks the token that these settings draw. If the run's own result differs, a dashed frame marks "
    "its token, and ticks mark its final probabilities."
)


def stacked_rows(
    outcome: Outcome, as_drawn: Outcome, logits: np.ndarray, vocabulary: Vocabulary
) -> dict[str, ChartData]:
    """The picture's data: cells, the names above them, headlines and marks, in the plane's own units.

    Shapes: logits [vocab].
    """
    columns, tokens = columns_of(outcome), shown_tokens(outcome, as_drawn.token)
    table, cells = lengths(columns, tokens), []
    longest = max(max(passed, gone) for row in table for passed, gone in row)
    longest = max(longest, float(as_drawn.distribution.final[tokens].max()))
    for x, (column, row) in enumerate(zip(columns, table, strict=True)):
        for y, (token, (passed, gone)) in enumerate(zip(tokens, row, strict=True)):
            arrived, is_removed = float(column.arrived[token]), not passed and gone > 0
            cells.append(
                {"x": x, "x2": x + 1, "y": y, "y2": y + 1, "end": x + FULL * max(passed, gone) / longest}
                | {"from": y + BAR, "to": y + BAR_END, "value": y + VALUE, "removed": is_removed}
                | {"text": percent(arrived) if arrived or not gone else "cut", "bold": token == outcome.token}
                | {"token": vocabulary.label(token), "id": token, "column": column.name, "probability": arrived}
                | {"logit": float(logits[token]), "option": token}
            )
    return {
        "cells": cells,
        "names": [
            {"y": y + NAME, "token": vocabulary.label(token), "bold": token == outcome.token}
            | {"logit": f"logit {fixed(logits[token], 2)}"}
            for y, token in enumerate(tokens)
        ],
        "notes": note_rows(columns, tokens, outcome, len(logits)),
        "heads": [{"x": x, "y": -2.48, "text": name} for x, name in enumerate(HEADS)],
        "marks": mark_rows(tokens, outcome, as_drawn, longest),
    }


def note_rows(columns: list[Column], tokens: list[int], outcome: Outcome, vocab_size: int) -> ChartData:
    """The quiet texts: the setting of each column and its effect, the entropies, and all other tokens."""
    sampling, distribution = outcome.sampling, outcome.distribution
    k, p = sampling.top_k, sampling.top_p < 1
    settings = ("T 1", f"{sampling.temperature:g}", f"{k:,}" if k else "off", f"{sampling.top_p:g}" if p else "off")
    removed = (distribution.removed_by_top_k if k else 0.0, distribution.removed_by_top_p if p else 0.0)
    effects = ("", "", *(f"{MINUS}{percent(share)}" if share else "" for share in removed))
    left = f"{np.count_nonzero(distribution.final):,}"
    rows: ChartData = [
        {"x": 0, "y": -1 + NAME, "text": "entropy in bits"},
        {"x": 0, "y": SHOWN_TOKENS + NAME, "text": f"{vocab_size - len(tokens):,} others"},
    ]
    for x, (column, setting, effect) in enumerate(zip(columns, (*settings, "keeps"), (*effects, left), strict=True)):
        texts = {-2.05: setting, -1.62: effect, -1 + VALUE: fixed(column.entropy, 2)}
        texts[SHOWN_TOKENS + VALUE] = percent(rest(column, tokens))
        rows += [{"x": x, "y": y, "text": text} for y, text in texts.items()]
    return rows


def mark_rows(tokens: list[int], outcome: Outcome, as_drawn: Outcome, longest: float) -> ChartData:
    """The band behind the token that these settings draw, and the run's own token and probabilities if they differ."""
    rows: ChartData = [{"kind": "band", "y": tokens.index(outcome.token)}]
    if outcome.token != as_drawn.token:
        rows.append({"kind": "was", "y": tokens.index(as_drawn.token)})
    for row in rows:
        row |= {"x": 0, "x2": COLUMNS, "y2": row["y"] + 1}
    if np.array_equal(outcome.distribution.final, as_drawn.distribution.final):
        return rows
    for y, token in enumerate(tokens):
        x = COLUMNS - 1 + FULL * float(as_drawn.distribution.final[token]) / longest
        rows.append({"kind": "as drawn", "x": x, "x2": x, "y": y + BAR - 0.08, "y2": y + BAR_END + 0.06})
    return rows


def stacked_chart(
    outcome: Outcome, as_drawn: Outcome, logits: np.ndarray, vocabulary: Vocabulary, palette: Palette
) -> style.Figure:
    """The five columns of `columns_chart`, with the token and its logit on a line above its numbers.

    Shapes: logits [vocab].
    """
    return style.Figure(_look(palette), stacked_rows(outcome, as_drawn, logits, vocabulary))


@style.look
def _look(palette: Palette) -> style.AltairChart:
    across = alt.Scale(domain=[0, COLUMNS], nice=False)
    down = alt.Scale(domain=[TOP, SHOWN_TOKENS + 1], reverse=True, nice=False)

    def place(x: str = "x", y: str = "y") -> dict[str, alt.X | alt.Y]:
        return {"x": alt.X(f"{x}:Q", scale=across, axis=None), "y": alt.Y(f"{y}:Q", scale=down, axis=None)}

    whole, bar = place() | {"x2": "x2:Q", "y2": "y2:Q"}, place("x", "from") | {"x2": "end:Q", "y2": "to:Q"}
    tip = [
        alt.Tooltip("token:N", title="token"),
        alt.Tooltip("id:Q", title="id"),
        alt.Tooltip("column:N", title="column"),
        alt.Tooltip("probability:Q", title="probability", format=".4%"),
        alt.Tooltip("logit:Q", title="logits", format=".4f"),
    ]
    cells, names, notes, heads, marks = (style.named(name) for name in ("cells", "names", "notes", "heads", "marks"))
    tint, left = palette.sampling, {"align": "left", "baseline": "middle", "fontSize": style.LABEL}
    shade = alt.condition("datum.removed", alt.value(palette.muted), alt.value(palette.text))
    weights = (("", "bold"), ("!", "normal"))
    layers = [
        marks.transform_filter("datum.kind == 'band'").mark_rect(color=tint, opacity=0.12).encode(**whole),
        marks.transform_filter("datum.kind == 'was'").mark_rect(
            filled=False, stroke=tint, strokeWidth=1, strokeDash=[4, 3], opacity=0.8
        ).encode(**whole),
        cells.transform_filter("!datum.removed").mark_rect(color=tint, cornerRadius=1.5).encode(
            **bar, opacity=alt.condition("datum.bold", alt.value(1), alt.value(0.5))
        ),
        cells.transform_filter("datum.removed").mark_rect(filled=False, stroke=tint, strokeOpacity=0.65).encode(**bar),
        marks.transform_filter("datum.kind == 'as drawn'").mark_rule(color=palette.text, strokeWidth=1.5).encode(
            **whole
        ),
        *(
            cells.transform_filter(f"{sign}datum.bold").mark_text(**left, fontWeight=weight).encode(
                **place("x", "value"), text="text:N", color=shade
            )
            for sign, weight in weights
        ),
        *(
            names.transform_filter(f"{sign}datum.bold")
            .mark_text(**left, font=style.MONO, fontWeight=weight)
            .encode(y=place()["y"], x=alt.value(0), text="token:N")
            for sign, weight in weights
        ),
        names.mark_text(**left | {"align": "right"}, dx=-4, color=palette.muted).encode(
            y=place()["y"], x=alt.value("width"), text="logit:N"
        ),
        notes.mark_text(**left, color=palette.muted).encode(**place(), text="text:N"),
        heads.mark_text(**left, fontWeight="bold").encode(**place(), text="text:N"),
        cells.mark_rect(opacity=0, cursor="pointer").encode(**whole, tooltip=tip).add_params(style.picking()),
    ]  # fmt: skip
    return style.dressed(alt.layer(*layers), palette, round(PITCH * (SHOWN_TOKENS + 1 - TOP)))
