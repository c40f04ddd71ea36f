"""The token strip in a real Chromium: it tells every token, shows a position, unfolds, and stays in sight."""

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from pages.look.numbers import bits, percent
from tests.browser import WAS_OFFERED_THE_TOUR, Server, open_page
from tests.heads import go_to
from tests.stage import STAGE, lie_still, ready, run, stage_number

pytestmark = pytest.mark.browser

TIP, ALOUD = f"{STAGE} > .tip", f"{STAGE} > .aloud"
WATCHING, UNFOLD, TOKENS = f"{STAGE} .watching", f"{STAGE} .unfold", f"{STAGE} .tokens"
FACE = "😀 (⟨f0 9f 98 80⟩)"
HOSTILE = "``a` $x$ *c* __d__ <b> :red[e] ~~f~~ ![](g) \\ &amp; | # `"
DRAWN = "step => gpt2Stage.state.records.get(gpt2Stage.state.header.stamps[step]).next"
# Whether the strip shows other labels; they are given to it at each look anew, as the server may still send its own.
RELABELLED = """([strip, labels]) => {
    gpt2Stage.state.header.labels = labels;
    dispatchEvent(new Event("resize"));
    return [...strip.children].map((token) => token.textContent).join() === labels.join();
}"""
# How many tokens the page has changed in any way while the cursor went to this step.
TOUCHED = """(step) => new Promise((resolve) => {
    const find = (node) => node.querySelector?.(".tokens") ?? [...node.querySelectorAll("*")]
        .map((one) => one.shadowRoot?.querySelector(".tokens")).find(Boolean);
    const touched = new Set(), tokens = find(document);
    const observer = new MutationObserver((all) => all.forEach(({ target }) => touched.add(target)));
    observer.observe(tokens, { subtree: true, childList: true, attributes: true, characterData: true });
    document.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
    const wait = () => {
        if (tokens.closest("[data-step]").dataset.step !== String(step)) return requestAnimationFrame(wait);
        observer.disconnect();
        resolve([touched.size, tokens.children.length]);
    };
    wait();
})"""


# Gathers the tokens of which the Residual stream page speaks, one after the other.
SAID = """() => {
    globalThis.said = new Set();
    new MutationObserver(() => {
        const found = document.body.textContent.match(/of the norms at (\\S+?),? /);
        if (found) globalThis.said.add(found[1]);
    }).observe(document.body, { subtree: true, childList: true, characterData: true });
}"""


def token(page: Page, at: int) -> Locator:
    """The token at a position."""
    return page.locator(f"{TOKENS} [data-at='{at}']")


def says(page: Page, *lines: str) -> None:
    """Return once the tip has these lines."""
    expect(page.locator(f"{TIP} > div")).to_have_text(list(lines))


def box(page: Page, part: str) -> tuple[float, ...]:
    """Left, top, width and height of a part, in the window."""
    found = page.locator(part).bounding_box()
    assert found
    return tuple(found.values())


def test_a_token_tells_what_it_is_under_pointer_keys_and_finger(chromium: Browser, server: Server) -> None:
    page = chromium.new_context(viewport={"width": 1280, "height": 800}, has_touch=True).new_page()
    page.add_init_script(WAS_OFFERED_THE_TOUR)
    page.goto(server.url)
    ready(page)
    run(page, "A 😀 king", 8)
    prompt = page.evaluate("gpt2Stage.state.header.prompt_tokens")

    # The pointer: a token of the prompt, one that holds a part of a character, and one that was drawn.
    token(page, 0).hover()
    says(page, "A", "given in the prompt", "position 0 · id 32 · bytes 41")
    token(page, 3).hover()
    expect(page.locator(f"{TIP} > div").first).to_have_text(f"⟨9f⟩, part of {FACE}")
    token(page, prompt + 2).hover()
    drawn = page.evaluate(DRAWN, 2)
    told = f"drawn at step 2: {percent(drawn['raw'])} by the model, rank {drawn['rank']}, {bits(drawn['surprisal'])}"
    if abs(drawn["final"] - drawn["raw"]) >= 5e-4:
        told += f", {percent(drawn['final'])} in the draw"
    spelt = drawn["label"].replace("·", " ").encode().hex(" ")
    last = f"position {prompt + 2} · id {drawn['token']} · bytes {spelt}"
    says(page, drawn["label"], told, last)
    page.locator(f"{STAGE} .facts").hover()
    expect(page.locator(TIP)).to_be_hidden()

    # The keys: one stop for Tab, arrows within it, the sentence for those who listen, and Enter.
    assert page.locator(f"{TOKENS} [tabindex='0']").count() == 1
    page.locator(f"{TOKENS} [tabindex='0']").focus()
    page.keyboard.press("Home")
    expect(token(page, 0)).to_be_focused()
    for _ in range(prompt + 2):
        page.keyboard.press("ArrowRight")
    expect(token(page, prompt + 2)).to_be_focused()
    says(page, drawn["label"], told, last)
    assert token(page, prompt + 2).get_attribute("aria-label") == f"{drawn['label']}; {told}; {last}"
    assert stage_number(page, "step") == 7
    page.keyboard.press("Enter")
    expect(page.locator(STAGE)).to_have_attribute("data-step", "3")
    expect(page.get_by_role("option", selected=True)).to_have_attribute("data-at", str(prompt + 2))
    page.keyboard.press("Escape")
    expect(page.locator(TIP)).to_be_hidden()
    page.keyboard.press(" ")  # still plays
    expect(page.locator(STAGE)).not_to_have_attribute("data-step", "3")
    page.keyboard.press(" ")
    assert page.locator(f"{TOKENS} [tabindex='0']").count() == 1

    # A finger: what it has tapped stays told until it taps elsewhere.
    token(page, prompt + 2).tap()
    says(page, drawn["label"], told, last)
    page.locator(f"{STAGE} .facts").tap()
    expect(page.locator(TIP)).to_be_hidden()
    page.context.close()


