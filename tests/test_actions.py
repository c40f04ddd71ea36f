"""What the browser sends is a number within bounds, or one short sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt2.errors import SettingsError
from pages.stage.actions import number, whole

LONGEST = 120
anything = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.text()),
    st.dictionaries(st.text(), st.text()),
)


def read(value: object) -> tuple[float | str | None, int | str | None]:
    """The number and the whole number that are read, or the sentences why not."""
    found: list[float | int | str | None] = []
    for take in (lambda: number({"x": value}, "x"), lambda: whole({"x": value}, "x", "The x")):
        try:
            found.append(take())
        except SettingsError as error:
            found.append(str(error))
    return found[0], found[1]


@pytest.mark.slow
@given(anything)
def test_whatever_is_sent_is_a_number_or_a_short_sentence(value: object) -> None:
    for found, kind in zip(read(value), (float, int), strict=True):
        if isinstance(found, str):
            assert found.startswith(("X must be", "The x must be")) and len(found) <= LONGEST and "\n" not in found
        else:
            assert (found is None) == (value is None)
            assert found is None or isinstance(found, kind)


@pytest.mark.parametrize(
    "value", [10**400, -(10**400), 10**5000, "9" * 5000, "x" * 5000, ["x" * 5000] * 5000], ids=range(6)
)
def test_what_is_far_too_long_is_refused_in_a_short_sentence(value: object) -> None:
    for found in read(value):
        assert found == float("inf") or (isinstance(found, str) and "must be" in found and len(found) <= LONGEST)


@pytest.mark.parametrize("value", [0, 7, -3, 2**63 - 1, -(2**63)])
def test_every_whole_number_of_a_setting_is_read_exactly(value: int) -> None:
    assert read(value) == read(str(value)) == (float(value), value)
    assert read(None) == (None, None)
