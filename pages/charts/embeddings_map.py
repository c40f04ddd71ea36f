"""A flat map of embeddings: the run's tokens among their nearest neighbours, along the two widest directions."""

from dataclasses import dataclass

import altair as alt
import numpy as np
from numpy.typing import NDArray

from gpt2.reading.tables import Projection, Tables
from gpt2.trace.trace import Trace
from pages.look.numbers import percent, percent_parts
from pages.look.palette import Palette

from . import style
from .style import ChartData

# The map shows the latest tokens, each once, with the nearest few of each; the caption says how many.
MAPPED_TOKENS, NEIGHBOURS = 14, 4
# The smallest plot of the page, and of a phone, in pixels: labels that do not overlap here overlap nowhere.
WIDTH, NARROW_WIDTH, HEIGHT, MARGIN = 560, 300, 400, 0.06
LETTER, LINE, DOT, OFFSET = 7.2, 15, 8, 8
SIDES = ("right", "left", "above", "below")

Box = tuple[float, float, float, float]


def label_box(x: float, y: float, letters: int, side: str) -> Box:
    """Left, top, right and bottom of a label beside the point (x, y), all in pixels."""
    width = letters * LETTER
    if side in ("right", "left"):
        left = x + OFFSET if side == "right" else x - OFFSET - width
        return left, y - LINE / 2, left + width, y + LINE / 2
    top = y - OFFSET - LINE if side == "above" else y + OFFSET
    return x - width / 2, top, x + width / 2, top + LINE


def overlap(box: Box, others: NDArray[np.float64]) -> float:
    """The area that a box shares with other boxes, summed. Shapes: others [box, 4]."""
    left, top, right, bottom = others.T
    across = np.minimum(box[2], right) - np.maximum(box[0], left)
    down = np.minimum(box[3], bottom) - np.maximum(box[1], top)
    return float((np.maximum(across, 0) * np.maximum(down, 0)).sum())


def place_labels(points: np.ndarray, labels: list[str], needed: int, width: int = WIDTH) -> list[str]:
    """Choose a side for every label, in order; past the first `needed` a label without room gets none ("").

    Shapes: points [row, 2], in pixels.
    """
    dots = np.hstack([points - DOT / 2, points + DOT / 2])  # [row, 4]
    taken = np.empty_like(dots)
    sides: list[str] = []
    placed = 0
    for at, label in enumerate(labels):
        x, y = points[at].tolist()
        boxes = [label_box(x, y, len(label), side) for side in SIDES]
        obstacles = np.concatenate([taken[:placed], dots[:at], dots[at + 1 :]])
        costs = [
            overlap(box, obstacles) + (1e6 if box[0] < 0 or box[1] < 0 or box[2] > width or box[3] > HEIGHT else 0)
            for box in boxes
        ]
        best = int(np.argmin(costs))
        if costs[best] > 0 and at >= needed:
            sides.append("")
            continue
        taken[placed], placed = boxes[best], placed + 1
        sides.append(SIDES[best])
    return sides


@dataclass(frozen=True)
class EmbeddingMap:
    """The tokens on the map and their coordinates: the run's own tokens, newest first, then their neighbours.

    Attributes: `own` is how many of `tokens` are the run's; `seen` is how many different tokens the run has.
    """

    tokens: list[int]
    own: int
    seen: int
    projection: Projection

    @classmethod
    def of(cls, trace: Trace, tables: Tables) -> "EmbeddingMap":
        """Fit the projection on the latest tokens of the run and their nearest neighbours."""
        different = list(dict.fromkeys(reversed(trace.computed_ids)))
        own = different[:MAPPED_TOKENS]
        tokens = tables.neighbourhood(own, NEIGHBOURS)
        return cls(tokens, len(own), len(different), Projection.of(tables.wte[tokens]))


