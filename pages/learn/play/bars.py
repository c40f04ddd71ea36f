"""Shares before and after, as pairs of bars: of tokens that are looked at, or of tokens that may come next."""

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt
import numpy as np
from numpy.typing import NDArray

from gpt2.text.vocabulary import Vocabulary
from pages.charts import style
from pages.look.numbers import FEW_ENDS, percent, round_above
from pages.look.palette import Palette

PAIR_HEIGHT, AXES_HEIGHT = 34, 70
MOST_PAIRS = 8
PARTS = 5  # of the axis: its ends are 1, 2 or 5 times a power of ten


@dataclass(frozen=True)
class Pair:
    """One token's share, before and after."""

    label: str
    before: float
    after: float


def largest(pairs: Sequence[Pair], most: int = MOST_PAIRS) -> list[Pair]:
    """The pairs with the largest shares, before or after, in the order in which they stood."""
    order = sorted(range(len(pairs)), key=lambda at: -max(pairs[at].before, pairs[at].after))
    return [pairs[at] for at in sorted(order[:most])]


def next_tokens(
    before: NDArray[np.floating], after: NDArray[np.floating], vocabulary: Vocabulary, most: int = MOST_PAIRS
) -> list[Pair]:
    """The likeliest next tokens of both distributions, those of `before` first. Shapes: both [vocab]."""
    ranked = [np.argsort(-shares, kind="stable")[:most].tolist() for shares in (before, after)]
    mixed = [token for pair in zip(*ranked, strict=True) for token in pair]
    tokens = sorted(list(dict.fromkeys(mixed))[:most], key=lambda token: -before[token])
    return [Pair(vocabulary.label(token), float(before[token]), float(after[token])) for token in tokens]


def pairs_chart(pairs: Sequence[Pair], names: tuple[str, str], colour: str, palette: Palette) -> style.Figure:
    """Two bars for each pair, the first muted; `names` says what each is. The axis ends close above the largest."""
    end = min(1.0, round_above(max((max(pair.before, pair.after) for pair in pairs), default=1.0), FEW_ENDS))
    rows = [
        {
            "place": style.placed(at, pair.label),
            "label": pair.label,
            "which": name,
            "share": share,
            "text": percent(share),
        }
        for at, pair in enumerate(pairs)
        for name, share in zip(names, (pair.before, pair.after), strict=True)
    ]
    return style.Figure(_look(palette, names, colour, end, len(pairs)), {"pairs": rows})


@style.look
def _look(palette: Palette, names: tuple[str, str], colour: str, end: float, n_pairs: int) -> style.AltairChart:
    y = alt.Y("place:O", axis=style.row_axis(), scale=alt.Scale(paddingInner=0.25))
    offset = alt.YOffset("which:N", sort=list(names), scale=alt.Scale(domain=list(names)))
    x = alt.X("share:Q", scale=alt.Scale(domain=[0, end * 1.12]), title=None)
    x = x.axis(format="%", values=[end * part / PARTS for part in range(PARTS + 1)])
    colours = alt.Scale(domain=list(names), range=[palette.muted, colour])
    tip = [
        alt.Tooltip("label:N", title="token"),
        alt.Tooltip("which:N", title="which"),
        alt.Tooltip("share:Q", title="share", format=".2%"),
    ]
    bars = style.named("pairs")
    layers = [
        bars.mark_bar().encode(
            x=x, y=y, yOffset=offset, color=alt.Color("which:N", scale=colours, title=None), tooltip=tip
        ),
        bars.mark_text(align="left", dx=4, fontSize=style.LABEL).encode(x=x, y=y, yOffset=offset, text="text:N"),
    ]
    return style.dressed(alt.layer(*layers), palette, PAIR_HEIGHT * n_pairs + AXES_HEIGHT)
