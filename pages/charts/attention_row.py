"""The keys that the newest token, or some chosen ones, look at: one row of a pattern as bars."""

from collections.abc import Sequence

import altair as alt
import numpy as np

from gpt2.trace.trace import Trace
from pages.look.numbers import percent
from pages.look.palette import Palette
from pages.look.tokens import spoken_at

from .attention import look_phrase
from .attention_shares import JOINED, Reading, Subject, joined_row, listed
from .style import LABEL, MONO, AltairChart, ChartData, Figure, dressed, in_rows, look, named, row_axis

TITLE, CHOSEN_TITLE = "Where the newest token looks", "Where the chosen tokens look"
BARS, NAMED = 12, 4
ROW_HEIGHT = 21


def chosen_queries(trace: Trace, chosen: Sequence[int]) -> tuple[int, ...]:
    """The chosen positions that the run has, in their order; the newest if there is none."""
    return tuple(sorted(at for at in chosen if at < trace.seq)) or (trace.seq - 1,)


def row_title(trace: Trace, queries: Sequence[int]) -> str:
    """The title of the bars."""
    return TITLE if queries == (trace.seq - 1,) else CHOSEN_TITLE


def key_rows(trace: Trace, subject: Subject, reading: Reading, queries: Sequence[int]) -> ChartData:
    """One row for each of the largest weights, largest first, and one row for the rest."""
    row = joined_row(trace, subject, reading, queries)[: max(queries) + 1]  # [key]
    order = [int(key) for key in np.argsort(-np.nan_to_num(row, nan=-1.0), kind="stable") if not np.isnan(row[key])]
    shown, rest = order[:BARS], order[BARS:]
    rows: ChartData = [
        {
            "place": place,
            "token": f"{trace.labels[key]} {_where(key, queries)}",
            "position": key,
            "weight": float(row[key]),
            "written": percent(float(row[key])),
            "what": "first token" if key == 0 else "other tokens",
        }
        for place, key in enumerate(shown)
    ]
    if rest:
        is_mean = subject.join == "mean"
        weight = float(row[rest].sum() if is_mean else row[rest].max())
        rows.append(
            {
                "place": len(rows),
                "token": f"{len(rest)} more" if is_mean else f"{len(rest)} more, at most",
                "position": None,
                "weight": weight,
                "written": percent(weight),
                "what": "the rest, together" if is_mean else "the rest, the largest",
            }
        )
    return rows


def _where(key: int, queries: Sequence[int]) -> str:
    """How far before its only query a key stands; its position, if there are several."""
    if len(queries) > 1:
        return f"at {key}"
    return f"−{queries[0] - key}" if key < queries[0] else "itself"


def attention_row(trace: Trace, subject: Subject, reading: Reading, queries: Sequence[int], palette: Palette) -> Figure:
    """Bars on [0, 1], one a key; each label tells how many tokens back the key is, or where, if several look."""
    return Figure(_look(palette, reading.label, subject.join), {"keys": key_rows(trace, subject, reading, queries)})


@look
def _look(palette: Palette, label: str, join: str) -> AltairChart:
    base = in_rows(named("keys"), "token").encode(
        y=alt.Y("row:N", axis=row_axis()),
        tooltip=[
            alt.Tooltip("token:N", title="key (and where)"),
            alt.Tooltip("position:Q", title="position"),
            alt.Tooltip("weight:Q", title=label, format=".4f"),
        ],
    )
    kinds = ["first token", "other tokens", f"the rest, {'together' if join == 'mean' else 'the largest'}"]
    bars = base.mark_bar(height=13).encode(
        x=alt.X(
            "weight:Q",
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(title=label, format=".0%", tickCount=5),
        ),
        color=alt.Color(
            "what:N",
            # The first token, a sink for attention that heads do not need, in the same colour at half its strength.
            scale=alt.Scale(domain=kinds, range=[f"{palette.attention}80", palette.attention, palette.residual]),
            legend=alt.Legend(title=None),
        ),
    )
    text = base.mark_text(align="left", dx=4, font=MONO, fontSize=LABEL).encode(x="weight:Q", text="written:N")
    return dressed(bars + text, palette, ROW_HEIGHT * (BARS + 1))


def looking_phrase(trace: Trace, queries: Sequence[int]) -> str:
    """The tokens that look, as the subject of a sentence."""
    names = [spoken_at(trace, query) for query in queries[:NAMED]]
    more = [f"{len(queries) - NAMED} more"] if len(queries) > NAMED else []
    return listed([*names, *more])


def attention_row_sentence(trace: Trace, subject: Subject, reading: Reading, queries: Sequence[int]) -> str:
    """What is joined, the largest weight, and the first token's."""
    row, who = joined_row(trace, subject, reading, queries), looking_phrase(trace, queries)
    if len(queries) == 1:
        sentence = f"{subject.name}: {who} {look_phrase(trace, row, queries[0])}."
    elif not np.nan_to_num(row).any():
        sentence = f"{subject.name}: {who} have nothing left to look at."
    else:
        key = int(np.nanargmax(row))
        joined = f"{JOINED[subject.join].lower()} over {len(queries)} tokens"
        sentence = (
            f"{subject.name}, {joined}: {who} look most at {spoken_at(trace, key)} (position {key}), "
            f"{percent(float(row[key]))}."
        )
    if not reading.without_first and trace.seq > 1:
        sentence += f" The first token, {spoken_at(trace, 0)}, gets {percent(float(row[0]))}."
    return sentence
