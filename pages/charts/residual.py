"""The residual stream: the length of each position's vector up the stack, and the vector that each part adds."""

import altair as alt
import numpy as np
from numpy.typing import NDArray

from gpt2.trace.step import NORMS, cosine
from gpt2.trace.trace import Trace
from pages.look.names import layer_name, part_name
from pages.look.numbers import fixed, percent_parts, round_above, rounding_error
from pages.look.palette import Palette
from pages.look.tokens import spoken_at
from pages.matrix.blob import Picture
from pages.matrix.scale import Scale

from .style import AltairChart, ChartData, Figure, dressed, look, named, picking, zero_line

Array = NDArray[np.float32]
NORMS_TITLE = "How long is each token's vector?"
ADDED_TITLE = "How much each part adds"
CLICK = "Click a bar to open its arithmetic."
DIRECTION_TITLE = "Does it point along the stream or against it?"
FORMULA = (
    r"x^{\text{mid}} = x^{\text{pre}} + \text{attn}(\text{ln}_1(x^{\text{pre}})), \qquad "
    r"x^{\text{post}} = x^{\text{mid}} + \text{mlp}(\text{ln}_2(x^{\text{mid}})), \qquad "
    r"\lVert x \rVert = \sqrt{\textstyle\sum_i x_i^2}"
)
SHOWN_POINTS = [NORMS.index(f"hook_resid_{part}") for part in ("pre", "mid", "post")]
PARTS = {"attention": ("hook_attn_out", "hook_resid_pre"), "MLP": ("hook_mlp_out", "hook_resid_mid")}
AFTER = {"attention": "hook_resid_mid", "MLP": "hook_resid_post"}


def points(n_layer: int) -> dict[str, str]:
    """The shown points of the stream, bottom first: a short label and the hook of each."""
    blocks = {
        f"{layer_name(layer)} {part}": f"blocks.{layer}.hook_resid_{part}"
        for layer in range(n_layer)
        for part in ("pre", "mid", "post")
    }
    return {"token": "hook_embed", "position": "hook_pos_embed", **blocks}


def shape(trace: Trace) -> tuple[int, int]:
    """How many rows and columns the map of norms has."""
    return len(points(trace.config.n_layer)), trace.seq


def hook_of(trace: Trace, row: int) -> str:
    """The hook that a row of the map shows."""
    return list(points(trace.config.n_layer).values())[::-1][row]


def added_at(hook: str) -> tuple[str, str] | None:
    """What was added to make a point of the stream, and the point that it was added to, as hooks; None if nothing."""
    block, _, name = hook.rpartition(".")
    found = next((PARTS[part] for part, after in AFTER.items() if after == name), None)
    return None if found is None else (f"{block}.{found[0]}", f"{block}.{found[1]}")


def largest_number(trace: Trace, hook: str, position: int) -> tuple[int, int]:
    """Where the number of the largest size in a vector is."""
    return position, int(np.abs(trace.row(hook, position)).argmax())


def norms(trace: Trace) -> Array:
    """Length of every vector. Shapes: -> [point, seq], the bottom of the stack first."""
    embeddings = [np.linalg.norm(trace[hook], axis=1) for hook in ("hook_embed", "hook_pos_embed")]  # each [seq]
    stream = trace.norms[SHOWN_POINTS]  # [3, layer, seq]
    return np.vstack([*embeddings, *stream.transpose(1, 0, 2).reshape(-1, trace.seq)])


def norm_map(trace: Trace, position: int, without_first: bool, height: int) -> Picture:
    """Norms by point and token, the top of the stack on top.

    Args:
        trace: the run.
        position: the token that the caption describes.
        without_first: scale the colours by the other tokens; the first may then exceed the scale.
        height: in pixels.
    """
    names = points(trace.config.n_layer)
    values = norms(trace)[::-1]
    scaled = values[:, 1:] if without_first and trace.seq > 1 else values
    limit = float(scaled.max())
    first = float(values[:, 0].max())
    caption = f"{norm_sentence(trace, position)} Click a token to see below what each part adds to it."
    if first > limit:
        caption += f" The first token, up to {first:,.1f}, is beyond the colour scale."
    return Picture(
        values,
        list(names)[::-1],
        trace.labels,
        Scale("sequential", limit, "norm", "residual", is_clipped=first > limit),
        NORMS_TITLE,
        caption,
        "‖{row}[{c}]‖",
        row_names=list(names.values())[::-1],
        column_start=0,
        mark_column=trace.seq - 1,
        height=height,
    )


def norm_sentence(trace: Trace, position: int) -> str:
    """The length of a token's vector at the bottom and at the top, and the part that adds the longest vector."""
    last = trace.config.n_layer - 1
    ends = "blocks.0.hook_resid_pre", f"blocks.{last}.hook_resid_post"
    bottom, top = (float(np.linalg.norm(trace.row(hook, position))) for hook in ends)
    longest = max(added(trace, position), key=lambda row: row["norm"])
    return (
        f"{spoken_at(trace, position)} enters the first block with norm {bottom:.1f} and leaves the last with "
        f"{top:.1f}, {top / bottom:.1f} times as long; {longest['name']} adds the longest "
        f"vector, {longest['norm']:.1f}."
    )


