"""A lesson's page in a real Chromium: a reader chooses lines for its blanks."""

import re

from playwright.sync_api import Page, expect

from gpt2.learn.lesson import Lesson
from tests.stage import lie_still


def choose(page: Page, at: int, text: str) -> None:
    """Choose an expression for a blank."""
    box = page.get_by_role("combobox", name=f"▢{at + 1} ")
    box.scroll_into_view_if_needed()  # scrolling closes a list
    lie_still(page)
    box.click()
    page.get_by_role("option", name=text, exact=True).click()
    lie_still(page)
    expect(box).to_have_value(text)


def put_together(page: Page, lesson: Lesson) -> None:
    """Be wrong in the first blank and read why, then be right."""
    wrong, why = next(iter(lesson.blanks[0].wrong.items()))
    for at, blank in enumerate(lesson.blanks):
        choose(page, at, blank.right if at else wrong)
    told = page.get_by_role("alert").filter(has_text=why)
    expect(told).to_be_visible()
    expect(page.get_by_text(re.compile("numbers are wrong|has the shape|MAX cannot run this"))).to_be_visible()
    choose(page, 0, lesson.blanks[0].right)
    expect(page.get_by_text(f"Right: this is {lesson.defines}.")).to_be_visible()
    expect(told).to_be_hidden()
