"""The Compare page in a real Chromium: a second prompt is typed and run, and what is read are the engine's numbers."""

import re

import pytest
from playwright.sync_api import Page, expect

from gpt2.engine.engine import Engine
from gpt2.experiments.second_run import compare
from gpt2.model.sampling import Sampling
from pages.charts.compare import attention, bars, strip, texts
from pages.charts.compare.which import DIFFERENCE
from pages.look.numbers import number
from pages.look.tokens import unmarked
from tests.axe import violations
from tests.heads import locked, matrix
from tests.stage import STAGE, lie_still, run, run_id

pytestmark = pytest.mark.browser
HERO, OTHER, STEPS = "The king said to his", "The queen said to her", 8
WARM = Sampling(0.8, 0, 0.95, 1)


def reads(page: Page, sentence: str) -> None:
    """Fail unless the page says this; a token's chip may have blanks around it."""
    words = r"\s*".join(map(re.escape, unmarked(sentence).split()))
    expect(page.locator("body")).to_have_text(re.compile(words))


def test_a_second_prompt_is_run_beside_the_first_and_their_difference_is_read(live: Page, engine: Engine) -> None:
    run(live, HERO, tokens=STEPS)
    before = run_id(live)
    live.get_by_role("button", name="Change").click()
    live.get_by_role("menuitem", name="Compare", exact=True).click()
    expect(live.get_by_role("heading", name="How do two runs differ, step by step?")).to_be_visible()
    lie_still(live)
    live.get_by_label("Another prompt, with the settings of the run on the stage").fill(OTHER)
    live.get_by_role("button", name="Run the second").click()
    pair = compare(engine, HERO, with_prompt=OTHER, max_new_tokens=STEPS, sampling=WARM)
    (values, choices), last = pair.next_tokens(range(STEPS)), STEPS - 1
    reads(live, texts.texts_sentence(pair, choices))
    expect(matrix(live, strip.TITLE).locator(".caption")).to_have_text(strip.kl_sentence(pair, values, last))
    reads(live, bars.next_sentence(pair.at(last)))
    lie_still(live)
    # The scrubber moves both.
    live.locator(STAGE).first.press("Home")
    live.keyboard.press("ArrowRight")
    reads(live, texts.step_sentence(pair, 1, 1))
    live.get_by_role("radio", name=DIFFERENCE).click()
    picture = matrix(live, attention.TITLE)
    told = attention.mosaic(pair.at(1), DIFFERENCE, 100).caption
    expect(picture.locator(".caption")).to_have_text(told)
    lie_still(live)
    assert violations(live) == []
    # One head is locked by keys, and its difference is read cell by cell.
    plot = picture.locator(".plot")
    plot.focus()
    plot.press("Enter")
    large = live.locator(".matrix").filter(has=live.locator(".title", has_text="large"))
    expect(picture.get_by_text("locked · Esc")).to_be_visible()
    lie_still(live)
    layer, head = locked(live)
    shown = attention.pattern(pair.at(1), (layer, head), DIFFERENCE, 100)
    expect(large.locator(".caption")).to_have_text(unmarked(shown.caption))
    one, other = (trace[f"blocks.{layer}.attn.hook_pattern"][head] for trace in pair.at(1).both)
    large.locator(".plot").focus()
    for key in range(2):
        expect(large.locator(".readout")).to_contain_text(f"{number(100 * (other - one)[-1, key])} · ")
        live.keyboard.press("ArrowRight")
    assert run_id(live) == before
