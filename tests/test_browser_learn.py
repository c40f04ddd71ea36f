"""A lesson in a real Chromium, as a reader takes it: by keyboard through the lines, wrong first, then right."""

import re

import pytest
from playwright.sync_api import Page, expect

from gpt2.learn.lessons import lesson_of
from tests.axe import violations
from tests.lesson_page import put_together
from tests.stage import lie_still

pytestmark = pytest.mark.browser
LESSON = lesson_of(3)


def test_a_reader_steps_through_the_lines_predicts_plays_is_wrong_reads_why_and_is_right(live: Page) -> None:
    live.get_by_role("button", name="Learn").click()
    live.get_by_role("menuitem", name=f"3 {LESSON.title}").click()
    expect(live.get_by_role("heading", name=LESSON.question)).to_be_visible(timeout=60_000)

    # Its lines are short enough for an eye to find the next one.
    width = "node => node.clientWidth / parseFloat(getComputedStyle(node).fontSize)"
    assert live.locator(".st-key-lesson-text p").first.evaluate(width) <= 55

    # Under glass: the arrow keys go from value to value, and the map follows.
    lines = live.get_by_role("listbox", name="Lines of layer_norm.py")
    expect(lines).to_be_visible(timeout=60_000)
    expect(lines.get_by_role("option", selected=True)).to_have_accessible_name(re.compile("^Line 31: return"))
    lines.focus()
    live.keyboard.press("ArrowUp")
    live.keyboard.press("ArrowUp")
    expect(lines.get_by_role("option", selected=True)).to_have_accessible_name(re.compile("^Line 29: scale"))
    value = live.locator(".matrix").filter(has=live.locator(".title", has_text=re.compile("^scale$")))
    expect(value.locator(".caption")).to_contain_text("scale [seq")
    expect(live.get_by_text(re.compile("in scale and normalized the two differ by"))).to_be_visible()

    # Predict, then look: a wrong answer is told with the right one, and then the right one is chosen.
    question = live.locator(".stRadio", has_text="What would a vector twice as long be divided by?")
    ask = question.locator("[data-testid=stWidgetLabel]").inner_text()
    once = re.search(r"is divided by ([\d.]+)\.", ask)
    assert once is not None
    question.get_by_text(once[1], exact=True).last.click()
    told = live.locator(".stAlert", has_text="the scale is the vector's own spread")
    expect(told).to_contain_text("Not so.")
    right = re.search(r"Not so\. ([\d.]+):", told.inner_text())
    assert right is not None and float(right[1]) == pytest.approx(2 * float(once[1]), rel=0.01)
    question.get_by_text(right[1], exact=True).click()
    expect(told).to_contain_text("Right.")

    # Play with it: ten times the vector is divided by ten times as much, and hardly anything else comes out.
    live.get_by_role("slider", name="Multiply the vector by").press("ArrowRight")
    live.get_by_role("slider", name="Multiply the vector by").press("ArrowRight")
    expect(live.get_by_text(re.compile("What comes out moves by .* at most"))).to_be_visible()

    lie_still(live)
    assert violations(live) == []

    put_together(live, LESSON)
