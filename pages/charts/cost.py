"""The cost of every step of a run: a bar of milliseconds, stacked by what they were spent on."""

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

from . import style
from .style import ChartData, spoken

TITLE = "Where the milliseconds of every step went"
MOST_BARS = 64
HEIGHT = 380
# The parts of a step's milliseconds, from the bottom of a bar up; the last is time spent on other runs.
NAMES = {
    "model": "model",
    "capture": "capture",
    "lens": "logit lens",
    "sampling": "sampling",
    "storing": "storing",
    "waiting": "waiting",
}
WHOLE = "forward pass, not split"


@dataclass(frozen=True)
class Bar:
    """One bar: the steps from `first` to `last`, and the mean milliseconds of each part."""

    first: int
    last: int
    parts: dict[str, float]

    @property
    def total(self) -> float:
        """Its height."""
        return sum(self.parts.values())

    @property
    def middle(self) -> float:
        """The middle of its steps, where the mark points."""
        return (self.first + self.last) / 2


def is_split(run: Trace) -> bool:
    """Whether every step of the run has a timing, which splits its milliseconds into parts."""
    return all(step.timing is not None for step in run.steps)


def parts_of(step: Step, split: bool = True) -> dict[str, float]:
    """A step's milliseconds by part; without a split only those of its forward pass."""
    if step.timing is None or not split:
        return {WHOLE: step.ms}
    return {name: getattr(step.timing, part) for part, name in NAMES.items()}


def total_ms(step: Step) -> float:
    """The milliseconds of the whole step."""
    return sum(parts_of(step).values())


def generated(run: Trace) -> tuple[Step, ...]:
    """The steps after the prompt's, one token each; if there are none yet, the prompt's step."""
    return run.steps[1:] or run.steps


def bars(run: Trace) -> list[Bar]:
    """One bar for the prompt's step and one for each later step; in a long run several later steps share a bar."""
    width, split = steps_a_bar(run), is_split(run)
    ranges = [(0, 0), *((first, min(first + width, len(run.steps)) - 1) for first in range(1, len(run.steps), width))]
    parts = [parts_of(step, split) for step in run.steps]
    return [
        Bar(first, last, {name: fmean(step[name] for step in parts[first : last + 1]) for name in parts[first]})
        for first, last in ranges
    ]


