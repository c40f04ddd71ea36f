"""A reload, a sent link and Back, as a person has them: the same text at the same step, in a real Chromium."""

import re
import subprocess

import pytest
from playwright.sync_api import Page, expect

from pages.visit.link import FROM_FILE
from tests.browser import ROOT, open_page, open_tab, serve, wait_until_up
from tests.stage import STAGE, begin, ready, run, run_id, settle, stage_number, strip, wait_for_steps

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def window(chromium):
    """A window whose tabs may copy; each begins with nothing kept, and keeps through a reload what a visitor chose."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.add_init_script(
        "if (location.protocol === 'http:' && !sessionStorage.begun) sessionStorage.begun = 1, localStorage.clear();"
    )
    yield context
    context.close()


def told(page: Page) -> tuple[str, str, str, str, str]:
    """What must come back: the text, the step, the prompt, the locked head, and the position looked at."""
    one = page.locator(f"{STAGE} .one")
    locked = one.locator(".name").inner_text() if one.locator(".unlock").is_visible() else ""
    step = page.locator(STAGE).first.get_attribute("data-step") or ""
    watching = page.locator(f"{STAGE} .watching").inner_text()
    return strip(page), step, page.get_by_role("textbox", name="Prompt").input_value(), locked, watching


def in_address(page: Page, pattern: str) -> None:
    """Return once the address has this in it."""
    page.wait_for_url(re.compile(pattern), timeout=10_000)


def made(page: Page, steps: int) -> None:
    """Return once a run of so many steps has been made again, and stands."""
    expect(page.locator(STAGE).first).to_have_attribute("data-steps", str(steps), timeout=60_000)
    expect(page.locator(f"{STAGE} .state b")).to_be_hidden(timeout=60_000)
    expect(page.locator(f"{STAGE} .state span")).to_have_text("paused", timeout=60_000)


def lock(page: Page) -> None:
    """Lock the head one layer above the one that the step names."""
    page.locator(f"{STAGE} h2").first.click()
    page.keyboard.press("ArrowUp")
    in_address(page, r"head=\d+\.\d+")


def look_at(page: Page, position: int) -> None:
    page.locator(f"{STAGE} .tokens [data-at='{position}']").click()
    in_address(page, rf"at={position}\b")


def stand_at(page: Page, step: int) -> None:
    page.locator(f"{STAGE} .scrubber").fill(str(step))
    expect(page.locator(STAGE).first).to_have_attribute("data-step", str(step))  # with the next frame
    in_address(page, rf"step={step}\b")


def test_a_reload_brings_text_step_head_and_position_back(live):
    run(live, 'The fox said "<b>hi</b> & go"', 12)
    look_at(live, 1)
    stand_at(live, 4)
    lock(live)
    before = told(live)
    assert before[1] == "4" and before[3] and before[4] == "Looking at position 1, ·fox, of the prompt · Esc"
    live.reload()
    made(live, 12)
    expect(live.locator(STAGE).first).to_have_attribute("data-step", "4")
    assert told(live) == before


def test_a_reload_in_the_middle_of_a_run_brings_back_what_was_made(live):
    settle(live, max_new_tokens=400, speed=10)
    begin(live, "The king")
    wait_for_steps(live, 6)
    in_address(live, r"prompt=The\+king.*tokens=([6-9]|\d\d+)&")
    text = strip(live)
    live.reload()
    expect(live.locator(f"{STAGE} .state b")).to_be_hidden(timeout=60_000)
    expect(live.locator(f"{STAGE} .state span")).to_have_text("paused", timeout=60_000)
    again = strip(live)
    assert stage_number(live, "steps") >= 6 and (again.startswith(text) or text.startswith(again))
    assert "speed=10" in live.url


def test_a_message_that_comes_late_takes_nobody_from_the_step_of_the_address(window, server):
    page = open_tab(window, f"{server.url}/?prompt=The+king&tokens=5&step=2")
    made(page, 5)
    expect(page.locator(STAGE).first).to_have_attribute("data-step", "2")
    page.evaluate(
        """() => {
            const { show, component, state: { header } } = globalThis.gpt2Stage;
            const message = (changes) => {
                const text = new TextEncoder().encode(JSON.stringify({ ...header, records: [], ...changes }));
                const data = new Uint8Array(4 + text.length);
                new DataView(data.buffer).setUint32(0, text.length, true);
                data.set(text, 4);
                return { ...component, parentElement: component.parentElement, data };
            };
            const before = { run: "before", stamps: [], link: { ...header.link, arrival: null } };
            show(message({ ...before, status: { kind: "running", text: "" } }));
            show(message({}));
        }"""
    )
    expect(page.locator(STAGE).first).to_have_attribute("data-steps", "5")
    expect(page.locator(STAGE).first).to_have_attribute("data-step", "2")
    page.close()


def test_settings_that_changed_on_the_way_come_back_too(live):
    run(live, "The little bird", 8)
    settle(live, temperature=1.5, max_new_tokens=3)
    live.locator(f"{STAGE} h2").first.click()
    live.keyboard.press("Space")
    expect(live.locator(STAGE).first).to_have_attribute("data-steps", "11")
    in_address(live, r"drawn=7_0\.8_0_0\.95_1~4_1\.5_0_0\.95_1&")
    before = told(live)
    live.reload()
    made(live, 11)
    assert told(live) == before


def test_a_copied_link_brings_the_same_in_another_browser(chromium, live):
    run(live, "The old woman went", 9)
    look_at(live, 2)
    stand_at(live, 2)
    before = told(live)
    live.get_by_role("button", name="Copy link").click()
    expect(live.get_by_text("Copied.")).to_be_visible()
    link = live.evaluate("navigator.clipboard.readText()")
    assert link == live.url
    other = open_page(chromium, link)
    made(other, 9)
    expect(other.locator(STAGE).first).to_have_attribute("data-step", "2")
    assert told(other) == before and other.errors == []
    other.context.close()


def test_where_a_page_may_not_copy_the_link_is_shown_to_be_copied(chromium, server):
    page = open_page(chromium, server.url)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    ready(page)
    run(page, "The fox", 3)
    page.get_by_role("button", name="Copy link").click()
    field = page.get_by_role("textbox", name="Link")
    expect(field).to_have_value(page.url)
    expect(field).to_be_focused()
    assert field.evaluate("node => node.selectionEnd - node.selectionStart") == len(page.url)
    page.keyboard.press("Escape")
    expect(field).to_be_hidden()
    page.context.close()


def test_a_run_from_a_file_has_no_link_and_the_button_says_so(live, trace, tmp_path):
    file = tmp_path / "run.npz"
    trace.save(file)
    live.get_by_test_id("stExpandSidebarButton").click()
    live.locator('input[type="file"]').set_input_files(file)
    expect(live.locator(STAGE)).to_have_attribute("data-run", trace.run_id)
    live.locator(f"{STAGE} .scrubber").fill("3")
    button = live.get_by_role("button", name="Copy link")
    expect(button).to_have_attribute("title", FROM_FILE)
    button.click()
    expect(live.get_by_text(FROM_FILE)).to_be_visible()
    assert "?" not in live.url


def test_back_from_another_site_brings_the_run_back(live):
    run(live, "A mouse", 7)
    stand_at(live, 3)
    before = told(live)
    live.goto("about:blank")
    live.go_back()
    made(live, 7)
    expect(live.locator(STAGE).first).to_have_attribute("data-step", "3")
    assert told(live) == before


def test_pages_keep_the_run_in_the_address_and_back_between_them_keeps_the_run(live):
    entries = live.evaluate("history.length")
    run(live, "The fox", 6)
    stand_at(live, 2)
    before, text = run_id(live), strip(live)
    live.get_by_role("link", name="Attention", exact=True).click()
    expect(live.get_by_role("heading", name="Who is each token looking at?")).to_be_visible()
    in_address(live, r"/attention\?prompt=The\+fox&.*step=2")
    live.get_by_role("link", name="Sampling", exact=True).click()
    expect(live.get_by_role("heading", name="How is the next token chosen?")).to_be_visible()
    in_address(live, r"/sampling\?prompt=The\+fox&.*step=2")
    assert live.evaluate("history.length") == entries + 2
    live.go_back()
    expect(live.get_by_role("heading", name="Who is each token looking at?")).to_be_visible()
    live.go_back()
    expect(live.locator(f"{STAGE} .panels")).to_be_visible()
    in_address(live, r"/\?prompt=The\+fox&.*step=2")
    assert (run_id(live), strip(live)) == (before, text)
    assert live.get_by_text("Page not found").count() == 0


def test_a_reload_on_a_lens_page_stays_on_it(live):
    run(live, "The fox", 6)
    live.get_by_role("link", name="Residual stream", exact=True).click()
    expect(live.get_by_role("heading", name="What does each layer add?")).to_be_visible()
    stand_at(live, 3)
    before = strip(live)
    live.reload()
    expect(live.get_by_role("heading", name="What does each layer add?")).to_be_visible()
    made(live, 6)
    expect(live.locator(STAGE).first).to_have_attribute("data-step", "3")
    assert strip(live) == before and live.get_by_text("Page not found").count() == 0


def test_a_new_server_opens_a_link_and_started_anew_gives_an_open_page_the_run_of_its_address(chromium, tmp_path):
    """Streamlit tells the session of a new server of the address that the page was opened with, not of the newest."""
    with serve(tmp_path / "server.log") as fresh:
        page = open_page(chromium, f"{fresh.url}/attention?prompt=A+100%25+%26+%2B&tokens=4&step=1&head=2.3")
        expect(page.get_by_role("heading", name="Who is each token looking at?")).to_be_visible(timeout=60_000)
        expect(page.get_by_role("link", name="Live", exact=True)).to_be_visible()
        assert page.get_by_text("Page not found").count() == 0
        made(page, 4)
        expect(page.locator(STAGE).first).to_have_attribute("data-step", "1")
        assert page.get_by_role("textbox", name="Prompt").input_value() == "A 100% & +"
        in_address(page, r"/attention\?prompt=A\+100%25\+%26\+%2B&.*step=1&head=2\.3")
        page.goto(f"{fresh.url}/?prompt=The+king&tokens=3")
        made(page, 3)
        run(page, "A mouse", 6)
        stand_at(page, 2)
        before = told(page)
        fresh.process.terminate()
        fresh.process.wait(20)
        with (tmp_path / "again.log").open("wb") as log:
            again = subprocess.Popen(fresh.process.args, cwd=ROOT, stdout=log, stderr=log)
        try:
            wait_until_up(fresh.url, again, tmp_path / "again.log")
            expect(page.locator(STAGE).first).to_have_attribute("data-mounts", "1", timeout=60_000)
            made(page, 6)
            expect(page.locator(STAGE).first).to_have_attribute("data-step", "2")
            assert told(page) == before and "prompt=A+mouse" in page.url
        finally:
            again.terminate()
            again.wait(20)
        page.context.close()


def test_a_recorded_run_comes_back_at_its_step_and_an_untouched_visit_has_a_bare_address(live):
    assert "?" not in live.url
    stand_at(live, 5)
    live.get_by_test_id("stExpandSidebarButton").click()
    live.get_by_role("button", name="Over and over").click()
    in_address(live, r"\?run=again$")
    stand_at(live, 4)
    before = told(live)
    live.reload()
    ready(live)
    expect(live.locator(STAGE).first).to_have_attribute("data-step", "4")
    assert told(live) == before
    expect(live.locator(f"{STAGE} .state b")).to_be_visible()


MALFORMED = {
    "markup": "prompt=%3Cimg+src%3Dx+onerror%3D%22window.hacked%3D1%22%3E&temperature=hot",
    "twice": "prompt=a&prompt=b",
    "damaged": "z=AAAA",
    "step": "prompt=a&step=%3Cscript%3E",
    "at": "prompt=a&at=1.5",
    "bytes": "prompt=%FF&%70rompt=a",
    "long": "prompt=" + "a" * 20_000,
}


def test_a_malformed_address_gives_one_sentence_and_the_recorded_run(live, server, subtests):
    for name, query in MALFORMED.items():
        with subtests.test(name):
            live.goto(f"{server.url}/?{query}")
            ready(live)
            sentence = live.get_by_role("alert").filter(has_text=re.compile(r"^The address .*\.$"))
            expect(sentence).to_be_visible()
            expect(live.locator(f"{STAGE} .state b")).to_be_visible()
            assert "upon" in strip(live) and live.evaluate("window.hacked") is None
            live.wait_for_url(f"{server.url}/")
            run(live, "The fox", 3)
            expect(live.locator(f"{STAGE} .error")).to_have_text("")


def test_markup_in_a_links_prompt_is_text_and_parameters_of_others_stay(window, server):
    prompt = "%3Cimg+src%3Dx+onerror%3D%22window.hacked%3D1%22%3E"
    page = open_tab(window, f"{server.url}/?utm=1&prompt={prompt}&tokens=3")
    made(page, 3)
    assert "onerror" in strip(page) and page.evaluate("window.hacked") is None
    in_address(page, r"\?utm=1&prompt=%3Cimg")
    page.close()
