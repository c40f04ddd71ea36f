"""The large picture of the Sampling page: the same tokens in five columns, from the logits to the draw."""

from typing import Any

import altair as alt
import numpy as np

from gpt2.model.sampling import Distribution
from gpt2.text.vocabulary import Vocabulary
from pages.charts import style
from pages.charts.style import ChartData
from pages.look.numbers import bits, fixed, percent
from pages.look.palette import Palette
from pages.look.tokens import spoken

from .outcome import SHOWN_TOKENS, Column, Outcome, columns_of, shown_tokens

# The picture has its own units: x counts columns (the first holds the token and its logit), y counts rows.
FIRST, BAR, VALUE = 1.28, 0.52, 0.86
NAMES, LOGITS = 0.78, FIRST - 0.12
LONGEST_NAME = 12
ROW = 20
LEGEND = (
    "Bars are probabilities, on one scale in all columns. Hatched bars were removed by a filter; they stay in place. "
    "The strong colour marks the token that these settings draw. If the run's own result differs, a dashed frame marks "
    "its token, and ticks mark its final probabilities."
)
WIDTH = FIRST + 5 - (1 - VALUE) + 0.04
NAME, NOTE, ENTROPY, TOP = -2.35, -1.65, -0.95, -2.9
HALF, SLANT, GAP = 0.33, 0.045, 0.032


def hatch(start: float, stop: float, row: float) -> ChartData:
    """Slanted lines that fill a bar from `start` to `stop`, cut off at its ends."""
    lines = []
    for foot in np.arange(start - SLANT, stop, GAP):
        left, right = max(foot, start), min(foot + SLANT, stop)
        if right - left > 1e-6:
            rise = 2 * HALF / SLANT
            low, high = row + HALF - (left - foot) * rise, row + HALF - (right - foot) * rise
            lines.append({"x": float(left), "x2": float(right), "y": float(low), "y2": float(high)})
    return lines


def lengths(columns: list[Column], tokens: list[int]) -> list[list[tuple[float, float]]]:
    """For every column and token: the share that passed, and the share that was removed here or before."""
    gone = dict.fromkeys(tokens, 0.0)
    table = []
    for column in columns:
        row = []
        for token in tokens:
            passed, removed = float(column.passed[token]), float(column.arrived[token] - column.passed[token])
            gone[token] = removed or (0.0 if passed else gone[token])
            row.append((passed, gone[token]))
        table.append(row)
    return table


def column_rows(
    outcome: Outcome, as_drawn: Outcome, logits: np.ndarray, vocabulary: Vocabulary
) -> dict[str, ChartData]:
    """The picture's data: bars, hatching, numbers, names, headlines and marks, in the plane's own units."""
    columns, distribution = columns_of(outcome), outcome.distribution
    tokens = shown_tokens(outcome, as_drawn.token)
    table = lengths(columns, tokens)
    longest = max(max(passed, gone) for row in table for passed, gone in row)
    longest = max(longest, float(as_drawn.distribution.final[tokens].max()))
    bars, hatches, values = [], [], []
    for index, (column, row) in enumerate(zip(columns, table, strict=True)):
        left = FIRST + index
        for y, (token, (passed, gone)) in enumerate(zip(tokens, row, strict=True)):
            end = left + BAR * max(passed, gone) / longest
            arrived = float(column.arrived[token])
            bar = {"x": left, "x2": end, "y": y - HALF, "y2": y + HALF, "removed": not passed and gone > 0}
            bar |= {"cell": left + VALUE, "option": token}
            facts = {"token": vocabulary.label(token), "id": token, "column": column.name, "probability": arrived}
            bars.append({**bar, **facts, "logit": float(logits[token]), "chosen": token == outcome.token})
            if bar["removed"]:
                hatches += hatch(left, end, y)
            text = percent(arrived) if arrived or not gone else "cut"
            values.append(
                {"x": left + VALUE, "y": y, "text": text, "removed": not passed, "bold": token == outcome.token}
            )
        values.append(
            {
                "x": left + VALUE,
                "y": SHOWN_TOKENS,
                "text": percent(rest(column, tokens)),
                "removed": True,
                "bold": False,
            }
        )
    return {
        "bars": bars,
        "hatches": hatches,
        "values": values,
        "names": name_rows(tokens, outcome, logits, vocabulary),
        "heads": head_rows(columns),
        "marks": mark_rows(tokens, outcome, as_drawn, distribution, longest),
    }


