"""What a person sees: the app served for real, driven in a real Chromium that can reach no other host."""

import re

import pytest
from playwright.sync_api import Page, expect

from gpt2.trace.trace import Trace
from tests.browser import open_page
from tests.heads import QUESTIONS
from tests.stage import (
    STAGE,
    begin,
    lie_still,
    ready,
    run,
    run_id,
    settle,
    stage_number,
    stop_moving,
    strip,
    wait_for_new_run,
    wait_for_steps,
)

pytestmark = pytest.mark.browser


def a_prompt_is_continued_and_the_same_seed_gives_the_same_text(page: Page) -> None:
    run(page, "The old woman went")
    first = strip(page)
    run(page, "The old woman went")
    assert first.startswith("The·old·woman·went") and strip(page) == first


def all_parts_move_together_when_a_step_is_taken_back_and_on(page: Page) -> None:
    run(page, "The little bird", 6)
    page.locator(f"{STAGE} .tokens").click()
    last = stage_number(page, "step")
    page.get_by_role("button", name="One step back").click()
    expect(page.locator(STAGE)).to_have_attribute("data-step", str(last - 1))
    page.get_by_role("button", name="First step").click()
    expect(page.locator(STAGE)).to_have_attribute("data-step", "0")
    page.get_by_role("button", name="Last step").click()
    expect(page.locator(STAGE)).to_have_attribute("data-step", str(last))


def one_step_on_at_the_end_makes_one_new_token(page: Page) -> None:
    run(page, "The little bird", 5)
    expect(page.locator(f"{STAGE} .state")).to_contain_text("paused")
    steps = stage_number(page, "steps")
    page.get_by_role("button", name="One step on").click()
    expect(page.locator(STAGE)).to_have_attribute("data-steps", str(steps + 1))
    lie_still(page)
    assert stage_number(page, "steps") == steps + 1


def the_space_key_plays_and_pauses(page: Page) -> None:
    run(page, "Far away in the", 5)
    settle(page, max_new_tokens=300, speed=6)
    page.locator(f"{STAGE} h2").first.click()
    page.keyboard.press("Space")
    more_than_seven = re.compile(r"^([89]|\d\d+)$")
    expect(page.locator(STAGE).first).to_have_attribute("data-steps", more_than_seven)
    page.keyboard.press("Space")
    expect(page.locator(f"{STAGE} .state")).to_contain_text("paused")
    lie_still(page)  # a token under way may still come
    paused = stage_number(page, "steps")
    assert 7 < paused < 305
    lie_still(page)  # three tokens' time
    assert stage_number(page, "steps") == paused


def test_a_run_is_repeated_stepped_through_lengthened_and_paused(live, subtests):
    for claim in (
        a_prompt_is_continued_and_the_same_seed_gives_the_same_text,
        all_parts_move_together_when_a_step_is_taken_back_and_on,
        one_step_on_at_the_end_makes_one_new_token,
        the_space_key_plays_and_pauses,
    ):
        with subtests.test(claim.__name__):
            claim(live)


def test_a_prompt_runs_as_it_is_typed_or_is_refused_in_one_sentence(live, subtests):
    for prompt in ("   ", "a\n\n b", "🐉 عرب 你好", "tab\there"):
        with subtests.test(prompt=prompt):
            run(live, prompt, 2)
            assert live.get_by_role("textbox", name="Prompt").input_value() == prompt
    with subtests.test("markup"):
        run(live, '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>', 3)
        assert live.evaluate("window.hacked") is None
        assert "onerror" in strip(live)
    before, shown = run_id(live), strip(live)
    for prompt, sentence in (("", "The prompt is empty"), (" the" * 600, "88 more than the 512")):
        with subtests.test(refused=sentence):
            begin(live, prompt)
            expect(live.get_by_role("alert").filter(has_text=sentence)).to_be_visible()
            assert (run_id(live), strip(live)) == (before, shown)