def map_rows(found: EmbeddingMap, trace: Trace, width: int = WIDTH) -> ChartData:
    """One row for each token: its place on [0, 1] in both directions, its true coordinates, and its label's side."""
    points = found.projection.points.astype(np.float64)
    low, span = points.min(axis=0), np.maximum(np.ptp(points, axis=0), 1e-9)
    flat = MARGIN + (1 - 2 * MARGIN) * (points - low) / span
    labels = [trace.vocabulary.label(token) for token in found.tokens]
    sides = place_labels(flat * (1, -1) * (width, HEIGHT) + (0, HEIGHT), labels, found.own, width)
    kinds = ["newest" if place == 0 else "run" if place < found.own else "neighbour" for place in range(len(labels))]
    return [
        {"x": float(x), "y": float(y), "pc1": float(first), "pc2": float(second), "token": label, "id": token}
        | {"side": side, "kind": kind}
        for (x, y), (first, second), label, token, side, kind in zip(
            flat, points, labels, found.tokens, sides, kinds, strict=True
        )
    ]


def map_chart(found: EmbeddingMap, trace: Trace, palette: Palette, is_narrow: bool = False) -> style.Figure:
    """Points and their tokens: the run's in the token colour, neighbours muted, the newest in the step's colour."""
    return style.Figure(_look(palette), {"points": map_rows(found, trace, NARROW_WIDTH if is_narrow else WIDTH)})


@style.look
def _look(palette: Palette) -> style.AltairChart:
    axis = alt.Axis(labels=False, ticks=False, grid=False, title=None)
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)
    y = alt.Y("y:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=axis)
    kinds = ["newest", "run", "neighbour"]
    names = ["newest token", "tokens of the run", "their nearest neighbours"]
    scale = alt.Scale(domain=kinds, range=[palette.sampling, palette.token, palette.muted])
    labels = " : ".join(f"datum.value == '{kind}' ? '{name}'" for kind, name in zip(kinds, names, strict=True))
    colour = alt.Color("kind:N", title=None, scale=scale, legend=alt.Legend(labelExpr=f"{labels} : ''"))
    ink = alt.Color("kind:N", scale=alt.Scale(domain=kinds, range=[palette.sampling, palette.text, palette.muted]))
    tip = [
        alt.Tooltip("token:N", title="token"),
        alt.Tooltip("id:Q", title="id"),
        alt.Tooltip("pc1:Q", title="first direction", format=".4f"),
        alt.Tooltip("pc2:Q", title="second direction", format=".4f"),
    ]
    anchors = {
        "right": {"align": "left", "dx": OFFSET},
        "left": {"align": "right", "dx": -OFFSET},
        "above": {"align": "center", "dy": -OFFSET - LINE / 2},
        "below": {"align": "center", "dy": OFFSET + LINE / 2},
    }
    points = style.named("points")
    layers = [
        points.mark_point(filled=True, opacity=1).encode(
            x=x,
            y=y,
            color=colour,
            size=alt.condition("datum.kind == 'neighbour'", alt.value(22), alt.value(64)),
            tooltip=tip,
        ),
        *(
            points.transform_filter(f"datum.side == '{side}'")
            .mark_text(font=style.MONO, fontSize=style.LABEL, baseline="middle", **anchor)
            .encode(x=x, y=y, text="token:N", color=ink.legend(None))
            for side, anchor in anchors.items()
        ),
    ]
    return style.dressed(alt.layer(*layers).resolve_scale(color="independent"), palette, 440)


def map_sentence(found: EmbeddingMap) -> str:
    """How much of the variance the flat map keeps."""
    shares = [float(share) for share in found.projection.shares]
    (first, second), both = percent_parts(shares), percent(sum(shares))
    return (
        f"Two directions keep {both} of the variance of these {len(found.tokens)} embeddings ({first} across, {second} "
        f"up); distances in the other directions are not visible here."
    )


def map_caption(found: EmbeddingMap) -> str:
    """Which tokens the map shows."""
    which = f"all {found.own}" if found.own == found.seen else f"the latest {found.own} of {found.seen}"
    return (
        f"The map shows {which} different tokens of the run, and the {NEIGHBOURS} nearest tokens to each by cosine. "
        "If a label has no room, point at its dot or tap it to read it."
    )
