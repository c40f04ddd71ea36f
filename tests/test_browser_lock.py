"""One locked head and one picked cell, in a real Chromium: the same on every page, let go in every way, keys alive."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import Server, open_tab
from tests.heads import PANEL_BADGE, STRIP_BADGE, go_to, is_unlocked, live_tile, locked, matrix, tile
from tests.stage import STAGE, lie_still, ready, stage_number

pytestmark = pytest.mark.browser
DONE = """() => {
    const { lock, cursor, playback } = globalThis.gpt2Stage.state;
    return JSON.stringify([lock, cursor, playback.kind]);
}"""


@pytest.fixture(scope="module")
def visitor(window: BrowserContext, server: Server) -> Iterator[Page]:
    """A visitor who goes from page to page."""
    page = open_tab(window, server.url)
    ready(page)
    yield page
    assert page.errors == []  # type: ignore[attr-defined]
    page.close()


def speaks_of(page: Page, name: str) -> None:
    """Fail unless each sentence of the Attention page speaks of this head."""
    expect(matrix(page, "Every head").locator(".caption")).to_have_text(re.compile(f"^{name}: "))
    expect(page.get_by_text(re.compile(f"^{name}: .* looks most at")).last).to_be_visible()
    expect(page.get_by_text(f"How {name} computes its weights")).to_be_visible()


def test_one_lock_is_shown_on_live_and_attention_and_let_go_on_either_a_picked_cell_before_it(live):
    live.mouse.click(*live_tile(live, 2, 4))
    expect(live.locator(PANEL_BADGE)).to_have_text("locked · Esc")
    expect(live.locator(f"{STAGE} .one .name")).to_have_text("One head: L2·H4")
    expect(live.locator(f"{STAGE} .mosaic .says b").first).to_have_text("L2·H4")
    go_to(live, "Attention")
    badge = matrix(live, "Every head").locator(".badge")
    expect(live.locator(STRIP_BADGE)).to_have_text("L2·H4 locked · Esc")
    expect(badge).to_have_text("locked · Esc")
    speaks_of(live, "L2·H4")
    live.mouse.click(*tile(live, 2, 4))  # the second click
    is_unlocked(live)
    expect(badge).to_be_hidden()

    # Locked here, it is locked on Live, and the second click there lets it go.
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
    expect(badge).to_be_hidden()

    # Locked the moment before another page is clicked, it is locked there.
    live.mouse.click(*tile(live, 1, 6))
    live.get_by_role("link", name="Live", exact=True).click()
    expect(live.locator(f"{STAGE} .one .name")).to_have_text("One head: L1·H6")
    expect(live.locator(PANEL_BADGE)).to_be_visible()
    live.keyboard.press("ArrowUp")
    live.get_by_role("link", name="Attention", exact=True).click()
    speaks_of(live, "L2·H6")

    # Esc lets a picked cell go first, and then the head, while the focus is in a picture.
    lie_still(live)
    pictures = [matrix(live, title) for title in ("1 · Scores, before the mask", "3 · Pattern, after softmax")]
    caption = pictures[1].locator(".caption")
    strongest = caption.inner_text()
    pictures[0].locator(".plot").click(position={"x": 150, "y": 120})
    for picture in pictures:
        expect(picture.locator(".badge")).to_have_text("picked · Esc")
    expect(caption).not_to_have_text(strongest)
    live.keyboard.press("Escape")
    for picture in pictures:
        expect(picture.locator(".badge")).to_be_hidden()
    expect(caption).to_have_text(strongest)
    assert locked(live) == (2, 6)
    live.keyboard.press("Escape")
    is_unlocked(live)


def place(page: Page, part: str) -> dict[str, float] | None:
    """Where a part of the stage stands on the screen."""
    return page.locator(f"{STAGE} {part}").first.bounding_box()


def a_picked_token_is_shown_as_picked_and_let_go(page: Page, how: str) -> None:
    """A token picked in the picture of the Residual stream."""
    picture = matrix(page, "How long is each token's vector\\?")
    caption, badge, plot = (picture.locator(part) for part in (".caption", ".badge", ".plot"))
    newest = caption.inner_text()
    plot.click(position={"x": 300, "y": 150})
    expect(badge).to_have_text("picked · Esc")
    expect(caption).not_to_have_text(newest)
    lie_still(page)
    if how == "second click":
        plot.click(position={"x": 300, "y": 150})
    elif how == "badge":
        badge.click()
    else:
        page.locator(f"{STAGE} .status").click(position={"x": 5, "y": 5})  # a token would be gone to
        page.keyboard.press("Escape")
    expect(badge).to_be_hidden()
    expect(caption).to_have_text(newest)
    lie_still(page)


def a_token_chosen_in_a_list_is_let_go_by_esc_and_by_the_badge(page: Page) -> None:
    chosen = page.get_by_test_id("stSelectbox").locator("input").first
    badge = page.locator("button", has_text="picked · Esc").and_(page.locator("[title*=choice]"))
    page.keyboard.press("ArrowLeft")
    lie_still(page)
    default = re.compile("^(the newest token|The drawn token)")
    for let_go in (lambda: page.keyboard.press("Escape"), badge.click):
        expect(badge).to_be_hidden()
        click(page, "option")
        expect(badge).to_be_visible()
        expect(chosen).not_to_have_value(default)
        lie_still(page)
        let_go()
        expect(chosen).to_have_value(default)
        lie_still(page)


def test_a_token_picked_in_a_picture_or_chosen_in_a_list_is_shown_as_picked_and_let_go_in_every_way(live, subtests):
    go_to(live, "Embeddings")
    with subtests.test("list", page="Embeddings"):
        a_token_chosen_in_a_list_is_let_go_by_esc_and_by_the_badge(live)
    go_to(live, "Residual stream")
    for how in ("second click", "badge", "Esc from elsewhere"):
        with subtests.test(how, page="Residual stream"):
            a_picked_token_is_shown_as_picked_and_let_go(live, how)
    with subtests.test("list", page="Residual stream"):
        a_token_chosen_in_a_list_is_let_go_by_esc_and_by_the_badge(live)


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
    "Paths": [".plot", "option", "summary"],
    "Sampling": ['[data-testid="stVegaLiteChart"]', '[data-testid="stNumberInputStepUp"]', "summary", "slider"],
    "Cost": ['[data-testid="stVegaLiteChart"]', "summary", '[data-testid="stMain"] h2'],
}


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


def the_badge_and_esc_let_a_head_go_and_nothing_moves(page: Page, name: str) -> None:
    badge = page.locator(PANEL_BADGE if name == "Live" else STRIP_BADGE)
    places = [place(page, part) for part in (".play", ".tokens", ".state b")]
    page.keyboard.press("ArrowDown")
    expect(badge).to_be_visible()
    assert places == [place(page, part) for part in (".play", ".tokens", ".state b")]
    badge.click()
    is_unlocked(page)
    page.keyboard.press("ArrowDown")
    expect(badge).to_be_visible()
    page.keyboard.press("Escape")
    is_unlocked(page)


def the_keys_live_on_after_a_click(page: Page, what: str) -> None:
    if locked(page) is None:
        page.keyboard.press("ArrowUp")
    lie_still(page)
    click(page, what)
    lie_still(page)
    opened = f"button:visible:has-text('picked · Esc'), {STAGE} .number[open], {STAGE} .branch-offer:visible"
    if page.locator(opened).count():
        page.keyboard.press("Escape")  # what was picked or opened goes first
    keys = ("Escape", " ", *(() if what == "slider" else ("ArrowRight", "ArrowUp")))
    assert [key for key in keys if not answers(page, key)] == []


@pytest.mark.parametrize("name", CLICKED)
def test_a_head_is_let_go_in_place_and_the_keys_live_on_after_a_click_on_anything(visitor, name, subtests):
    go_to(visitor, name)
    for _ in range(2):  # what was picked on the page before, and the head
        visitor.keyboard.press("Escape")
    with subtests.test("let go"):
        the_badge_and_esc_let_a_head_go_and_nothing_moves(visitor, name)
    visitor.locator(f"{STAGE} .first").click()  # so that Space replays
    for what in CLICKED[name]:
        with subtests.test(clicked=what):
            the_keys_live_on_after_a_click(visitor, what)


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
