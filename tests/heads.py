"""Heads and matrices in a browser: where they lie, which head is locked, and the way from page to page."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from gpt2.learn.lessons import LESSONS
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
PAGES = ("Live", *QUESTIONS)
IN_MENUS = {  # the menu and the question of each page that is in one
    "Experiments": ("Change", "What if a part of the model were different?"),
    "Branches": ("Change", "What if another token had come here?"),
    "Compare": ("Change", "How do two runs differ, step by step?"),
    "The course": ("Learn", "How is GPT-2 built?"),
    **{f"{lesson.number} {lesson.title}": ("Learn", lesson.question) for lesson in LESSONS},
}
# The middle of a tile: some point of it, and then as far as it goes from there to all sides.
FIND = """(node, [tip, name]) => {
    const box = node.getBoundingClientRect();
    const tells = (x, y) => {
        if (x < box.left || x > box.right || y < box.top || y > box.bottom) return false;
        node.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, bubbles: true }));
        return node.getRootNode().querySelector(tip)?.textContent.startsWith(name);
    };
    const somewhere = () => {
        for (let y = box.top + 2; y < box.bottom; y += 12) {
            for (let x = box.left + 2; x < box.right; x += 12) if (tells(x, y)) return [x, y];
        }
    };
    const [x, y] = somewhere();
    const reach = (dx, dy) => {
        let steps = 0;
        while (tells(x + (steps + 1) * dx, y + (steps + 1) * dy)) steps += 1;
        return steps * (dx + dy);
    };
    const middle = [x + (reach(2, 0) + reach(-2, 0)) / 2, y + (reach(0, 2) + reach(0, -2)) / 2];
    node.dispatchEvent(new PointerEvent("pointerleave"));
    return middle;
}"""
LOCK = "() => globalThis.gpt2Stage.state.lock"


def go_to(page: Page, name: str) -> None:
    """Follow the link to a page, in its menu if it is in one, and wait for the page."""
    menu, question = IN_MENUS.get(name, ("", QUESTIONS.get(name, "")))
    if menu:
        page.get_by_role("button", name=menu).first.click()
        page.get_by_role("menuitem", name=name).click()
    else:
        link = page.get_by_role("link", name=name, exact=True)
        if not link.count():  # the letters of a presenter leave room for some pages only
            page.get_by_role("button", name=re.compile(r"^\d+ more")).click()
            link = page.get_by_role("menuitem", name=name, exact=True)
        link.click()
    if question:
        expect(page.get_by_role("heading", name=question)).to_be_visible(timeout=60_000)
    else:
        expect(page.locator(f"{STAGE} .panels")).to_be_visible()
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
