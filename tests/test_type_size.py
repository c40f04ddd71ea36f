"""Claims about a presenter's size: what the browser tells of it, and how a chart grows."""

import altair as alt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.charts import style
from pages.frame.chart import FONTS, LEAST_TEXT, enlarged
from pages.look.palette import LIGHT
from pages.stage.message import BrowserState, TypeSize


def told(values: object) -> TypeSize:
    """The size that a browser which tells these values has."""
    browser = BrowserState()
    browser.take([{"serial": 1, "name": "size", "values": values}])
    return browser.size


def test_the_browser_tells_its_size() -> None:
    assert told({"large": True, "filled": "cost.steps", "tall": 1080}) == TypeSize(True, "cost.steps", 1080)
    assert BrowserState().size == TypeSize(large=False)


@pytest.mark.parametrize(
    "values", [{}, {"large": 1, "filled": "", "tall": 0}, {"large": True, "filled": None, "tall": 0}]
)
def test_what_is_no_size_changes_nothing(values: dict[str, object]) -> None:
    assert told(values) == TypeSize()


@given(st.integers())
def test_no_window_is_believed_to_be_higher_than_any(tall: int) -> None:
    assert 0 <= told({"large": True, "filled": "cost.steps", "tall": tall}).tall <= 4000


def test_a_chart_grows_in_all_its_letters_and_keeps_its_data_and_scales() -> None:
    x = alt.X("x:Q", scale=alt.Scale(domain=[0, 10]))
    mark = style.named("rows").mark_text(dx=4, fontSize=style.LABEL).encode(x=x, text="x:Q")
    look = style.dressed(mark, LIGHT, 200).to_dict()
    before = style.Figure(look, {"rows": [{"x": 3, "height": 5, "fontSize": 7}]}).to_dict()
    after = enlarged(before)
    assert after["datasets"] == before["datasets"]
    assert after["encoding"]["x"]["scale"] == before["encoding"]["x"]["scale"]
    assert (after["height"], after["mark"]["dx"], after["width"]) == (320, 6.4, "container")

    def fonts(node: object) -> list[float]:
        if isinstance(node, list):
            return [size for part in node for size in fonts(part)]
        if not isinstance(node, dict):
            return []
        own = [value for name, value in node.items() if name in FONTS]
        return own + [size for name, part in node.items() if name != "datasets" for size in fonts(part)]

    assert len(fonts(after)) == len(fonts(before)) > 8
    assert min(fonts(after)) == LEAST_TEXT