def steps_a_bar(run: Trace) -> int:
    """How many of the steps after the prompt's share one bar."""
    return -(-(len(run.steps) - 1) // MOST_BARS) or 1


def top_of(drawn: Sequence[Bar]) -> float:
    """Where the axis ends. The prompt's bar, often far higher than a token's, is ignored if there are others."""
    return usual_top([bar.total for bar in drawn[1:] or drawn])


def usual_top(totals: Sequence[float]) -> float:
    """Where an axis ends: above the highest value, or lower if a few outliers would flatten all others."""
    highest = max(totals)
    usual = quantiles(totals, n=10)[-1] if len(totals) > 2 else highest
    return 1.1 * (highest if highest <= 1.6 * usual else 1.25 * usual)


def cost_rows(run: Trace, shown: int) -> dict[str, ChartData]:
    """The pieces of the bars, the mark of the shown step, and the bars that are cut at the end of the axis."""
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
    beyond: ChartData = [{"x": bar.middle, "y": top} for bar in drawn if bar.total > top and bar is not marked]
    # The corners of the picture. They are data and not part of the spec, so a new step replaces data alone.
    frame: ChartData = [{"x": -0.6, "y": 0.0}, {"x": len(run.steps) - 0.4, "y": top}]
    return {"pieces": pieces, "mark": [mark], "beyond": beyond, "frame": frame}


def cost_chart(run: Trace, shown: int, palette: Palette) -> alt.LayerChart:
    """Stacked bars in greys from dark to hollow, sampling in its own colour; the shown step is framed."""
    names = list(NAMES.values()) if is_split(run) else [WHOLE]
    fills = [palette.text, palette.muted, palette.line, palette.sampling, palette.panel, palette.panel]
    edges = [palette.text, palette.muted, palette.muted, palette.sampling, palette.text, palette.muted]
    if names == [WHOLE]:
        fills, edges = [palette.muted], [palette.muted]
    dashes = [[1, 0]] * (len(names) - 1) + [[2, 2] if len(names) > 1 else [1, 0]]
    across, up = alt.Scale(zero=False, nice=False), alt.Scale(nice=False)
    x = alt.X("x:Q", scale=across).axis(
        title="step (0 takes in the prompt, each later one a single token)", grid=False, tickMinStep=1, format="d"
    )
    y = alt.Y("y:Q", scale=up, title="milliseconds")
    box = {"x": x, "x2": "x2:Q", "y": y, "y2": "y2:Q"}
    tip = [
        alt.Tooltip("steps:N", title="step"),
        alt.Tooltip("token:N", title="takes in"),
        alt.Tooltip("part:N", title="part"),
        alt.Tooltip("ms:Q", title="ms", format=".3f"),
        alt.Tooltip("total:Q", title="whole step, ms", format=".3f"),
    ]
    legend = alt.Legend(title=None, symbolType="square", symbolSize=110, symbolStrokeWidth=1, columns=6)
    pieces, mark, beyond, frame = (style.named(name) for name in ("pieces", "mark", "beyond", "frame"))
    layers = [
        frame.mark_point(opacity=0).encode(x=x, y=y),
        pieces.mark_rect(strokeWidth=0.75).encode(
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
        beyond.mark_text(text="▲", dy=-9, fontSize=style.TEXT, color=palette.text).encode(x=x, y=y),
    ]
    return style.dressed(alt.layer(*layers), palette, HEIGHT, **cost_rows(run, shown))


def cost_sentence(run: Trace, shown: int) -> str:
    """The cost of a token, the model's part of it, and the time of the shown step."""
    step, usual = run.steps[shown], median(map(total_ms, generated(run)))
    token = spoken(run.vocabulary.label(step.ids[-1]))
    this = f"step {shown}, {token}," if shown else f"step 0, the prompt of {len(step.ids)} tokens,"
    if not is_split(run):
        return (
            f"A forward pass took {milliseconds(usual)} (median) on the machine that recorded this run; {this} took "
            f"{milliseconds(step.ms)}. The other parts of its steps were not timed: press Run for a run with all parts."
        )
    model = median(timing.model for timing in timings(generated(run)))
    if len(run.steps) == 1:
        return (
            f"Reading the prompt took {milliseconds(usual)}, {milliseconds(model)} of it in the model; press Play or "
            "Step to see what a token costs."
        )
    return (
        f"A token takes {milliseconds(usual)} (median), {milliseconds(model)} of it in the model: "
        f"{1000 / usual:,.0f} tokens a second. {this[0].upper()}{this[1:]} took {milliseconds(total_ms(step))}."
    )


def cost_caption(run: Trace) -> str:
    """How to read a bar, and which costs are not included."""
    steps, width, drawn = len(run.steps) - 1, steps_a_bar(run), bars(run)
    each = "Each bar is a step" if width == 1 else f"Step 0, then the mean of each {width} of the {steps:,} later steps"
    highest, top = max(bar.total for bar in drawn), top_of(drawn)
    cut = f", and ▲ marks what is cut, up to {milliseconds(highest)}" if highest > top else ""
    parts = (
        "Capture: making arrays of all activations, and filling the KV cache. Storing: fitting the trace into its "
        "budget. Waiting: for the turns of other runs. Painting is not included."
    )
    return f"{each}; the one shown is framed{cut}. {parts if is_split(run) else ''}".strip()


def timings(steps: Sequence[Step]) -> list[Timing]:
    """The timings of the steps that have one."""
    return [step.timing for step in steps if step.timing is not None]
