"""The cost of every step of a run: its milliseconds, stacked by part."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles
from typing import Any

import altair as alt

from gpt2.trace.step import Step
from gpt2.trace.timing import Timing
from gpt2.trace.trace import Trace
from pages.look.numbers import milliseconds
from pages.look.palette import Palette
from pages.look.tokens import spoken_at

from . import style
from .style import ChartData
from .token_time import NAMES, TokenTime, is_split, total_ms

TITLE = "How each step spent its time"
MOST_BARS = 64
HEIGHT = 380
WHOLE = "forward pass, not split"


@dataclass(frozen=True)
class Bar:
    """One bar: the steps from `first` to `last`, and the mean milliseconds of each part."""

    first: int
    last: int
    parts: dict[str, float]

    @property
    def total(self) -> float:
        """The height of the bar."""
        return sum(self.parts.values())

    @property
    def middle(self) -> float:
        """The middle of the bar on the axis of steps."""
        return (self.first + self.last) / 2


def parts_of(step: Step, split: bool = True) -> dict[str, float]:
    """A step's milliseconds by part; its forward pass alone if the run is not split."""
    if step.timing is None or not split:
        return {WHOLE: step.ms}
    return {name: getattr(step.timing, part) for part, name in NAMES.items()}


def generated(run: Trace) -> tuple[Step, ...]:
    """The steps that ran one token through the model, or the prompt's step if there are none yet."""
    return run.steps[1:] or run.steps


def bars(run: Trace) -> list[Bar]:
    """A bar for the prompt's step, and one for each later step; in a long run, several steps share a bar."""
    width, split = steps_a_bar(run), is_split(run)
    ranges = [(0, 0), *((first, min(first + width, len(run.steps)) - 1) for first in range(1, len(run.steps), width))]
    parts = [parts_of(step, split) for step in run.steps]
    return [
        Bar(first, last, {name: fmean(step[name] for step in parts[first : last + 1]) for name in parts[first]})
        for first, last in ranges
    ]


