"""Light and dark, as the system says or a visitor chooses: every chart and the logo follow, and no run ends."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import Server, open_page, open_tab
from tests.stage import STAGE, begin, lie_still, ready, run_id, settle, stage_number, wait_for_steps

pytestmark = pytest.mark.browser

# All that has colours: the charts' own, the pixels of every canvas, and the addresses of the pictures and the logo.
LOOK = """() => {
    const every = (root) => [...root.querySelectorAll("*")].flatMap((node) => (
        node.shadowRoot ? [node, ...every(node.shadowRoot)] : [node]
    ));
    const nodes = every(document), named = (name) => nodes.filter((node) => node.localName === name);
    const colours = (chart) => [...chart.querySelectorAll("svg *")].flatMap((node) => (
        ["fill", "stroke"].map((name) => node.getAttribute(name) ?? "").filter((value) => /^(#|rgb)/.test(value))
    ));
    return {
        charts: nodes.filter((node) => node.dataset.testid === "stVegaLiteChart")
            .map((chart) => [...new Set(colours(chart))].sort().join(" ")),
        canvases: named("canvas").map((canvas) => canvas.toDataURL()),
        pictures: named("img").map((image) => image.getAttribute("src")),
        paper: getComputedStyle(document.querySelector(".stApp")).backgroundColor,
    };
}"""
IS_LIKE = f"(wanted) => JSON.stringify(({LOOK})()) === JSON.stringify(wanted)"
CHARTS = {
    "": 0,
    "embeddings": 4,
    "attention": 2,
    "mlp": 3,
    "residual": 4,
    "attribution": 2,
    "paths": 2,
    "sampling": 4,
    "cost": 3,
}  # by page
SECONDS = 40  # for a page to be drawn again on a busy machine


def choose(page: Page, theme: str) -> None:
    """Choose a theme in the app's menu, and close the menu."""
    page.get_by_test_id("stMainMenuButton").click()
    page.get_by_role("menuitemradio", name=theme).click()
    page.keyboard.press("Escape")
    page.mouse.move(640, 0)


def open_drawn(chromium: Browser, server: Server, name: str, scheme: str = "light") -> Page:
    """A fresh visitor on a page, its model loaded and all its charts drawn."""
    page = open_page(chromium, f"{server.url}/{name}", scheme=scheme)
    ready(page)
    expect(page.get_by_test_id("stVegaLiteChart").locator("svg")).to_have_count(CHARTS[name], timeout=1000 * SECONDS)
    lie_still(page)
    return page


def freshly_dark(chromium: Browser, server: Server, name: str) -> dict:
    """What a page looks like that was opened in the dark."""
    page = open_drawn(chromium, server, name, "dark")
    look = page.evaluate(LOOK)
    page.context.close()
    return look


@pytest.mark.parametrize("name", CHARTS)
def test_a_page_that_is_open_follows_the_systems_theme_in_every_chart_and_picture(chromium, server, name):
    dark = freshly_dark(chromium, server, name)
    page = open_drawn(chromium, server, name)
    light = page.evaluate(LOOK)
    assert light["paper"] != dark["paper"]
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(IS_LIKE, arg=dark, timeout=1000 * SECONDS)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(IS_LIKE, arg=light, timeout=1000 * SECONDS)
    assert page.errors == []
    page.context.close()


def test_a_theme_chosen_in_the_app_is_worn_on_every_page_and_kept(chromium, server):
    page = open_drawn(chromium, server, "")
    light = page.evaluate(LOOK)
    choose(page, "Dark")
    page.wait_for_function(IS_LIKE, arg=freshly_dark(chromium, server, ""), timeout=1000 * SECONDS)
    page.get_by_role("link", name="Sampling", exact=True).click()
    page.wait_for_function(IS_LIKE, arg=freshly_dark(chromium, server, "sampling"), timeout=1000 * SECONDS)
    for name in ("", "cost"):
        again = open_tab(page.context, f"{server.url}/{name}")
        ready(again)
        assert again.evaluate("getComputedStyle(document.querySelector('.stApp')).colorScheme") == "dark"
        assert again.errors == []
    choose(again, "System")
    again.get_by_role("link", name="Live", exact=True).click()
    again.wait_for_function(IS_LIKE, arg=light, timeout=1000 * SECONDS)
    assert page.errors == again.errors == []
    page.context.close()


@pytest.mark.parametrize("name", ["", "sampling"])
def test_a_run_goes_on_while_the_theme_is_switched(chromium, server, name):
    page = open_page(chromium, f"{server.url}/{name}")
    ready(page)
    settle(page, max_new_tokens=500, speed=4)
    begin(page, "The fox")
    expect(page.locator(f"{STAGE} .state")).to_contain_text("running", timeout=1000 * SECONDS)
    wait_for_steps(page, 3)
    run = run_id(page)
    for theme in ("Dark", "Light", "Dark"):
        choose(page, theme)
        wait_for_steps(page, 3)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.locator(f"{STAGE} .state")).not_to_contain_text("running", timeout=1000 * SECONDS)
    lie_still(page)
    assert run_id(page) == run and stage_number(page, "known") == stage_number(page, "steps")
    assert page.errors == []
    page.context.close()


def test_the_menu_that_has_the_themes_is_in_reach_on_a_phone(chromium, server):
    page = open_page(chromium, server.url, 390, 844)
    ready(page)
    menu = page.get_by_test_id("stMainMenuButton").bounding_box()
    assert menu is not None and menu["x"] >= 0 and menu["x"] + menu["width"] <= 390
    choose(page, "Dark")
    assert page.get_by_test_id("stAppViewContainer").evaluate("node => node.scrollLeft") == 0
    page.context.close()
