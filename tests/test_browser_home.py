"""The course at home, in a real Chromium: the page follows the reader's file, and what they have built plays."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from gpt2.engine.engine import Engine
from gpt2.learn.lesson import Lesson
from gpt2.learn.lessons import LESSONS, lesson_of
from gpt2.learn.workbook import Workbook
from pages.visit.controls import DEFAULT
from pages.visit.progress import WHOLE
from tests.axe import violations
from tests.browser import open_page, serve
from tests.lesson_page import put_together
from tests.stage import STAGE, lie_still, ready, run, stage_number, strip, wait_for_new_run

pytestmark = pytest.mark.browser
TAKEN = lesson_of(2), lesson_of(7)


def take(page: Page, url: str, lesson: Lesson, own: Path) -> None:
    """Put a lesson together on its page, then write it: saving the file is all that the reader does."""
    page.goto(f"{url}/lesson_{lesson.slug}")
    expect(page.get_by_text("still have `...`: put code there.")).to_be_visible(timeout=120_000)
    put_together(page, lesson)
    *_, (wrong, why) = lesson.variants()
    own.write_text(wrong)
    expect(page.get_by_text(why)).to_be_visible(timeout=120_000)
    for title in ("Your file", "Right"):
        expect(page.locator(".matrix .title", has_text=re.compile(f"^{title}$")).first).to_be_visible()
    lie_still(page)
    assert violations(page) == []
    own.write_text(lesson.solution)
    expect(page.get_by_text("gives the project's own numbers")).to_be_visible(timeout=120_000)


@pytest.mark.timeout(900)
def test_two_lessons_are_taken_the_page_follows_the_file_and_the_model_that_was_built_plays(
    chromium: Browser, engine: Engine, tmp_path: Path
) -> None:
    workbook = Workbook(tmp_path / "my_gpt2")
    for lesson in LESSONS:
        path, _ = workbook.start(lesson)
        if lesson not in TAKEN:
            path.write_text(lesson.solution)
            workbook.note(lesson)
    with serve(tmp_path / "server.log", GPT2_LEARN_FOLDER=str(workbook.folder)) as server:
        page = open_page(chromium, server.url)
        for lesson in TAKEN:
            take(page, server.url, lesson, workbook.path(lesson))
        page.goto(f"{server.url}/course")
        expect(page.get_by_text(WHOLE)).to_be_visible(timeout=60_000)

        # All twelve have passed: the reader's own model is on the stage, and says what the project's says.
        page.goto(server.url)
        ready(page)
        page.locator("button.chip").click()
        page.get_by_label("Model", exact=True).select_option("mine")
        expect(page.get_by_role("status", name="Loaded Mine")).to_contain_text("ready", timeout=180_000)
        page.keyboard.press("Escape")
        run(page, "The little bird", tokens=4)
        expect(page.locator(f"{STAGE} .facts")).to_contain_text("mine")
        steps = engine.generate("The little bird", 4, DEFAULT.sampling)
        right = "".join(engine.tokenizer.vocabulary.text([step.draw.token]) for step in steps if step.draw)
        assert strip(page).replace("·", " ").endswith(right.rstrip())
        steps_before = stage_number(page, "steps")
        page.get_by_role("button", name="Play").click()
        wait_for_new_run(page, "", steps_before + 4)
        assert page.errors == []  # type: ignore[attr-defined]
