"""Where two runs of one prompt part: in their next tokens, and at one step in the lens, the norms and the attention.

Both have the same positions, so a step of one is compared with the step of the same number of the other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import altair as alt
import numpy as np
from numpy.typing import NDArray

from gpt2.experiments.effect import kl_bits
from gpt2.experiments.trace_pair import TracePair
from gpt2.trace.trace import Trace
from pages.charts import style
from pages.charts.lens import depths, newest_logits
from pages.charts.style import ChartData
from pages.look.names import head_name, layer_name
from pages.look.numbers import bits, fixed, percent
from pages.look.palette import Palette
from pages.look.tokens import spoken
from pages.matrix.blob import Picture
from pages.matrix.scale import share

Array = NDArray[np.float32]
Floats = NDArray[np.float64]
WINDOW = 32  # how many steps after the parting are compared
HEIGHT = 230
KL_TITLE = "How far apart the next tokens are, step by step"
LENS_TITLE = "How far apart the lens is, depth by depth"
NORMS_TITLE = "How long the stream is after each layer"
ATTENTION_TITLE = "Which heads look elsewhere"


@dataclass(frozen=True, eq=False)
class Pair(TracePair):
    """Two runs of one prompt that part."""

    @classmethod
    def of(cls, one: Trace, other: Trace, names: tuple[str, str]) -> "Pair | None":
        """The pair; None if one text is the beginning of the other, so that they do not part."""
        pair = cls(one, other, names)
        return None if pair.parted_at is None else pair

    @property
    def parted(self) -> int:
        """The first step at which their tokens differ."""
        assert self.parted_at is not None  # `of` sees to it
        return self.parted_at - len(self.first.prompt_ids)

    @property
    def steps(self) -> range:
        """The steps after the parting that both have, at most `WINDOW`."""
        return range(self.parted + 1, min(self.n_steps, self.parted + 1 + WINDOW))

    @property
    def said(self) -> tuple[str, str]:
        """The names within a sentence."""
        one, other = (name.replace("The first run", "the first run") for name in self.names)
        return one, other

    def label(self, which: int, step: int) -> str:
        """The token that one of them read at a step, marked as a token."""
        trace = self.both[which]
        return spoken(trace.vocabulary.label(trace.steps[step].ids[-1]))


def lens_divergence(pair: Pair, step: int, read_lens: Callable[[Array], Array]) -> Floats:
    """KL of the lens both ways at one step, in bits, the embedding first. Shapes: [2, depth]."""
    one, other = (np.array(newest_logits(trace, read_lens)) for trace in pair.at(step).both)
    return np.stack([kl_bits(one, other), kl_bits(other, one)])


def parting_sentence(pair: Pair) -> str:
    """At which step the two part, and by which tokens."""
    place = pair.parted_at or 0
    one, other = (spoken(trace.vocabulary.label(trace.ids[place])) for trace in pair.both)
    more = "" if pair.steps else " One of them has not read its token yet, so no step can be compared."
    return (
        f"They part at step {pair.parted}: {pair.said[0]} goes on with {one}, {pair.said[1]} with {other}. Up to "
        f"there they are one run, and share their numbers.{more}"
    )


def kl_sentence(pair: Pair, values: Floats) -> str:
    """The divergence at the first step that differs, both ways, and the largest of all. Shapes: values [2, step]."""
    first = pair.steps[0]
    way, most = np.unravel_index(int(values.argmax()), values.shape)
    return (
        f"After {pair.label(0, first)} and {pair.label(1, first)}, at step {first}, the next tokens are "
        f"{bits(values[0, 0])} apart seen from {pair.said[0]} and {bits(values[1, 0])} seen from {pair.said[1]}; the "
        f"largest of all {len(pair.steps)} steps is {bits(values.max())} at step {pair.steps[int(most)]}, seen from "
        f"{pair.said[int(way)]}."
    )


def lens_sentence(pair: Pair, step: int, values: Floats) -> str:
    """The depth at which the lens differs most, and the top. Shapes: values [2, depth]."""
    labels, most = list(depths(pair.first.config.n_layer)), int(values[0].argmax())
    return (
        f"At step {step} the lens differs by {bits(values[0, 0])} at the embedding and {bits(values[0, -1])} after the "
        f"last layer, seen from {pair.said[0]}; most at {labels[most]}: {bits(values[0, most])}."
    )


def norms_sentence(pair: TracePair, step: int, values: Floats) -> str:
    """The layer after which the lengths differ most. Shapes: values [2, layer]."""
    most = int(np.abs(np.log(values[0] / values[1])).argmax())
    one, other = values[:, most]
    return (
        f"At step {step} the lengths differ most after {layer_name(most)}: {fixed(one, 1)} in {pair.said[0]}, "
        f"{fixed(other, 1)} in {pair.said[1]} ({percent(abs(one - other) / other)} "
        f"{'longer' if one > other else 'shorter'})."
    )


def attention_sentence(step: int, values: Floats) -> str:
    """The head whose attention moved most, and the mean of all. Shapes: values [layer, head]."""
    layer, head = np.unravel_index(int(values.argmax()), values.shape)
    return (
        f"At step {step} {head_name(int(layer), int(head))} puts {percent(values.max())} of its attention elsewhere, "
        f"more than any other head; over all heads {percent(values.mean())} on average."
    )


def kl_chart(pair: Pair, values: Floats, step: int, palette: Palette) -> style.Figure:
    """Both directions over the steps, from the parting on; the compared step has a rule. Shapes: values [2, step]."""
    rows: ChartData = [
        {"x": at, "way": way, "bits": float(value)}
        for way, line in zip(pair.ways, values, strict=True)
        for at, value in ((pair.parted, 0.0), *zip(pair.steps, line, strict=True))
    ]
    return style.Figure(_kl_look(palette, pair.ways), {"lines": rows, "shown": [{"x": step}]})


@style.look
def _kl_look(palette: Palette, ways: tuple[str, str]) -> style.AltairChart:
    x = alt.X("x:Q", title="step", scale=alt.Scale(nice=False, padding=8, zero=False))
    x = x.axis(grid=False, tickMinStep=1, format="d")
    lines = two_lines(x, alt.Y("bits:Q", title="bits", scale=alt.Scale(domainMin=0)), ways, palette.sampling, palette)
    mark = style.named("shown").mark_rule(color=palette.sampling, strokeWidth=10, opacity=0.18).encode(x=x)
    return style.dressed(alt.layer(mark, lines), palette, HEIGHT)


def lens_chart(pair: Pair, values: Floats, palette: Palette) -> style.Figure:
    """Both directions over the depths, the embedding first. Shapes: values [2, depth]."""
    names = list(depths(pair.first.config.n_layer))
    rows: ChartData = [
        {"x": name, "way": way, "bits": float(value)}
        for way, line in zip(pair.ways, values, strict=True)
        for name, value in zip(names, line, strict=True)
    ]
    return style.Figure(_lens_look(palette, pair.ways, tuple(names)), {"lines": rows})


@style.look
def _lens_look(palette: Palette, ways: tuple[str, str], names: tuple[str, ...]) -> style.AltairChart:
    x = alt.X("x:N", title=None, sort=list(names), axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y("bits:Q", title="bits", scale=alt.Scale(domainMin=0))
    return style.dressed(two_lines(x, y, ways, palette.sampling, palette), palette, HEIGHT)


def norms_chart(pair: Pair, values: Floats, palette: Palette) -> style.Figure:
    """The length after each layer, of both runs. Shapes: values [2, layer]."""
    names = [layer_name(layer) for layer in range(values.shape[1])]
    rows: ChartData = [
        {"x": name, "way": way, "norm": float(value)}
        for way, line in zip(pair.names, values, strict=True)
        for name, value in zip(names, line, strict=True)
    ]
    return style.Figure(_norms_look(palette, pair.names, tuple(names)), {"lines": rows})


@style.look
def _norms_look(palette: Palette, runs: tuple[str, str], layers: tuple[str, ...]) -> style.AltairChart:
    x = alt.X("x:N", title=None, sort=list(layers), axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y("norm:Q", title="norm of the stream", scale=alt.Scale(zero=True))
    return style.dressed(two_lines(x, y, runs, palette.residual, palette), palette, HEIGHT)


def two_lines(x: alt.X, y: alt.Y, names: tuple[str, str], colour: str, palette: Palette) -> alt.Chart:
    """Two lines with points, the second dashed, over the rows of `lines`."""
    domain, dashes = list(names), [[1, 0], [6, 4]]
    legend = alt.Legend(title=None, symbolType="stroke", symbolSize=400)
    return (
        style.named("lines")
        .mark_line(point=True)
        .encode(
            x=x,
            y=y,
            color=alt.Color("way:N", scale=alt.Scale(domain=domain, range=[colour, palette.muted]), legend=legend),
            strokeDash=alt.StrokeDash("way:N", scale=alt.Scale(domain=domain, range=dashes), legend=legend),
            tooltip=[alt.Tooltip("way:N", title="of"), alt.Tooltip(f"{y.to_dict()['field']}:Q", format=".4f")],
        )
    )


def attention_picture(pair: Pair, step: int, values: Floats) -> Picture:
    """Layers upwards, heads across. Shapes: values [layer, head]."""
    layers, heads = values.shape
    return Picture(
        values[::-1],
        [layer_name(layer) for layer in reversed(range(layers))],
        [f"H{head}" for head in range(heads)],
        share("attention that lies elsewhere", "attention"),
        ATTENTION_TITLE,
        attention_sentence(step, values),
        "½ Σ |pattern − pattern| over the keys, {row}·{column}",
        row_title="layer",
        height=HEIGHT + 60,
    )
