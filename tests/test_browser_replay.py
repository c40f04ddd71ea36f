"""A run as a page of its own: made in the app, opened from a folder without it, and played by mouse and keys."""

import re
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from gpt2.engine.engine import Engine
from gpt2.errors import TraceError
from gpt2.trace.trace import Trace
from pages.look.panels import PANELS
from pages.stage import replay
from pages.stage.snapshot import Snapshot
from pages.visit.examples import recorded_run
from tests.axe import violations
from tests.browser import WAS_OFFERED_THE_TOUR
from tests.stage import STAGE, run, stage_number
from tests.taking import table, taken

# Notes each step that is shown from now on, with the name of the large button then.
NOTE_PLAY = """(stage) => {
    const node = document.querySelector(stage), noted = globalThis.noted = [];
    const note = () => {
        if (noted.at(-1)?.[0] === node.dataset.step) return;
        noted.push([node.dataset.step, node.querySelector(".play").getAttribute("aria-label")]);
    };
    new MutationObserver(note).observe(node, { attributeFilter: ["data-step"] });
}"""
# What was noted, once this step was shown. The page itself may evaluate no text, as `wait_for_function` has it do.
PLAYED = """(last) => new Promise((tell) => {
    const timer = setInterval(() => {
        if (globalThis.noted.at(-1)?.[0] !== last) return;
        clearInterval(timer);
        tell(globalThis.noted);
    }, 50);
})"""
MARKUP = "</script><img src=x onerror=alert(1)> & <!-- “"


def opened(chromium: Browser, file: Path, **settings: object) -> Page:
    """The page of a file in a browser that reaches nothing; it notes what goes wrong, and what it asks for."""
    context = chromium.new_context(offline=True, **settings)
    context.add_init_script(WAS_OFFERED_THE_TOUR)
    page = context.new_page()
    page.errors = []  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("console", lambda said: page.errors.append(said.text))
    page.on("request", lambda asked: asked.url.startswith(("file:", "blob:", "data:")) or page.errors.append(asked.url))
    page.goto(file.as_uri())
    expect(page.locator(f"{STAGE} canvas").first).to_be_visible()
    return page


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The page of the recorded run."""
    path = tmp_path / "run.html"
    path.write_bytes(replay.page_of(recorded_run("once")))
    return path


@pytest.mark.browser
def test_a_run_is_saved_as_a_page_that_plays_it_to_the_end_of_its_text_without_the_app(
    live: Page, chromium: Browser, tmp_path: Path
) -> None:
    run(live, "The old king", 6)
    text = live.locator(f"{STAGE} .tokens").inner_text()
    live.get_by_test_id("stExpandSidebarButton").click()
    live.get_by_role("button", name="Save it as a page that replays it").click()
    with live.expect_download() as download:
        live.get_by_role("button", name=re.compile(r"^Download 6 steps, ")).click()
    assert download.value.suggested_filename == "gpt2-run.html"
    download.value.save_as(tmp_path / "run.html")
    page = opened(chromium, tmp_path / "run.html")
    expect(page.locator(STAGE)).to_have_attribute("data-known", "6")
    assert page.locator(f"{STAGE} .tokens").inner_text() == text
    expect(page.locator(f"{STAGE} .near")).to_contain_text("Nearest (cosine)")  # the weights were at hand
    page.evaluate(NOTE_PLAY, STAGE)
    page.get_by_role("button", name="Play").click()
    noted = page.evaluate(PLAYED, "5")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert [step for step, _ in noted] == ["0", "1", "2", "3", "4", "5"]
    assert {button for _, button in noted[:-1]} == {"Pause"}
    # The run was made flat out; its page is played at a speed that an eye can follow.
    assert page.evaluate("globalThis.gpt2Stage.state.header.speed") == Snapshot.speed
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.browser
def test_a_page_that_replays_is_walked_by_keys_locked_and_taken_away_from_and_offers_nothing_that_it_cannot(
    chromium: Browser, file: Path
) -> None:
    page, recorded = opened(chromium, file), recorded_run("once")
    for name in ("Run", "Copy link"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_hidden()
    expect(page.get_by_label("Prompt")).not_to_be_editable()
    expect(page.locator("button.chip")).to_be_disabled()
    for key in ("ArrowRight", "End", "ArrowLeft", "ArrowLeft", "ArrowRight"):
        page.keyboard.press(key)
    last = len(recorded.steps) - 1
    expect(page.locator(STAGE)).to_have_attribute("data-step", str(last - 1))
    page.keyboard.press("Home")
    page.keyboard.press(" ")
    expect(page.locator(STAGE)).not_to_have_attribute("data-step", "0")
    page.keyboard.press(" ")
    page.locator("canvas[data-panel=mosaic]").click()
    expect(page.locator(f"{STAGE} .one .unlock")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(f"{STAGE} .one .unlock")).to_be_hidden()
    for panel in ("bars", "residual"):  # in the app one offers a branch, the other its arithmetic
        page.locator(f"canvas[data-panel={panel}]").click()
    expect(page.locator(f"{STAGE} dialog[open], {STAGE} .branch-offer:visible")).to_have_count(0)
    step = stage_number(page, "step")
    _, rows = table(taken(page, page.locator(f"{STAGE} section.residual .takes"), "CSV")[1])
    assert np.array(rows, float)[:, 1:] == pytest.approx(recorded.steps[step].norms[:, :, -1].T, rel=1e-6)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("What comes next")
    expect(page.get_by_role("dialog")).not_to_contain_text("branch")
    page.get_by_role("button", name="Take the tour").click()
    for _ in range(9):
        page.get_by_role("button", name="Next", exact=True).click()
    expect(page.locator(f"{STAGE} .tour .tells")).to_contain_text("Press Play, or go from step to step")
    page.get_by_role("button", name="Done").click()
    expect(page.locator(f"{STAGE} .tour")).to_be_hidden()
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_a_page_that_replays_is_whole_and_open_to_everybody(
    chromium: Browser, file: Path, scheme: str, width: int
) -> None:
    page = opened(chromium, file, color_scheme=scheme, viewport={"width": width, "height": 800})
    over = "[document.documentElement.scrollWidth - innerWidth, document.body.scrollHeight - innerHeight]"
    wide, tall = page.evaluate(f"document.fonts.ready.then(() => {over})")
    assert wide <= 0 and (width < 800 or tall <= 0)
    assert violations(page) == [] and page.errors == []  # type: ignore[attr-defined]
    page.context.close()


@pytest.mark.browser
def test_a_prompt_with_markup_is_text_in_its_page(chromium: Browser, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "run.html"
    path.write_bytes(replay.page_of(engine.run(MARKUP)))
    page = opened(chromium, path)
    expect(page.get_by_label("Prompt")).to_have_value(MARKUP)
    assert page.locator("img").count() == 0 and page.errors == []  # type: ignore[attr-defined]
    page.context.close()


def test_the_code_of_a_page_ends_nowhere_but_at_its_end_and_asks_for_nothing() -> None:
    page = replay.page_of(recorded_run("once")).decode()
    assert page.count("</script") == 2 and "<!--" not in page
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//|@import|\bfetch\(", page)
    assert replay.OFFERS_A_BRANCH in PANELS["live.bars"].shows and replay.OFFERS_A_BRANCH not in page


def test_a_run_without_steps_or_with_too_many_has_no_page(trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TraceError, match="press Run first"):
        replay.page_of(trace.cut(0))
    monkeypatch.setattr(replay, "MOST_BYTES", 10_000)
    with pytest.raises(TraceError, match="too long for a page of its own"):
        replay.page_of(trace)
