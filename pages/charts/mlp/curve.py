"""The bend of the MLP: every neuron's number before and after GELU, as a point on the curve."""

import altair as alt
import numpy as np

from gpt2.reading.neurons import gelu
from pages.charts.style import MONO, AltairChart, ChartData, Figure, dressed, look, named
from pages.look.numbers import fixed, number, percent, rounding_error
from pages.look.palette import Palette

from .measures import ACTIVATION, Measured

TITLE = "How far does each neuron fire?"
# A neuron for each point; all others are in the bars alone.
POINTS = 300
BARS, SAMPLES = 48, 49
# Further from 0 the curve is a straight line to within 0.0003.
BENDS = 4.0
# How far the axis goes below 0, as a share of how far it goes above.
BELOW = 0.28
FORMULA = (
    r"\text{pre} = W_1\,\text{ln}_2(x^{\text{mid}}) + b_1, \qquad "
    r"\text{post} = \text{gelu}(\text{pre}) = \tfrac12\,\text{pre}\left(1 + \tanh\left(\sqrt{\tfrac{2}{\pi}}\,"
    r"(\text{pre} + 0.044715\,\text{pre}^3)\right)\right), \qquad "
    r"\text{mlp} = \textstyle\sum_n \text{post}_n\, w_n + b_2"
)


def reach(measured: Measured) -> tuple[float, float]:
    """The ends of the axis of pre-activations, even numbers: 0 and the bend are always on it."""
    pre = measured.neurons.pre
    return -2.0 * np.ceil(max(BENDS, -float(pre.min())) / 2), 2.0 * np.ceil(max(BENDS, float(pre.max())) / 2)


def point_rows(measured: Measured, neuron: int) -> ChartData:
    """The neurons furthest from 0 after GELU, and the chosen one, which comes last."""
    pre, post = measured.neurons.pre, measured.neurons.post
    furthest = [int(at) for at in np.argsort(-np.abs(post), kind="stable")[:POINTS] if at != neuron]
    return [
        {"neuron": measured.name(at), "short": f"N{at}", "pre": float(pre[at]), "post": float(post[at])}
        for at in (*furthest, neuron)
    ]


def count_rows(measured: Measured) -> ChartData:
    """How many neurons have which number before GELU, and where the bar that counts them begins and ends on the axis.

    The bars stand below the curve, the highest almost up to it: GELU itself goes no lower than -0.17.
    """
    low, high = reach(measured)
    counts, edges = np.histogram(measured.neurons.pre, BARS, (low, high))
    bottom, unit = -BELOW * high, 0.8 * BELOW * high / counts.max()
    return [
        {"from": start, "to": stop, "neurons": count, "bottom": bottom, "top": bottom + unit * count}
        for start, stop, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True)
        if count
    ]


def curve_chart(measured: Measured, neuron: int, palette: Palette) -> Figure:
    """GELU as a line with the neurons on it; grey bars at the bottom count all neurons."""
    (low, high), points = reach(measured), point_rows(measured, neuron)
    at = np.array([low, *np.linspace(-BENDS, BENDS, SAMPLES), high])
    drawn = [{"pre": pre, "post": post} for pre, post in zip(at.tolist(), gelu(at).tolist(), strict=True)]
    rows = {"counts": count_rows(measured), "curve": drawn, "points": points, "chosen": points[-1:]}
    return Figure(_look(palette, low, high), rows)


@look
def _look(palette: Palette, low: float, high: float) -> AltairChart:
    below = alt.Axis(title="before GELU (hook_pre)", tickCount=8, format="d")
    beside = alt.Axis(title="after GELU (hook_post)", tickCount=6, labelExpr="datum.value < 0 ? '' : datum.label")
    x = alt.X("pre:Q", scale=alt.Scale(domain=[low, high], nice=False), axis=below)
    y = alt.Y("post:Q", scale=alt.Scale(domain=[-BELOW * high, high], nice=False), axis=beside)
    on_curve = {"x": x, "y": y}
    tip = [
        alt.Tooltip("neuron:N", title="neuron"),
        alt.Tooltip("pre:Q", title="before GELU", format=".4f"),
        alt.Tooltip("post:Q", title="after GELU", format=".4f"),
    ]
    counted = [alt.Tooltip("neurons:Q"), alt.Tooltip("from:Q", format=".2f"), alt.Tooltip("to:Q", format=".2f")]
    bars = named("counts").mark_bar(color=palette.muted, opacity=0.35, cornerRadiusEnd=0)
    line = named("curve").mark_line(color=palette.residual, strokeWidth=1.5)
    dots = named("points").mark_point(filled=True, size=34, opacity=0.55, color=palette.mlp)
    ring = named("chosen").mark_point(filled=False, size=190, opacity=1, color=palette.text, strokeWidth=2)
    says = named("chosen").mark_text(align="right", dx=-14, font=MONO, fontWeight="bold")
    whole = alt.layer(
        line.encode(**on_curve),
        bars.encode(x="from:Q", x2="to:Q", y="bottom:Q", y2="top:Q", tooltip=counted),
        dots.encode(**on_curve, tooltip=tip),
        ring.encode(**on_curve, tooltip=tip),
        says.encode(**on_curve, text="short:N"),
    )
    return dressed(whole, palette, 360)


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
