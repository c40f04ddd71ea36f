"""What a person sees: the app served for real, driven in a real Chromium that can reach no other host."""

import re

import pytest
from playwright.sync_api import expect

from gpt2.trace.trace import Trace
from tests.browser import open_page, open_tab, serve
from tests.stage import (
    STAGE,
    begin,
    lie_still,
    ready,
    run,
    run_id,
    settle,
    stage_number,
    strip,
    wait_for_new_run,
    wait_for_steps,
)

pytestmark = pytest.mark.browser

LENSES = {
    "embeddings": "What is each token before the model thinks?",
    "attention": "Who is each token looking at?",
    "mlp": "What does each neuron do?",
    "residual": "What does each layer add?",
    "attribution": "Why this token?",
    "paths": "Where did the answer come from?",
    "sampling": "How is the next token chosen?",
    "cost": "What does a token cost?",
}
TITLES = {"residual": "Residual stream", "mlp": "MLP"}


def test_the_first_paint_is_a_recorded_run_and_says_so(chromium, server):
    page = open_page(chromium, server.url)
    page.wait_for_selector(STAGE)
    expect(page.locator(STAGE)).to_contain_text("recorded run")
    assert stage_number(page, "steps") > 10
    assert "upon" in strip(page)
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_live_is_whole_at_1280_by_800_without_scrolling(chromium, server, scheme):
    page = open_page(chromium, server.url, 1280, 800, scheme)
    ready(page)
    box = page.locator(STAGE).bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1280
    assert box["y"] + box["height"] <= 800
    main = page.locator('[data-testid="stMain"]')
    assert main.evaluate("node => node.scrollHeight - node.clientHeight") <= 0
    for canvas in page.locator(f"{STAGE} canvas").all():
        inner = canvas.bounding_box()
        assert inner is not None
        assert inner["width"] > 40
        assert inner["height"] > 20
        assert inner["y"] + inner["height"] <= 800
    page.context.close()


def test_every_panel_has_something_painted_on_it(live):
    blank = live.locator(f"{STAGE} canvas").evaluate_all(
        """nodes => nodes.filter(node => {
            const image = node.getContext("2d").getImageData(0, 0, node.width, node.height);
            return new Set(new Uint32Array(image.data.buffer)).size < 4;
        }).map(node => node.dataset.panel)"""
    )
    assert blank == []


def test_a_prompt_is_continued_and_the_same_seed_gives_the_same_text(live):
    run(live, "The old woman went")
    first = strip(live)
    run(live, "The old woman went")
    assert first.startswith("The·old·woman·went") and strip(live) == first


def test_all_parts_move_together_when_a_step_is_taken_back_and_on(live):
    run(live, "The little bird", 6)
    live.locator(f"{STAGE} .tokens").click()
    last = stage_number(live, "step")
    live.get_by_role("button", name="One step back").click()
    expect(live.locator(STAGE)).to_have_attribute("data-step", str(last - 1))
    live.get_by_role("button", name="First step").click()
    expect(live.locator(STAGE)).to_have_attribute("data-step", "0")
    live.get_by_role("button", name="Last step").click()
    expect(live.locator(STAGE)).to_have_attribute("data-step", str(last))


def test_one_step_on_at_the_end_makes_one_new_token(live):
    run(live, "The little bird", 5)
    steps = stage_number(live, "steps")
    live.get_by_role("button", name="One step on").click()
    expect(live.locator(STAGE)).to_have_attribute("data-steps", str(steps + 1), timeout=10_000)
    live.wait_for_timeout(500)
    assert stage_number(live, "steps") == steps + 1


def test_playing_and_pausing_by_the_space_key(live):
    run(live, "Far away in the", 5)
    settle(live, max_new_tokens=300, speed=6)
    live.locator(f"{STAGE} h2").first.click()
    live.keyboard.press("Space")
    more_than_seven = re.compile(r"^([89]|\d\d+)$")
    expect(live.locator(STAGE).first).to_have_attribute("data-steps", more_than_seven, timeout=20_000)
    live.keyboard.press("Space")
    expect(live.locator(f"{STAGE} .state")).not_to_contain_text("running")
    live.wait_for_timeout(500)  # a token under way may still come
    paused = stage_number(live, "steps")
    assert 7 < paused < 305
    live.wait_for_timeout(500)  # three tokens' time
    assert stage_number(live, "steps") == paused


@pytest.mark.parametrize(("prompt", "sentence"), [("", "The prompt is empty"), (" the" * 600, "88 more than the 512")])
def test_a_prompt_that_cannot_run_is_refused_in_one_sentence_and_the_run_is_kept(live, prompt, sentence):
    before, shown = run_id(live), strip(live)
    begin(live, prompt)
    expect(live.get_by_role("alert").filter(has_text=sentence)).to_be_visible(timeout=10_000)
    assert (run_id(live), strip(live)) == (before, shown)


def test_markup_in_a_prompt_is_text(live):
    run(live, '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>', 3)
    assert live.evaluate("window.hacked") is None
    assert "onerror" in strip(live)


