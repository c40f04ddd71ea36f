"""Claims about a phone: by touch, every page is in reach, can be read and pressed, 390 and 320 pixels wide."""

import re
from collections.abc import Iterator
from contextlib import suppress

import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect

from pages.frame.page_row import KEY, OPEN_JS
from pages.look.glossary import TERMS
from pages.look.palette import LIGHT
from tests.browser import Server, open_tab
from tests.heads import PAGES, QUESTIONS, live_tile, locked, matrix
from tests.readings import FAULTS, OVERLAPS, TOO_SMALL
from tests.stage import STAGE, begin, lie_still, ready, run_id, settle, stage_number, wait_for_new_run

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def phone(chromium: Browser, server: Server) -> Iterator[Page]:
    """A visitor who goes from page to page."""
    window = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = open_tab(window, server.url)
    ready(page)
    lie_still(page)
    yield page
    window.close()


def narrow_to(page: Page, width: int) -> None:
    """Turn or fold the device."""
    page.set_viewport_size({"width": width, "height": 844})
    lie_still(page)


def nothing_sticks_out(page: Page) -> None:
    """Fail if anything does once the charts have had time for a new width, which is not at once on a busy machine."""
    with suppress(TimeoutError):
        page.wait_for_function(f"({FAULTS})().length === 0", timeout=10_000)
    assert page.evaluate(FAULTS) == []


def top_and_bottom(page: Page, selector: str) -> tuple[float, float]:
    """Where an element of the stage begins and ends, from the top of the window."""
    box = page.locator(f"{STAGE} {selector}").bounding_box()
    assert box is not None
    return box["y"], box["y"] + box["height"]


def is_read_above(page: Page, box: str, y: float) -> None:
    """Fail unless a box is inside the window and above the finger."""
    place = page.locator(box).bounding_box()
    assert place is not None
    assert place["x"] >= 0 and place["x"] + place["width"] <= 390 and 0 <= place["y"] <= y - place["height"]


def a_tap_shows_a_value_until_the_next_one_and_locks_a_head(page: Page) -> None:
    tip = page.locator(f"{STAGE} .tip")
    bars = page.locator(f"{STAGE} canvas[data-panel=bars]").bounding_box()
    assert bars is not None
    page.touchscreen.tap(bars["x"] + 150, bars["y"] + 100)
    expect(tip).to_contain_text(re.compile(r"%.*rank \d+ · .* in the draw.*softmax\(logits\)", re.DOTALL))
    is_read_above(page, f"{STAGE} .tip", bars["y"] + 100)
    page.keyboard.press("ArrowLeft")  # what it tells changes with the step
    expect(tip).to_be_visible()
    page.locator(f"{STAGE} .bars h2").tap()
    expect(tip).to_be_hidden()
    x, y = live_tile(page, 3, 7)
    page.touchscreen.tap(x, y)
    expect(tip).to_contain_text("L3·H7: ")
    assert locked(page) == (3, 7)
    is_read_above(page, f"{STAGE} .tip", y)
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")


def what_comes_next_stands_first_and_a_long_draft_covers_no_button(page: Page) -> None:
    assert top_and_bottom(page, ".panel.bars")[0] < top_and_bottom(page, ".panel.heads")[0]
    settle(page, max_new_tokens=6, speed=0)
    before, box = run_id(page), page.get_by_role("textbox", name="Prompt")
    box.tap()
    box.fill("Once upon a time there was a little girl who lived with her mother in a house by the sea. " * 3)
    assert top_and_bottom(page, ".prompt .box")[1] <= top_and_bottom(page, ".transport")[0]
    page.locator(f"{STAGE} .play").tap()
    wait_for_new_run(page, before, 6)


def a_step_back_keeps_the_head_and_a_tap_locks_another(page: Page) -> None:
    name = page.locator(f"{STAGE} .one .name")
    head, step = name.inner_text(), stage_number(page, "step")
    page.get_by_role("button", name="One step back").tap()
    expect(page.locator(STAGE)).to_have_attribute("data-step", str(step - 1))
    assert name.inner_text() == head
    page.locator("canvas[data-panel=mosaic]").tap(position={"x": 60, "y": 60})
    expect(page.locator(f"{STAGE} .one .unlock")).to_be_visible()


def a_refused_draft_and_the_settings_can_be_pressed(page: Page) -> None:
    begin(page, "")  # a sentence of refusal is on the screen too
    page.locator("button.chip").tap()
    assert page.evaluate(TOO_SMALL) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Discard").tap()


def the_dialog_can_be_read_and_is_left_by_a_tap_beside_it(page: Page) -> None:
    help_ = page.locator(f"{STAGE} .help")
    page.locator(f"{STAGE} .help-button").tap()
    expect(help_).to_be_visible()
    box = help_.bounding_box()
    assert box is not None
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844
    assert help_.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    text = help_.inner_text()
    for sign in ("Space", "← →", "↑ ↓", "Esc", "·", "↵", "⇥", "⟨c3⟩", "hatched"):
        assert sign in text
    colours = help_.locator(".swatch").evaluate_all(
        "nodes => nodes.map(node => getComputedStyle(node).backgroundColor)"
    )
    concepts = ("attention", "mlp", "token", "position", "residual", "sampling", "watched")
    hexes = [getattr(LIGHT, concept).removeprefix("#") for concept in concepts]
    assert colours == [f"rgb({', '.join(str(int(code[at : at + 2], 16)) for at in (0, 2, 4))})" for code in hexes]
    page.touchscreen.tap(box["x"] + 20, box["y"] - 10)
    expect(help_).to_be_hidden()


