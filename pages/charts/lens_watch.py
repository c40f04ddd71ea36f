"""A watched token up the stack: its probability and its rank at every depth, as lines."""

import altair as alt

from gpt2.trace.trace import Trace
from pages.look.numbers import percent
from pages.look.palette import Palette
from pages.look.tokens import spoken

from .lens import Watch, depths
from .style import AltairChart, ChartData, Figure, dressed, look, named

PROBABILITY_TITLE = "The watched token's probability, layer by layer"
RANK_TITLE = "Its rank among all tokens"
HEIGHT = 170


def watched_rows(trace: Trace, watched: Watch) -> ChartData:
    """One row for each depth."""
    return [
        {
            "depth": label,
            "hook": f"{hook}[{trace.seq - 1}]",
            "token": trace.vocabulary.label(watched.token),
            "probability": float(probability),
            "rank": int(rank),
        }
        for (label, hook), probability, rank in zip(
            depths(trace.config.n_layer).items(), watched.probabilities, watched.ranks, strict=True
        )
    ]


def _line(palette: Palette, n_layer: int, y: alt.Y) -> AltairChart:
    order = list(depths(n_layer))
    line = (
        named("watched")
        .mark_line(color=palette.watched, point=alt.OverlayMarkDef(color=palette.watched, size=50))
        .encode(
            x=alt.X("depth:O", sort=order, axis=alt.Axis(title="read after", labelAngle=0)),
            y=y,
            tooltip=[
                alt.Tooltip("token:N"),
                alt.Tooltip("hook:N"),
                alt.Tooltip("probability:Q", format=".3%"),
                alt.Tooltip("rank:Q", format=","),
            ],
        )
    )
    return dressed(line, palette, HEIGHT)


def probability_line(trace: Trace, watched: Watch, palette: Palette) -> Figure:
    """Probability on [0, 1], on a square-root scale that shows small ones."""
    return Figure(_probability_look(palette, trace.config.n_layer), {"watched": watched_rows(trace, watched)})


@look
def _probability_look(palette: Palette, n_layer: int) -> AltairChart:
    axis = alt.Axis(title="probability (square-root scale)", format=".0%", values=[0, 0.01, 0.1, 0.25, 0.5, 1])
    scale = alt.Scale(type="sqrt", domain=[0, 1])
    return _line(palette, n_layer, alt.Y("probability:Q", scale=scale, axis=axis))


def rank_line(trace: Trace, watched: Watch, palette: Palette) -> Figure:
    """Rank from 1, on top, to the size of the vocabulary; logarithmic."""
    config = trace.config
    return Figure(_rank_look(palette, config.n_layer, config.vocab_size), {"watched": watched_rows(trace, watched)})


@look
def _rank_look(palette: Palette, n_layer: int, vocab_size: int) -> AltairChart:
    scale = alt.Scale(type="log", domain=[vocab_size, 1], nice=False)
    axis = alt.Axis(title="rank (log scale, 1 on top)", format=",", values=[1, 10, 100, 1000, 10_000, 100_000])
    return _line(palette, n_layer, alt.Y("rank:Q", scale=scale, axis=axis))


def watched_sentence(trace: Trace, watched: Watch) -> str:
    """The token's probability at the bottom and at the top, and the layer that raises it most."""
    labels = list(depths(trace.config.n_layer))
    gains = watched.probabilities[1:] - watched.probabilities[:-1]
    best = int(gains.argmax())
    start, end = (percent(float(watched.probabilities[at])) for at in (0, -1))
    change = f"{spoken(trace.vocabulary.label(watched.token))} has {start} at the embedding and {end} at the top"
    if gains[best] <= 0:
        return f"{change}; no layer raises it."
    return f"{change}; {labels[best + 1]} raises it most, by {100 * float(gains[best]):.1f} points."


def rank_sentence(trace: Trace, watched: Watch) -> str:
    """The token's rank at the bottom and at the top."""
    first, last = int(watched.ranks[0]), int(watched.ranks[-1])
    return f"It has rank {first:,} of {trace.config.vocab_size:,} at the embedding and rank {last:,} at the top."
