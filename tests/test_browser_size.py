"""What can be read from the last row: a presenter's size on every page, and any panel in the whole window."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import Server
from tests.heads import PAGES, go_to
from tests.readings import CUT, too_small_to_read, watched
from tests.stage import STAGE, begin, lie_still, ready, settle, stage_number

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def presenter(chromium: Browser, server: Server) -> Iterator[Page]:
    """A visitor who goes from page to page at a presenter's size."""
    page = watched(chromium, server.url, 1920, 1080)
    page.keyboard.press("p")
    yield page
    page.context.close()


@pytest.mark.parametrize("name", PAGES)
def test_no_text_is_smaller_than_20_px_at_a_presenters_size(presenter: Page, name: str) -> None:
    go_to(presenter, name)
    expect(presenter.locator("html.gpt2-large")).to_be_attached()
    assert too_small_to_read(presenter, 20) == []
    if name in ("Live", "Attention"):  # there is text on canvases, and it is measured
        assert "canvas" in {kind for _, kind, _ in too_small_to_read(presenter, 40)}
    assert presenter.evaluate(CUT) == []


def test_a_presenters_size_is_kept_through_a_reload_and_taken_back_by_p(presenter: Page) -> None:
    go_to(presenter, "Live")
    presenter.reload()
    ready(presenter)
    expect(presenter.locator("html.gpt2-large")).to_be_attached()
    presenter.keyboard.press("p")
    expect(presenter.locator("html.gpt2-large")).to_have_count(0)


def test_a_panel_fills_the_window_while_the_run_plays_and_esc_gives_it_back_before_all_else(chromium, server):
    page = watched(chromium, server.url, 1920, 1080)
    whole = {"x": 0, "y": 0, "width": 1920, "height": 1080}
    settle(page, max_new_tokens=60, speed=6)
    begin(page, "The little bird")
    expect(page.locator(f"{STAGE} .state")).to_contain_text("running")
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
        assert too_small_to_read(page, 20) == []
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
    go_to(page, "Attention")
    page.locator('.fills[data-panel="attention.row"]').click()
    box = page.locator(".stVerticalBlock.filled")
    assert box.bounding_box() == whole
    lie_still(page)
    assert too_small_to_read(page, 20) == []
    chart = box.get_by_test_id("stVegaLiteChart").bounding_box()
    assert chart is not None and chart["width"] > 1600 and chart["height"] > 540
    page.keyboard.press("Escape")
    expect(box).to_have_count(0)
    assert page.evaluate("globalThis.gpt2Stage.state.lock") == lock
    page.locator('.fills[data-panel="attention.heads"]').click()
    picture = page.locator(".stVerticalBlock.filled .matrix canvas").first
    expect(picture).to_be_in_viewport(ratio=1)
    lie_still(page)
    assert too_small_to_read(page, 20) == [] and page.evaluate(CUT) == []
    # Squares are as high as a wide window; their words, and the badge of the locked head, stand on their left.
    drawn = picture.bounding_box()
    assert drawn is not None and drawn["height"] > 900 and drawn["x"] + drawn["width"] > 1800
    for part in ("head", "caption", "badge", "readout"):
        words = box.locator(f".matrix .{part}").bounding_box()
        assert words is not None and words["x"] + words["width"] <= drawn["x"]
    page.set_viewport_size({"width": 1000, "height": 720})
    lie_still(page)
    expect(picture).to_be_in_viewport(ratio=1)
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.get_by_role("button", name="Back to the page").click()
    expect(box).to_have_count(0)
    page.keyboard.press("Escape")
    assert page.evaluate("globalThis.gpt2Stage.state.lock") is None
    page.context.close()
