"""How every Altair chart looks: type, axes, legends and the shared colour scales, from one Palette.

Streamlit's own chart theme must be off (`st.altair_chart(..., theme=None)`), or it overrides what is set here.

Whatever draws with Altair imports this module, and with it pandas. Altair looks for pandas among the modules that there
are, and pyarrow imports it with the first rows: in between, a chart drawn in another thread would meet half of it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeAlias, cast

import altair as alt
import pandas  # noqa: F401 - see above

from pages.look.numbers import MINUS, PER_CENT
from pages.look.palette import Palette

SANS = '"Source Sans", "Source Sans Pro", "DejaVu Sans", sans-serif'
MONO = '"Source Code Pro", "DejaVu Sans Mono", monospace'

ChartData = list[dict[str, Any]]
Spec = dict[str, Any]
AltairChart: TypeAlias = alt.Chart | alt.LayerChart
Settings = ParamSpec("Settings")

# Sizes in pixels. A presenter's page multiplies them; nothing else in a chart states a font size of its own.
TEXT = 13
LABEL = 12
# The selection of a chart whose marks can be clicked; each mark's data then has an `option` of a list.
PICKED = "picked"
# What the axis shows of a category that is `placed`, or of a `row`.
AFTER_BAR = "slice(datum.label, indexof(datum.label, '|') + 1)"
# A plot that is less wide is on a phone.
NARROW = 440
# How many looks of one chart are kept, the latest: two themes, the sizes of a few models, the ends of a few axes.
MOST_LOOKS = 8
LOCALE = {
    "decimal": ".",
    "thousands": ",",
    "grouping": [3],
    "currency": ["", ""],
    "percent": PER_CENT,
    "minus": MINUS,
}


def picking() -> alt.Parameter:
    """The selection of a click on a mark.

    A click puts the mark into the selection or takes it out, so that a click on the same one is news again, and a chart
    says something when it is clicked alone.
    """
    return alt.selection_point(name=PICKED, fields=["option"], on="click", toggle="true", clear=False)


def config(palette: Palette) -> dict[str, Any]:
    """Vega-Lite's `config` for one theme: quiet axes, no frame, numbers that line up, titles from the left."""
    axis = {
        "labelFont": SANS,
        "labelFontSize": LABEL,
        "labelColor": palette.muted,
        "titleFont": SANS,
        "titleFontSize": LABEL,
        "titleFontWeight": "normal",
        "titleColor": palette.muted,
        "gridColor": palette.line,
        "domainColor": palette.line,
        "tickColor": palette.line,
        "labelLimit": 160,
    }
    legend = {
        "labelFont": SANS,
        "labelFontSize": LABEL,
        "labelColor": palette.text,
        "titleFont": SANS,
        "titleFontSize": LABEL,
        "titleFontWeight": "normal",
        "titleColor": palette.muted,
        "orient": "bottom",
        "labelLimit": 260,
        "symbolStrokeWidth": 2,
        "columns": legend_columns(1),
    }
    title = {
        "font": SANS,
        "fontSize": TEXT,
        "color": palette.text,
        "anchor": "start",
        "subtitleFont": SANS,
        "subtitleFontSize": LABEL,
        "subtitleColor": palette.muted,
    }
    return {
        "background": "transparent",
        # Vega names marks, empty layers too, without a word; each chart has a sentence that tells of it.
        # A mark that is told nothing of would show its place on the axes under the pointer.
        "mark": {"aria": False, "tooltip": None},
        "font": SANS,
        "view": {"stroke": None},
        "axis": axis,
        "legend": legend,
        "title": title,
        "header": {"labelFont": SANS, "labelFontSize": LABEL, "labelColor": palette.text, "title": None},
        "text": {"font": SANS, "fontSize": LABEL, "color": palette.text},
        "rule": {"color": palette.muted},
        "bar": {"cornerRadiusEnd": 2},
        "line": {"strokeWidth": 2},
        # Vega's own formats, on axes and in tooltips, as numbers.py writes them.
        "locale": {"number": LOCALE},
    }


def legend_columns(narrow: int, wide: int = 0) -> alt.ExprRef:
    """How many entries of a legend stand side by side, on a phone and elsewhere; 0 is all of them."""
    return alt.ExprRef(f"width < {NARROW} ? {narrow} : {wide}")


