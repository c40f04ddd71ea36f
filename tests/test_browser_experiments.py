"""The Experiments page in a real Chromium: a head muted by keys, both texts read, a sweep drawn."""

import re

import pytest
from playwright.sync_api import Page, expect

from gpt2.engine.engine import Engine
from gpt2.experiments.ablation import ablation
from gpt2.experiments.part import head
from gpt2.experiments.twin import twin
from gpt2.model.sampling import Sampling
from pages.charts.experiments import following, strip, texts
from tests.axe import violations
from tests.heads import matrix
from tests.sentences import reads
from tests.stage import STAGE, lie_still, ready, run, run_id

pytestmark = pytest.mark.browser
QUESTION = "What if a part of the model were different?"


def go(page: Page) -> None:
    """Open the page through its group in the navigation."""
    page.get_by_role("button", name="Change").click()
    page.get_by_role("menuitem", name="Experiments", exact=True).click()
    expect(page.get_by_role("heading", name=QUESTION)).to_be_visible()
    lie_still(page)


def test_a_named_change_comes_back_after_a_reload_and_others_are_put_on_in_turn(live: Page) -> None:
    run(live, "The king said to his", tokens=3)
    go(live)
    live.get_by_role("textbox", name="Name of this change").wait_for()
    parts = live.get_by_role("combobox", name="Changed parts")
    for name, label in (("quiet", "L2·H4"), ("two of them", "MLP of L0")):
        parts.fill(label)
        live.get_by_role("option", name=label).click()
        lie_still(live)
        box = live.get_by_role("textbox", name="Name of this change")
        box.fill(name)
        box.press("Enter")
        expect(live.get_by_text(f"On: {name}: ")).to_be_visible()
    live.wait_for_url(re.compile(r"&change=zero_2\.4-0\.m&named=two\+of\+them$"))
    live.get_by_role("button", name="Put on").first.press("Enter")
    expect(live.get_by_text("On: quiet: L2·H4 set to zero at all positions.")).to_be_visible()
    live.wait_for_url(re.compile("&change=zero_2.4&named=quiet$"))
    live.get_by_role("link", name="Attention", exact=True).click()  # the address of every page has it
    expect(live.get_by_role("heading", name="Who is each token looking at?")).to_be_visible()
    live.wait_for_url(re.compile("/attention.*&change=zero_2.4&named=quiet"))
    live.reload()
    ready(live)
    go(live)
    expect(live.get_by_text("On: quiet: L2·H4 set to zero at all positions.")).to_be_visible()
    assert live.get_by_text("quiet, on").count() == 1 and live.get_by_text("two of them").count() == 0
    expect(live.get_by_text("Press “Run the changed model”: its text")).to_be_visible()


def test_a_head_is_muted_by_keys_and_both_runs_are_read_beside_an_untouched_base(live: Page, engine: Engine) -> None:
    run(live, "The king said to his", tokens=8)
    before = run_id(live)
    go(live)
    plot = matrix(live, "Which parts are changed").locator(".plot")
    plot.focus()
    for key in ("ArrowUp", "ArrowUp", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "Enter"):
        live.keyboard.press(key)
    expect(live.get_by_text("On: L2·H4 set to zero at all positions.")).to_be_visible()
    readout = matrix(live, "Which parts are changed").locator(".readout")
    expect(readout).to_contain_text("0.000 · layer L2, H4")
    live.get_by_role("button", name="Run the changed model").press("Enter")
    steps = engine.start("The king said to his")
    for _ in range(8):
        steps.advance(Sampling(0.8, 0, 0.95, 1))
    *_, found = twin(engine, steps.trace, ablation([head(2, 4)]))
    vocabulary = steps.trace.vocabulary
    reads(live, texts.texts_sentence(found, vocabulary))
    reads(live, strip.strip_sentence(found, vocabulary))
    reads(live, following.next_sentence(found.effect(engine, 7), vocabulary))
    shown = texts.texts_of(found, vocabulary)
    for text in (shown.common, shown.base, shown.changed):
        reads(live, text)
    assert run_id(live) == before and live.locator(STAGE).first.get_attribute("data-steps") == "8"
    # A second press takes the change back; the results say whose they are.
    plot.focus()
    live.keyboard.press("Enter")
    expect(live.get_by_text("On: nothing; the model is as it was.")).to_be_visible()
    expect(live.get_by_text("The results below are of the change that they name")).to_be_visible()
    assert violations(live) == []
    live.get_by_role("button", name="Run the sweep").click()
    heat = matrix(live, "Every head and MLP, ablated")
    expect(heat.locator(".caption")).to_contain_text("matters most: without it", timeout=60_000)
    run(live, "The queen", tokens=2)  # another run: nothing is said of the one before
    expect(live.get_by_text("Press “Run the changed model”: its text")).to_be_visible()
    expect(heat).to_have_count(0)
