"""Claims about written numbers: each kind has one rule, and the browser's scripts follow the same one as Python."""

from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser

from pages.look import names, numbers
from pages.look.palette import DARK, LIGHT
from pages.look.scripts import bundle, palettes_script
from tests.source_tree import ROOT

NAN, ENDLESS = float("nan"), float("inf")
FINITE = st.floats(-1e12, 1e12)
SHARED = bundle(*sorted((ROOT / "pages" / "look").glob("*.js")))
SHARES = (0, -1e-17, 1e-9, 9.99e-5, 1e-4, 0.00049, 5e-4, 9.99e-4, 1e-3, 0.0049, 0.005, 0.0051, 0.1225, 0.9995, 1)


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (numbers.percent, 0.1234, "12.3 %"),
        (numbers.percent, 1, "100.0 %"),
        (numbers.percent, 0.001, "0.1 %"),
        (numbers.percent, 0.0004, "0.04 %"),
        (numbers.percent, 0.00009, "<0.01 %"),
        (numbers.percent, 0, "0.0 %"),
        (numbers.percent, -1e-17, "0.0 %"),
        (numbers.whole_percent, 0.924, "92 %"),
        (numbers.whole_percent, 0.995, "100 %"),
        (numbers.whole_percent, 0.0051, "1 %"),
        (numbers.whole_percent, 0.005, "<1 %"),
        (numbers.whole_percent, 0, "0 %"),
        (numbers.rounding_error, 2.9e-7, "3 × 10⁻⁷"),
        (numbers.rounding_error, 0, "0"),
        (numbers.bits, 3.906, "3.91 bits"),
        (numbers.bits, -0.0, "0.00 bits"),
        (numbers.milliseconds, 0.524, "0.52 ms"),
        (numbers.milliseconds, 17.06, "17.1 ms"),
        (numbers.milliseconds, 99.5, "100 ms"),
        (numbers.milliseconds, 1200, "1.20 s"),
        (numbers.number, 0.125, "0.125"),
        (numbers.number, -12.5, "−12.50"),
        (numbers.number, 100, "100.0"),
        (numbers.signed, 0.125, "+0.125"),
        (numbers.signed, -0.125, "−0.125"),
        (numbers.signed, -0.0004, "0.000"),
        (numbers.signed, 0, "0.000"),
        (numbers.number, NAN, "NaN"),
        (numbers.signed, ENDLESS, "+∞"),
        (numbers.number, -ENDLESS, "−∞"),
    ],
)
def test_every_kind_of_number_has_its_rule(write, value: float, text: str) -> None:
    assert write(value) == unbroken(text)


def test_a_share_that_is_looked_up_has_two_decimals() -> None:
    assert [numbers.percent(share, 2) for share in (0.12344, 0.0004, 0.00009, 0)] == [
        unbroken(text) for text in ("12.34 %", "0.04 %", "<0.01 %", "0.00 %")
    ]


def unbroken(text: str) -> str:
    """The text with the spaces that a written number has."""
    return text.replace(" %", "\N{NARROW NO-BREAK SPACE}%").replace(" ", "\N{NO-BREAK SPACE}")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20), st.integers(0, 3))
def test_parts_add_up_to_their_total_as_they_are_written(parts: list[float], digits: int) -> None:
    rounded = numbers.adding_up(parts, digits)
    assert round(sum(rounded), digits) == pytest.approx(round(sum(parts), digits), abs=1e-9)
    assert all(abs(new - old) < 10**-digits + 1e-9 for new, old in zip(rounded, parts, strict=True))


def test_listed_shares_add_up_and_none_but_nothing_reads_as_zero() -> None:
    assert numbers.percent_parts([1 / 3, 1 / 3, 1 / 3], 0) == [unbroken(text) for text in ("34 %", "33 %", "33 %")]
    assert numbers.percent_parts([0.2212, 0.0504]) == [unbroken(text) for text in ("22.1 %", "5.1 %")]
    assert numbers.percent_parts([0.9999, 0.0001, 0]) == [unbroken(text) for text in ("100.0 %", "<0.1 %", "0.0 %")]


@given(st.floats(1e-6, 1e9))
def test_an_axis_ends_close_above_what_is_drawn(value: float) -> None:
    assert value * 0.9998 <= numbers.round_above(value) <= 1.51 * value
    assert value * 0.9998 <= numbers.round_above(value, numbers.FEW_ENDS) <= 2.51 * value