def added(trace: Trace, position: int) -> ChartData:
    """Norms of the vectors that attention and MLP of every layer add to one token, and cosines with the stream."""
    rows = []
    for layer in range(trace.config.n_layer):
        for part, (out, stream) in PARTS.items():
            vector, before = (trace.row(f"blocks.{layer}.{hook}", position) for hook in (out, stream))
            point = list(points(trace.config.n_layer).values()).index(f"blocks.{layer}.{AFTER[part]}")
            rows.append(
                {
                    "layer": layer_name(layer),
                    "name": part_name(part, layer),
                    "part": part,
                    "norm": float(np.linalg.norm(vector)),
                    "before": float(np.linalg.norm(before)),
                    "cosine": cosine(vector, before),
                    "hook": f"blocks.{layer}.{out}[{position}]",
                    "option": (shape(trace)[0] - 1 - point) * trace.seq + position,
                }
            )
    return rows


def _bars(palette: Palette, n_layer: int, x: alt.X) -> AltairChart:
    layers = [layer_name(layer) for layer in reversed(range(n_layer))]
    parts = list(PARTS)
    bars = (
        named("added")
        .mark_bar(cursor="pointer")
        .encode(
            y=alt.Y("layer:N", scale=alt.Scale(domain=layers), axis=alt.Axis(title="layer", grid=False, domain=False)),
            yOffset=alt.YOffset("part:N", scale=alt.Scale(domain=parts[::-1])),
            x=x,
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=parts, range=[palette.attention, palette.mlp]),
                legend=alt.Legend(title=None),
            ),
            tooltip=[
                alt.Tooltip("hook:N", title="hook"),
                alt.Tooltip("norm:Q", format=".3f"),
                alt.Tooltip("before:Q", title="norm of the stream before", format=".3f"),
                alt.Tooltip("cosine:Q", title="cosine with the stream before", format=".3f"),
            ],
        )
    )
    bars = bars.add_params(picking())
    return dressed(bars + zero_line(), palette, max(220, 26 * n_layer))


def added_bars(trace: Trace, position: int, palette: Palette) -> Figure:
    """Norms of attention's and the MLP's output at one position, layer by layer."""
    seen = _added_look(palette, trace.config.n_layer, reach(trace, position))
    return Figure(seen, {"added": added(trace, position)})


@look
def _added_look(palette: Palette, n_layer: int, end: float) -> AltairChart:
    axis = alt.Axis(title="norm of the added vector", tickCount=5)
    return _bars(palette, n_layer, alt.X("norm:Q", scale=alt.Scale(domain=[0, end], nice=False), axis=axis))


def reach(trace: Trace, position: int) -> float:
    """A round end for the axis of norms, close above what any token gets.

    The first token's vectors can be a hundred times as long as all others; they count only if it is the shown one.
    """
    first = 0 if position == 0 or trace.seq == 1 else 1
    longest = float(trace.norms[[NORMS.index(out) for out, _ in PARTS.values()], :, first:].max())
    return round_above(longest)


def direction_bars(trace: Trace, position: int, palette: Palette) -> Figure:
    """Cosines of the same outputs with the stream they are added to, on [-1, 1]: below 0 they cancel."""
    return Figure(_direction_look(palette, trace.config.n_layer), {"added": added(trace, position)})


@look
def _direction_look(palette: Palette, n_layer: int) -> AltairChart:
    axis = alt.Axis(title="cosine with the stream (below 0: cancels)", tickCount=5)
    return _bars(palette, n_layer, alt.X("cosine:Q", scale=alt.Scale(domain=[-1, 1]), axis=axis))


def added_sentence(trace: Trace, position: int) -> str:
    """The shares of attention and the MLPs in all that is added, by norm."""
    rows = added(trace, position)
    total = {part: sum(row["norm"] for row in rows if row["part"] == part) for part in PARTS}
    written = percent_parts([norms / sum(total.values()) for norms in total.values()], 0)
    shares = dict(zip(total, written, strict=True))
    longest = max(rows, key=lambda row: row["norm"])
    return (
        f"The MLPs add {shares['MLP']} of the norms at {spoken_at(trace, position)}, attention "
        f"{shares['attention']}; {longest['name']} adds most, "
        f"{longest['norm']:.1f}. {CLICK}"
    )


def direction_sentence(trace: Trace, position: int) -> str:
    """The part that points most against the stream, if any does."""
    token, least = spoken_at(trace, position), min(added(trace, position), key=lambda row: row["cosine"])
    if least["cosine"] >= 0:
        return (
            f"At {token}, no part points against the stream: the lowest cosine is {fixed(least['cosine'], 2)}. {CLICK}"
        )
    return (
        f"At {token}, {least['name']} points most against the stream: "
        f"its cosine with the stream before it is {fixed(least['cosine'], 2)}. {CLICK}"
    )


def operands(trace: Trace, position: int) -> list[str]:
    """The last block's additions at one position, with the check that they add up."""
    layer = trace.config.n_layer - 1
    names = ("resid_pre", "attn_out", "resid_mid", "mlp_out", "resid_post")
    stream = {name: trace.row(f"blocks.{layer}.hook_{name}", position) for name in names}
    apart = np.abs(stream["resid_pre"] + stream["attn_out"] + stream["mlp_out"] - stream["resid_post"]).max()
    return [
        *(
            f"blocks.{layer}.hook_{name}[{position}] = [{', '.join(fixed(value, 3) for value in vector[:6])}, "
            f"… {len(vector)} numbers], norm {np.linalg.norm(vector):.3f}"
            for name, vector in stream.items()
        ),
        f"resid_pre + attn_out + mlp_out differs from resid_post by at most {rounding_error(apart)}.",
    ]
