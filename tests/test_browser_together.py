"""What is pressed together, or while a page is being drawn, in a real Chromium: all of it is heard."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser import open_page, serve
from tests.heads import go_to
from tests.stage import lie_still, run

pytestmark = pytest.mark.browser
SECONDS = 30_000
# The browser sends both in one message, which asks for the stage's part of the page alone.
TOGETHER = """(pressed) => {
    globalThis.gpt2Stage.component.setTriggerValue("actions", []);
    pressed.click();
}"""
# A page that draws for a second without a word to Streamlit, and writes down what it does.
BUSY_PAGE = """
import time
from pathlib import Path
import streamlit as st

def note(word):
    with Path({notes!r}).open("a") as notes:
        notes.write(word + "\\n")

for name in ("First", "Second"):
    st.button(name, on_click=note, args=(name,))
note("begins")
time.sleep(1)
note("ends")
st.text("drawn")
"""


def press(page: Page, role: str, name: str) -> Locator:
    """Press something while the stage says something."""
    pressed = page.get_by_role(role, name=name)  # type: ignore[arg-type]
    pressed.evaluate(TOGETHER)
    lie_still(page)
    return pressed


def test_a_choice_a_button_of_the_page_and_one_of_another_part_of_it_are_heard(live: Page) -> None:
    run(live, "The king said", 3)
    go_to(live, "Experiments")
    press(live, "radio", "Steer")
    expect(live.get_by_test_id("stSlider")).to_have_count(1, timeout=SECONDS)  # the dose
    press(live, "radio", "Mute or scale")
    expect(live.get_by_test_id("stSlider")).to_have_count(0, timeout=SECONDS)
    press(live, "button", "Run the sweep")
    expect(live.locator(".matrix")).to_have_count(2, timeout=SECONDS)
    go_to(live, "Cost")
    expect(live.get_by_text("has not been measured yet")).to_be_visible()
    press(live, "button", "Measure without the cache")
    expect(live.get_by_text("has not been measured yet")).to_be_hidden(timeout=SECONDS)


def test_what_is_pressed_while_a_page_is_drawn_is_heard_once_it_is_and_not_beside_it(
    chromium: Browser, tmp_path: Path
) -> None:
    script, notes = tmp_path / "page.py", tmp_path / "notes"
    script.write_text(BUSY_PAGE.format(notes=str(notes)))
    with serve(tmp_path / "server.log", script=script) as server:
        page = open_page(chromium, server.url)
        expect(page.get_by_text("drawn")).to_be_visible()
        lie_still(page)
        notes.write_text("")
        page.evaluate("document.querySelectorAll('.stButton button').forEach(button => button.click())")
        page.wait_for_timeout(300)
        page.get_by_role("button", name="First").click()
        lie_still(page)
        page.context.close()
    said = notes.read_text().split()
    assert sorted(said[:2]) == ["First", "Second"] and said.count("First") == 2 and said.count("Second") == 1
    drawn = [word for word in said if word in ("begins", "ends")]
    assert drawn == ["begins", "ends"] * (len(drawn) // 2)  # never two pages of one visitor at once
