"""How every Altair chart looks: type, axes, legends and the shared colour scales, from one Palette.

Streamlit's own chart theme must be off (`st.altair_chart(..., theme=None)`), or it overrides what is set here.

Whatever draws with Altair imports this module, and with it pandas. Altair looks for pandas among the modules that there
are, and Streamlit imports it with the first chart: in between, a chart drawn in another thread would meet half of it.
"""

from typing import Any

import altair as alt
import pandas  # noqa: F401 - see above

from pages.look.numbers import MINUS, PER_CENT
from pages.look.palette import Palette

SANS = '"Source Sans", "Source Sans Pro", "DejaVu Sans", sans-serif'
MONO = '"Source Code Pro", "DejaVu Sans Mono", monospace'

ChartData = list[dict[str, Any]]

# Sizes in pixels. A presenter's page multiplies them; nothing else in a chart states a font size of its own.
TEXT = 13
LABEL = 12
# The selection of a chart whose marks can be clicked; each mark's data then has an `option` of a list.
PICKED = "picked"
# A plot that is less wide is on a phone.
NARROW = 440
LOCALE = {
    "decimal": ".",
    "thousands": ",",
    "grouping": [3],
    "currency": ["", ""],
    "percent": PER_CENT,
    "minus": MINUS,
}


def picking() -> alt.Parameter:
    """The selection of a clicked mark, by its `option`.

    Emptied as the pointer leaves the mark, so that the next click on the same one is news again.
    """
    return alt.selection_point(name=PICKED, fields=["option"], on="click", clear="mouseout")


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


def named(dataset: str) -> alt.Chart:
    """A chart over the data that `dressed` is given under this name.

    Numbers stand in named data sets and never in the spec, so a new step replaces data and redraws nothing else.
    """
    return alt.Chart(alt.NamedData(name=dataset))


def dressed(
    chart: alt.Chart | alt.LayerChart, palette: Palette, height: int, **datasets: ChartData
) -> alt.Chart | alt.LayerChart:
    """The chart with this theme's config and its data, as wide as its panel and `height` pixels high."""
    padding = {"left": 2, "right": 6, "top": 4, "bottom": 2}
    sized = chart.properties(width="container", height=height, padding=padding).configure(**config(palette))
    sized.datasets = datasets  # as a property, a thousand rows would be checked twice against the whole schema
    return sized


def token_axis(**settings: Any) -> alt.Axis:
    """An axis whose labels are tokens: monospace, no title, no grid; `settings` are Altair's own."""
    defaults = {"title": None, "grid": False, "ticks": False, "domain": False, "labelFont": MONO, "labelOverlap": False}
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
