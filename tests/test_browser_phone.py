"""Claims about a phone: by touch, every page is in reach and can be read, 390 and 320 pixels wide."""

import pytest
from playwright.sync_api import Browser, Page, expect

from pages.frame.page_row import KEY, MARKS
from tests.browser import WAS_OFFERED_THE_TOUR, Server
from tests.stage import STAGE, lie_still, ready, run_id, settle, stage_number, wait_for_new_run

pytestmark = pytest.mark.browser

PAGES = "Live", "Embeddings", "Attention", "MLP", "Residual stream", "Attribution", "Paths", "Sampling", "Cost"
# What is wrong with the page as it is laid out: letters that are too small, what sticks out, and what is cut off.
FAULTS = """() => {
    const faults = [], wide = document.documentElement.clientWidth;
    const main = document.querySelector('.stMain');
    const scrolls = (element) => {
        if (!element || element === main) return false;
        const { overflowX } = getComputedStyle(element);
        return ['auto', 'scroll'].includes(overflowX) || scrolls(element.parentElement);
    };
    if (main.scrollWidth > main.clientWidth) faults.push(`the page scrolls to ${main.scrollWidth}`);
    const look = (root) => {
        for (const element of root.querySelectorAll('*')) {
            if (element.shadowRoot) look(element.shadowRoot);
            const style = getComputedStyle(element), box = element.getBoundingClientRect();
            const isSeen = style.visibility !== 'hidden' && box.width > 2 && box.height > 2;
            const own = [...element.childNodes].filter((node) => node.nodeType === 3);
            const text = own.map((node) => node.data).join('');
            if (!isSeen || !text.trim() || element.closest('.katex, .tokens')) continue;
            if (parseFloat(style.fontSize) < 12) faults.push(`${style.fontSize}: ${text}`);
            const svg = element.closest('svg.marks')?.getBoundingClientRect();
            if (svg && (box.right > svg.right + 1 || box.left < svg.left - 1)) faults.push(`cut off: ${text}`);
            if (box.right > wide + 1 && !scrolls(element)) faults.push(`sticks out to ${box.right}: ${text}`);
        }
    };
    look(main);
    return faults;
}"""
# Texts of the first chart that lie over one another.
OVERLAPS = """() => {
    const texts = [...document.querySelector('[data-testid=stVegaLiteChart] svg').querySelectorAll('text')]
        .map((text) => [text.textContent, text.getBoundingClientRect()]).filter(([, { width }]) => width);
    const lies = ([, a], [, b]) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4;
    const below = (one, at) => texts.slice(0, at).filter((two) => lies(one, two)).map((two) => [one[0], two[0]]);
    return texts.flatMap(below);
}"""


@pytest.fixture
def phone(chromium: Browser, server: Server):
    window = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = window.new_page()
    page.add_init_script(WAS_OFFERED_THE_TOUR)
    page.goto(server.url)
    ready(page)
    yield page
    window.close()


def faults(page: Page, name: str) -> list[str]:
    """The faults of the page, as wide as most phones and as the narrowest."""
    found = []
    for width in (320, 390):
        page.set_viewport_size({"width": width, "height": 844})
        lie_still(page)
        found += [f"{name} at {width}: {fault}" for fault in page.evaluate(FAULTS)]
    return found


def top_and_bottom(page: Page, selector: str) -> tuple[float, float]:
    """Where an element of the stage begins and ends, from the top of the window."""
    box = page.locator(f"{STAGE} {selector}").bounding_box()
    assert box is not None
    return box["y"], box["y"] + box["height"]


def test_a_phone_reaches_and_reads_every_page_by_touch(phone: Page) -> None:
    row = phone.locator(".st-key-page-row")
    expect(row.get_by_role("link")).to_have_text([*PAGES, "Experiments", "Branches", "The course"])
    expect(row.locator("[aria-current=page]")).to_have_text("Live")
    # What comes next stands before the panels that explain it, and a long draft covers no button.
    assert top_and_bottom(phone, ".panel.bars")[0] < top_and_bottom(phone, ".panel.heads")[0]
    settle(phone, max_new_tokens=6, speed=0)
    before, box = run_id(phone), phone.get_by_role("textbox", name="Prompt")
    box.tap()
    box.fill("Once upon a time there was a little girl who lived with her mother in a house by the sea. " * 3)
    assert top_and_bottom(phone, ".prompt .box")[1] <= top_and_bottom(phone, ".transport")[0]
    phone.locator(f"{STAGE} .play").tap()
    wait_for_new_run(phone, before, 6)
    # A step back changes the step and not the head that is looked at; a tap locks another, on every page.
    name = phone.locator(f"{STAGE} .one .name")
    head, step = name.inner_text(), stage_number(phone, "step")
    phone.get_by_role("button", name="One step back").tap()
    expect(phone.locator(STAGE)).to_have_attribute("data-step", str(step - 1))
    assert name.inner_text() == head
    mosaic = phone.locator("canvas[data-panel=mosaic]")
    mosaic.tap(position={"x": 60, "y": 60})
    expect(phone.locator(f"{STAGE} .one .unlock")).to_be_visible()
    locked = name.inner_text().removeprefix("One head: ")
    found = faults(phone, "Live")
    for title in PAGES[1:]:
        row.get_by_role("link", name=title, exact=True).tap()
        expect(row.locator("[aria-current=page]")).to_have_text(title, timeout=60_000)
        expect(phone.locator(".stMain .stHeading")).to_be_visible(timeout=60_000)
        expect(phone.locator(f"{STAGE} .state .unlock")).to_have_text(f"{locked} locked · Esc")
        found += faults(phone, title)
        if title == "Sampling":
            found += [f"{one} lies over {two}" for one, two in phone.evaluate(OVERLAPS)]
    assert found == []


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
        MARKS,
    )
    expect(page.locator("[aria-current=page]")).to_have_text("Sampling")
    page.close()
