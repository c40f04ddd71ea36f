"""How a run begins and ends, in a real Chromium: the full context, the end of a text, a first step that fails."""

import json
import shutil
from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from safetensors.numpy import load_file, save_file

from tests.browser import Server, open_page, serve
from tests.models import BUNDLED
from tests.stage import STAGE, begin, ready, run_id, settle, stage_number, strip, wait_for_new_run

pytestmark = pytest.mark.browser
STATE, NOTICE = f"{STAGE} .state", f"{STAGE} .error"
ENDS = "They lived happily ever after."


@pytest.fixture(scope="module")
def overflowing(tmp_path_factory) -> Iterator[Server]:
    """A host whose model has finite weights that are too large."""
    folder = tmp_path_factory.mktemp("models") / "overflowing"
    shutil.copytree(BUNDLED, folder, ignore=shutil.ignore_patterns("graphs", "runs"))
    weights: dict[str, np.ndarray] = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("ln_f.weight"))
    save_file({**weights, name: np.full(weights[name].shape, 3e38, np.float32)}, folder / "model.safetensors")
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serve(log, GPT2_DEFAULT_MODEL=str(folder), GPT2_MODELS=str(folder)) as served:
        yield served


def labels(page: Page) -> list[str]:
    return page.locator(f"{STAGE} .tokens span").all_text_contents()


def pictures(page: Page) -> str:
    """All that the panels show, as one text."""
    canvases = page.locator(f"{STAGE} canvas")
    return json.dumps(canvases.evaluate_all("all => all.map((canvas) => canvas.toDataURL())"))


def test_a_prompt_that_fills_the_context_shows_its_own_pictures_and_its_one_last_token(live):
    settle(live, max_new_tokens=40, speed=0)
    before, shown = run_id(live), pictures(live)
    begin(live, " the" * 512)
    wait_for_new_run(live, before, 1)
    expect(live.locator(STATE)).to_contain_text("context full")
    expect(live.locator(NOTICE)).to_contain_text(
        "context of 512 tokens is full. The newest token is drawn from the last"
    )
    assert len(labels(live)) == 513 and labels(live)[:512] == ["·the"] * 512
    assert stage_number(live, "steps") == 1 and pictures(live) != shown
    expect(live.locator(f"{STAGE} .bars .says")).to_contain_text("bits")
    expect(live.locator(f"{STAGE} .count")).to_have_text("512 / 512 tokens")
    live.get_by_role("button", name="Play", exact=True).click()
    expect(live.locator(NOTICE)).to_contain_text("full")
    assert len(labels(live)) == 513


def test_a_run_stops_where_its_text_ends_says_so_and_plays_on_if_asked(live):
    settle(live, temperature=0, max_new_tokens=12, speed=0)
    before = run_id(live)
    begin(live, ENDS)
    wait_for_new_run(live, before, 1)
    expect(live.locator(STATE)).to_contain_text("text ended")
    expect(live.locator(NOTICE)).to_contain_text("The model ended its text here; press Play to let it go on.")
    expect(live.locator(f"{STAGE} .tokens .end")).to_have_text("<|endoftext|>")
    ended = stage_number(live, "steps")
    assert ended < 12 and labels(live)[-1] == "<|endoftext|>"
    live.get_by_role("button", name="Play", exact=True).click()
    expect(live.locator(STATE)).not_to_contain_text("ended")
    expect(live.locator(STATE)).to_contain_text("paused")
    assert stage_number(live, "steps") > ended


def test_whether_a_run_stops_at_the_end_of_a_text_is_a_setting(live):
    settle(live, temperature=0, max_new_tokens=12, speed=0)
    live.locator("button.chip").click()
    box = live.get_by_role("checkbox", name="End of text")
    expect(box).to_be_checked()
    box.uncheck()
    live.keyboard.press("Escape")
    before = run_id(live)
    begin(live, ENDS)
    wait_for_new_run(live, before, 12)
    expect(live.locator(STATE)).to_contain_text("paused")
    assert "<|endoftext|>" in labels(live)[:-1]


def test_a_first_step_that_fails_leaves_the_run_its_pictures_and_the_typed_text(chromium, overflowing):
    page = open_page(chromium, overflowing.url)
    ready(page)
    expect(page.locator(f"{STAGE} .coming")).to_be_hidden(timeout=60_000)
    at = stage_number(page, "step") - 2
    for _ in range(2):
        page.get_by_role("button", name="One step back").click()
    expect(page.locator(STAGE)).to_have_attribute("data-step", str(at))
    recorded, text, shown = run_id(page), strip(page), pictures(page)
    begin(page, "The king")
    expect(page.locator(NOTICE)).to_contain_text("not finite, or too large to be normalised, first at logits;")
    assert (stage_number(page, "step"), run_id(page), strip(page)) == (at, recorded, text)
    assert pictures(page) == shown
    expect(page.locator(STATE)).not_to_contain_text("error")
    assert page.get_by_role("textbox", name="Prompt").input_value() == "The king"
    page.get_by_role("button", name="Discard").click()
    expect(page.locator(NOTICE)).to_be_empty()
    page.context.close()
