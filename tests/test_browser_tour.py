"""The tour of a first visit: offered once, walked by keys and on a phone, over the real stage."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.axe import violations
from tests.browser import open_page
from tests.stage import STAGE, ready, stage_number

pytestmark = pytest.mark.browser

STOPS = 10
FRAMED = """() => {
    const box = (node) => {
        const { x, y, width, height } = node.getBoundingClientRect();
        return [x, y, width, height];
    };
    const find = (from) => [...from.querySelectorAll("*")].flatMap((node) => [
        ...(node.matches(".tour, .spot") ? [[node.className, box(node)]] : []),
        ...(node.shadowRoot ? find(node.shadowRoot) : [])]);
    return Object.fromEntries(find(document));
}"""


def lies_apart(page: Page) -> bool:
    """Whether the card covers nothing of what it points at."""
    boxes = page.evaluate(FRAMED)
    (x, y, wide, tall), (left, top, width, height) = boxes["tour"], boxes["spot"]
    return x >= left + width or left >= x + wide or y >= top + height or top >= y + tall


def test_the_tour_is_walked_by_keys_moves_the_stage_and_leaves_it_as_it_was(chromium, server) -> None:
    page = open_page(chromium, server.url)
    ready(page)
    tour, head = page.locator(f"{STAGE} .tour"), page.locator(f"{STAGE} .one .unlock")
    expect(page.locator(f"{STAGE} .offer")).to_be_hidden()  # not a first visit
    page.keyboard.press("?")
    page.locator(f"{STAGE} .help .take").press("Enter")
    expect(tour.locator(".next")).to_be_focused()
    titles, quotes = [], {}
    for stop in range(1, STOPS + 1):
        expect(tour.locator(".where")).to_have_text(f"{stop} of {STOPS}")
        titles.append(tour.locator("h2").inner_text())
        quotes[stop] = tour.locator(".quotes").inner_text() if tour.locator(".quotes").is_visible() else ""
        assert stop == 1 or lies_apart(page), titles[-1]
        expect(head).to_be_visible(visible=stop == 5)  # with the next frame
        if stop in (1, 5):
            found = violations(page)
            assert found == [], found
        if stop < STOPS:
            page.keyboard.press("ArrowRight")
    assert len(set(titles)) == STOPS
    # It quotes the panels: the tokens of the run, the head that is largest, the draw.
    header = page.evaluate("(({ prompt_tokens, labels }) => [prompt_tokens, labels.length])(gpt2Stage.state.header)")
    assert [int(number) for number in re.findall(r"\d+", quotes[2])] == [header[0], header[1] - header[0]]
    assert quotes[9] == page.locator(f"{STAGE} section.draw .says").inner_text()
    # The last stop draws a token, again and again; Esc ends it and the keys are the stage's.
    steps = stage_number(page, "steps")
    page.keyboard.press("Enter")
    expect(page.locator(STAGE)).to_have_attribute("data-steps", str(steps + 1))
    page.keyboard.press("ArrowLeft")
    expect(tour.locator(".where")).to_have_text(f"{STOPS - 1} of {STOPS}")
    page.keyboard.press("Escape")
    expect(tour).to_be_hidden()
    step = stage_number(page, "step")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(STAGE)).to_have_attribute("data-step", str(step - 1))
    assert page.errors == []
    page.context.close()


def test_a_first_visit_on_a_phone_is_offered_the_tour_once(chromium, server) -> None:
    window = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = window.new_page()
    page.goto(server.url)
    ready(page)
    offer, tour = page.locator(f"{STAGE} .offer"), page.locator(f"{STAGE} .tour")
    expect(offer).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    offer.locator(".take").tap()
    for stop in range(1, STOPS + 1):
        expect(tour.locator(".where")).to_have_text(f"{stop} of {STOPS}")
        box = tour.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844
        if stop < STOPS:
            tour.locator(".next").tap()
    tour.locator(".end").tap()
    expect(tour).to_be_hidden()
    page.reload()
    ready(page)
    expect(offer).to_be_hidden()
    # Whoever begins with something else is not asked again either.
    other = window.browser.new_context().new_page()
    other.goto(server.url)
    ready(other)
    expect(other.locator(f"{STAGE} .offer")).to_be_visible()
    other.keyboard.press("ArrowLeft")
    expect(other.locator(f"{STAGE} .offer")).to_be_hidden()
    other.context.close()
    window.close()