def rest(column: Column, tokens: list[int]) -> float:
    """The probability of all tokens that are not shown, as far as the column lets it through."""
    return float(np.delete(column.passed, tokens).sum())


def name_rows(tokens: list[int], outcome: Outcome, logits: np.ndarray, vocabulary: Vocabulary) -> ChartData:
    """The shown tokens and their logits, and one row for all others."""

    def name(y: int, token: str, logit: str, bold: bool, quiet: bool) -> dict[str, Any]:
        short = token if len(token) <= LONGEST_NAME else token[: LONGEST_NAME - 1] + "…"
        return {"x": NAMES, "logit_x": LOGITS, "y": y, "token": short, "logit": logit, "bold": bold, "quiet": quiet}

    others = len(logits) - len(tokens)
    return [
        *(
            name(y, vocabulary.label(token), fixed(logits[token], 2), token == outcome.token, False)
            for y, token in enumerate(tokens)
        ),
        name(SHOWN_TOKENS, f"{others:,} others", "", False, True),
    ]


def head_rows(columns: list[Column]) -> ChartData:
    """Three lines above every column: its name, its note, and the entropy after it."""
    rows: ChartData = [{"x": LOGITS, "y": ENTROPY, "text": "Logit", "line": "name", "align": "right"}]
    for index, column in enumerate(columns):
        for y, text, line in (
            (NAME, column.name, "name"),
            (NOTE, column.note, "note"),
            (ENTROPY, bits(column.entropy), "entropy"),
        ):
            rows.append({"x": FIRST + index, "y": y, "text": text, "line": line, "align": "left"})
    return rows


def mark_rows(
    tokens: list[int], outcome: Outcome, as_drawn: Outcome, distribution: Distribution, longest: float
) -> ChartData:
    """The band behind the token that these settings draw, and the run's own token and probabilities if they differ."""
    band = tokens.index(outcome.token)
    rows: ChartData = [{"kind": "band", "x": 0.0, "x2": WIDTH, "y": band - 0.5, "y2": band + 0.5}]
    if outcome.token != as_drawn.token:
        was = tokens.index(as_drawn.token)
        rows.append({"kind": "was", "x": 0.0, "x2": WIDTH, "y": was - 0.5, "y2": was + 0.5})
    for y, token in enumerate(tokens):
        x = FIRST + 4 + BAR * float(as_drawn.distribution.final[token]) / longest
        rows.append({"kind": "as drawn", "x": x, "x2": x, "y": y - 0.44, "y2": y + 0.44})
    same = np.array_equal(distribution.final, as_drawn.distribution.final)
    return [row for row in rows if row["kind"] != "as drawn"] if same else rows


def columns_chart(
    outcome: Outcome, as_drawn: Outcome, logits: np.ndarray, vocabulary: Vocabulary, palette: Palette
) -> style.Figure:
    """Five columns of bars over the same tokens; a bar that a filter removed is hatched and stays in place.

    Shapes: logits [vocab].
    """
    return style.Figure(_look(palette), column_rows(outcome, as_drawn, logits, vocabulary))


