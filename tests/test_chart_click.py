"""Which mark of a chart was clicked, read from what its selection was and is."""

from hypothesis import given
from hypothesis import strategies as st

from pages.frame.chart import clicked

MARKS = st.integers(0, 5)


def after(selected: list[int], mark: int) -> list[int]:
    """What Vega-Lite has selected after a click on the mark: it puts the mark last, or takes it out."""
    return [one for one in selected if one != mark] if mark in selected else [*selected, mark]


@given(st.lists(MARKS))
def test_each_click_is_known_by_its_mark_also_the_second_on_the_same(clicks: list[int]) -> None:
    selected: list[int] = []
    for mark in clicks:
        then, selected = selected, after(selected, mark)
        assert clicked(then, selected) == mark


@given(st.lists(MARKS), st.lists(MARKS, min_size=1))
def test_of_several_clicks_that_were_answered_at_once_it_is_one_of_those_or_they_cancel(
    before: list[int], clicks: list[int]
) -> None:
    then: list[int] = []
    for mark in before:
        then = after(then, mark)
    now = then
    for mark in clicks:
        now = after(now, mark)
    assert clicked(then, now) in {*clicks, None}
    assert (clicked(then, now) is None) == (set(then) == set(now))
