"""Claims about a chart as it is handed on: its look is built once, its data are its own, a notebook shows it."""

from collections.abc import Callable

import altair as alt
import pyarrow as pa

from pages.charts import style
from pages.frame.chart import arrow_bytes
from pages.look.palette import DARK, LIGHT, Palette

ROWS = [{"x": 3.0}, {"x": 4.0}]


def counted() -> tuple[list[Palette], Callable[..., style.Spec]]:
    """The palettes with which a look was built, and the function that builds it."""
    built: list[Palette] = []

    @style.look
    def draw(palette: Palette, height: int = 90) -> style.AltairChart:
        built.append(palette)
        zero = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule().encode(x="zero:Q")
        return style.dressed(style.named("rows").mark_bar().encode(x="x:Q") + zero, palette, height)

    return built, draw


def test_a_look_is_built_once_for_each_theme_and_only_the_latest_are_kept() -> None:
    built, draw = counted()
    looks = [draw(palette) for palette in (LIGHT, DARK, LIGHT, DARK)]
    assert built == [LIGHT, DARK]
    assert looks[0] is looks[2] and looks[1] is looks[3] and looks[0] != looks[1]
    for height in range(style.MOST_LOOKS):
        draw(LIGHT, height)
    assert draw(DARK) == looks[1] and draw(DARK) is not looks[1]


def test_two_steps_share_a_look_and_neither_has_the_others_numbers() -> None:
    _, draw = counted()
    look = draw(LIGHT)
    one, other = style.Figure(look, {"rows": ROWS}).to_dict(), style.Figure(look, {"rows": ROWS[:1]}).to_dict()
    assert one["datasets"]["rows"] == ROWS and other["datasets"]["rows"] == ROWS[:1]
    assert [{"zero": 0}] in one["datasets"].values()  # what a look has of its own stays
    assert one["layer"] is other["layer"] and "rows" not in look["datasets"]


def test_a_notebook_shows_a_figure_as_the_altair_chart_that_it_is() -> None:
    _, draw = counted()
    figure = style.Figure(draw(LIGHT), {"rows": ROWS})
    chart = figure.to_altair()
    assert isinstance(chart, alt.LayerChart) and chart.to_dict()["datasets"]["rows"] == ROWS
    shown = figure._repr_mimebundle_()["text/html"]
    assert "vega-embed" in shown and '"rows": [{"x": 3.0}, {"x": 4.0}]' in shown


def test_rows_reach_the_browser_with_every_field_in_order_and_null_where_one_is_missing() -> None:
    rows = [{"at": 1, "token": "<b>", "share": None, "is_last": False}, {"at": 2, "token": "", "share": 0.5, "more": 7}]
    table = pa.ipc.open_stream(arrow_bytes(rows)).read_all()
    assert table.column_names == ["at", "token", "share", "is_last", "more"]
    assert table.to_pylist() == [{name: row.get(name) for name in table.column_names} for row in rows]
    assert pa.ipc.open_stream(arrow_bytes([])).read_all().num_rows == 0