def steps_a_bar(run: Trace) -> int:
    """How many of the later steps share a bar."""
    return -(-(len(run.steps) - 1) // MOST_BARS) or 1


def top_of(drawn: Sequence[Bar]) -> float:
    """Where the axis ends. The prompt's bar does not count: it may be far higher than a token's."""
    return usual_top([bar.total for bar in drawn[1:] or drawn])


def usual_top(totals: Sequence[float]) -> float:
    """Where an axis ends: above the highest value, unless a few are so high that they would flatten the others."""
    highest = max(totals)
    usual = quantiles(totals, n=10)[-1] if len(totals) > 2 else highest
    return 1.1 * (highest if highest <= 1.6 * usual else 1.25 * usual)


def cost_rows(run: Trace, shown: int) -> dict[str, ChartData]:
    """The pieces of the bars, the mark of the shown step, and the frame with signs for bars higher than the axis."""
    drawn, pieces = bars(run), []
    top = top_of(drawn)
    for bar in drawn:
        step = run.steps[bar.last]
        whole = {
            "x": bar.first - 0.42,
            "x2": bar.last + 0.42,
            "steps": f"{bar.first}" if bar.first == bar.last else f"{bar.first} to {bar.last}, mean",
            "token": "the prompt" if not bar.first else run.vocabulary.label(step.ids[-1]),
            "total": bar.total,
        }
        floor = 0.0
        for name, ms in bar.parts.items():
            piece = {"part": name, "ms": ms, "y": min(floor, top), "y2": min(floor + ms, top)}
            pieces.append(whole | piece)
            floor += ms
    marked = next(bar for bar in drawn if bar.first <= shown <= bar.last)
    mark: dict[str, Any] = {"x": marked.first - 0.5, "x2": marked.last + 0.5, "middle": marked.middle}
    mark |= {"y": 0.0, "y2": min(marked.total, top), "sign": "▲" if marked.total > top else "▼"}
    beyond = [bar for bar in drawn if bar.total > top and bar is not marked]
    # The corners of the picture are data and not spec, so that a new step replaces data alone.
    corners = [{"x": -0.6, "y": 0.0, "sign": ""}, {"x": len(run.steps) - 0.4, "y": top, "sign": ""}]
    frame: ChartData = [*corners, *({"x": bar.middle, "y": top, "sign": "▲"} for bar in beyond)]
    return {"pieces": pieces, "mark": [mark], "frame": frame}


def cost_chart(run: Trace, shown: int, palette: Palette) -> style.Figure:
    """Stacked bars in greys from dark to hollow, sampling in its own colour; the shown step is framed."""
    return style.Figure(_look(palette, is_split(run)), cost_rows(run, shown))


@style.look
def _look(palette: Palette, split: bool) -> style.AltairChart:
    names = list(NAMES.values()) if split else [WHOLE]
    fills = [palette.text, palette.muted, palette.line, palette.sampling, palette.panel, palette.panel]
    edges = [palette.text, palette.muted, palette.muted, palette.sampling, palette.text, palette.muted]
    if names == [WHOLE]:
        fills, edges = [palette.muted], [palette.muted]
    dashes = [[1, 0]] * (len(names) - 1) + [[2, 2] if len(names) > 1 else [1, 0]]
    across, up = alt.Scale(zero=False, nice=False), alt.Scale(nice=False)
    x = alt.X("x:Q", scale=across).axis(title="step (0 reads the prompt)", grid=False, tickMinStep=1, format="d")
    y = alt.Y("y:Q", scale=up, title="milliseconds")
    box = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    tip = [
        alt.Tooltip("steps:N", title="step"),
        alt.Tooltip("token:N", title="reads"),
        alt.Tooltip("part:N", title="part"),
        alt.Tooltip("ms:Q", title="ms", format=".3f"),
        alt.Tooltip("total:Q", title="whole step, ms", format=".3f"),
    ]
    shape = {"symbolType": "square", "symbolSize": 110, "symbolStrokeWidth": 1}
    legend = alt.Legend(title=None, columns=style.legend_columns(2, 6), **shape)
    pieces, mark, frame = (style.named(name) for name in ("pieces", "mark", "frame"))
    layers = [
        pieces.mark_bar(strokeWidth=0.75, cornerRadius=0).encode(
            **box,
            fill=alt.Fill("part:N", scale=alt.Scale(domain=names, range=fills), legend=legend),
            stroke=alt.Stroke("part:N", scale=alt.Scale(domain=names, range=edges), legend=legend),
            strokeDash=alt.StrokeDash("part:N", scale=alt.Scale(domain=names, range=dashes), legend=legend),
            tooltip=tip,
        ),
        mark.mark_rect(filled=False, stroke=palette.sampling, strokeWidth=2).encode(**box),
        mark.mark_text(dy=-9, fontSize=style.TEXT, color=palette.sampling).encode(
            x=alt.X("middle:Q", scale=across), y=alt.Y("y2:Q", scale=up), text="sign:N"
        ),
        frame.mark_text(dy=-9, fontSize=style.TEXT, color=palette.text).encode(x=x, y=y, text="sign:N"),
    ]
    return style.dressed(alt.layer(*layers), palette, HEIGHT)


def cost_sentence(run: Trace, shown: int) -> str:
    """The time of a token, the model's part of it, and the time of the shown step."""
    step, split, token_time = run.steps[shown], is_split(run), TokenTime.of(run)
    token, took = spoken_at(run, step.stop - 1), milliseconds(total_ms(step, split))
    this = f"step {shown}, {token}," if shown else f"step 0, the prompt of {len(step.ids)} tokens,"
    if not split:
        passes = token_time or TokenTime(step.ms, 1, is_whole=False)
        return (
            f"A forward pass took {milliseconds(passes.ms)} ({passes.basis}) on the machine that made this run; {this} "
            f"took {took}. The run stores no other times; press Run to measure them."
        )
    model = milliseconds(median(timing.model for timing in timings(generated(run))))
    if token_time is None:
        return f"Reading the prompt took {took}, {model} of it in the model; press Play or Step to see a token's cost."
    return (
        f"A token takes {milliseconds(token_time.ms)} ({token_time.basis}), {model} of it in the model: "
        f"{1000 / token_time.ms:,.0f} tokens a second. {this[0].upper()}{this[1:]} took {took}."
    )


def cost_caption(run: Trace) -> str:
    """What a bar shows, and what each part includes."""
    steps, width, drawn = len(run.steps) - 1, steps_a_bar(run), bars(run)
    each = "Each bar is a step" if width == 1 else f"Step 0, then the mean of each {width} of the {steps:,} later steps"
    highest, top = max(bar.total for bar in drawn), top_of(drawn)
    cut = f"; ▲ marks bars that are cut, up to {milliseconds(highest)}" if highest > top else ""
    parts = (
        "Model is the forward pass, which gives the logits of every layer's logit lens too; logit lens finds the "
        "likeliest tokens in them. Capture makes arrays of all activations and fills the KV cache. Storing adds the "
        "step to the trace and fits the trace into its budget. Waiting is for the turns of other runs. Painting is not "
        "included."
    )
    return f"{each}; a frame marks the shown step{cut}. {parts if is_split(run) else ''}".strip()


def timings(steps: Sequence[Step]) -> list[Timing]:
    """The timings of the steps that store one."""
    return [step.timing for step in steps if step.timing is not None]