@dataclass(frozen=True, eq=False)
class Figure:
    """A chart: its look, which most steps share, and the numbers of one step.

    A look takes Altair tens of milliseconds; a new step only has other numbers, and a page draws its charts at once.

    Attributes:
        look: the Vega-Lite spec without its data; not to be changed, as others hold it too.
        datasets: the rows of each `named` set of data.
    """

    look: Spec
    datasets: Mapping[str, ChartData]

    def to_dict(self) -> Spec:
        """The whole spec in Vega-Lite's own words."""
        return {**self.look, "datasets": {**self.look.get("datasets", {}), **self.datasets}}

    def to_altair(self) -> AltairChart:
        """An Altair chart, to change or to save."""
        return alt.Chart.from_dict(self.to_dict())

    def _repr_mimebundle_(self, *_: object, **__: object) -> Any:
        """What a notebook shows."""
        return self.to_altair()._repr_mimebundle_()


def look(draw: Callable[Settings, AltairChart]) -> Callable[Settings, Spec]:
    """Build each look once: a function of a palette, and of what else decides how a chart looks, all hashable."""

    @wraps(draw)
    def build(*settings: Settings.args, **named_settings: Settings.kwargs) -> Spec:
        return draw(*settings, **named_settings).to_dict()

    return cast(Callable[Settings, Spec], lru_cache(MOST_LOOKS)(build))


def named(dataset: str) -> alt.Chart:
    """A chart over the rows that its `Figure` has under this name.

    Numbers stand in named data sets and never in the spec, so a new step replaces data and redraws nothing else.
    """
    return alt.Chart(alt.NamedData(name=dataset))


def placed(place: int, label: str) -> str:
    """A category that comes at its place, even if labels repeat: the place, a bar and the label.

    Vega sorts categories by themselves for good. In the order of the data, or by another field, it sorts them until the
    data is replaced: then one that was there before keeps its place.
    """
    return f"{place:04d}|{label}"


def in_rows(chart: alt.Chart, label: str, place: str = "place") -> alt.Chart:
    """The chart with the category `row`, `placed` by these fields of its data."""
    return chart.transform_calculate(row=f"format(datum.{place}, '04d') + '|' + datum.{label}")


def row_axis(**settings: Any) -> alt.Axis:
    """The axis of categories that are `placed`, or of a `row`: their labels, as on a `token_axis`."""
    return token_axis(labelExpr=AFTER_BAR, **settings)


def dressed(chart: AltairChart, palette: Palette, height: int) -> AltairChart:
    """The chart with this theme's config, as wide as its panel and `height` pixels high."""
    padding = {"left": 2, "right": 6, "top": 4, "bottom": 2}
    return chart.properties(width="container", height=height, padding=padding).configure(**config(palette))


def zero_line() -> alt.Chart:
    """A rule at 0, for bars that go to both sides of it."""
    return alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule().encode(x="zero:Q")


def room() -> alt.Chart:
    """Nothing to see, as far right as the rows of `room_beyond`: numbers that are written there have room."""
    return named("room").mark_point(opacity=0).encode(x="x:Q")


def room_beyond(values: Iterable[float], share: float) -> ChartData:
    """The row of `room` for bars from 0 to these values: beyond the last by a share of the length that all take."""
    ends = [0.0, *values]
    return [{"x": max(ends) + share * (max(ends) - min(ends) or 1.0)}]


def token_axis(**settings: Any) -> alt.Axis:
    """An axis whose labels are tokens: monospace, no title, no grid; `settings` are Altair's own."""
    defaults: dict[str, Any] = {"title": None, "grid": False, "ticks": False, "domain": False, "labelOverlap": False}
    defaults |= {"labelFont": MONO, "labelPadding": 6}  # without room, a bar that begins at the axis touches its label
    return alt.Axis(**(defaults | settings))


def probability_scale(palette: Palette, colour: str, square_root: bool = False) -> alt.Scale:
    """Paper to a concept's colour on [0, 1]; where `square_root` is set the legend must say so."""
    return alt.Scale(
        type="sqrt" if square_root else "linear", domain=[0, 1], range=[palette.paper, colour], interpolate="lab"
    )


def signed_scale(palette: Palette, limit: float) -> alt.Scale:
    """Blue, paper, orange, symmetric about 0 and clamped at plus and minus `limit`."""
    return alt.Scale(
        domain=[-limit, 0, limit], range=[palette.negative, palette.paper, palette.positive], clamp=True, type="linear"
    )