@pytest.mark.parametrize("prompt", ["   ", "a\n\n b", "🐉 عرب 你好", "tab\there"])
def test_whitespace_and_other_scripts_run_as_they_are(live, prompt):
    run(live, prompt, 2)
    assert live.get_by_role("textbox", name="Prompt").input_value() == prompt


def test_changing_the_page_keeps_the_run(live):
    run(live, "The fox", 6)
    before, text = run_id(live), strip(live)
    for name, question in LENSES.items():
        title = TITLES.get(name, name.capitalize())
        live.get_by_role("link", name=title, exact=True).click()
        expect(live.get_by_role("heading", name=question)).to_be_visible(timeout=20_000)
        expect(live.locator(STAGE)).to_have_attribute("data-run", before)
        assert strip(live) == text
    live.get_by_role("link", name="Live", exact=True).click()
    expect(live.locator(STAGE)).to_have_attribute("data-run", before)
    assert strip(live) == text


def test_after_a_click_on_another_page_the_old_one_says_nothing_that_could_bring_it_back(live):
    run(live, "The fox", 3)
    leave_and_press = """name => {
        const component = globalThis.gpt2Stage.component, send = component.setTriggerValue;
        globalThis.said = 0;
        component.setTriggerValue = (...values) => { globalThis.said += 1; send(...values); };
        [...document.querySelectorAll("a")].find(node => node.textContent.trim() === name).click();
        component.parentElement.querySelector(".play").click();
    }"""
    for name, question in LENSES.items():
        steps = stage_number(live, "steps")
        live.evaluate(leave_and_press, TITLES.get(name, name.capitalize()))
        expect(live.get_by_role("heading", name=question)).to_be_visible(timeout=20_000)
        wait_for_new_run(live, "", steps + 3)  # the new page says it
        assert live.evaluate("globalThis.said") == 0
        expect(live.locator(f"{STAGE} .state")).not_to_contain_text("running")


def test_the_cost_page_knows_the_paints_and_measures_what_the_cache_saves(live):
    run(live, "The fox", 12)
    live.get_by_role("link", name="Cost", exact=True).click()
    table = live.get_by_test_id("stVegaLiteChart").nth(1)
    painted = re.compile(r"painting: [\d.]+\sms in this browser")
    expect(table).to_have_attribute("aria-label", painted, timeout=20_000)
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


@pytest.mark.parametrize("name", LENSES)
def test_a_lens_page_has_no_error_and_no_sideways_scroll_in_light_and_dark(window, server, name):
    page = open_tab(window, f"{server.url}/{name}")
    backgrounds = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        expect(page.get_by_role("heading", name=LENSES[name])).to_be_visible(timeout=30_000)
        lie_still(page)
        assert page.locator('[data-testid="stException"]').count() == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        backgrounds.add(page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor"))
    assert page.errors == [] and len(backgrounds) == 2
    page.close()


def test_the_first_visitor_of_a_server_may_come_by_a_pages_own_address(chromium, tmp_path):
    with serve(tmp_path / "server.log") as fresh:
        page = open_page(chromium, f"{fresh.url}/attention")
        expect(page.get_by_role("heading", name=LENSES["attention"])).to_be_visible(timeout=30_000)
        expect(page.get_by_role("link", name="Live", exact=True)).to_be_visible()
        assert page.get_by_text("Page not found").count() == 0
        page.context.close()


def test_a_run_is_saved_by_keys_alone_while_another_visitor_generates(chromium, server, live, tmp_path):
    """Streamlit clears away files that nobody shows after each script run, of which there are many a second then."""
    run(live, "The king", 12)
    other = open_page(chromium, server.url)
    ready(other)
    settle(other, max_new_tokens=400, speed=12)
    begin(other, "A mouse")
    expect(other.locator(f"{STAGE} .state")).to_contain_text("running", timeout=20_000)
    live.get_by_test_id("stExpandSidebarButton").click()
    live.get_by_role("button", name="Save the run on the stage").focus()
    live.keyboard.press("Enter")
    ready_file = live.get_by_role("button", name=re.compile(r"Download 12 steps, [\d.]+ MB"))
    expect(ready_file).to_be_visible(timeout=20_000)
    wait_for_steps(other, 12)
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
    expect(ready_file).to_be_hidden(timeout=20_000)
    other.context.close()


def test_a_saved_run_can_be_opened(live, trace, tmp_path):
    file = tmp_path / "run.npz"
    trace.save(file)
    live.get_by_test_id("stExpandSidebarButton").click()
    live.locator('input[type="file"]').set_input_files(file)
    expect(live.locator(STAGE)).to_have_attribute("data-run", trace.run_id, timeout=20_000)
    broken = tmp_path / "broken.npz"
    broken.write_bytes(file.read_bytes()[:5000])
    live.locator('input[type="file"]').set_input_files(broken)
    expect(live.get_by_text("broken.npz: This file is not a whole trace")).to_be_visible(timeout=20_000)
    expect(live.locator(STAGE)).to_have_attribute("data-run", trace.run_id)
