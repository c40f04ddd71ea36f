"""The MLP page as a person uses it: a layer and a token are picked, then a neuron, and every picture follows."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.heads import go_to, matrix
from tests.stage import STAGE, lie_still, run

pytestmark = pytest.mark.browser

BARS = "svg path[fill='#D55E00']"
DRAWN = 30_000  # milliseconds for a page to be drawn again on a busy machine


def chosen(page: Page) -> str:
    """The neuron that the sentence of the curve names."""
    lie_still(page)
    found = re.search(r"L\d+·N\d+", page.get_by_text("before GELU and").inner_text())
    assert found is not None
    return found[0]


def test_a_layer_a_token_and_a_neuron_are_chosen_and_every_picture_follows(live: Page) -> None:
    run(live, "The king said", 4)
    go_to(live, "MLP")
    layers, places = (matrix(live, f"{title}\\?") for title in ("How much .*", "Where else .*"))
    first = chosen(live)
    assert first.startswith("L5·")

    # A click on a bar and a choice in the list; Esc and the badge let it go.
    bars = live.get_by_test_id("stVegaLiteChart").nth(1)
    bars.locator(BARS).nth(3).click()
    listed = live.get_by_test_id("stSelectbox").locator("input").first
    expect(listed).not_to_have_value("The first of the list", timeout=DRAWN)
    second = chosen(live)
    assert second == listed.input_value() != first
    expect(places.locator(".caption")).to_contain_text(f"{second} is above 0 at ")
    expect(live.get_by_text(f"{second} promotes")).to_be_visible()
    live.mouse.move(5, 5)
    lie_still(live)
    live.keyboard.press("Escape")
    expect(listed).to_have_value("The first of the list", timeout=DRAWN)
    assert chosen(live) == first
    bars.locator(BARS).nth(3).click()  # the same bar once more
    expect(listed).to_have_value(second, timeout=DRAWN)

    # Another measure sorts anew and keeps the chosen neuron.
    live.get_by_text("Direct effect", exact=True).click()
    expect(bars).to_contain_text("direct effect, in logits", timeout=DRAWN)
    assert chosen(live) == second

    # Another layer by the keys: its neurons are others, so the choice ends.
    layers.locator(".plot").focus()
    for key in ("ArrowDown", "Enter"):
        live.keyboard.press(key)
    expect(layers.locator(".badge")).to_have_text("picked · Esc")
    expect(live.get_by_text("In L4 at ·")).to_be_visible(timeout=DRAWN)
    assert chosen(live).startswith("L4·")
    for _ in range(3):
        live.keyboard.press("Escape")

    # The watched position is shown here too.
    live.locator(f"{STAGE} .tokens [data-at='1']").click()
    expect(live.get_by_text("at ·king, N")).to_be_visible(timeout=DRAWN)


def test_a_position_let_go_before_the_page_is_drawn_is_let_go_on_it(live: Page) -> None:
    """As Esc does, pressed right after the click on the page's link: Python still draws the position as picked."""
    live.locator(f"{STAGE} .tokens [data-at='1']").click()
    live.wait_for_url(re.compile("[?&]at=1"))
    lie_still(live)
    live.evaluate("globalThis.gpt2Stage.state.watched = null")
    go_to(live, "MLP")
    picture = matrix(live, "How much does each MLP write\\?")
    expect(picture.locator(".badge")).to_be_hidden()
    expect(picture.locator(".readout")).to_contain_text("(position 4)")  # the newest of its step
