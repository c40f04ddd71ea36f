"""What a person who has never seen the page finds: a dialog that explains it, and a line at every title."""

import pytest
from playwright.sync_api import Page, expect

from pages.look.glossary import TERMS
from pages.look.palette import LIGHT
from pages.look.panels import PANELS
from tests.axe import violations
from tests.browser import open_page
from tests.stage import STAGE, lie_still, ready

pytestmark = pytest.mark.browser

PAGES = {
    "live": "Live",
    "embeddings": "Embeddings",
    "attention": "Attention",
    "mlp": "MLP",
    "residual": "Residual stream",
    "attribution": "Attribution",
    "paths": "Paths",
    "sampling": "Sampling",
    "cost": "Cost",
}
FIRST = {
    "live": "The newest token",
    "embeddings": "Token",
    "attention": "Every head",
    "mlp": "How much",
    "residual": "How long",
    "attribution": "After which token",
    "paths": "After which token",
    "sampling": "From logits",
    "cost": "How each step",
}
INSTEAD = {"attention.layers", "attention.all", "attention.roles"}  # in the place of `attention.heads`, if chosen


def go_to(page: Page, name: str) -> None:
    """Follow the link to a page, and return once it is drawn."""
    page.get_by_role("link", name=PAGES[name], exact=True).click()
    expect(page.locator(f'.explains[data-panel^="{name}."]').first).to_be_visible(timeout=30_000)
    lie_still(page)


def test_the_dialog_and_the_titles_explain_every_panel_of_every_page(live):
    help_, note = live.locator(f"{STAGE} .help"), live.locator(f"{STAGE} .explain")
    for name in PAGES:
        go_to(live, name)
        buttons = live.locator(".explains:visible")
        panels = buttons.evaluate_all("nodes => nodes.map(node => node.dataset.panel)")
        assert set(panels) == {panel for panel in PANELS if panel.startswith(f"{name}.")} - INSTEAD
        # The dialog lists the same panels, from top to bottom.
        live.keyboard.press("?")
        expect(help_).to_be_visible()
        assert sorted(help_.locator(".shown dd").all_inner_texts()) == sorted(PANELS[panel].shows for panel in panels)
        titles = help_.locator(".shown dt").all_inner_texts()
        assert titles[0].startswith(FIRST[name]) and all(titles)
        if name in ("live", "cost"):
            found = violations(live)
            assert found == [], found
        live.keyboard.press("Escape")
        expect(help_).to_be_hidden()
        expect(live.locator(f"{STAGE} .help-button")).to_be_focused()
        # A title explains itself under the pointer.
        for at, panel in enumerate(panels):
            buttons.nth(at).hover()
            expect(note).to_contain_text(PANELS[panel].shows)
            assert note.locator("b").all_inner_texts() == list(PANELS[panel].terms)
            expect(note).to_contain_text(TERMS[PANELS[panel].terms[-1]])
            expect(buttons.nth(at)).to_have_attribute("aria-expanded", "true")
        live.mouse.move(2, 2)
        expect(note).to_be_hidden()
    # With keys alone: the focus shows it, Enter keeps it, Esc hides it.
    last = live.locator(".explains:visible").last
    live.keyboard.press("Tab")
    last.focus()
    expect(note).to_be_visible()
    live.keyboard.press("Enter")
    live.keyboard.press("Escape")
    expect(note).to_be_hidden()


def test_the_dialog_can_be_read_on_a_phone_and_is_left_by_a_click_beside_it(chromium, server):
    page = open_page(chromium, server.url, 390, 844)
    ready(page)
    help_ = page.locator(f"{STAGE} .help")
    page.locator(f"{STAGE} .help-button").click()
    expect(help_).to_be_visible()
    box = help_.bounding_box()
    assert box is not None
    assert box["x"] >= 0 and box["x"] + box["width"] <= 390 and box["y"] + box["height"] <= 844
    assert help_.evaluate("node => node.scrollWidth - node.clientWidth") <= 0
    text = help_.inner_text()
    for sign in ("Space", "← →", "↑ ↓", "Esc", "·", "↵", "⇥", "⟨c3⟩", "hatched"):
        assert sign in text
    colours = help_.locator(".swatch").evaluate_all(
        "nodes => nodes.map(node => getComputedStyle(node).backgroundColor)"
    )
    concepts = ("attention", "mlp", "token", "position", "residual", "sampling", "watched")
    hexes = [getattr(LIGHT, concept).removeprefix("#") for concept in concepts]
    assert colours == [f"rgb({', '.join(str(int(code[at : at + 2], 16)) for at in (0, 2, 4))})" for code in hexes]
    page.mouse.click(box["x"] + 20, box["y"] - 10)
    expect(help_).to_be_hidden()
    # A tap on a title's button shows its note, a second one hides it.
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator('.explains[data-panel="live.draw"]').click()
    expect(page.locator(f"{STAGE} .explain")).to_contain_text(TERMS["u"])
    page.locator('.explains[data-panel="live.draw"]').click()
    expect(page.locator(f"{STAGE} .explain")).to_be_hidden()
    page.context.close()
