"""Everything that can be pointed at is reached and read by keys alone, in a real Chromium."""

import re

import pytest
from playwright.sync_api import Page, expect

from gpt2.experiments.ablation import ablation
from gpt2.experiments.part import head
from gpt2.experiments.twin import twin
from gpt2.model.sampling import Distribution, Sampling
from pages.charts.experiments import strip, texts
from pages.look.tokens import unmarked
from pages.visit.branching import KEPT
from tests.heads import PANEL_BADGE, QUESTIONS, STRIP_BADGE, go_to, is_unlocked, live_tile, locked, matrix
from tests.players import SAMPLING
from tests.stage import STAGE, lie_still, run_id, stage_number, wait_for_new_run

pytestmark = pytest.mark.browser
PICTURES = ("embedding", "residual", "mosaic", "one", "lens", "bars", "draw")
# The name of what has the focus.
FOCUSED = """() => {
    let active = document.activeElement;
    while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
    return active.dataset.panel ?? active.getAttribute("aria-label") ?? active.textContent.trim();
}"""


def tab_to(page: Page, name: str, key: str = "Tab") -> None:
    """Press Tab, or another key, until what has this name, or one that begins so, has the focus."""
    for _ in range(60):
        if page.evaluate(FOCUSED).startswith(name):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{name} is not reached by {key}")


def says(page: Page, words: str) -> None:
    """Fail unless the page's one voice says something like this."""
    expect(page.locator("[aria-live]:not([aria-live=off])")).to_have_count(1)
    expect(page.locator(f"{STAGE} .aloud")).to_have_text(re.compile(words))


def test_by_keys_alone_one_runs_a_prompt_steps_back_locks_a_head_hears_of_it_and_opens_sampling(live):
    before = run_id(live)
    tab_to(live, "Prompt")
    live.keyboard.press("ControlOrMeta+a")
    live.keyboard.type("The old king")
    live.keyboard.press("Enter")
    wait_for_new_run(live, before, 4)
    tab_to(live, "Pause")
    live.keyboard.press("Enter")
    expect(live.locator(STAGE)).to_have_attribute("data-mode", "still")
    lie_still(live)
    step = stage_number(live, "step")
    live.keyboard.press("ArrowLeft")
    expect(live.locator(STAGE)).to_have_attribute("data-step", str(step - 1))
    says(live, f"^Step {step - 1} ")
    # Each picture is one tab stop, with a ring on a cell, its value in the box, and the keys told of.
    ring, tip = live.locator(f"{STAGE} .ring:visible"), live.locator(f"{STAGE} .tip")
    for name in PICTURES:
        tab_to(live, name)
        expect(ring).to_have_count(1)
        expect(tip).to_contain_text("Arrow keys move from cell to cell.")
        value = tip.locator("div").first.inner_text()
        says(live, re.escape(value))
        live.keyboard.press("Tab")
        assert live.evaluate(FOCUSED) != name
    tab_to(live, "mosaic", "Shift+Tab")
    for key in ("Home", *["ArrowDown"] * 9, "ArrowUp", "End", "ArrowLeft"):  # L1·H6 of six layers with eight heads
        live.keyboard.press(key)
    expect(tip).to_contain_text("L1·H6: ")
    says(live, "^L1·H6: .* on ")
    assert stage_number(live, "step") == step - 1 and locked(live) is None
    live.keyboard.press("Enter")
    expect(live.locator(PANEL_BADGE)).to_be_visible()
    says(live, "^L1·H6: .*, locked$")
    live.keyboard.press("Escape")
    is_unlocked(live)
    assert live.evaluate(FOCUSED) == "mosaic"
    expect(tip).to_contain_text("L1·H6: ")
    live.keyboard.press("Space")
    assert locked(live) == (1, 6)
    tab_to(live, "Sampling", "Shift+Tab")
    live.keyboard.press("Enter")
    expect(live.get_by_role("heading", name=QUESTIONS["Sampling"])).to_be_visible()
    expect(live.locator(STRIP_BADGE)).to_have_text("L1·H6 locked · Esc")