def a_tap_on_a_titles_button_shows_its_note_and_a_second_one_hides_it(page: Page) -> None:
    button = page.locator('.explains[data-panel="live.draw"]')
    button.tap()
    expect(page.locator(f"{STAGE} .explain")).to_contain_text(TERMS["u"])
    button.tap()
    expect(page.locator(f"{STAGE} .explain")).to_be_hidden()


def a_tap_tells_of_a_cell_until_one_taps_elsewhere(page: Page, title: Locator) -> None:
    heads = matrix(page, "Every head")
    heads.locator(".plot").tap(position={"x": 120, "y": 100})
    expect(heads.locator(".tip")).to_contain_text(re.compile(r"^L\d·H\d: "))
    title.tap()
    expect(page.locator(".matrix .tip:visible")).to_have_count(0)


def a_tap_tells_of_a_bar_until_one_taps_elsewhere(page: Page, title: Locator) -> None:
    page.locator(".stVegaLiteChart .mark-rect.role-mark path").nth(1).tap(force=True)  # what lies over it tells
    value = page.locator("#vg-tooltip-element.visible")
    expect(value).to_contain_text(re.compile("token.*probability", re.DOTALL))
    title.tap()
    expect(value).to_have_count(0)


def the_menu_that_has_the_themes_is_in_reach(page: Page) -> None:
    menu = page.get_by_test_id("stMainMenuButton").bounding_box()
    assert menu is not None and menu["x"] >= 0 and menu["x"] + menu["width"] <= 390
    page.get_by_test_id("stMainMenuButton").tap()
    page.get_by_role("menuitemradio", name="Dark").tap()
    page.keyboard.press("Escape")
    assert page.get_by_test_id("stAppViewContainer").evaluate("node => node.scrollLeft") == 0


@pytest.mark.parametrize("name", PAGES)
def test_a_phone_reaches_reads_and_presses_a_page_by_touch(phone: Page, name: str, subtests: pytest.Subtests) -> None:
    row = phone.locator(".st-key-page-row")
    row.get_by_role("link", name=name, exact=True).tap()
    expect(row.locator("[aria-current=page]")).to_have_text(name, timeout=60_000)
    if name != "Live":
        title = phone.get_by_role("heading", name=QUESTIONS[name])
        expect(title).to_be_visible(timeout=60_000)
    lie_still(phone)
    if name == "Live":
        phone.locator("canvas[data-panel=mosaic]").tap(position={"x": 60, "y": 60})
        expect(phone.locator(f"{STAGE} .one .unlock")).to_be_visible()
    elif head := locked(phone):
        with subtests.test("locked head"):
            expect(phone.locator(f"{STAGE} .state .unlock")).to_have_text(f"L{head[0]}·H{head[1]} locked · Esc")
    with subtests.test("390 pixels"):
        nothing_sticks_out(phone)
        assert phone.evaluate(TOO_SMALL) == []
    if name == "Attention":
        with subtests.test("a tap on a cell"):
            a_tap_tells_of_a_cell_until_one_taps_elsewhere(phone, title)
    if name == "Sampling":
        with subtests.test("a tap on a bar"):
            assert phone.evaluate(OVERLAPS) == []
            a_tap_tells_of_a_bar_until_one_taps_elsewhere(phone, title)
    narrow_to(phone, 320)
    with subtests.test("320 pixels"):
        nothing_sticks_out(phone)
    narrow_to(phone, 1280)
    with subtests.test("1280 pixels"):
        assert phone.evaluate(TOO_SMALL) == []
    narrow_to(phone, 390)
    assert phone.errors == []  # type: ignore[attr-defined]


def test_on_a_phone_the_row_of_pages_the_dialog_the_settings_and_the_themes_are_in_reach(
    phone: Page, subtests: pytest.Subtests
) -> None:
    row = phone.locator(".st-key-page-row")
    row.get_by_role("link", name="Live", exact=True).tap()
    expect(phone.locator(f"{STAGE} .panels")).to_be_visible(timeout=60_000)
    lie_still(phone)
    phone.keyboard.press("Escape")
    expect(row.get_by_role("link")).to_have_text([*PAGES, "Experiments", "Branches", "Compare", "The course"])
    for claim in (
        a_tap_shows_a_value_until_the_next_one_and_locks_a_head,
        what_comes_next_stands_first_and_a_long_draft_covers_no_button,
        the_dialog_can_be_read_and_is_left_by_a_tap_beside_it,
        a_tap_on_a_titles_button_shows_its_note_and_a_second_one_hides_it,
        a_refused_draft_and_the_settings_can_be_pressed,
        a_step_back_keeps_the_head_and_a_tap_locks_another,
        the_menu_that_has_the_themes_is_in_reach,
    ):
        with subtests.test(claim.__name__):
            claim(phone)
    assert phone.errors == []  # type: ignore[attr-defined]


def test_the_page_that_was_opened_last_is_marked_whichever_message_comes_first(chromium: Browser) -> None:
    page = chromium.new_page()
    page.set_content(f'<div class="stMain"><div class="st-key-{KEY}"><a>Residual stream</a><a>Sampling</a></div></div>')
    page.evaluate(
        """async (code) => {
            const { default: show } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
            show({ data: { open: "Sampling", since: 2 } });
            show({ data: { open: "Residual stream", since: 1 } });
            const row = document.querySelector("a").parentElement;
            row.replaceChildren(...[...row.children].map((link) => link.cloneNode(true))); // drawn again
        }""",
        OPEN_JS,
    )
    expect(page.locator("[aria-current=page]")).to_have_text("Sampling")
    page.close()
