"""Several visitors at once in real browsers: each sees its own run, a place in the line, and what was let go."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import Server, open_page, serve
from tests.stage import STAGE, begin, ready, run, run_id, settle, stage_number, strip, wait_for_new_run

pytestmark = pytest.mark.browser

PROMPTS = {"The king": "The·king", "A mouse": "A·m", "In the wood": "In·the·wood", "My dear": "My·dear", "Hop": "H"}
SMALL = {"GPT2_TRACES_MB": "2", "GPT2_MAX_PROMPT_TOKENS": "40", "GPT2_MAX_NEW_TOKENS": "30"}


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Iterator[Server]:
    """The app as a very small host would set it up."""
    with serve(tmp_path_factory.mktemp("small") / "server.log", **SMALL) as served:
        yield served


@contextmanager
def visitors(chromium: Browser, server: Server, count: int) -> Iterator[list[Page]]:
    """Visitors, each in a browser context of its own, the model ready."""
    pages = [open_page(chromium, server.url) for _ in range(count)]
    for page in pages:
        ready(page)
    yield pages
    for page in pages:
        assert page.errors == []
        page.context.close()


def test_five_at_once_see_their_own_runs_alone(chromium, server):
    with visitors(chromium, server, len(PROMPTS)) as pages:
        before = [run_id(page) for page in pages]
        for page in pages:
            settle(page, max_new_tokens=12, speed=0)
        for page, prompt in zip(pages, PROMPTS, strict=True):
            begin(page, prompt)
        for page, recorded in zip(pages, before, strict=True):
            wait_for_new_run(page, recorded, 12)
        for page, start in zip(pages, PROMPTS.values(), strict=True):
            assert strip(page).startswith(start) and stage_number(page, "steps") == 12
        assert len({run_id(page) for page in pages}) == len(pages)


def test_a_run_that_was_let_go_keeps_its_text_says_so_and_is_made_again(chromium, small):
    """The budget holds one run of this length and not two: the one that nobody looks at goes."""
    with visitors(chromium, small, 2) as (first, second):
        run(first, "The king", 20)
        text = strip(first)
        run(second, "A mouse", 25)
        first.keyboard.press("Home")  # whatever the stage says, it is told, unless it has asked for the checks since
        notice = first.get_by_role("alert").filter(has_text="numbers were freed to make room for other visitors")
        expect(notice).to_be_visible()
        assert strip(first) == text and stage_number(first, "steps") == 0
        before = run_id(first)
        first.get_by_role("button", name="Run", exact=True).click()
        wait_for_new_run(first, before, 20)
        expect(notice).to_be_hidden()
        assert strip(first) == text


def test_the_hosts_limits_are_shown_and_kept(chromium, small):
    with visitors(chromium, small, 1) as (page,):
        expect(page.locator(f"{STAGE} .count")).to_contain_text("/ 40 tokens")
        page.locator("button.chip").click()
        expect(page.locator(".fields")).to_contain_text("up to 30")
        page.keyboard.press("Escape")
        before = run_id(page)
        begin(page, " the" * 50)
        expect(page.get_by_role("alert").filter(has_text="10 more than the 40 allowed here")).to_be_visible()
        assert run_id(page) == before
