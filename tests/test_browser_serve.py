"""Lesson 13 in a real Chromium, where no server is set: from the menu to the recorded example and a question."""

import re

import pytest
from playwright.sync_api import Page, expect

from pages.learn.serve.answers import recorded
from pages.learn.serve.words import QUESTION
from tests.axe import violations
from tests.stage import lie_still

pytestmark = pytest.mark.browser


def test_a_reader_without_a_server_finds_the_lesson_reads_what_was_recorded_and_answers(live: Page) -> None:
    live.get_by_role("button", name="Learn").click()
    live.get_by_role("menuitem", name="13 Serve your model").click()
    expect(live.get_by_role("heading", name=QUESTION)).to_be_visible(timeout=60_000)
    expect(live.get_by_text(f"these numbers are recorded: {recorded().date}")).to_be_visible(timeout=60_000)
    expect(live.get_by_text("letter by letter. So are all 8 at once.")).to_be_visible()
    expect(live.locator(".lanes .page")).to_have_count(18)
    boxes = live.locator(".lanes .page").first.bounding_box()
    assert boxes is not None and boxes["width"] > 100 and boxes["height"] > 10
    question = live.locator(".stRadio", has_text=re.compile("300 positions"))
    question.get_by_text("2", exact=True).click()
    expect(live.locator(".stAlert", has_text="begin a third")).to_contain_text("Not so.")
    expect(live.get_by_text("python -m gpt2 serve").first).to_be_visible()
    expect(live.get_by_role("region", name="The server, one request")).to_contain_text("there was a king")
    lie_still(live)
    assert violations(live) == []
    live.get_by_role("link", name="Choosing the next token").click()
    expect(live.get_by_role("link", name="Serve your model").last).to_be_visible(timeout=60_000)
