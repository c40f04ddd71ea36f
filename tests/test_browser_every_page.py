"""What every page promises at a desk: each is opened once in the light and once in the dark, side by side."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from gpt2.learn.lessons import lesson_of
from pages.look.glossary import TERMS
from pages.look.panels import PANELS
from tests.axe import violations
from tests.browser import Server, open_tab
from tests.heads import PAGES, go_to
from tests.readings import CUT, LOOK, too_small_to_read, wait_for_look, watched
from tests.stage import STAGE, choose_theme, ready, run, stage_number, strip

pytestmark = pytest.mark.browser

BEHIND_MENUS = ("Experiments", "Compare", "The course", f"12 {lesson_of(12).title}")
CHARTS = {"Embeddings": 4, "Attention": 2, "MLP": 3, "Residual stream": 4, "Attribution": 2, "Paths": 2}
CHARTS |= {"Sampling": 4, "Cost": 3}
FIRST = {
    "Live": "The newest token",
    "Embeddings": "Token",
    "Attention": "Every head",
    "MLP": "How much",
    "Residual stream": "How long",
    "Attribution": "After which token",
    "Paths": "After which token",
    "Sampling": "From logits",
    "Cost": "How each step",
}
INSTEAD = {"attention.layers", "attention.all", "attention.roles"}  # in the place of `attention.heads`, if chosen


def shows_a_recorded_run(page: Page) -> None:
    expect(page.locator(STAGE)).to_contain_text("recorded run")
    assert stage_number(page, "steps") > 10
    assert "upon" in strip(page)


def is_whole_without_scrolling(page: Page) -> None:
    boxes = [part.bounding_box() for part in (page.locator(STAGE), *page.locator(f"{STAGE} canvas").all())]
    for box in boxes:
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= 1280 and box["y"] + box["height"] <= 800
        assert box["width"] > 40 and box["height"] > 20
    assert page.locator('[data-testid="stMain"]').evaluate("node => node.scrollHeight - node.clientHeight") <= 0


def has_something_painted_on_every_panel(page: Page) -> None:
    blank = page.locator(f"{STAGE} canvas").evaluate_all(
        """nodes => nodes.filter(node => {
            const image = node.getContext("2d").getImageData(0, 0, node.width, node.height);
            return new Set(new Uint32Array(image.data.buffer)).size < 4;
        }).map(node => node.dataset.panel)"""
    )
    assert blank == []


def is_drawn_without_an_error_or_a_sideways_scroll(page: Page, name: str) -> None:
    charts = page.get_by_test_id("stVegaLiteChart").locator("svg")
    expect(charts).to_have_count(CHARTS.get(name, 0), timeout=40_000)
    assert page.get_by_test_id("stException").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def has_no_text_smaller_than_11_px(page: Page, name: str) -> None:
    assert too_small_to_read(page, 11) == []
    if name in ("Live", "Attention"):  # there is text on canvases, and it is measured
        assert "canvas" in {kind for _, kind, _ in too_small_to_read(page, 22)}
    assert page.evaluate(CUT) == []


def explains_every_panel_at_its_title_and_in_the_dialog(page: Page, name: str) -> None:
    help_, note = page.locator(f"{STAGE} .help"), page.locator(f"{STAGE} .explain")
    buttons = page.locator(".explains:visible")
    panels = buttons.evaluate_all("nodes => nodes.map(node => node.dataset.panel)")
    prefix = name.split()[0].lower() + "."
    assert set(panels) == {panel for panel in PANELS if panel.startswith(prefix)} - INSTEAD
    # The dialog lists the same panels, from top to bottom.
    page.keyboard.press("?")
    expect(help_).to_be_visible()
    assert sorted(help_.locator(".shown dd").all_inner_texts()) == sorted(PANELS[panel].shows for panel in panels)
    titles = help_.locator(".shown dt").all_inner_texts()
    assert titles[0].startswith(FIRST[name]) and all(titles)
    if name in ("Live", "Cost"):
        assert violations(page) == []
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(page.locator(f"{STAGE} .help-button")).to_be_focused()
    # A title explains itself under the pointer.
    for at, panel in enumerate(panels):
        buttons.nth(at).hover()
        expect(note).to_contain_text(PANELS[panel].shows)
        assert note.locator("b").all_inner_texts() == list(PANELS[panel].terms)
        expect(note).to_contain_text(TERMS[PANELS[panel].terms[-1]])
        expect(buttons.nth(at)).to_have_attribute("aria-expanded", "true")
    page.mouse.move(2, 2)
    expect(note).to_be_hidden()


@pytest.fixture(scope="module")
def windows(chromium: Browser, server: Server) -> Iterator[dict[str, Page]]:
    """Two visitors, one in the light and one in the dark, who go from page to page together."""
    opened = {scheme: watched(chromium, server.url, scheme=scheme) for scheme in ("light", "dark")}
    yield opened
    for page in opened.values():
        page.context.close()


@pytest.mark.parametrize("name", [*PAGES, *BEHIND_MENUS])
def test_a_page_is_whole_readable_explained_open_to_everybody_and_wears_the_theme(
    windows: dict[str, Page], name: str, subtests: pytest.Subtests
) -> None:
    looks = {}
    for scheme, page in windows.items():
        go_to(page, name)
        if name == "Live":
            with subtests.test("recorded, whole and painted", scheme=scheme):
                shows_a_recorded_run(page)
                is_whole_without_scrolling(page)
                has_something_painted_on_every_panel(page)
        if name in PAGES:
            with subtests.test("drawn", scheme=scheme):
                is_drawn_without_an_error_or_a_sideways_scroll(page, name)
                looks[scheme] = page.evaluate(LOOK)
        with subtests.test("axe", scheme=scheme):
            assert violations(page) == []
    light = windows["light"]
    if name in PAGES:
        with subtests.test("theme"):
            assert looks["light"]["paper"] != looks["dark"]["paper"]
            for scheme in ("dark", "light"):
                light.emulate_media(color_scheme=scheme)
                wait_for_look(light, looks[scheme])
        with subtests.test("letters"):
            has_no_text_smaller_than_11_px(light, name)
        with subtests.test("explained"):
            explains_every_panel_at_its_title_and_in_the_dialog(light, name)
    for page in windows.values():
        assert page.told == page.errors == []  # type: ignore[attr-defined]


def test_a_title_is_explained_by_keys_alone(windows: dict[str, Page]) -> None:
    """The focus shows it, Enter keeps it, Esc hides it."""
    page = windows["light"]
    go_to(page, "Cost")
    note = page.locator(f"{STAGE} .explain")
    page.keyboard.press("Tab")
    page.locator(".explains:visible").last.focus()
    expect(note).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()


def test_a_theme_chosen_in_the_app_is_worn_on_every_page_and_kept(windows: dict[str, Page], server: Server) -> None:
    light, dark = windows.values()
    for page in windows.values():
        go_to(page, "Live")
    before = light.evaluate(LOOK)
    choose_theme(light, "Dark")
    wait_for_look(light, dark.evaluate(LOOK))
    go_to(dark, "Sampling")
    light.get_by_role("link", name="Sampling", exact=True).click()
    wait_for_look(light, dark.evaluate(LOOK))
    for name in ("", "cost"):
        again = open_tab(light.context, f"{server.url}/{name}")
        ready(again)
        assert again.evaluate("getComputedStyle(document.querySelector('.stApp')).colorScheme") == "dark"
        assert again.errors == []  # type: ignore[attr-defined]
    choose_theme(again, "System")
    again.get_by_role("link", name="Live", exact=True).click()
    wait_for_look(again, before)
    assert light.errors == again.errors == []  # type: ignore[attr-defined]


def test_no_page_warns_of_a_run_that_has_only_just_begun(chromium: Browser, server: Server) -> None:
    """Of one token of prompt, at its first step: many a picture has nothing to compare yet, some nothing to draw."""
    page = watched(chromium, server.url)
    run(page, "a", 3)
    page.locator(f"{STAGE} .first").click()
    for name in PAGES:
        go_to(page, name)
    assert page.told == page.errors == []  # type: ignore[attr-defined]
    page.context.close()