def test_by_keys_alone_one_runs_a_prompt_branches_mutes_a_head_and_reads_both_sentences(live, engine):
    before = run_id(live)
    tab_to(live, "Prompt")
    live.keyboard.press("ControlOrMeta+a")
    live.keyboard.type("The king said to his")
    live.keyboard.press("Enter")
    wait_for_new_run(live, before, 4)
    tab_to(live, "Pause")
    live.keyboard.press("Enter")
    expect(live.locator(STAGE)).to_have_attribute("data-mode", "still")
    lie_still(live)
    first, step = run_id(live), stage_number(live, "step")
    run = engine.start("The king said to his")
    for _ in range(step + 1):
        run.advance(SAMPLING)
    order = Distribution.of(run.trace.steps[step].logits, Sampling()).order.tolist()
    place = next(at for at, token in enumerate(order) if token != run.trace.steps[step].draw.token)
    label = run.trace.vocabulary.label(order[place])
    tab_to(live, "bars")
    for _ in range(place):
        live.keyboard.press("ArrowDown")
    live.keyboard.press("Enter")
    assert live.evaluate(FOCUSED) == f"Branch here with {label}"
    live.keyboard.press("Escape")
    assert live.evaluate(FOCUSED) == "bars"
    live.keyboard.press("Enter")
    live.keyboard.press("Enter")
    wait_for_new_run(live, first, step + 3)
    assert live.evaluate(FOCUSED) == "bars"
    for key in ("Escape", "Space"):  # out of the cells, then the stage's own
        live.keyboard.press(key)
    expect(live.locator(STAGE)).to_have_attribute("data-mode", "still")
    expect(live.locator(f"{STAGE} .error")).to_have_text(KEPT.format("Branch 1", "The first run"))
    branch = run.fork(step + 1)
    branch.choose(order[place], SAMPLING)
    made = stage_number(live, "steps")
    for _ in range(made - step - 1):
        branch.advance(SAMPLING)
    tab_to(live, "Change", "Shift+Tab")
    live.keyboard.press("Enter")
    tab_to(live, "Experiments")
    live.keyboard.press("Enter")
    expect(live.get_by_role("heading", name="What if a part of the model were different?")).to_be_visible()
    lie_still(live)
    tab_to(live, "Which parts are changed")
    for key in (*["ArrowUp"] * 2, *["ArrowRight"] * 4, "Enter"):
        live.keyboard.press(key)
    expect(live.get_by_text("On: L2·H4 set to zero at all positions.")).to_be_visible()
    lie_still(live)
    tab_to(live, "Name of this change")
    live.keyboard.type("quiet")
    live.keyboard.press("Enter")
    expect(live.get_by_text("On: quiet: L2·H4")).to_be_visible()
    tab_to(live, "Run the changed model")
    live.keyboard.press("Enter")
    *_, found = twin(engine, branch.trace, ablation([head(2, 4)]))
    vocabulary = branch.trace.vocabulary
    for sentence in (texts.texts_sentence(found, vocabulary), strip.strip_sentence(found, vocabulary)):
        words = r"\s*".join(map(re.escape, unmarked(sentence).split()))
        expect(live.locator("body")).to_have_text(re.compile(words))
    assert live.url.endswith("?change=zero_2.4&named=quiet")  # a run whose token was chosen by hand has no link


def test_after_a_click_the_arrows_are_the_stages_until_enter_and_the_ring_lies_on_what_has_the_focus(live):
    live.mouse.click(*live_tile(live, 2, 4))
    live.keyboard.press("ArrowUp")
    assert locked(live) == (3, 4)
    expect(live.locator(f"{STAGE} .ring:visible")).to_have_count(0)
    live.keyboard.press("Enter")  # into the cells, at the locked head
    live.keyboard.press("ArrowRight")
    expect(live.locator(f"{STAGE} .tip")).to_contain_text("L3·H5: ")
    assert locked(live) == (3, 4)
    for _ in range(2):  # the head, then the cells
        live.keyboard.press("Escape")
    expect(live.locator(f"{STAGE} .ring:visible")).to_have_count(0)
    assert live.evaluate(FOCUSED) == "mosaic"
    is_unlocked(live)  # from the next frame on
    resting = re.fullmatch(r"One head: L(\d)·H(\d)", live.locator(f"{STAGE} .one .name").inner_text())
    live.keyboard.press("ArrowDown")
    assert resting and locked(live) == (max(0, int(resting[1]) - 1), int(resting[2]))
    live.locator(f"{STAGE} h2").first.click()
    live.keyboard.press("Escape")
    live.wait_for_function("document.activeElement === document.body")  # not the whole page

    go_to(live, "Attention")
    heads = matrix(live, "Every head")
    heads.locator(".plot").focus()
    for key in ("Home", *["ArrowDown"] * 9, "ArrowRight", "Enter"):
        live.keyboard.press(key)
    assert locked(live) == (0, 1)
    says(live, "^L0·H1: .*, locked$")
    live.keyboard.press("Escape")
    is_unlocked(live)
    expect(heads.locator(".tip")).to_contain_text("L0·H1: ")
    pattern = matrix(live, "3 · Pattern, after softmax")
    pattern.locator(".plot").focus()
    for key in ("Home", *["ArrowDown"] * 99, "ArrowUp", "Space"):
        live.keyboard.press(key)
    expect(pattern.locator(".badge")).to_be_visible()
    says(live, ", picked$")
    live.keyboard.press("Escape")
    expect(pattern.locator(".badge")).to_be_hidden()
    expect(pattern.locator(".tip")).to_be_visible()