def test_parts_of_the_model_have_one_name() -> None:
    assert (names.layer_name(2), names.head_name(2, 4), names.part_name("MLP", 2)) == ("L2", "L2·H4", "MLP of L2")


@given(FINITE, st.integers(0, 6))
def test_a_number_is_rounded_to_its_decimals_and_zero_has_no_minus(value: float, digits: int) -> None:
    written = numbers.fixed(value, digits)
    assert float(written.replace("−", "-")) == pytest.approx(value, abs=0.5 * 10**-digits + 1e-9 * abs(value))
    assert "-" not in written and written not in {"−0", "−0." + "0" * digits}
    assert len(written.partition(".")[2]) == digits


def test_a_half_goes_to_the_even_digit() -> None:
    assert [numbers.fixed(value, 1) for value in (0.25, 0.75, -0.25, 12.25)] == ["0.2", "0.8", "−0.2", "12.2"]


def test_the_bold_parts_of_a_text_are_its_per_cents() -> None:
    quoted = [numbers.percent(0.123), numbers.percent(1e-6), numbers.whole_percent(0.9)]
    text = "L4·H2 at 7 takes {}, then {} and {} of 48.".format(*quoted)
    parts = numbers.bold_percents(text)
    assert "".join(parts) == text and parts[1::2] == quoted
    assert numbers.bold_percents("12 of 48 heads") == ["12 of 48 heads"]


def many_values() -> list[float]:
    """Shares, sizes of every order, halves that binary numbers hold exactly, and what is no number."""
    generator = np.random.default_rng(7)
    sizes = generator.normal(size=2000) * 10.0 ** generator.integers(-9, 12, 2000)
    halves = [sign * n / 64 for n in range(2000) for sign in (1, -1)]
    hundredths = [n / 10000 for n in range(10001)]
    edges = [9.9995, 9.995, 99.95, 99.5, 999.995, 1000, -0.0, ENDLESS, -ENDLESS, NAN]
    return [float(value) for value in (*SHARES, *generator.random(2000), *sizes, *halves, *hundredths, *edges)]


@pytest.mark.browser
def test_the_browser_writes_every_number_as_python_does(chromium: Browser) -> None:
    values = many_values()
    page = chromium.new_page()
    written = page.evaluate(
        f"""values => {{
            {SHARED}
            const writers = {{
              percent, whole_percent: wholePercent, bits, milliseconds, number, signed,
              round_above: (value) => roundAbove(Math.abs(value)),
              percent_2: (value) => percent(value, 2), fixed_0: (value) => fixed(value, 0),
              fixed_1: (value) => fixed(value, 1), fixed_3: (value) => fixed(value, 3),
            }};
            const all = (write) => values.map((value) => write(value));
            return Object.fromEntries(Object.entries(writers).map(([name, write]) => [name, all(write)]));
        }}""",
        values,
    )
    named = page.evaluate(f"() => {{ {SHARED} return [layerName(2), headName(2, 4)]; }}")
    page.close()
    assert named == [names.layer_name(2), names.head_name(2, 4)]
    for name, texts in written.items():
        function, _, digits = name.partition("_") if name[-1].isdigit() else (name, "", "")
        if name == "round_above":
            sizes = [(abs(value), end) for value, end in zip(values, texts, strict=True) if np.isfinite(value)]
            assert [end for _, end in sizes] == pytest.approx([numbers.round_above(size) for size, _ in sizes])
            continue
        write = getattr(numbers, function)
        expected = [write(value, int(digits)) if digits else write(value) for value in values]
        wrong = [found for found in zip(values, texts, expected, strict=True) if found[1] != found[2]]
        assert not wrong, (name, wrong[:5])


@pytest.mark.browser
def test_the_browser_has_the_palettes_and_knows_the_dark_one(chromium: Browser) -> None:
    page = chromium.new_page()
    palettes, dark = page.evaluate(
        f"""() => {{
            {palettes_script()}
            {SHARED}
            return [PALETTES, Object.values(PALETTES).map(({{ paper }}) => isDark(channels(paper)))];
        }}"""
    )
    page.close()
    assert palettes == {"light": asdict(LIGHT), "dark": asdict(DARK)}
    assert dark == [False, True]
