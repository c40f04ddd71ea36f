"""The Branches page in a real Chromium: a token is pressed, both runs are kept, and either is put on the stage."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from gpt2.engine.engine import Engine
from gpt2.model.sampling import Distribution, Sampling
from pages.charts.branches import parting, tree
from pages.look.numbers import percent
from pages.look.tokens import unmarked
from tests.browser import Server, open_tab
from tests.heads import go_to, middle_of
from tests.stage import STAGE, lie_still, ready, run, run_id, settle, stage_number, wait_for_new_run

pytestmark = pytest.mark.browser
PROMPT, STEPS, AT, MORE = "The king said to his", 12, 5, 4
WARM = Sampling(0.8, 0, 0.95, 1)


def reads(page: Page, sentence: str) -> None:
    """Fail unless the page says this; a token's chip may have blanks around it."""
    words = r"\s*".join(map(re.escape, unmarked(sentence).split()))
    expect(page.locator("body")).to_have_text(re.compile(words))


def test_a_pressed_token_branches_the_run_and_both_are_kept_compared_and_shown(live: Page, engine: Engine) -> None:
    run(live, PROMPT, tokens=STEPS)
    before = run_id(live)
    live.get_by_role("button", name="Change").click()
    live.get_by_role("menuitem", name="Branches", exact=True).click()
    expect(live.get_by_role("heading", name="What if another token had come here?")).to_be_visible()
    lie_still(live)
    live.locator(STAGE).first.press("Home")
    for _ in range(AT):
        live.keyboard.press("ArrowRight")
    base = engine.start(PROMPT)
    for _ in range(STEPS):
        base.advance(WARM)
    reads(live, tree.choice_sentence(base.trace, AT))
    count = live.get_by_label("Go on for so many tokens")
    count.fill(str(MORE))
    count.press("Enter")
    lie_still(live)
    settle(live, speed=0)
    order = Distribution.of(base.trace.steps[AT].logits, Sampling()).order.tolist()
    token = next(one for one in order if one != base.trace.steps[AT].draw.token)
    live.locator(f"[class*='st-key-branches-token-{token}'] button").press("Enter")  # by keys alone
    wait_for_new_run(live, before, AT + 1 + MORE)
    branch = base.fork(AT + 1)
    branch.choose(token, WARM)
    for _ in range(MORE):
        branch.advance(WARM)
    expect(live.locator(f"{STAGE} .tokens")).to_contain_text(
        re.compile(r"\s*".join(re.escape(branch.trace.vocabulary.label(one)) for one in branch.trace.ids[-3:])),
    )
    pair = parting.Pair.of(base.trace, branch.trace, ("The first run", "Branch 1"))
    reads(live, parting.parting_sentence(pair))
    reads(live, parting.kl_sentence(pair, pair.divergences(pair.steps)))
    reads(live, parting.norms_sentence(pair, AT + 1, pair.at(AT + 1).stream_norms()))
    lens = parting.lens_divergence(pair, AT + 1, engine.lens)
    reads(live, parting.lens_sentence(pair, AT + 1, lens))
    made = run_id(live)
    name = live.get_by_label("Name of Branch 1")
    name.fill("the other way")
    name.press("Enter")
    expect(live.get_by_text("the other way, on the stage")).to_be_visible()
    live.get_by_role("button", name="Put on the stage").first.press("Enter")
    wait_for_new_run(live, made, STEPS)
    assert run_id(live) == before and stage_number(live, "steps") == STEPS
    live.get_by_role("button", name="Put on the stage").last.click()
    wait_for_new_run(live, before, AT + 1 + MORE)
    assert run_id(live) == made
    # All other pages show the branch, and say that its token was chosen.
    live.locator(STAGE).first.press("Home")
    for _ in range(AT):
        live.keyboard.press("ArrowRight")
    live.get_by_role("link", name="Sampling", exact=True).click()
    expect(live.get_by_text("Chosen by hand, not drawn")).to_be_visible()


def bar(page: Page, share: float, label: str) -> tuple[float, float]:
    """Where a token's bar of what comes next lies on the Live page."""
    return middle_of(page.locator(f"{STAGE} canvas[data-panel=bars]"), ".tip div", f"{percent(share, 2)} {label}")


