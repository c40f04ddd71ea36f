"""Which page is open, as the links at the top say it, in a real Chromium."""

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import Server, open_page
from tests.heads import go_to
from tests.stage import ready

pytestmark = pytest.mark.browser
TOP = '[data-testid="stHeader"] [data-testid^="stTopNav"][aria-current]'


def test_the_open_page_or_the_group_that_it_is_in_is_marked_at_the_top(chromium: Browser, server: Server) -> None:
    page = open_page(chromium, server.url)
    ready(page)
    marked = page.locator(TOP)
    expect(marked).to_have_text("Live")
    go_to(page, "MLP")
    expect(marked).to_have_text("MLP")
    go_to(page, "Compare")
    expect(marked).to_have_text("Change")
    expect(marked).to_have_attribute("aria-current", "true")
    other = page.locator('[data-testid="stTopNavSection"]', has_text="Learn")
    ground = "node => getComputedStyle(node).backgroundColor"
    of_the_group = marked.evaluate(ground)
    assert of_the_group != other.evaluate(ground)
    go_to(page, "Paths")
    expect(marked).to_have_text("Paths")
    assert marked.evaluate(ground) == of_the_group
    page.set_viewport_size({"width": 1000, "height": 800})  # the group finds no room, and is in the last menu
    page.goto(f"{server.url}/branches")
    ready(page)
    expect(marked).to_contain_text("more")
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()
