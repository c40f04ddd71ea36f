"""The time that the KV cache saves: a forward pass with it, and one over the whole text, by the newest position."""

from collections.abc import Sequence
from itertools import groupby
from statistics import median

import altair as alt

from gpt2.engine.uncached import LENGTHS, LONG, ROUNDS, Rerun
from gpt2.trace.trace import Trace
from pages.look.palette import Palette

from . import style
from .cost import milliseconds, usual_top
from .style import ChartData

TITLE = "What the KV cache saves"
HEIGHT = 300
WINDOW = 15
WITH, WITHOUT = "with the cache", "without: all tokens run again"


def cached_rows(run: Trace) -> ChartData:
    """A row for each single-token step: its position, its forward pass, and the median of `WINDOW` passes around it.

    At either end these are the first or the last `WINDOW` passes, so that one odd pass cannot lift the line's end.
    """
    steps = run.steps[1:]
    last = max(0, len(steps) - WINDOW)
    times = [step.ms for step in steps]
    return [
        {
            "position": step.stop - 1,
            "ms": step.ms,
            "running": median(times[(first := min(max(0, at - WINDOW // 2), last)) : first + WINDOW]),
            "what": WITH,
        }
        for at, step in enumerate(steps)
    ]


def rerun_rows(reruns: Sequence[Rerun]) -> ChartData:
    """A row for each measured length, at the position of its last token, with the median of its passes."""
    by_length = sorted(reruns, key=lambda rerun: rerun.tokens)
    rows: ChartData = []
    for tokens, group in groupby(by_length, key=lambda rerun: rerun.tokens):
        times = [rerun.ms for rerun in group]
        rows.append({"position": tokens - 1, "ms": median(times), "passes": len(times), "what": WITHOUT})
    return rows


def cache_chart(run: Trace, reruns: Sequence[Rerun], palette: Palette) -> style.Figure:
    """Points and a running median with the cache; joined points without it, once measured. Linear, from zero."""
    cached, again = cached_rows(run), rerun_rows(reruns)
    usual = [row["ms"] for row in cached] or [1.0]
    top = max([usual_top(usual), *(1.08 * row["ms"] for row in again)])
    for row in cached:
        row["drawn"] = min(row["ms"], top)
    frame: ChartData = [{"position": 0, "ms": 0.0}, {"position": 1.02 * run.seq, "ms": top}]
    rows = {"cached": cached, "frame": frame} | ({"again": again} if again else {})
    return style.Figure(_look(palette, bool(again)), rows)


@style.look
def _look(palette: Palette, is_measured: bool) -> style.AltairChart:
    x = alt.X("position:Q", scale=alt.Scale(nice=False)).axis(
        title="position of the newest token that is read", grid=False, tickMinStep=1, format="d"
    )
    scale = alt.Scale(nice=False)
    y, title = alt.Y("ms:Q", scale=scale), "milliseconds of the forward pass"
    names, legend = [WITH, WITHOUT][: 1 + is_measured], alt.Legend(title=None, symbolType="stroke", symbolSize=400)
    colour = alt.Color("what:N", scale=alt.Scale(domain=names, range=[palette.text, palette.muted]), legend=legend)
    dash = alt.StrokeDash("what:N", scale=alt.Scale(domain=names, range=[[1, 0], [7, 4]]), legend=legend)
    tip = [alt.Tooltip("position:Q", title="position"), alt.Tooltip("ms:Q", title="ms", format=".3f")]
    steps, whole = style.named("cached"), style.named("again")
    layers = [
        style.named("frame").mark_point(opacity=0).encode(x=x, y=y.title(title)),
        steps.mark_circle(size=22, opacity=0.45, color=palette.text).encode(
            x=x, y=alt.Y("drawn:Q", scale=scale, title=title), tooltip=[*tip, alt.Tooltip("what:N", title="how")]
        ),
        steps.mark_line(strokeWidth=3).encode(
            x=x, y=alt.Y("running:Q", scale=scale, title=title), color=colour, strokeDash=dash
        ),
    ]
    measured = [
        whole.mark_line(strokeWidth=3).encode(x=x, y=y.title(title), color=colour, strokeDash=dash),
        whole.mark_point(filled=True, size=90, opacity=1).encode(
            x=x,
            y=y.title(title),
            color=colour,
            tooltip=[*tip, alt.Tooltip("what:N", title="how"), alt.Tooltip("passes:Q", title="passes, median of")],
        ),
        whole.mark_text(dy=-14, fontSize=style.TEXT, fontWeight="bold").encode(
            x=x, y=y.title(title), text=alt.Text("ms:Q", format=",.0f")
        ),
    ]
    # Vega warns of layers that have nothing to draw.
    return style.dressed(alt.layer(*layers, *(measured if is_measured else ())), palette, HEIGHT)


def cache_sentence(run: Trace, reruns: Sequence[Rerun]) -> str:
    """How many times as fast the cache makes the pass at the last position that was measured both ways."""
    cached, again = {row["position"]: row["running"] for row in cached_rows(run)}, rerun_rows(reruns)
    if not cached:
        return (
            "No token has been generated with the cache yet: the prompt is read in one pass. Press Play or Step to "
            "generate one."
        )
    both = [row for row in again if row["position"] in cached]
    if not both:
        last = max(cached)
        return (
            f"With the cache, the forward pass at position {last} takes {milliseconds(cached[last])}. Its time without "
            "the cache has not been measured yet."
        )
    position, without = both[-1]["position"], both[-1]["ms"]
    with_cache = cached[position]
    if without < 1.05 * with_cache:
        return (
            f"At position {position} the cache saves nothing yet: the forward pass takes {milliseconds(with_cache)} "
            f"with it, {milliseconds(without)} without. It saves time as the text grows."
        )
    ratio = without / with_cache
    return (
        f"At position {position} the cache makes the forward pass {ratio:.{0 if ratio >= 9.5 else 1}f} times as fast: "
        f"{milliseconds(with_cache)} instead of {milliseconds(without)}."
    )


RECORDED = (
    "These times come from the machine that recorded the run. Press Run or Play to make a run here; it can be measured "
    "without the cache too."
)


def cache_caption(run: Trace) -> str:
    """How the times with and without the cache are measured."""
    times = f"{ROUNDS} passes each" if run.seq <= LONG else f"{ROUNDS} passes each, one beyond {LONG} tokens"
    return (
        f"With the cache: each step of this run, and the median of the {WINDOW} steps around it. Without: one pass "
        f"over all tokens up to a position, at up to {LENGTHS} of them, median of {times}. Both are the forward pass: "
        "model and capture, and not the whole step. "
        "Points beyond the axis are drawn on its edge."
    )