def test_a_tapped_token_is_offered_and_branched_and_other_settings_keep_the_run_before(
    chromium: Browser, server: Server, engine: Engine
) -> None:
    page = open_tab(chromium.new_context(viewport={"width": 1280, "height": 800}, has_touch=True), server.url)
    ready(page)
    run(page, PROMPT, tokens=MORE)
    first, base, offer = run_id(page), engine.start(PROMPT), page.locator(f"{STAGE} .branch-here")
    for _ in range(MORE):
        base.advance(WARM)
    newest = base.trace.steps[-1]
    distribution, label = Distribution.of(newest.logits, Sampling()), base.trace.vocabulary.label
    other = next(one for one in distribution.order.tolist() if one != newest.draw.token)
    place = bar(page, distribution.raw[other], label(other))
    page.touchscreen.tap(*place)
    expect(offer).to_have_text(f"Branch here with {label(other)}")
    expect(page.locator(f"{STAGE} .tip")).to_contain_text(f"softmax(logits)[{other}]")  # a tap still tells the value
    page.keyboard.press("Escape")
    expect(offer).to_be_hidden()
    page.touchscreen.tap(*place)
    offer.tap()
    wait_for_new_run(page, first, 2 * MORE)
    second = run_id(page)
    branch = base.fork(MORE)
    branch.choose(other, WARM)
    for _ in range(MORE):
        branch.advance(WARM)
    expect(page.locator(f"{STAGE} .tokens")).to_contain_text("".join(map(label, branch.trace.ids[-MORE:])))
    said = page.locator(f"{STAGE} .error")
    expect(said).to_have_text("This is Branch 1. The first run is kept as it was, on the page Branches.")
    # The token that the first run has there is not offered and then refused: the first run is put on the stage.
    page.locator(STAGE).first.press("Home")
    for _ in range(MORE - 1):
        page.keyboard.press("ArrowRight")
    own, theirs = bar(page, distribution.raw[other], label(other)), newest.draw.token
    page.mouse.move(*own)
    expect(page.locator(f"{STAGE} .tip")).to_contain_text("the run has it here already")
    page.touchscreen.tap(*bar(page, distribution.raw[theirs], label(theirs)))
    expect(offer).to_be_hidden()
    show = page.locator(f"{STAGE} .branch-other")
    expect(show).to_have_text("The first run goes on so: put it on the stage")
    show.tap()
    wait_for_new_run(page, second, MORE)
    assert (run_id(page), stage_number(page, "step")) == (first, MORE - 1)
    expect(said).to_have_text("This is the first run. Branch 1 is kept as it was, on the page Branches.")
    # A token that a branch of it has may be branched with once more, or that branch is shown.
    page.touchscreen.tap(*bar(page, distribution.raw[other], label(other)))
    expect(offer).to_have_text(f"Branch here with {label(other)}")
    expect(show).to_have_text("Branch 1 goes on so: put it on the stage")
    show.tap()
    wait_for_new_run(page, first, 2 * MORE)
    assert (run_id(page), stage_number(page, "step")) == (second, MORE - 1)
    # Other settings at an older step make a branch too.
    page.locator(STAGE).first.press("Home")
    settle(page, temperature=0)
    page.locator(f"{STAGE} h2").first.click()
    page.keyboard.press("Space")
    wait_for_new_run(page, second, MORE + 1)
    expect(said).to_have_text("This is Branch 2. Branch 1 is kept as it was, on the page Branches.")
    greedy = list(engine.generate(PROMPT, MORE + 1, Sampling(temperature=0)))
    expect(page.locator(f"{STAGE} .tokens")).to_contain_text("".join(label(step.draw.token) for step in greedy))
    # On Sampling the likeliest other token is offered first.
    page.locator(STAGE).first.press("Home")
    page.keyboard.press("ArrowRight")
    go_to(page, "Sampling")
    third, runner_up = run_id(page), int(greedy[1].logits.argsort()[-2])
    press = page.locator("[class*='st-key-sampling-branch'] button")
    expect(press).to_have_text(re.compile(rf"^Branch here with\s+{re.escape(label(runner_up))}$"))
    press.press("Enter")
    wait_for_new_run(page, third, MORE + 2)
    expect(page.locator(f"{STAGE} .tokens")).to_contain_text(label(greedy[0].draw.token) + label(runner_up))
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()


def test_a_setting_of_a_draw_changes_its_pictures_alone_and_a_branch_the_whole_page(live: Page) -> None:
    go_to(live, "Sampling")
    lie_still(live)
    messages = "() => globalThis.gpt2Stage.state.header.number"
    chart, before, sent = live.get_by_test_id("stVegaLiteChart").first, run_id(live), live.evaluate(messages)
    drawn = chart.inner_html()
    slider = live.get_by_role("slider", name="Temperature")
    slider.focus()
    for _ in range(3):
        live.keyboard.press("ArrowRight")
    expect(slider).to_have_value("0.95")
    lie_still(live)
    assert chart.inner_html() != drawn
    assert live.evaluate(messages) == sent  # the stage was not drawn again
    # The same setting is there after another step, and after another page.
    slider.blur()  # or the key were its own
    live.keyboard.press("ArrowLeft")
    lie_still(live)
    expect(slider).to_have_value("0.95")
    go_to(live, "Attention")
    go_to(live, "Sampling")
    expect(slider).to_have_value("0.95")
    live.locator("[class*='st-key-sampling-branch'] button").press("Enter")
    wait_for_new_run(live, before, 3)
    expect(live.get_by_text("Chosen by hand, not drawn")).to_be_visible()
    assert live.errors == []  # type: ignore[attr-defined]
