"""What is pressed at the moment at which the stage says something itself, in a real Chromium: the page hears both."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.heads import go_to
from tests.stage import lie_still, run

pytestmark = pytest.mark.browser
SECONDS = 30_000
# The browser sends both in one message, which asks for the stage's part of the page alone.
TOGETHER = """(pressed) => {
    globalThis.gpt2Stage.component.setTriggerValue("actions", []);
    pressed.click();
}"""


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
