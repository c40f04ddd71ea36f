"""What arrives at one place as bars, and what each head carried of one edge."""

import altair as alt

from gpt2.reading.arrivals import Arrival
from gpt2.reading.logit_parts import ATTENTION_BIAS, MLP, POSITION, TOKEN
from gpt2.reading.paths import Edge
from gpt2.trace.trace import Trace
from pages.charts.style import (
    LABEL,
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
)
from pages.look.names import head_name, part_name
from pages.look.numbers import percent, percent_parts, rounding_error
from pages.look.palette import Palette

from .words import place_name

ARRIVES, HEADS = "What arrives there", "Which heads carried it"
CAPTION = (
    "A part counts by how much nearer it leads to the sum than nothing does, in L1, as in the LLM Transparency Tool; "
    "one that leads away counts 0. Other measures differ: attention rollout takes the attention weights alone."
)
BARS, ROW = 9, 23
KINDS = ("attention", "MLP", "carried on", "token", "position")
CONCEPTS = {ATTENTION_BIAS: "attention", MLP: "MLP", TOKEN: "token", POSITION: "position"}
# The room for the written numbers, as a share of what the longest bar takes.
ROOM = 0.35


def arrival_rows(trace: Trace, found: Arrival) -> ChartData:
    """The parts of a place: those without a head, the positions that were read most, and all others together."""
    keys = found.keys
    order = sorted((key for key in range(len(keys)) if keys[key]), key=lambda key: -keys[key])
    parts = [(kind, share, CONCEPTS.get(kind, "carried on")) for kind, share in found.shares.items()]
    parts += [(f"{trace.labels[key]} ({key})", float(keys[key]), "attention") for key in order[:BARS]]
    parts.sort(key=lambda part: -part[1])
    if rest := order[BARS:]:
        parts.append((f"{len(rest)} more positions", float(keys[rest].sum()), "attention"))
    return _rows(parts)


def head_rows(found: Arrival, key: int) -> ChartData:
    """Every head's share in what came from one position, the largest first, the least together."""
    shares = found.heads[:, key].tolist()
    order = sorted(range(len(shares)), key=lambda head: -shares[head])
    parts = [(head_name(found.place.layer, head), shares[head], "attention") for head in order[:BARS]]
    if rest := order[BARS:]:
        parts.append((f"{len(rest)} more heads", sum(shares[head] for head in rest), "attention"))
    return _rows(parts)


def _rows(parts: list[tuple[str, float, str]]) -> ChartData:
    written = percent_parts([share for _, share, _ in parts], 2)
    return [
        {"place": place, "name": name, "share": share, "kind": kind, "written": text}
        for place, ((name, share, kind), text) in enumerate(zip(parts, written, strict=True))
    ]


def bars_chart(rows: ChartData, palette: Palette) -> Figure:
    """Horizontal bars from 0, the largest on top, the numbers in a column of their own."""
    return Figure(_look(palette), {"parts": rows, "room": room_beyond((row["share"] for row in rows), ROOM)})


@look
def _look(palette: Palette) -> AltairChart:
    colours = [palette.attention, palette.mlp, palette.residual, palette.token, palette.position]
    base = in_rows(named("parts"), "name").encode(y=alt.Y("row:N", axis=row_axis(labelLimit=150)))
    bars = base.mark_bar(height=14).encode(
        x=alt.X("share:Q", axis=alt.Axis(title="share", format=".2~%", tickCount=3), scale=alt.Scale(nice=False)),
        color=alt.Color("kind:N", scale=alt.Scale(domain=KINDS, range=colours), legend=None),
        tooltip=[alt.Tooltip("name:N", title="part"), alt.Tooltip("share:Q", format=".4%")],
    )
    text = base.mark_text(align="right", fontSize=LABEL).encode(x=alt.value("width"), text="written:N")
    return dressed(room() + bars + text, palette, ROW * (BARS + 3))


def key_of(found: Arrival, edge: Edge | None) -> int | None:
    """The position whose heads are shown: the picked edge's, or the one that was read most; None without a head."""
    if edge is not None:
        return edge.source.position
    return int(found.keys.argmax()) if found.place.is_after_attention else None


def arrival_sentence(trace: Trace, found: Arrival) -> str:
    """Where it is, the sum of all shares, and how far the parts are from what was captured there."""
    sentence = f"At {place_name(trace, found.place)}, {found.place.name}: all shares add up to {percent(found.total)}"
    if found.place.depth:
        sentence += f", and the parts to {found.place.hook}, off by {rounding_error(found.error)} of its norm"
    if found.cancels:
        sentence += ". Every part leads away from their sum, so each counts by its own norm"
    return f"{sentence}."


def heads_sentence(trace: Trace, found: Arrival, key: int) -> str:
    """How much of a place attention brought from one position, and which head most of it."""
    best = head_rows(found, key)[0]  # as its bar says it: rounded so that all add up
    start = f"{part_name('Attention', found.place.layer)} brought {percent(float(found.keys[key]), 2)} of it from"
    most = f"{best['name']} {best['written']}"
    return f"{start} {place_name(trace, found.place._replace(position=key))}, most of all {most}."


NO_HEADS = "No head writes there: click an edge of attention, or a place after attention, to see its heads."