@style.look
def _look(palette: Palette) -> style.AltairChart:
    plane = alt.Scale(domain=[0, WIDTH], nice=False)
    x = alt.X("x:Q", scale=plane, axis=None)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[TOP, SHOWN_TOKENS + 0.6], reverse=True, nice=False), axis=None)
    box = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    marks, bars, values, names = (style.named(name) for name in ("marks", "bars", "values", "names"))
    heads = style.named("heads")
    tip = [
        alt.Tooltip("token:N", title="token"),
        alt.Tooltip("id:Q", title="id"),
        alt.Tooltip("column:N", title="column"),
        alt.Tooltip("probability:Q", title="probability", format=".4%"),
        alt.Tooltip("logit:Q", title="logits", format=".4f"),
    ]
    strength = alt.condition("datum.chosen", alt.value(1), alt.value(0.5))
    shade = alt.condition("datum.removed", alt.value(palette.muted), alt.value(palette.text))
    quiet = alt.condition("datum.quiet", alt.value(palette.muted), alt.value(palette.text))
    tint = palette.sampling
    layers = [
        marks.transform_filter("datum.kind == 'band'").mark_rect(color=tint, opacity=0.12).encode(**box),
        marks.transform_filter("datum.kind == 'was'")
        .mark_rect(filled=False, stroke=tint, strokeWidth=1, strokeDash=[4, 3], opacity=0.8)
        .encode(**box),
        bars.transform_filter("!datum.removed").mark_rect(color=tint, cornerRadius=1.5).encode(**box, opacity=strength),
        bars.transform_filter("datum.removed").mark_rect(
            fill=palette.panel, fillOpacity=0.01, stroke=tint, strokeWidth=1, strokeOpacity=0.65
        ).encode(**box),
        style.named("hatches").mark_rule(color=tint, strokeWidth=1, opacity=0.65, clip=True).encode(**box),
        marks.transform_filter("datum.kind == 'as drawn'").mark_rule(color=palette.text, strokeWidth=1.5).encode(**box),
        *(
            values.transform_filter(f"{sign}datum.bold")
            .mark_text(align="right", baseline="middle", fontSize=style.LABEL, fontWeight=weight)
            .encode(x=x, y=y, text="text:N", color=shade)
            for sign, weight in (("", "bold"), ("!", "normal"))
        ),
        *(
            names.transform_filter(f"{sign}datum.bold")
            .mark_text(align="right", baseline="middle", font=style.MONO, fontSize=style.LABEL, fontWeight=weight)
            .encode(x=x, y=y, text="token:N", color=quiet)
            for sign, weight in (("", "bold"), ("!", "normal"))
        ),
        names.mark_text(align="right", baseline="middle", fontSize=style.LABEL, color=palette.muted).encode(
            x=alt.X("logit_x:Q", scale=plane, axis=None), y=y, text="logit:N"
        ),
        heads.transform_filter("datum.line == 'name' && datum.align == 'left'").mark_text(
            align="left", fontSize=style.TEXT, fontWeight="bold"
        ).encode(x=x, y=y, text="text:N"),
        heads.transform_filter("datum.align == 'right'").mark_text(
            align="right", fontSize=style.LABEL, color=palette.muted
        ).encode(x=x, y=y, text="text:N"),
        heads.transform_filter("datum.line == 'note'").mark_text(
            align="left", fontSize=style.LABEL, color=palette.muted
        ).encode(x=x, y=y, text="text:N"),
        heads.transform_filter("datum.line == 'entropy'").mark_text(align="left", fontSize=style.LABEL).encode(
            x=x, y=y, text="text:N"
        ),
        bars.mark_rect(opacity=0, cursor="pointer").encode(**box | {"x2": "cell:Q"}, tooltip=tip).add_params(
            style.picking()
        ),
    ]  # fmt: skip
    return style.dressed(alt.layer(*layers), palette, ROW * (SHOWN_TOKENS + 4))


def columns_sentence(outcome: Outcome, as_drawn: Outcome, vocabulary: Vocabulary) -> str:
    """What the settings remove, and how much choice they leave; the first words say whose settings they are."""
    columns, distribution, sampling = columns_of(outcome), outcome.distribution, outcome.sampling
    first = int(distribution.order[0])
    left = np.count_nonzero(distribution.final)
    whose = "As drawn" if sampling == as_drawn.sampling and as_drawn.u is not None else "What if"
    top_k = f"removes {percent(distribution.removed_by_top_k)}" if sampling.top_k else "is off"
    top_p = f"removes {percent(distribution.removed_by_top_p)}" if sampling.top_p < 1 else "is off"
    return (
        f"{whose}: {spoken(vocabulary.label(first))} leads with {percent(distribution.raw[first])}; temperature "
        f"{sampling.temperature:g} changes the entropy from {bits(columns[0].entropy)} to {bits(columns[1].entropy)}, "
        f"top-k {top_k}, top-p {top_p}; this leaves {left:,} of {len(distribution.raw):,} "
        f"tokens and {bits(columns[-1].entropy)}."
    )
