"""The first neurons of a layer by one measure, as bars, each with its number before and after GELU."""

import altair as alt

from pages.charts.style import (
    AltairChart,
    ChartData,
    Figure,
    dressed,
    in_rows,
    look,
    named,
    picking,
    row_axis,
    zero_line,
)
from pages.look.numbers import fixed
from pages.look.palette import Palette

from .measures import ACTIVATION, EFFECT, NORM, Measured

TITLE = "Which neurons do most?"
BARS, ROW_HEIGHT = 12, 24
AXES = {
    ACTIVATION: "activation",
    NORM: "norm written",
    EFFECT: "direct effect, in logits",
}
CAPTION = "Beside its name, each neuron's number before → after GELU. A click on a bar chooses its neuron."


def bar_rows(measured: Measured, measure: str, order: list[int], neuron: int) -> ChartData:
    """The first neurons; the chosen one is the last row if it is not among them."""
    shown = order[:BARS] if neuron in order[:BARS] else [*order[: BARS - 1], neuron]
    neurons, rows = measured.neurons, []
    for at in shown:
        pre, post = (fixed(float(values[at]), 2) for values in (neurons.pre, neurons.post))
        rows.append(
            {
                "label": f"N{at} {pre.rjust(6)} → {post.rjust(6)}",
                "neuron": measured.name(at),
                "option": measured.option(at),
                "value": float(measured.values[measure][at]),
                "rank": 1 + order.index(at),
                "chosen": at == neuron,
                **{name: float(values[at]) for name, values in measured.values.items()},
                "pre": float(neurons.pre[at]),
            }
        )
    return rows


def bars_chart(measured: Measured, measure: str, order: list[int], neuron: int, palette: Palette) -> Figure:
    """Bars from 0; the chosen neuron's is framed."""
    rows = bar_rows(measured, measure, order, neuron)
    return Figure(_look(palette, measure, tuple(measured.values)), {"neurons": rows})


@look
def _look(palette: Palette, measure: str, measures: tuple[str, ...]) -> AltairChart:
    tip = [alt.Tooltip("neuron:N"), alt.Tooltip("rank:Q", title=f"place by {measure.lower()}")]
    tip += [alt.Tooltip("pre:Q", title="before GELU", format=".4f")]
    tip += [alt.Tooltip(f"{name}:Q", title=name.lower(), format=".4f") for name in measures]
    base = in_rows(named("neurons"), "label", "rank").encode(
        x=alt.X("value:Q", axis=alt.Axis(title=AXES[measure], tickCount=5)),
        y=alt.Y("row:N", axis=row_axis(labelLimit=220)),
        tooltip=tip,
    )
    bars = base.mark_bar(color=palette.mlp, height=14, cursor="pointer").add_params(picking())
    frame = base.mark_bar(filled=False, height=14, stroke=palette.text, strokeWidth=2).transform_filter("datum.chosen")
    return dressed(bars + frame + zero_line(), palette, ROW_HEIGHT * BARS)