def test_a_token_of_the_prompt_is_looked_at_on_every_page_until_it_is_let_go(live: Page) -> None:
    badge, frame = live.locator(WATCHING), "gpt2Stage.state.watched?.position"
    run(live, "The king said", 4)
    places = [box(live, f"{STAGE} {part}") for part in (".strip", ".scrubber", ".panels")]
    token(live, 1).click()
    expect(live.locator(STAGE)).to_have_attribute("data-step", "0")
    expect(badge).to_have_text("Looking at position 1, ·king, of the prompt · Esc")
    expect(live.locator(ALOUD)).to_contain_text("Looking at position 1, ·king, of the prompt.")
    expect(live.locator(f"{STAGE} .one .says")).to_contain_text(" on ·king, position 1")
    assert places == [box(live, f"{STAGE} {part}") for part in (".strip", ".scrubber", ".panels")]
    live.get_by_role("button", name="One step on").click()
    expect(badge).to_be_visible()

    # Every way to let it go: the second click, the badge, Esc.
    token(live, 1).click()
    expect(badge).to_be_hidden()
    token(live, 1).click()
    badge.click()
    expect(badge).to_be_hidden()
    token(live, 1).click()
    live.keyboard.press("Escape")
    expect(badge).to_be_hidden()
    assert live.evaluate(frame) is None

    # One truth on all pages: the residual stream shows this position, and lets it go.
    token(live, 1).click()
    lie_still(live)
    live.evaluate(SAID)
    go_to(live, "Residual stream")
    expect(live.get_by_text("of the norms at ·king")).to_be_visible(timeout=60_000)
    assert live.evaluate("[...globalThis.said]") == ["·king"]  # it was drawn for this position from the first
    live.keyboard.press("Escape")
    expect(live.get_by_text("of the norms at ·said")).to_be_visible(timeout=60_000)
    expect(badge).to_be_hidden()
    token(live, 0).click()
    expect(live.get_by_text("of the norms at The")).to_be_visible(timeout=60_000)
    run(live, "A hen", 2)  # another prompt
    expect(badge).to_be_hidden()


def test_a_long_text_unfolds_over_the_page_and_touches_only_the_tokens_that_change(live: Page) -> None:
    run(live, "The old king", 490)
    expect(live.locator(f"{STAGE} .state")).to_contain_text("paused", timeout=60_000)
    places = [box(live, f"{STAGE} {part}") for part in (".strip", ".panels")]
    unfold = live.get_by_role("button", name="Whole text")
    expect(unfold).to_have_attribute("aria-expanded", "false")
    unfold.focus()
    live.keyboard.press("Enter")
    expect(live.locator(UNFOLD)).to_have_attribute("aria-expanded", "true")
    tokens = box(live, TOKENS)
    assert 100 < tokens[3] <= 0.4 * 800 + 1
    assert places == [box(live, f"{STAGE} {part}") for part in (".strip", ".panels")]
    assert live.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight <= innerHeight")
    token(live, 0).scroll_into_view_if_needed()
    token(live, 0).hover()  # a text of five hundred tokens is read from its beginning
    expect(live.locator(f"{TIP} > div").first).to_have_text("The")
    live.keyboard.press("Escape")
    expect(live.locator(UNFOLD)).to_have_attribute("aria-expanded", "false")
    assert box(live, TOKENS)[3] < 30

    step = stage_number(live, "step")
    live.mouse.move(640, 780)
    touched, count = live.evaluate(TOUCHED, step - 1)
    assert count > 480 and 0 < touched <= 4


