"""What can be read from the last row: a presenter's size on every page, and any panel in the whole window."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser import open_page
from tests.stage import STAGE, begin, lie_still, ready, settle, stage_number
from tests.test_browser_help import PAGES, go_to

pytestmark = pytest.mark.browser

# Notes the smallest text that each canvas has last painted, in CSS pixels: what is drawn within 50 ms is one painting.
WATCH_CANVASES = """() => {
    const write = CanvasRenderingContext2D.prototype.fillText;
    globalThis.written = new Map();
    CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
        const { a, b } = this.getTransform(), now = performance.now(), before = written.get(this.canvas);
        const scale = Math.hypot(a, b) * (this.canvas.clientWidth || 1) / (this.canvas.width || 1);
        const size = scale * parseFloat(/([\\d.]+)px/.exec(this.font)[1]);
        const isSame = before && now - before.at < 50;
        written.set(this.canvas, { at: now, text, size: isSame ? Math.min(size, before.size) : size });
        return write.call(this, text, ...rest);
    };
}"""
# Every visible text smaller than so many pixels, on the page, in charts and on canvases.
SMALLER_THAN = """least => {
    const found = [];
    const isSeen = (node) => node.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true })
        && node.getBoundingClientRect().width > 1 && !node.closest(".aloud, .spoken, [data-testid=stSidebar]");
    const walk = (root) => {
        for (const node of root.querySelectorAll("*")) {
            if (node.shadowRoot) walk(node.shadowRoot);
            const text = [...node.childNodes].filter(({ nodeType }) => nodeType === 3).map(({ data }) => data).join("");
            if (text.trim() && !node.matches("style, script, title") && isSeen(node)) {
                const size = parseFloat(getComputedStyle(node).fontSize);
                if (size < least - 0.01) found.push([size, node.tagName, text.trim().slice(0, 40)]);
            }
            const { size, text: label } = globalThis.written.get(node) ?? { size: Infinity };
            if (size < least - 0.05 && isSeen(node)) found.push([size, "canvas", label]);
        }
    };
    walk(document);
    return found;
}"""
CUT = """() => [...document.querySelectorAll('[data-testid="stVerticalBlock"], .stMain')].filter(
    (node) => node.scrollWidth - node.clientWidth > 1 && getComputedStyle(node).overflowX !== "visible"
).map((node) => node.className)"""


def watched(opened, url: str, width: int, height: int) -> Page:
    """A fresh visitor whose canvases are watched, the bundled model ready."""
    page = open_page(opened, "about:blank", width, height)
    page.add_init_script(f"({WATCH_CANVASES})()")
    page.goto(url)
    ready(page)
    return page


@pytest.mark.parametrize(("width", "height", "least"), [(1920, 1080, 20), (1280, 800, 11)])
def test_no_text_is_smaller_than_20_px_at_a_presenters_size_and_than_11_px_at_a_desk(
    chromium, server, width, height, least
):
    page = watched(chromium, server.url, width, height)
    is_large = least == 20
    if is_large:
        page.keyboard.press("p")
    for name in PAGES:
        go_to(page, name)
        assert page.evaluate("document.documentElement.classList.contains('gpt2-large')") == is_large
        lie_still(page)
        found = page.evaluate(SMALLER_THAN, least)
        assert found == [], (name, found)
        if name in ("live", "attention"):  # there is text on canvases, and it is measured
            assert "canvas" in {kind for _, kind, _ in page.evaluate(SMALLER_THAN, 2 * least)}
        assert page.evaluate(CUT) == [], name
    if is_large:  # the size is kept through a reload, and P takes it back
        page.reload()
        ready(page)
        expect(page.locator("html.gpt2-large")).to_be_attached()
        page.keyboard.press("p")
        expect(page.locator("html.gpt2-large")).to_have_count(0)
    page.context.close()


def test_a_panel_fills_the_window_while_the_run_plays_and_esc_gives_it_back_before_all_else(chromium, server):
    page = watched(chromium, server.url, 1920, 1080)
    whole = {"x": 0, "y": 0, "width": 1920, "height": 1080}
    settle(page, max_new_tokens=60, speed=6)
    begin(page, "The little bird")
    expect(page.locator(f"{STAGE} .state")).to_contain_text("running", timeout=20_000)
    page.keyboard.press("ArrowUp")  # locks a head
    lock = page.evaluate("globalThis.gpt2Stage.state.lock")
    for panel in ("mosaic", "bars"):
        section, steps = page.locator(f"{STAGE} section.{panel}"), stage_number(page, "painted")
        section.locator(".fills").click()
        assert section.bounding_box() == whole
        canvas = section.locator("canvas")
        expect(canvas).to_be_in_viewport(ratio=1)
        expect(section.locator(".says")).not_to_be_empty()
        page.wait_for_function("n => +globalThis.gpt2Stage.state.painted > n", arg=steps + 3)  # it is live
        assert canvas.evaluate("node => node.width === Math.round(node.clientWidth * devicePixelRatio)")
        assert page.evaluate(SMALLER_THAN, 20) == []
        page.keyboard.press("Escape")
        assert section.bounding_box() != whole
        assert page.evaluate("globalThis.gpt2Stage.state.lock") == lock
    # F fills with the panel under the pointer; the keys go on to be the stage's.
    page.locator(f"{STAGE} section.lens").hover()
    page.keyboard.press("f")
    expect(page.locator(f"{STAGE} section.lens.filled")).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator(f"{STAGE} .state")).not_to_contain_text("running")
    step = stage_number(page, "step")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(STAGE)).to_have_attribute("data-step", str(step - 1))
    page.keyboard.press("f")
    expect(page.locator(f"{STAGE} section.filled")).to_have_count(0)
    # On a lens page the box around a chart or a matrix does, and a pick outlives it.
    go_to(page, "attention")
    page.locator('.fills[data-panel="attention.row"]').click()
    box = page.locator(".stVerticalBlock.filled")
    assert box.bounding_box() == whole
    lie_still(page)
    assert page.evaluate(SMALLER_THAN, 20) == []
    chart = box.get_by_test_id("stVegaLiteChart").bounding_box()
    assert chart is not None and chart["width"] > 1600 and chart["height"] > 540
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    assert page.evaluate("globalThis.gpt2Stage.state.lock") == lock
    page.locator('.fills[data-panel="attention.heads"]').click()
    picture = page.locator(".stVerticalBlock.filled .matrix canvas").first
    expect(picture).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name="Back to the page").click()
    expect(box).to_have_count(0)
    page.keyboard.press("Escape")
    assert page.evaluate("globalThis.gpt2Stage.state.lock") is None
    page.context.close()
