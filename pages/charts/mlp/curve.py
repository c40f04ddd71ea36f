"""The bend of the MLP: every neuron's number before and after GELU, as a point on the curve."""

import altair as alt
import numpy as np

from gpt2.reading.neurons import gelu
from pages.charts.style import MONO, ChartData, dressed, named
from pages.look.numbers import fixed, number, percent, rounding_error
from pages.look.palette import Palette

from .measures import ACTIVATION, Measured

TITLE = "How far does each neuron fire?"
# A neuron for each point; all others are in the bars alone.
POINTS = 300
BARS, SAMPLES = 48, 161
FORMULA = (
    r"\text{pre} = W_1\,\text{ln}_2(x^{\text{mid}}) + b_1, \qquad "
    r"\text{post} = \text{gelu}(\text{pre}) = \tfrac12\,\text{pre}\left(1 + \tanh\left(\sqrt{\tfrac{2}{\pi}}\,"
    r"(\text{pre} + 0.044715\,\text{pre}^3)\right)\right), \qquad "
    r"\text{mlp} = \textstyle\sum_n \text{post}_n\, w_n + b_2"
)


def reach(measured: Measured) -> tuple[float, float]:
    """The ends of the axis of pre-activations, even numbers: 0 and the bend are always on it."""
    pre = measured.neurons.pre
    return -2.0 * np.ceil(max(4.0, -float(pre.min())) / 2), 2.0 * np.ceil(max(4.0, float(pre.max())) / 2)


def point_rows(measured: Measured, neuron: int) -> ChartData:
    """The neurons furthest from 0 after GELU, and the chosen one, which comes last."""
    pre, post = measured.neurons.pre, measured.neurons.post
    furthest = [int(at) for at in np.argsort(-np.abs(post), kind="stable")[:POINTS] if at != neuron]
    return [
        {"neuron": measured.name(at), "short": f"N{at}", "pre": float(pre[at]), "post": float(post[at])}
        for at in (*furthest, neuron)
    ]


def count_rows(measured: Measured) -> ChartData:
    """How many neurons have which number before GELU."""
    counts, edges = np.histogram(measured.neurons.pre, BARS, reach(measured))
    return [
        {"from": float(start), "to": float(stop), "neurons": int(count)}
        for start, stop, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]


def curve_chart(measured: Measured, neuron: int, palette: Palette) -> alt.LayerChart:
    """GELU as a line with the neurons on it; grey bars at the bottom count all neurons."""
    low, high = reach(measured)
    x = alt.X("pre:Q", title="before GELU (hook_pre)", scale=alt.Scale(domain=[low, high], nice=False))
    y_scale = alt.Scale(domain=[-0.28 * high, high], nice=False)
    y = alt.Y("post:Q", title="after GELU (hook_post)", scale=y_scale)
    counts, points, chosen = count_rows(measured), point_rows(measured, neuron), named("chosen")
    most = max(row["neurons"] for row in counts)
    tip = [
        alt.Tooltip("neuron:N", title="neuron"),
        alt.Tooltip("pre:Q", title="before GELU", format=".4f"),
        alt.Tooltip("post:Q", title="after GELU", format=".4f"),
    ]
    bars = (
        named("counts")
        .mark_bar(color=palette.muted, opacity=0.35, cornerRadiusEnd=0)
        .encode(
            x=alt.X("from:Q", scale=alt.Scale(domain=[low, high], nice=False), title="before GELU (hook_pre)"),
            x2="to:Q",
            y2=alt.datum(0),
            y=alt.Y("neurons:Q", axis=None, scale=alt.Scale(domain=[0, 5 * most], nice=False)),
            tooltip=[alt.Tooltip("neurons:Q"), alt.Tooltip("from:Q", format=".2f"), alt.Tooltip("to:Q", format=".2f")],
        )
    )
    line = named("curve").mark_line(color=palette.residual, strokeWidth=1.5).encode(x=x, y=y)
    dots = named("points").mark_point(filled=True, size=34, opacity=0.55, color=palette.mlp)
    ring = chosen.mark_point(filled=False, size=190, opacity=1, color=palette.text, strokeWidth=2)
    says = chosen.mark_text(align="right", dx=-14, font=MONO, fontWeight="bold")
    curve = alt.layer(
        line,
        dots.encode(x=x, y=y, tooltip=tip),
        ring.encode(x=x, y=y, tooltip=tip),
        says.encode(x=x, y=y, text="short:N"),
    )
    at = np.linspace(low, high, SAMPLES)
    drawn = [{"pre": float(pre), "post": float(post)} for pre, post in zip(at, gelu(at), strict=True)]
    whole = alt.layer(bars, curve).resolve_scale(y="independent")
    return dressed(whole, palette, 360, counts=counts, curve=drawn, points=points, chosen=points[-1:])


def curve_sentence(measured: Measured, neuron: int) -> str:
    """How many neurons fire, how few of them do most of it, and where the chosen one is."""
    neurons = measured.neurons
    fires, many = int((neurons.pre > 0).sum()), len(neurons.pre)
    sizes = np.sort(np.maximum(neurons.post.astype(np.float64), 0))[::-1]
    half = int(np.searchsorted(np.cumsum(sizes), sizes.sum() / 2)) + 1
    share = f", {half} of them with half of all activation" if fires else ""
    pre, post = float(neurons.pre[neuron]), float(neurons.post[neuron])
    return (
        f"At {measured.here}, {fires:,} of {many:,} neurons are above 0 ({percent(fires / many)}){share}. "
        f"{measured.name(neuron)} has {number(pre)} before GELU and {number(post)} after."
    )


def caption(measured: Measured) -> str:
    """What the marks are, and what had to be left out."""
    many = len(measured.neurons.pre)
    points = f"Points: the {POINTS} neurons furthest from 0." if many > POINTS else "Points: the neurons."
    return f"{points} Bars: all {many:,} neurons, by their number before GELU. Ring: the chosen one."


def operands(measured: Measured, neuron: int) -> list[str]:
    """GELU of the chosen neuron with its own numbers, and the check against all that the model computed."""
    neurons = measured.neurons
    hook = f"blocks.{neurons.layer}.mlp.hook_"
    pre, post = float(neurons.pre[neuron]), float(measured.values[ACTIVATION][neuron])
    inner = np.sqrt(2 / np.pi) * (pre + 0.044715 * pre**3)
    off = float(np.abs(gelu(neurons.pre.astype(np.float64)) - neurons.post).max())
    at = f"[{neurons.position}, {neuron}]"
    return [
        f"{hook}pre{at} = {fixed(pre, 4)}",
        f"{hook}post{at} = ½ · {fixed(pre, 4)} · (1 + tanh({fixed(float(inner), 2)})) = {fixed(post, 4)}",
        f"GELU in float64 differs from hook_post by at most {rounding_error(off)} in all {len(neurons.pre):,} neurons.",
    ]
