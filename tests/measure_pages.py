"""Measures every page as it is opened: how long until it lies still, and what it holds; and a slider of Sampling."""

from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page

from tests.browser import browser, open_page, open_tab, serve
from tests.heads import go_to
from tests.stage import lie_still, ready

PAGES = ("Embeddings", "Attention", "MLP", "Residual stream", "Attribution", "Paths", "Sampling", "Cost", "Live")
RUN = "?prompt=The+king+said&max_new_tokens=24&speed=0&tokens=24"
ROUNDS, PRESSES = 4, 46
SETTLED_MS = 1800  # after which nothing of a page comes any more
# Notes the last change of the page, and what the server has sent since the last click.
WATCH = """(() => {
    globalThis.openingWatch = { click: 0, change: 0, bytes: 0 };
    const { send } = WebSocket.prototype;
    WebSocket.prototype.send = function (message) {
        if (!this.isWatched) {
            this.isWatched = true;
            this.addEventListener("message", ({ data }) => {
                openingWatch.bytes += data.size ?? data.byteLength ?? data.length;
            });
        }
        return send.call(this, message);
    };
    addEventListener("DOMContentLoaded", () => {
        new MutationObserver(() => { openingWatch.change = performance.now(); }).observe(
            document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    });
    document.addEventListener(
        "click", () => { Object.assign(openingWatch, { click: performance.now(), bytes: 0 }); }, true);
})()"""
OPENED = "[openingWatch.change - openingWatch.click, openingWatch.bytes / 1000, document.querySelectorAll('*').length]"
# Notes the time from each key to the first frame in which the first chart says something else.
KEYS = """() => {
    globalThis.took = [];
    let pressed = null, before = "";
    addEventListener("keydown", () => { pressed = performance.now(); }, true);
    const look = () => {
        const now = document.querySelector("[data-testid=stVegaLiteChart] svg")?.textContent ?? "";
        if (now !== before && pressed !== null) {
            took.push(performance.now() - pressed);
            pressed = null;
        }
        before = now;
        requestAnimationFrame(look);
    };
    look();
}"""


def measure_pages(log: Path) -> dict[str, Any]:
    """Medians, of three openings each: milliseconds until nothing changes, kilobytes sent and elements on the page."""
    with browser() as opened, serve(log) as server:
        window = opened.new_context(viewport={"width": 1280, "height": 800})
        window.add_init_script(WATCH)
        page = open_tab(window, server.url + RUN)
        ready(page)
        lie_still(page)
        found: dict[str, list[list[float]]] = {name: [] for name in PAGES}
        for _ in range(ROUNDS):
            for name in PAGES:
                page.get_by_role("link", name=name, exact=True).click()
                page.wait_for_timeout(SETTLED_MS)
                found[name].append(page.evaluate(OPENED))
        openings = {name: medians(of_page[1:]) for name, of_page in found.items()}
        window.close()
        return {"openings": openings, "slider_ms": measure_slider(open_page(opened, server.url))}


def medians(openings: list[list[float]]) -> dict[str, int]:
    """The medians of a page's openings."""
    columns = zip(*openings, strict=True)
    return {name: round(median(values)) for name, values in zip(("ms", "kb", "elements"), columns, strict=True)}


def measure_slider(page: Page) -> int:
    """Milliseconds from a key on the temperature to the columns that it makes."""
    ready(page)
    go_to(page, "Sampling")
    page.get_by_role("slider").first.focus()
    page.evaluate(KEYS)
    for press in range(PRESSES):
        page.keyboard.press("ArrowRight" if press % 8 < 4 else "ArrowLeft")
        page.wait_for_timeout(350)
    return round(median(page.evaluate("took")))
