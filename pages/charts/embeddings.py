"""A token before the first block: the token and position matrices, their sum, and the lengths of their rows."""

import altair as alt
import numpy as np

from gpt2.model.inputs import RESID_PRE
from gpt2.reading.tables import Tables
from gpt2.text.vocabulary import Vocabulary
from gpt2.trace.trace import Trace
from pages.look.numbers import FEW_ENDS, MINUS, fixed, round_above, rounding_error
from pages.look.palette import Palette
from pages.look.tokens import spoken, spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import Scale

from . import style
from .style import ChartData

TOKEN, POSITION, SUM = "token", "position", "sum"
# Each part of the sum and its hook.
PARTS = {TOKEN: "hook_embed", POSITION: "hook_pos_embed", SUM: "blocks.0.hook_resid_pre"}
TITLES = {TOKEN: "Token: what it is", POSITION: "+ Position: where it stands", SUM: "= Sum: what L0 reads"}
FORMULA = r"x = \mathrm{wte}[\text{token}] + \mathrm{wpe}[\text{position}]"
SHOWN_DIMENSIONS = 6
# The share of the newest token's numbers that the colours cover; the few others are far larger.
CLIP_SHARE = 0.96
NEIGHBOURS = 12
# How many rows of a matrix are sent to the browser at most.
SHOWN_ROWS = 192
# The option that stands for the newest token at every step.
NEWEST = -1
NO_TABLES = (
    "The weights that made this run are not loaded. "
    "Run a prompt of your own to see the nearest tokens, the map and the similarity of positions."
)


def own_tables(trace: Trace, tables: Tables | None) -> Tables | None:
    """The tables if the run's embeddings were looked up in them, else None: a file may come from other weights."""
    return tables if tables is not None and tables.hold(trace.computed_ids, trace["hook_embed"]) else None


def shared_scale(trace: Trace) -> Scale:
    """One signed scale for all three matrices and for the Live page: a colour is the same number in each of them.

    Its limit is that of `signedLimit` in pages/stage/js/embedding.js.
    """
    newest = np.sort(np.abs(np.concatenate([trace.row(hook, trace.seq - 1) for hook in PARTS.values()])))
    limit = round_above(float(newest[int(len(newest) * CLIP_SHARE)]), FEW_ENDS)
    most = max(float(np.abs(trace[hook]).max()) for hook in PARTS.values())
    return Scale("signed", limit, "value", is_clipped=most > limit)


def start(trace: Trace) -> int:
    """The position of the first row that the matrices show."""
    return max(0, trace.seq - SHOWN_ROWS)


def numbers(trace: Trace, cell: tuple[int, int]) -> list[tuple[str, tuple[int, int]]]:
    """The hooks and indices of what the three matrices show in a (row, column)."""
    return [(hook, (cell[0] + start(trace), cell[1])) for hook in PARTS.values()]


def part_picture(trace: Trace, part: str) -> Picture:
    """One of the three matrices: the latest tokens, all dimensions.

    Shapes: values [seq, d_model].
    """
    begin = start(trace)
    values = trace[PARTS[part]][begin:]
    which = f"the latest {SHOWN_ROWS} of {trace.seq} tokens" if begin else f"all {trace.seq} tokens"
    return Picture(
        values=values,
        rows=trace.labels[begin:],
        columns=[str(dimension) for dimension in range(values.shape[1])],
        scale=shared_scale(trace),
        title=TITLES[part],
        caption=f"{which}, all {values.shape[1]} dimensions",
        hook=PARTS[part] + "[{r}, {c}]",
        row_start=begin,
        row_title="token",
        column_title="d_model",
        mark_row=values.shape[0] - 1,
        group="embeddings",
        height=360,
    )


