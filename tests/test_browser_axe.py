"""Every page in Chromium, light and dark: axe-core finds nothing to mend, and the console stays empty."""

import pytest

from tests.axe import violations
from tests.browser import open_page
from tests.stage import lie_still, ready

pytestmark = pytest.mark.browser

PAGES = ("Live", "Embeddings", "Attention", "MLP", "Residual stream", "Attribution", "Paths", "Sampling", "Cost")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_nothing_that_keeps_somebody_out(chromium, server, name, scheme):
    page = open_page(chromium, "about:blank", scheme=scheme)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type in {"warning", "error"} else None)
    page.goto(server.url)
    ready(page)
    page.get_by_role("link", name=name, exact=True).click()
    if name != "Live":
        page.get_by_role("heading", level=2).filter(has_text="?").first.wait_for(timeout=60_000)
    lie_still(page)
    assert violations(page) == []
    assert told == []
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_behind_a_menu_keep_nobody_out_either(chromium, server, scheme):
    for name in ("experiments", "course", "lesson_12_generation"):
        page = open_page(chromium, f"{server.url}/{name}", scheme=scheme)
        ready(page)
        page.get_by_role("heading", level=2).filter(has_text="?").first.wait_for(timeout=60_000)
        lie_still(page)
        assert violations(page) == [], name
        page.context.close()
