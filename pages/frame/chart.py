"""A chart on a page: as it was drawn, or with a presenter's letters, or as high as the window that its panel fills."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import pyarrow as pa
import streamlit as st

from pages.charts.columns import columns
from pages.charts.style import PICKED, ChartData, Figure, Spec
from pages.stage.component import type_size

SCALE, LEAST_TEXT = 1.6, 20  # of a presenter's chart; the least is in CSS pixels
FONTS = ("fontSize", "labelFontSize", "titleFontSize", "subtitleFontSize")
LENGTHS = (
    *("dx", "dy", "height", "labelLimit", "labelPadding", "limit", "offset", "padding", "strokeWidth"),
    *("symbolStrokeWidth", "titleLimit", "titlePadding", "xOffset", "yOffset", "left", "right", "top", "bottom"),
)
AREAS = "size", "symbolSize"
# What a panel that fills the window needs beside its chart: heading, sentence, caption and margins.
BESIDE = 360


def show_chart(
    figure: Figure,
    *,
    alt: str,
    key: str,
    on_select: Callable[[], None] | Literal["ignore"] = "ignore",
) -> None:
    """Draw a chart under a fixed key; `alt` says in words what it is, and `on_select` answers a click on a mark."""
    size, spec = type_size(), figure.to_dict()
    names = {"name": "columns", "value": columns(spec)}  # for the file of its numbers; see pages/stage/js/tables.js
    if size.large:
        spec = enlarged(spec)
        if size.filled == key:
            spec["height"] = max(spec["height"], size.tall - BESIDE)
    spec["params"] = [*spec.get("params", ()), names]
    spec["usermeta"] = {"embedOptions": {"renderer": "svg"}}  # the browser would make a canvas, without a file, of many
    spec["datasets"] = {name: arrow_bytes(rows) for name, rows in spec["datasets"].items()}
    # The page keeps its room free until it is drawn.
    shown = st.vega_lite_chart(spec, theme=None, height=round(spec["height"]), alt=alt, key=key, on_select=on_select)
    if on_select != "ignore":
        st.session_state[before(key)] = options(shown)


def arrow_bytes(rows: ChartData) -> bytes:
    """Rows as the browser takes them. Streamlit would make a pandas table first, which takes five times as long.

    What only some rows have is null in the others.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    table, file = pa.table({name: [row.get(name) for row in rows] for name in names}), pa.BufferOutputStream()
    with pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    return file.getvalue().to_pybytes()


def before(chart: str) -> str:
    """The key of what a chart had selected as it was last drawn."""
    return f"{chart}.before"


def options(state: Any) -> list[int]:
    """What a chart has selected: the options of its marks, the latest last."""
    return [int(mark["option"]) for mark in state["selection"][PICKED]]


def clicked(then: Sequence[int], now: Sequence[int]) -> int | None:
    """The option of the mark that was clicked: each click selects a mark, or takes it out of those selected.

    Args:
        then: what the chart had selected as it was last drawn.
        now: what it has.
    """
    added = [option for option in now if option not in then]
    removed = [option for option in then if option not in now]
    return next(reversed(added or removed), None)


def click_on(chart: str) -> int | None:
    """The option of the mark that was clicked in the chart of this key."""
    return clicked(st.session_state.get(before(chart), ()), options(st.session_state[chart]))


def take_click(chart: str, chooser: str) -> None:
    """Choose in a list what was clicked in a chart.

    Args:
        chart: the chart's key; a mark's option is that of the list.
        chooser: the list's key.
    """
    if (option := click_on(chart)) is not None:
        st.session_state[chooser] = option


def take_cell(chart: str, picture: str, columns: int) -> None:
    """Pick in a picture what was clicked in a chart, as a click there does.

    Args:
        chart: the chart's key; the option of a mark is its cell, counted through the rows of the picture.
        picture: the picture's key.
        columns: how many columns it has.
    """
    if (option := click_on(chart)) is not None:
        st.session_state[picture]["cell"] = list(divmod(option, columns))


def enlarged(spec: Mapping[str, Any]) -> Spec:
    """The same chart with larger letters, lines, marks and distances; data and scales stay as they are."""
    return {
        name: value if name in ("datasets", "data", "scale") else _grown(name, value) for name, value in spec.items()
    }


def _grown(name: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        return enlarged(value)
    if isinstance(value, list):
        return [_grown("", part) for part in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if name in FONTS:
        return max(LEAST_TEXT, SCALE * value)
    return value * SCALE if name in LENGTHS else value * SCALE**2 if name in AREAS else value
