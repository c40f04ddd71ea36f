"""Heads and matrices in a browser: where they lie, which head is locked, and the way from page to page."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.stage import STAGE, lie_still

STRIP_BADGE, PANEL_BADGE = f"{STAGE} .state .unlock", f"{STAGE} .one .unlock"
QUESTIONS = {
    "Embeddings": "What is each token before the model thinks?",
    "Attention": "Who is each token looking at?",
    "MLP": "What does each neuron do?",
    "Residual stream": "What does each layer add?",
    "Attribution": "Why this token?",
    "Paths": "Where did the answer come from?",
    "Sampling": "How is the next token chosen?",
    "Cost": "What does a token cost?",
}
FIND = """(node, [tip, name]) => {
    const box = node.getBoundingClientRect(), found = [];
    for (let x = box.left + 2; x < box.right; x += 4) for (let y = box.top + 2; y < box.bottom; y += 4) {
        const at = { clientX: x, clientY: y, bubbles: true };
        node.dispatchEvent(new PointerEvent("pointermove", at));
        if (node.getRootNode().querySelector(tip)?.textContent.startsWith(name)) found.push([x, y]);
    }
    node.dispatchEvent(new PointerEvent("pointerleave"));
    return [0, 1].map((axis) => found.reduce((sum, point) => sum + point[axis], 0) / found.length);
}"""
LOCK = "() => globalThis.gpt2Stage.state.lock"


def go_to(page: Page, name: str) -> None:
    """Click a page's name and wait for the page."""
    page.get_by_role("link", name=name, exact=True).click()
    if name == "Live":
        expect(page.locator(f"{STAGE} .panels")).to_be_visible(timeout=20_000)
    else:
        expect(page.get_by_role("heading", name=QUESTIONS[name])).to_be_visible(timeout=20_000)
    lie_still(page)


def matrix(page: Page, title: str) -> Locator:
    """The picture of this title."""
    return page.locator(".matrix").filter(has=page.locator(".title", has_text=re.compile(f"^{title}$")))


def locked(page: Page) -> tuple[int, int] | None:
    """The head that is locked in the browser, as (layer, head)."""
    lock: dict[str, Any] | None = page.evaluate(LOCK)
    return None if lock is None else (lock["layer"], lock["head"])


def middle_of(canvas: Locator, tip: str, name: str) -> tuple[float, float]:
    """The middle of what a picture tells of under this name, on the screen; the pointer is moved over all of it."""
    canvas.scroll_into_view_if_needed()
    x, y = canvas.evaluate(FIND, [tip, name])
    return float(x), float(y)


def live_tile(page: Page, layer: int, head: int) -> tuple[float, float]:
    """Where a head's tile lies on the Live page."""
    return middle_of(page.locator(f"{STAGE} canvas[data-panel=mosaic]"), ".tip div", f"L{layer}·H{head}:")


def tile(page: Page, layer: int, head: int) -> tuple[float, float]:
    """Where a head's tile lies on the Attention page."""
    return middle_of(matrix(page, "Every head").locator(".plot"), ".tip b", f"L{layer}·H{head}:")


def is_unlocked(page: Page) -> None:
    """Fail unless no head is shown as locked."""
    expect(page.locator(STRIP_BADGE)).to_be_hidden()
    if page.locator(PANEL_BADGE).count():
        expect(page.locator(PANEL_BADGE)).to_be_hidden()
    assert locked(page) is None
