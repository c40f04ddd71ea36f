"""The whole vocabulary at once: how fast probability adds up along the ranks, and the ranks at which filters cut."""

import altair as alt
import numpy as np

from gpt2.model.sampling import Distribution
from gpt2.text.vocabulary import Vocabulary
from pages.charts import style
from pages.charts.style import ChartData
from pages.look.numbers import percent
from pages.look.palette import Palette

from .outcome import Outcome

SHOWN_RANKS = 240
MODEL, TEMPERED = "model, temperature 1", "after temperature"


def curve_rows(distribution: Distribution) -> ChartData:
    """Exact cumulative probability at ranks that are evenly spaced on a log axis."""
    ranks = np.unique(np.geomspace(1, len(distribution.order), SHOWN_RANKS).round().astype(int))
    return [
        {"rank": int(rank), "share": float(min(1.0, total)), "curve": name}
        for name, probabilities in ((MODEL, distribution.raw), (TEMPERED, distribution.tempered))
        for rank, total in zip(ranks, np.cumsum(probabilities[distribution.order])[ranks - 1], strict=True)
    ]


def cut_rows(outcome: Outcome) -> ChartData:
    """The last ranks that top-k and top-p keep; a filter that is off has no row."""
    distribution, sampling = outcome.distribution, outcome.sampling
    rows: ChartData = []
    if sampling.top_k:
        rows.append({"rank": sampling.top_k, "text": f"top-k keeps {sampling.top_k:,}", "level": 0.14})
    if sampling.top_p < 1:
        left = int(np.count_nonzero(distribution.after_top_p))
        rows.append({"rank": left, "text": f"top-p keeps {left:,}", "level": 0.05})
    return [row | {"side": roomy_side(row["rank"], distribution)} for row in rows]


def roomy_side(rank: int, distribution: Distribution) -> str:
    """The side of a rank on which the log axis has more room for a label."""
    return "right" if rank**2 < len(distribution.order) else "left"


def cumulative_chart(outcome: Outcome, vocabulary: Vocabulary, palette: Palette) -> style.Figure:
    """Cumulative probability by rank on a log axis, with the cuts and the drawn token."""
    distribution, token = outcome.distribution, outcome.token
    rank = distribution.rank(token)
    share = float(min(1.0, distribution.tempered[distribution.order[:rank]].sum()))
    label, side = vocabulary.label(token), roomy_side(rank, distribution)
    rows = {
        "curves": curve_rows(distribution),
        "cuts": cut_rows(outcome),
        "drawn": [{"rank": rank, "share": share, "token": label, "side": side}],
    }
    return style.Figure(_look(palette, len(distribution.order)), rows)


@style.look
def _look(palette: Palette, vocab_size: int) -> style.AltairChart:
    ranks = alt.Scale(type="log", domain=[1, vocab_size], nice=False)
    x = alt.X("rank:Q", scale=ranks, title="rank, most likely first (log scale)")
    x = x.axis(grid=False, format="~s", values=[1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000])
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, 1]), title="probability so far", axis=alt.Axis(format=".0%"))
    names = [TEMPERED, MODEL]
    colour = alt.Color("curve:N", title=None, scale=alt.Scale(domain=names, range=[palette.sampling, palette.muted]))
    dash = alt.StrokeDash("curve:N", title=None, scale=alt.Scale(domain=names, range=[[1, 0], [4, 3]]))
    tip = [
        alt.Tooltip("rank:Q", title="rank", format=","),
        alt.Tooltip("share:Q", title="probability so far", format=".3%"),
        alt.Tooltip("curve:N", title="of"),
    ]
    cuts, drawn = style.named("cuts"), style.named("drawn")
    layers = [
        style.named("curves").mark_line(interpolate="step-after").encode(
            x=x, y=y, color=colour, strokeDash=dash, tooltip=tip
        ),
        cuts.mark_rule(color=palette.text, strokeWidth=1).encode(x=x),
        *(
            cuts.transform_filter(f"datum.side == '{side}'")
            .mark_text(align=align, dx=shift, fontSize=style.LABEL)
            .encode(x=x, y=alt.Y("level:Q", scale=alt.Scale(domain=[0, 1])), text="text:N")
            for side, align, shift in (("right", "left", 5), ("left", "right", -5))
        ),
        drawn.mark_point(filled=True, size=80, color=palette.sampling, opacity=1).encode(x=x, y=y),
        *(
            drawn.transform_filter(f"datum.side == '{side}'")
            .mark_text(align=align, dx=shift, dy=14, font=style.MONO, fontWeight="bold", **halo)
            .encode(x=x, y=y, text="token:N")
            for side, align, shift in (("right", "left", 4), ("left", "right", -4))
            # The label is drawn twice: first with a broad stroke in the background's colour, so that lines pass behind.
            for halo in ({"stroke": palette.paper, "strokeWidth": 4, "color": palette.paper}, {})
        ),
    ]  # fmt: skip
    return style.dressed(alt.layer(*layers), palette, 250)


def cumulative_sentence(outcome: Outcome) -> str:
    """How many tokens hold half, and how many nine tenths, of the probability after temperature."""
    distribution = outcome.distribution
    total = np.cumsum(distribution.tempered[distribution.order])
    half, most = (int(np.searchsorted(total, share)) + 1 for share in (0.5, 0.9))
    one, many = "token holds" if half == 1 else "tokens hold", "holds" if most == 1 else "hold"
    top = percent(float(total[min(9, len(total) - 1)]))
    return (
        f"After temperature, {half:,} {one} half of the probability and {most:,} {many} nine tenths; the first ten of "
        f"{len(total):,} hold {top}."
    )