def test_a_page_that_is_opened_keeps_the_run_and_the_one_before_says_nothing_that_could_bring_it_back(live):
    run(live, "The fox", 3)
    before, text = run_id(live), strip(live)
    leave_and_press = """name => {
        const component = globalThis.gpt2Stage.component, send = component.setTriggerValue;
        globalThis.said = 0;
        component.setTriggerValue = (...values) => { globalThis.said += 1; send(...values); };
        [...document.querySelectorAll("a")].find(node => node.textContent.trim() === name).click();
        component.parentElement.querySelector(".play").click();
    }"""
    for name, question in QUESTIONS.items():
        steps = stage_number(live, "steps")
        live.evaluate(leave_and_press, name)
        expect(live.get_by_role("heading", name=question)).to_be_visible()
        wait_for_new_run(live, "", steps + 3)  # the new page says it
        assert live.evaluate("globalThis.said") == 0
        stop_moving(live)  # until then the button pauses
        assert run_id(live) == before and strip(live).startswith(text)
        text = strip(live)
    live.get_by_role("link", name="Live", exact=True).click()
    expect(live.locator(f"{STAGE} .panels")).to_be_visible()
    assert (run_id(live), strip(live)) == (before, text)


def test_the_cost_page_knows_the_paints_and_measures_what_the_cache_saves(live):
    run(live, "The fox", 12)
    live.get_by_role("link", name="Cost", exact=True).click()
    table = live.get_by_test_id("stVegaLiteChart").nth(1)
    painted = re.compile(r"painting: [\d.]+\sms in this browser")
    expect(table).to_have_attribute("aria-label", painted)
    live.get_by_role("button", name="Measure without the cache").click()
    expect(live.get_by_text(re.compile(r"At position \d+ the cache "))).to_be_visible(timeout=60_000)
    expect(live.get_by_role("button", name="Measure without the cache")).to_be_visible(timeout=60_000)


def test_two_windows_do_not_disturb_each_other(chromium, server, live):
    other = open_page(chromium, server.url)
    ready(other)
    run(live, "The king", 6)
    run(other, "A mouse", 6)
    assert strip(live).startswith("The·king") and strip(other).startswith("A·m")
    assert run_id(live) != run_id(other)
    other.context.close()


def test_a_run_is_saved_by_keys_alone_while_another_visitor_generates(chromium, server, live, tmp_path):
    """Streamlit clears away files that nobody shows after each script run, of which there are many a second then."""
    run(live, "The king", 12)
    other = open_page(chromium, server.url)
    ready(other)
    settle(other, max_new_tokens=400, speed=12)
    begin(other, "A mouse")
    expect(other.locator(f"{STAGE} .state")).to_contain_text("running")
    live.get_by_test_id("stExpandSidebarButton").click()
    live.get_by_role("button", name="Save the run on the stage").focus()
    live.keyboard.press("Enter")
    ready_file = live.get_by_role("button", name=re.compile(r"Download 12 steps, [\d.]+ MB"))
    expect(ready_file).to_be_visible()
    wait_for_steps(other, 12)
    for _ in range(3):  # past the buttons that save it as JSON and as a page
        live.keyboard.press("Tab")
    expect(ready_file).to_be_focused()
    for name in ("once.npz", "twice.npz"):
        with live.expect_download(timeout=20_000) as download:
            live.keyboard.press("Enter")
        download.value.save_as(tmp_path / name)
        assert Trace.load(tmp_path / name).run_id == run_id(live)
        wait_for_steps(other, 6)
    expect(other.locator(f"{STAGE} .state")).to_contain_text("running")
    begin(live, "The fox")
    expect(ready_file).to_be_hidden()
    other.context.close()


def test_a_saved_run_can_be_opened(live, trace, tmp_path):
    file = tmp_path / "run.npz"
    trace.save(file)
    live.get_by_test_id("stExpandSidebarButton").click()
    live.locator('input[type="file"]').set_input_files(file)
    expect(live.locator(STAGE)).to_have_attribute("data-run", trace.run_id)
    broken = tmp_path / "broken.npz"
    broken.write_bytes(file.read_bytes()[:5000])
    live.locator('input[type="file"]').set_input_files(broken)
    expect(live.get_by_text("broken.npz: This file is not a whole trace")).to_be_visible()
    expect(live.locator(STAGE)).to_have_attribute("data-run", trace.run_id)