def equation(token: float, position: float, total: float) -> str:
    """One dimension's sum, with as many decimals as it takes for the rounded numbers to add up too.

    If they never do, because a recording stores 16-bit numbers or an intervention came in between, the sign is ≈ or ≠.
    """
    for decimals in range(3, 7):
        left, right, whole = (round(value, decimals) for value in (token, position, total))
        if equal := round(left + right, decimals) == whole:
            break
    else:
        decimals = 3
    sign, equals = MINUS if right < 0 else "+", "=" if equal else "≈" if abs(token + position - total) < 1e-3 else "≠"
    return f"{fixed(left, decimals)} {sign} {fixed(abs(right), decimals)} {equals} {fixed(whole, decimals)}"


def steered_positions(trace: Trace) -> list[int]:
    """The positions at which an intervention changed what block 0 reads."""
    return np.flatnonzero(trace.layer_inputs(0, (RESID_PRE,)).changed(RESID_PRE)).tolist()


def parts_sentence(trace: Trace) -> str:
    """The newest token's first number, and the check that all numbers add up."""
    token, position, total = (trace[hook] for hook in PARTS.values())
    first = equation(*(float(part[-1, 0]) for part in (token, position, total)))
    start = (
        f"{spoken_at(trace, -1)} at position {trace.seq - 1} enters as {total.shape[1]} numbers; the first is {first}"
    )
    if steered := steered_positions(trace):
        return f"{start}. At {len(steered)} of {trace.seq} positions an intervention changed the sum."
    off = float(np.abs(token + position - total).max())
    how = f"to within {rounding_error(off)}" if off else "exactly"
    return f"{start}. All {total.size:,} numbers of the sum add up {how}."


def norm_rows(trace: Trace) -> ChartData:
    """The lengths of the rows that the three matrices show."""
    start = max(0, trace.seq - SHOWN_ROWS)
    labels = trace.labels[start:]
    return [
        {"place": style.placed(at, label), "position": at, "token": label, "part": part, "norm": float(norm)}
        for part, hook in PARTS.items()
        for at, (label, norm) in enumerate(
            zip(labels, np.linalg.norm(trace[hook][start:], axis=1), strict=True), start=start
        )
    ]


def norms_chart(trace: Trace, palette: Palette) -> style.Figure:
    """Lengths of token, position and sum for the latest tokens of the run; the newest is marked."""
    rows = norm_rows(trace)
    return style.Figure(_norms_look(palette), {"norms": rows, "newest": rows[-1:]})


@style.look
def _norms_look(palette: Palette) -> style.AltairChart:
    parts = alt.Scale(domain=list(PARTS), range=[palette.token, palette.position, palette.residual])
    axis = style.row_axis(labelAngle=-90, labelOverlap="parity")
    x = alt.X("place:O", scale=alt.Scale(type="point", padding=0.6), axis=axis)
    y = alt.Y("norm:Q", title="norm (length)", scale=alt.Scale(domainMin=0, nice=True))
    colour = alt.Color("part:N", title=None, scale=parts)
    tip = [
        alt.Tooltip("token:N", title="token"),
        alt.Tooltip("position:Q", title="position"),
        alt.Tooltip("part:N", title="norm of"),
        alt.Tooltip("norm:Q", title="norm", format=".4f"),
    ]
    norms, newest = style.named("norms"), style.named("newest")
    layers = [
        norms.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour),
        norms.mark_point(filled=True, size=28, opacity=1).encode(x=x, y=y, color=colour, tooltip=tip),
        newest.mark_rule(color=palette.sampling, strokeWidth=10, opacity=0.18).encode(x=x),
        newest.mark_text(align="right", dx=-8, color=palette.sampling, font=style.MONO, fontWeight="bold").encode(
            x=x, y=alt.value(6), text="token:N"
        ),
    ]
    return style.dressed(alt.layer(*layers), palette, 330)


