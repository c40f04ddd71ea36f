"""A theme switched while a run is under way: the run goes on, in full, on the Live page and on a page of charts."""

import pytest
from playwright.sync_api import expect

from tests.heads import QUESTIONS
from tests.stage import (
    STAGE,
    begin,
    choose_theme,
    lie_still,
    run_id,
    settle,
    stage_number,
    wait_for_new_run,
    wait_for_steps,
)

pytestmark = pytest.mark.browser


def test_a_run_goes_on_while_the_theme_is_switched(live):
    settle(live, max_new_tokens=400, speed=2)
    before = run_id(live)
    begin(live, "The fox")
    wait_for_new_run(live, before, 3)
    run = run_id(live)
    for name in ("Live", "Sampling"):
        if name in QUESTIONS:
            live.get_by_role("link", name=name, exact=True).click()
            expect(live.get_by_role("heading", name=QUESTIONS[name])).to_be_visible(timeout=40_000)
        for theme in ("Dark", "Light", "Dark"):
            choose_theme(live, theme)
            wait_for_steps(live, 3)
    expect(live.locator(f"{STAGE} .state")).to_contain_text("running")
    live.get_by_role("button", name="Pause", exact=True).click()
    expect(live.locator(f"{STAGE} .state")).not_to_contain_text("running", timeout=40_000)
    lie_still(live)
    assert run_id(live) == run and stage_number(live, "known") == stage_number(live, "steps")
