"""The prompt and its settings as a person types them, in a real Chromium: drafts, Run, Discard, and what is wrong."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.stage import STAGE, begin, run, run_id, settle, stage_number, strip, wait_for_new_run, wait_for_steps

pytestmark = pytest.mark.browser
LARGE, SMALL, UNRUN, MESSAGE = (f"{STAGE} {part}" for part in (".play", ".top > .run", ".unrun", ".error"))
PARTS = [f"{STAGE} {part}" for part in (".box", ".transport", ".play", ".top > .run", ".chip", ".status", ".strip")]
TOO_LONG = " the" * 600
WRONG = {
    "temperature": ("-1", "Temperature must be 0 (greedy) or a positive number, not -1."),
    "top_k": ("2.5", "Top-k must be a whole number, not '2.5'."),
    "top_p": ("0", "Top-p must be above 0 and at most 1 (1 switches it off), not 0."),
    "seed": ("1.5", "The seed must be a whole number, not '1.5'."),
    "max_new_tokens": ("9999", "The number of new tokens must be from 1 to 512, not 9999."),
    "speed": ("-3", "The speed must be 0 (flat out) or from 0.1 to 60, not -3."),
}
RIGHT = {"temperature": "0,5", "top_k": "5", "top_p": "1", "seed": "7", "max_new_tokens": "9", "speed": "20"}


def box(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Prompt")


def places(page: Page) -> list[object]:
    return [page.locator(part).first.bounding_box() for part in PARTS]


def test_a_typed_prompt_is_a_draft_beside_the_run_until_the_large_button_runs_it(live):
    run(live, "The fox", 4)
    before, text, were = run_id(live), strip(live), places(live)
    expect(live.locator(LARGE)).to_have_text("Play")
    expect(live.locator(SMALL)).to_have_text("Run")
    box(live).fill("The hen")
    expect(live.locator(LARGE)).to_have_text("Run")
    expect(live.locator(LARGE)).to_have_attribute("title", "Run this prompt (Enter)")
    expect(live.locator(SMALL)).to_have_text("Discard")
    expect(live.locator(UNRUN)).to_be_visible()
    box(live).blur()
    expect(live.locator(f"{STAGE} .box")).to_have_css("border-style", "dashed")
    assert (run_id(live), strip(live), places(live)) == (before, text, were)
    live.locator(LARGE).click()
    wait_for_new_run(live, before, 4)
    assert strip(live).startswith("The·hen")
    expect(live.locator(LARGE)).to_have_text("Play")
    expect(live.locator(SMALL)).to_have_text("Run")
    expect(live.locator(UNRUN)).to_be_hidden()


def test_space_runs_a_draft_and_plays_on_once_it_has_run(live):
    run(live, "The fox", 4)
    before = run_id(live)
    box(live).fill("The hen")
    live.keyboard.press("Escape")
    live.keyboard.press("Space")
    wait_for_new_run(live, before, 4)
    assert strip(live).startswith("The·hen")
    expect(live.locator(LARGE)).to_have_text("Play")
    made = run_id(live)
    live.keyboard.press("Space")
    wait_for_steps(live, 4)
    assert run_id(live) == made


def test_one_press_discards_a_draft_and_what_was_said_of_it(live):
    run(live, "The fox", 4)
    before, were = run_id(live), places(live)
    begin(live, TOO_LONG)
    expect(live.locator(MESSAGE)).to_contain_text("88 more than the 512")
    expect(box(live)).to_have_attribute("aria-invalid", "true")
    live.get_by_role("button", name="Discard").click()
    expect(box(live)).to_have_value("The fox")
    expect(box(live)).to_have_attribute("aria-invalid", "false")
    expect(live.locator(MESSAGE)).to_be_empty()
    expect(live.locator(LARGE)).to_have_text("Play")
    assert (run_id(live), places(live)) == (before, were)
    live.get_by_role("button", name="Run", exact=True).click()  # of the same prompt, anew
    wait_for_new_run(live, before, 4)
    assert strip(live).startswith("The·fox")


def test_a_refused_draft_is_told_of_on_every_page_while_the_box_holds_it_and_not_over_another_text(live):
    begin(live, TOO_LONG)
    expect(live.locator(MESSAGE)).to_contain_text("88 more than the 512")
    live.get_by_role("link", name="Attention", exact=True).click()
    expect(live.get_by_role("heading", name="Who is each token looking at?")).to_be_visible()
    expect(live.locator(MESSAGE)).to_contain_text("88 more than the 512")
    expect(live.locator(f"{STAGE} .state")).not_to_contain_text("error")
    box(live).fill("The hen")
    expect(live.locator(MESSAGE)).to_be_empty()
    box(live).fill(TOO_LONG)
    expect(live.locator(MESSAGE)).to_contain_text("88 more than the 512")
    live.get_by_role("button", name="Discard").click()
    live.get_by_role("link", name="Live", exact=True).click()
    expect(live.locator(f"{STAGE} canvas").first).to_be_visible()
    expect(box(live)).to_have_value("Once upon a time")
    expect(live.locator(MESSAGE)).to_be_empty()


def test_under_way_a_run_can_be_paused_and_a_draft_run_or_discarded(live):
    settle(live, max_new_tokens=300, speed=8)
    before = run_id(live)
    begin(live, "The fox")
    wait_for_new_run(live, before, 2)
    box(live).fill("The hen")
    expect(live.locator(LARGE)).to_have_text("Pause")
    expect(live.locator(SMALL)).to_have_text("Run")
    live.keyboard.press("Escape")
    expect(box(live)).to_have_value("The hen")
    live.keyboard.press("Escape")
    expect(box(live)).to_have_value("The fox")
    wait_for_steps(live, 2)
    box(live).fill("The hen")
    live.keyboard.press("Escape")
    live.keyboard.press("Space")
    expect(live.locator(LARGE)).to_have_text("Run")
    expect(live.locator(SMALL)).to_have_text("Discard")
    assert strip(live).startswith("The·fox")
    live.locator(LARGE).click()
    expect(live.locator(f"{STAGE} .tokens")).to_have_text(re.compile("^The·hen"))
    expect(live.locator(LARGE)).to_have_text("Pause")


def test_a_press_that_was_meant_for_the_button_before_does_nothing(live):
    settle(live, max_new_tokens=300, speed=8)
    before = run_id(live)
    begin(live, "The fox")
    wait_for_new_run(live, before, 2)
    box(live).fill("The hen")
    pause_and_press_on = """async () => {
        const { play, run } = { play: ".play", run: ".top > .run" };
        const stage = globalThis.gpt2Stage.component.parentElement;
        const frame = () => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
        stage.querySelector(play).click();
        await frame();
        for (const selector of [play, run]) stage.querySelector(selector).click();
        await frame();
        return [stage.querySelector(play).textContent, stage.querySelector(run).textContent];
    }"""
    assert live.evaluate(pause_and_press_on) == ["Run", "Discard"]
    expect(box(live)).to_have_value("The hen")
    expect(live.locator(f"{STAGE} .tokens")).to_have_text(re.compile("^The·fox"))


def test_a_draft_that_is_typed_while_a_new_run_starts_is_kept(live):
    settle(live, max_new_tokens=4, speed=0)
    before = run_id(live)
    begin(live, "The fox")
    box(live).fill("The hen")
    box(live).blur()
    wait_for_new_run(live, before, 4)
    expect(box(live)).to_have_value("The hen")
    expect(live.locator(UNRUN)).to_be_visible()
    assert strip(live).startswith("The·fox")


def a_wrong_value_is_told_beside_its_field_until_it_is_right(page: Page, name: str) -> None:
    value, sentence = WRONG[name]
    chip = page.locator("button.chip")
    in_force = chip.inner_text()
    chip.click()
    field = page.locator(f"input[name={name}]")
    beside = page.locator(f"#{field.get_attribute('aria-describedby')}")
    meaning, place = beside.inner_text(), field.bounding_box()
    field.fill(value)
    field.press("Tab")
    expect(beside).to_have_text(sentence)
    expect(beside).to_have_role("alert")
    expect(field).to_have_attribute("aria-invalid", "true")
    assert (field.input_value(), field.bounding_box(), chip.inner_text()) == (value, place, in_force)
    expect(page.locator(MESSAGE)).to_be_empty()
    page.keyboard.press("Escape")
    chip.click()
    expect(field).to_have_value(value)
    field.fill(RIGHT[name])
    field.press("Enter")
    expect(beside).to_have_text(meaning)
    expect(field).to_have_attribute("aria-invalid", "false")
    page.keyboard.press("Escape")


def test_a_wrong_setting_is_told_beside_its_field_for_as_long_as_it_is_typed(live, subtests):
    for name in WRONG:
        with subtests.test(name):
            a_wrong_value_is_told_beside_its_field_until_it_is_right(live, name)


def test_a_run_with_a_wrong_setting_is_refused_at_the_field_and_goes_once_it_is_right(live):
    run(live, "The fox", 4)
    before = run_id(live)
    settle(live, top_p=7, seed=5)
    expect(live.locator("button.chip")).to_have_text(re.compile("p 0.95 · seed 1$"))
    begin(live, "The hen")
    field = live.locator("input[name=top_p]")
    expect(field).to_be_focused()
    expect(live.get_by_role("alert").filter(has_text="Top-p must be above 0")).to_be_visible()
    expect(live.locator(UNRUN)).to_be_visible()
    assert (run_id(live), field.input_value()) == (before, "7")
    field.fill("0.5")
    field.press("Enter")
    live.keyboard.press("Escape")
    expect(live.locator("button.chip")).to_have_text(re.compile(r"p 0\.5 · seed 5$"))
    live.get_by_role("button", name="Run", exact=True).click()
    wait_for_new_run(live, before, 4)
    assert strip(live).startswith("The·hen")


def test_a_refused_play_leaves_the_cursor_and_a_run_under_way_goes_on(live):
    run(live, "The fox", 6)
    live.get_by_role("button", name="First step").click()
    settle(live, temperature=-1)
    live.locator(LARGE).click()
    expect(live.locator("input[name=temperature]")).to_be_focused()
    assert stage_number(live, "step") == 0
    live.keyboard.press("Escape")
    settle(live, temperature=1, speed=8, max_new_tokens=300)
    live.locator(LARGE).click()
    wait_for_steps(live, 2)
    settle(live, temperature="hot")
    expect(live.locator("button.chip")).to_have_attribute("title", "Temperature must be a number, not 'hot'.")
    wait_for_steps(live, 3)
    expect(live.locator(LARGE)).to_have_text("Pause")