def norms_sentence(trace: Trace) -> str:
    """The lengths of the newest token's parts, and which part is longer over the run."""
    token, position, total = (np.linalg.norm(trace[hook], axis=1) for hook in PARTS.values())
    longest = int(np.argmax(total))
    longer = int((token > position).sum())
    return (
        f"{spoken_at(trace, -1)}: token {token[-1]:.2f}, position {position[-1]:.2f}, sum {total[-1]:.2f}. "
        f"The token's vector is longer than the position's at {longer} of {trace.seq} positions; "
        f"the longest sum is {total[longest]:.2f}, {spoken_at(trace, longest)} at position {longest}."
        + (f" The latest {SHOWN_ROWS} positions are shown." if trace.seq > SHOWN_ROWS else "")
    )


def neighbours_chart(tables: Tables, vocabulary: Vocabulary, token: int, palette: Palette) -> style.Figure:
    """The nearest tokens of one token by cosine, as bars on a fixed axis from 0 to 1."""
    rows = [
        {"place": style.placed(place, label), "token": label, "id": other, "cosine": cosine}
        for place, (other, cosine) in enumerate(tables.nearest(token, NEIGHBOURS))
        for label in (vocabulary.label(other),)
    ]
    return style.Figure(_neighbours_look(palette), {"neighbours": rows})


@style.look
def _neighbours_look(palette: Palette) -> style.AltairChart:
    x = alt.X("cosine:Q", title="cosine", scale=alt.Scale(domain=[0, 1], clamp=True), axis=alt.Axis(tickCount=5))
    y = alt.Y("place:O", axis=style.row_axis(), scale=alt.Scale(padding=0.25))
    tip = [
        alt.Tooltip("token:N", title="token"),
        alt.Tooltip("id:Q", title="id"),
        alt.Tooltip("cosine:Q", title="cosine", format=".6f"),
    ]
    rows = style.named("neighbours")
    layers = [
        rows.mark_bar(color=palette.token).encode(x=x, y=y, tooltip=tip),
        rows.mark_text(align="left", dx=6).encode(x=x, y=y, text=alt.Text("cosine:Q", format=".3f")),
    ]
    return style.dressed(alt.layer(*layers), palette, 400)


def neighbours_sentence(tables: Tables, vocabulary: Vocabulary, token: int) -> str:
    """The nearest token, and the median over the whole vocabulary to compare it with."""
    (first, cosine), *_ = tables.nearest(token, 1)
    others = np.delete(tables.cosines(tables.wte[token]), token)
    label, nearest = (spoken(vocabulary.label(one)) for one in (token, first))
    return (
        f"The nearest token to {label} is {nearest} with cosine {fixed(cosine, 3)}; "
        f"the median over the other {len(others):,} tokens is {fixed(float(np.median(others)), 3)}."
    )


def option_labels(trace: Trace) -> dict[int, str]:
    """The run's tokens by position, and `NEWEST` for the newest token of any step.

    A widget outlives its rerun and holds the function that writes its options, so that must not hold the trace.
    """
    return {NEWEST: "the newest token"} | {at: f"{label}  (position {at})" for at, label in enumerate(trace.labels)}


def option_label(labels: dict[int, str], at: int) -> str:
    """The text of one option; only its position if the run has become shorter."""
    return labels.get(at, f"position {at}")


def chosen_position(trace: Trace, at: int) -> int:
    """The position of one option; the newest if the run has become shorter."""
    return trace.seq - 1 if at == NEWEST or at >= trace.seq else at


def embedding_operands(trace: Trace) -> list[str]:
    """The token and its position, and the first dimensions of their sum."""
    token, position, total = (trace.row(hook, trace.seq - 1) for hook in PARTS.values())
    at = trace.seq - 1
    lines = [f"{trace.labels[-1]} is token {trace.computed_ids[-1]}, at position {at}"]
    lines += [
        f"dimension {index}: {equation(float(token[index]), float(position[index]), float(total[index]))}"
        for index in range(min(SHOWN_DIMENSIONS, len(total)))
    ]
    if at in steered_positions(trace):
        lines.append("An intervention added a vector to this sum before L0 read it.")
    return lines