def test_a_slim_strip_stays_in_sight_while_a_page_is_scrolled_and_shows_tokens_as_they_are(
    chromium: Browser, server: Server
) -> None:
    page = open_page(chromium, server.url)
    ready(page)
    assert page.get_by_role("textbox", name="Prompt").get_attribute("dir") == "auto"
    run(page, HOSTILE, 6)
    page.keyboard.press("Home")
    labels = page.evaluate("gpt2Stage.state.header.labels")
    newest = labels[page.evaluate("gpt2Stage.state.header.prompt_tokens") - 1]
    assert (labels[0][0], newest[-1]) == ("`", "`")
    for name in ("Embeddings", "Attention"):
        page.get_by_role("link", name=name, exact=True).click()
        page.get_by_role("heading", level=2).filter(has_text="?").first.wait_for(timeout=30_000)
        lie_still(page)
        codes = page.locator("[data-testid=stMarkdown] code:visible").all_text_contents()
        assert codes[0] == newest and (name == "Embeddings" or labels[0] in codes)

    heading = page.get_by_role("heading", level=2).first
    scrolled = "document.querySelector('[data-testid=stMain]').scrollTop"
    stands = heading.evaluate(f"node => node.getBoundingClientRect().top + {scrolled}")
    page.mouse.move(640, 700)
    for _ in range(12):
        page.mouse.wheel(0, 60)
    expect(page.locator(STAGE)).to_have_class("stage strip slim")
    assert heading.evaluate(f"node => node.getBoundingClientRect().top + {scrolled}") == pytest.approx(stands, abs=1)
    strip_box, play = box(page, f"{STAGE} .strip"), box(page, f"{STAGE} .play")
    assert strip_box[1] > 60 and strip_box[3] <= 56
    assert strip_box[1] <= play[1] and play[1] + play[3] <= strip_box[1] + strip_box[3]
    page.get_by_role("button", name="One step on").click()
    expect(page.locator(STAGE)).to_have_attribute("data-step", "1")
    page.mouse.wheel(0, -2000)
    expect(page.locator(STAGE)).to_have_class("stage strip")
    assert box(page, f"{STAGE} .transport")[1] < strip_box[1] + 40 < box(page, f"{STAGE} .strip")[1] + 48
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()


def test_the_current_token_and_the_next_stay_in_view_as_the_strip_gets_narrower(
    chromium: Browser, server: Server
) -> None:
    page = open_page(chromium, server.url + "/mlp", 1280, 800)
    ready(page)
    lie_still(page)
    strip = page.locator(TOKENS)
    for width in (900, 700, 500, 390, 320, 1000):
        page.set_viewport_size({"width": width, "height": 800})
        lie_still(page)
        around = strip.bounding_box()
        for shown in (strip.locator("[aria-selected=true]"), strip.locator("> :last-child")):
            inside = shown.bounding_box()
            assert inside and around
            assert around["x"] <= inside["x"] and inside["x"] + inside["width"] <= around["x"] + around["width"] + 1
    page.context.close()


def test_right_to_left_tokens_stand_in_the_order_of_their_positions(live: Page) -> None:
    labels = ["·שלום", "عربي", "·abc", "ملك·"]
    run(live, "The king said so", 1)
    strip = live.locator(TOKENS).element_handle()
    live.wait_for_function(RELABELLED, arg=[strip, labels])
    lefts = [box(live, f"{TOKENS} [data-at='{at}']")[0] for at in range(4)]
    assert lefts == sorted(lefts)


def test_on_a_phone_the_live_strip_and_its_transport_stay_in_sight_while_the_panels_are_scrolled(
    chromium: Browser, server: Server
) -> None:
    page = open_page(chromium, server.url, width=390, height=844)
    run(page, "The king", 4)
    panel = page.locator(f"{STAGE} .panel.bars")
    page.mouse.move(195, 700)
    page.mouse.wheel(0, 900)
    expect(page.locator(STAGE)).to_have_class("stage live stacked slim")
    strip_box, play = box(page, f"{STAGE} .strip"), box(page, f"{STAGE} .play")
    assert 48 < strip_box[1] < 80 and box(page, f"{STAGE} .panel.bars")[1] < 0
    assert strip_box[1] <= play[1] and play[1] + play[3] <= strip_box[1] + strip_box[3]
    stands = panel.evaluate("node => node.getBoundingClientRect().top")
    back = box(page, f"{STAGE} .transport .back")
    page.mouse.click(back[0] + back[2] / 2, back[1] + back[3] / 2)
    expect(page.locator(STAGE)).to_have_attribute("data-step", "2")
    assert panel.evaluate("node => node.getBoundingClientRect().top") == pytest.approx(stands, abs=1)
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()
