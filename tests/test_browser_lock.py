"""One locked head and one picked cell, in a real Chromium: the same on every page, let go in every way, keys alive."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.heads import PANEL_BADGE, QUESTIONS, STRIP_BADGE, go_to, is_unlocked, live_tile, locked, matrix, tile
from tests.stage import STAGE, lie_still, stage_number

pytestmark = pytest.mark.browser
DONE = """() => {
    const { lock, cursor, playback } = globalThis.gpt2Stage.state;
    return JSON.stringify([lock, cursor, playback.kind]);
}"""


def speaks_of(page: Page, name: str) -> None:
    """Fail unless each sentence of the Attention page speaks of this head."""
    expect(matrix(page, "Every head").locator(".caption")).to_have_text(re.compile(f"^{name}: "), timeout=20_000)
    expect(page.get_by_text(re.compile(f"^{name}: .* looks most at")).last).to_be_visible()
    expect(page.get_by_text(f"How {name} computes its weights")).to_be_visible(timeout=20_000)


def test_a_head_locked_on_live_is_locked_and_framed_on_attention_and_let_go_there(live):
    live.mouse.click(*live_tile(live, 2, 4))
    expect(live.locator(PANEL_BADGE)).to_have_text("locked · Esc")
    expect(live.locator(f"{STAGE} .one .name")).to_have_text("One head: L2·H4")
    expect(live.locator(f"{STAGE} .mosaic .says b").first).to_have_text("L2·H4")
    go_to(live, "Attention")
    expect(live.locator(STRIP_BADGE)).to_have_text("L2·H4 locked · Esc")
    expect(matrix(live, "Every head").locator(".badge")).to_have_text("locked · Esc")
    speaks_of(live, "L2·H4")
    live.mouse.click(*tile(live, 2, 4))  # the second click
    is_unlocked(live)
    expect(matrix(live, "Every head").locator(".badge")).to_be_hidden()
    go_to(live, "Live")
    is_unlocked(live)


def test_a_head_locked_on_attention_is_locked_on_live_and_the_second_click_there_lets_it_go(live):
    go_to(live, "Attention")
    live.mouse.click(*tile(live, 3, 5))
    assert locked(live) == (3, 5)
    expect(live.locator(STRIP_BADGE)).to_have_text("L3·H5 locked · Esc")
    speaks_of(live, "L3·H5")
    go_to(live, "Live")
    expect(live.locator(f"{STAGE} .one .name")).to_have_text("One head: L3·H5")
    expect(live.locator(PANEL_BADGE)).to_be_visible()
    live.mouse.click(*live_tile(live, 3, 5))
    is_unlocked(live)
    go_to(live, "Attention")
    is_unlocked(live)
    expect(matrix(live, "Every head").locator(".badge")).to_be_hidden()


def test_a_head_locked_the_moment_before_another_page_is_clicked_is_locked_there(live):
    go_to(live, "Attention")
    x, y = tile(live, 1, 6)
    live.mouse.click(x, y)
    live.get_by_role("link", name="Live", exact=True).click()
    expect(live.locator(f"{STAGE} .one .name")).to_have_text("One head: L1·H6", timeout=20_000)
    expect(live.locator(PANEL_BADGE)).to_be_visible()
    live.keyboard.press("ArrowUp")
    live.get_by_role("link", name="Attention", exact=True).click()
    speaks_of(live, "L2·H6")


@pytest.mark.parametrize("name", ["Live", *QUESTIONS])
def test_the_badge_and_esc_let_a_head_go_on_every_page_and_nothing_moves(live, name):
    if name != "Live":
        go_to(live, name)
    badge = live.locator(PANEL_BADGE if name == "Live" else STRIP_BADGE)
    places = [place(live, part) for part in (".play", ".tokens", ".state b")]
    live.keyboard.press("ArrowDown")
    expect(badge).to_be_visible()
    assert places == [place(live, part) for part in (".play", ".tokens", ".state b")]
    badge.click()
    is_unlocked(live)
    live.keyboard.press("ArrowDown")
    expect(badge).to_be_visible()
    live.keyboard.press("Escape")
    is_unlocked(live)


def place(page: Page, part: str) -> dict[str, float] | None:
    """Where a part of the stage stands on the screen."""
    return page.locator(f"{STAGE} {part}").first.bounding_box()


def test_esc_lets_a_picked_cell_go_first_and_then_the_head_while_the_focus_is_in_a_picture(live):
    go_to(live, "Attention")
    live.mouse.click(*tile(live, 2, 4))
    speaks_of(live, "L2·H4")
    pictures = [matrix(live, title) for title in ("1 · Scores, before the mask", "3 · Pattern, after softmax")]
    caption = pictures[1].locator(".caption")
    strongest = caption.inner_text()
    pictures[0].locator(".plot").click(position={"x": 150, "y": 120})
    for picture in pictures:
        expect(picture.locator(".badge")).to_have_text("picked · Esc")
    expect(caption).not_to_have_text(strongest, timeout=20_000)
    live.keyboard.press("Escape")
    for picture in pictures:
        expect(picture.locator(".badge")).to_be_hidden()
    expect(caption).to_have_text(strongest, timeout=20_000)
    assert locked(live) == (2, 4)
    live.keyboard.press("Escape")
    is_unlocked(live)


@pytest.mark.parametrize("how", ["second click", "badge", "Esc from elsewhere"])
def test_a_picked_token_of_the_residual_stream_is_shown_as_picked_and_let_go(live, how):
    go_to(live, "Residual stream")
    picture = matrix(live, "How long is each token's vector\\?")
    caption, badge, plot = (picture.locator(part) for part in (".caption", ".badge", ".plot"))
    newest = caption.inner_text()
    plot.click(position={"x": 300, "y": 150})
    expect(badge).to_have_text("picked · Esc")
    expect(caption).not_to_have_text(newest, timeout=20_000)
    lie_still(live)
    if how == "second click":
        plot.click(position={"x": 300, "y": 150})
    elif how == "badge":
        badge.click()
    else:
        live.locator(f"{STAGE} .status").click(position={"x": 5, "y": 5})  # a token would be gone to
        live.keyboard.press("Escape")
    expect(badge).to_be_hidden()
    expect(caption).to_have_text(newest, timeout=20_000)


@pytest.mark.parametrize("name", ["Embeddings", "Residual stream"])
def test_a_token_chosen_in_a_list_is_shown_as_picked_and_let_go_by_esc_and_by_the_badge(live, name):
    go_to(live, name)
    chosen = live.get_by_test_id("stSelectbox").locator("input").first
    badge = live.locator("button", has_text="picked · Esc").and_(live.locator("[title*=choice]"))
    live.keyboard.press("ArrowLeft")
    lie_still(live)
    default = re.compile("^(newest token|The drawn token)")  # the newest token's name goes with the step
    for let_go in (lambda: live.keyboard.press("Escape"), badge.click):
        expect(badge).to_be_hidden()
        click(live, "option")
        expect(badge).to_be_visible(timeout=20_000)
        expect(chosen).not_to_have_value(default)
        lie_still(live)
        let_go()
        expect(chosen).to_have_value(default, timeout=20_000)
        lie_still(live)


# What keeps the focus, or did: a selector, and the page that it is on.
CLICKED = {
    "Live": [f"{STAGE} canvas[data-panel=bars]", f"{STAGE} .tokens", f"{STAGE} .forward"],
    "Embeddings": [".plot", '[data-testid="stVegaLiteChart"]', "img >> nth=-1", "summary", "option"],
    "Attention": [
        *(".plot", '[data-testid="stCheckbox"] label', "[role=radio] >> nth=1", '[data-testid="stVegaLiteChart"]'),
        *('[data-testid="stText"]', "summary"),
    ],
    "MLP": [".plot", "[role=radio] >> nth=1", '[data-testid="stVegaLiteChart"]', "option", "summary"],
    "Residual stream": [".plot", '[data-testid="stCheckbox"] label', "option", "summary"],
    "Attribution": [".plot", "option", "summary"],
    "Sampling": ['[data-testid="stVegaLiteChart"]', '[data-testid="stNumberInputStepUp"]', "summary", "slider"],
    "Cost": ['[data-testid="stVegaLiteChart"]', "summary", '[data-testid="stMain"] h2'],
}


@pytest.mark.parametrize("name", CLICKED)
def test_the_keys_live_on_after_a_click_on_anything(live, name):
    if name != "Live":
        go_to(live, name)
    dead = []
    for what in CLICKED[name]:
        live.locator(f"{STAGE} .first").click()  # so that Space replays
        live.keyboard.press("ArrowUp")
        lie_still(live)
        click(live, what)
        lie_still(live)
        if live.locator(f"button:visible:has-text('picked · Esc'), {STAGE} .number[open]").count():
            live.keyboard.press("Escape")  # what was picked or opened goes first
        keys = ["Escape", " "] + [key for key in ("ArrowUp", "Escape", "ArrowRight") if what != "slider"]
        dead += [(what, key) for key in keys if not answers(live, key)]
    assert dead == []


def click(page: Page, what: str) -> None:
    """Click something as a person does; a list is opened, and an option of it taken."""
    if what == "option":
        chosen = page.get_by_test_id("stSelectbox").locator("input").first
        chosen.scroll_into_view_if_needed()  # scrolling closes a list
        lie_still(page)
        chosen.click()
        page.get_by_test_id("stSelectboxVirtualDropdown").get_by_role("option").nth(2).click()
    elif what == "slider":
        page.get_by_test_id("stSlider").first.click()
        page.get_by_role("slider").nth(1).focus()
    else:
        page.locator(what).first.click(timeout=10_000)


def answers(page: Page, key: str) -> bool:
    """Whether the stage does anything at a key; what it has begun to play is paused again."""
    before = page.evaluate(DONE)
    page.keyboard.press(key)
    after = page.evaluate(DONE)
    if key == " ":
        page.keyboard.press(" ")
        expect(page.locator(STAGE)).to_have_attribute("data-mode", "still")
    return bool(before != after)


def test_the_large_head_rests_while_steps_change_and_follows_the_sharpest_if_asked(live):
    name, says = live.locator(f"{STAGE} .one .name"), live.locator(f"{STAGE} .mosaic .says b").first
    note, last = live.locator(f"{STAGE} .one .note"), stage_number(live, "step")
    rest = name.inner_text()
    expect(note).to_contain_text(f"Rests on the sharpest head of step {last}")
    seen = set()
    for step in range(last - 1, last - 6, -1):
        live.keyboard.press("ArrowLeft")
        expect(live.locator(STAGE)).to_have_attribute("data-step", str(step))
        assert name.inner_text() == rest == f"One head: {says.inner_text()}"
    follow = live.get_by_role("switch", name="follow the sharpest")
    follow.check(force=True)
    for step in range(last - 6, -1, -1):
        live.keyboard.press("ArrowLeft")
        expect(live.locator(STAGE)).to_have_attribute("data-step", str(step))
        seen.add(name.inner_text())
        assert name.inner_text() == f"One head: {says.inner_text()}"
    assert len(seen) > 1
    assert live.evaluate("localStorage.getItem('gpt2-follow-sharpest')") == "yes"  # for the visits to come
