"""What a person sees while a page is opened and while a run is played: nothing leaves its place by itself."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Server
from tests.heads import QUESTIONS, go_to
from tests.readings import watched
from tests.stage import STAGE, run

pytestmark = pytest.mark.browser

# From now on, in each frame: where the headline stands, how large the stage's letters are, how high each chart's place
# is, and how wide its column. One is told of in words if it has ever been another.
NOTE_PLACES = """() => {
    const noted = globalThis.noted = new Map(), before = document.querySelector(".stMain h2")?.textContent;
    const note = (node, what, value) => {
        if (!noted.has(node)) noted.set(node, [what, new Set()]);
        noted.get(node)[1].add(value);
    };
    const stageIn = (root) => [...root.querySelectorAll("*")].map((node) => (
        node.matches(".stage") ? node : node.shadowRoot && stageIn(node.shadowRoot))).find(Boolean);
    const look = () => {
        const headline = document.querySelector(".stMain h2"), place = document.querySelector(".st-key-stage");
        requestAnimationFrame(look);
        if (!headline || headline.textContent === before) return; // the page that is left
        note(headline, "headline", Math.round(headline.getBoundingClientRect().top));
        const stage = place && stageIn(place);
        if (stage) note(stage, "letters", getComputedStyle(stage).fontSize);
        for (const chart of document.querySelectorAll(".stElementContainer:has(> * > * > .stVegaLiteChart)")) {
            note(chart, "chart", chart.offsetHeight);
        }
        for (const column of document.querySelectorAll(".stMain .stColumn:has(svg.marks)")) {
            note(column, "column", column.offsetWidth);
        }
    };
    look();
}"""
IMAGE_CODE = re.compile(r"/static/js/ImageList\b")  # Streamlit's, which the browser fetches with the first image
KINDS = "[...new Set([...noted.values()].map(([what]) => what))].sort()"
HAS_MOVED = """[...noted.values()].filter(([, values]) => values.size > 1).map(([what, values]) => (
    [what, ...values]))"""
# From now on: what of the page below the stage has gone up, from one frame to another, and by how much.
NOTE_PULLED_UP = """() => {
    const tops = new Map(), pulled = globalThis.pulled = [];
    const main = document.querySelector(".stMain");
    const look = () => {
        for (const node of main.querySelectorAll(".stElementContainer:not(.st-key-stage, .st-key-stage *)")) {
            const { top, height } = node.getBoundingClientRect(), before = tops.get(node);
            if (!height) continue;
            if (top < before - 1) pulled.push([node.innerText.slice(0, 40), before, top]);
            tops.set(node, top);
        }
        if (globalThis.pulled === pulled) requestAnimationFrame(look);
    };
    look();
}"""


def opened_pages(page: Page) -> Any:
    """What has moved on any page while it was opened, by page."""
    moved = {}
    for name in QUESTIONS:
        page.evaluate(NOTE_PLACES)
        go_to(page, name)
        assert page.evaluate(KINDS) == ["chart", "column", "headline", "letters"]
        if found := page.evaluate(HAS_MOVED):
            moved[name] = found
    return moved


def test_what_a_page_begins_with_keeps_its_place_and_its_size_until_the_page_is_whole(live: Page) -> None:
    assert opened_pages(live) == {}


def test_so_it_does_at_a_presenters_size(chromium, server: Server) -> None:
    page = watched(chromium, server.url, 1920, 1080)
    page.keyboard.press("p")
    page.route(IMAGE_CODE, lambda route: (page.wait_for_timeout(1000), route.continue_()))
    assert opened_pages(page) == {}
    page.context.close()


@pytest.mark.parametrize("name", ["Attention", "Attribution", "Paths"])
def test_a_sentence_that_takes_a_line_less_at_the_next_step_pulls_up_nothing(live: Page, name: str) -> None:
    run(live, "The old king", 24)
    live.keyboard.press("Home")
    expect(live.locator(STAGE)).to_have_attribute("data-step", "0")
    go_to(live, name)
    live.evaluate(NOTE_PULLED_UP)
    for step in range(1, 24):
        live.keyboard.press("ArrowRight")
        expect(live.locator(STAGE)).to_have_attribute("data-step", str(step))
        live.wait_for_timeout(150)
    assert live.evaluate("globalThis.pulled") == []


def test_what_one_chooses_on_the_page_gives_each_sentence_the_lines_that_it_needs(live: Page) -> None:
    run(live, "The old king", 8)
    go_to(live, "Attention")
    live.keyboard.press("ArrowLeft")
    kept = live.locator(".stMain .stElementContainer[style*=min-height]")
    expect(kept.first).to_be_attached()
    live.get_by_text("Leave out the first token").click()
    expect(kept).to_have_count(0)
