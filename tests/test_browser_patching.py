"""Patching and steering in a real Chromium: what the page says and its heat map are the engine's own numbers."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from gpt2.engine.engine import Engine
from gpt2.experiments.part import stream
from gpt2.experiments.passes import observe
from gpt2.experiments.patching import Pair
from gpt2.experiments.plan import Patch, Plan, Steer
from gpt2.experiments.sweep import sweep_patching
from gpt2.experiments.twin import twin
from gpt2.model.sampling import Sampling
from gpt2.text.prompt import encode_prompt
from gpt2.trace.trace import Trace
from pages.charts.experiments import heat, strip, texts
from tests.heads import go_to, matrix
from tests.sentences import reads
from tests.stage import STAGE, lie_still, run, run_id
from tests.taking import table, taken

pytestmark = pytest.mark.browser
PROMPT, SOURCE, TOKENS = "The king said to his", "The queen said to her", 4


@pytest.fixture(scope="module")
def base(engine: Engine) -> Trace:
    """The run that the page is opened with."""
    made = engine.start(PROMPT)
    for _ in range(TOKENS):
        made.advance(Sampling(0.8, 0, 0.95, 1))
    return made.trace


def prompt_read(engine: Engine, text: str) -> Trace:
    return observe(engine, encode_prompt(text, engine.tokenizer, engine.config))


def says_what_the_engine_says(page: Page, engine: Engine, base: Trace, plan: Plan) -> None:
    """Run the change that is on, and fail unless both texts and the divergence are those of the plan."""
    page.get_by_role("button", name="Run the changed model").click()
    changes, says = plan.make(engine, prompt_read(engine, PROMPT), lambda text: prompt_read(engine, text))
    *_, found = twin(engine, base, changes)
    reads(page, says[1:])
    reads(page, texts.texts_sentence(found, base.vocabulary))
    reads(page, strip.strip_sentence(found, base.vocabulary))


def test_a_prompt_is_patched_into_another_and_its_sweep_and_a_direction_have_the_engines_numbers(
    live: Page, engine: Engine, base: Trace
) -> None:
    run(live, PROMPT, tokens=TOKENS)
    before = run_id(live)
    go_to(live, "Experiments")
    live.get_by_role("radio", name="Patch", exact=True).click()
    box = live.get_by_role("textbox", name="Take the activation from this prompt")
    box.fill(SOURCE)
    box.press("Enter")
    expect(live.get_by_text("It has 5 tokens; the prompt of the run has 5.")).to_be_visible()
    says_what_the_engine_says(live, engine, base, Patch(SOURCE, stream(3)))
    live.get_by_role("radio", name=heat.STREAM).click()
    lie_still(live)
    live.get_by_role("button", name="Run the sweep").click()
    picture = matrix(live, heat.STREAM)
    expect(picture.locator(".caption")).to_contain_text("restores most: ", timeout=60_000)
    *_, sweep = sweep_patching(engine, Pair.of(*(prompt_read(engine, text) for text in (SOURCE, PROMPT))))
    _, rows = table(taken(live, picture.get_by_role("button", name="Take away"), "CSV")[1])
    assert [float(row[-1]) for row in rows] == pytest.approx(np.ravel(sweep.values[::-1]).tolist(), rel=1e-4, abs=1e-5)
    # The strongest cell is taken up as the change; a direction in its place is another change.
    live.get_by_role("button", name="Change this above").click()
    row, column = sweep.strongest
    on = f"On: the stream before L{row} taken from '{SOURCE}' at position {column}."
    expect(live.get_by_text(on)).to_be_visible()
    live.get_by_role("radio", name="Steer", exact=True).click()
    expect(live.get_by_text(re.compile("^On: the unembedding of ' king' added before L3"))).to_be_visible()
    says_what_the_engine_says(live, engine, base, Steer(3, 0.5, " king"))
    assert run_id(live) == before and live.locator(STAGE).first.get_attribute("data-steps") == str(TOKENS)
