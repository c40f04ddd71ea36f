"""A theme switched while a run is under way: the run goes on, in full; a chart's tip wears it as the stage's does."""

import pytest
from playwright.sync_api import expect

from tests.heads import QUESTIONS, go_to
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


def test_the_tip_of_a_chart_looks_like_the_stages_own_in_both_themes(live, subtests):
    names = ("backgroundColor", "color", "fontFamily", "borderTopWidth")
    look = f"node => {list(names)}.map((name) => getComputedStyle(node)[name])"
    go_to(live, "Residual stream")
    for theme in ("Light", "Dark"):
        with subtests.test(theme):
            choose_theme(live, theme)
            lie_still(live)
            live.locator(f"{STAGE} .tokens [data-at='5']").hover()
            expected = live.locator(f"{STAGE} > .tip:visible").evaluate(look)
            live.locator(".stVegaLiteChart .mark-rect.role-mark path").nth(2).hover(force=True)
            tip = live.locator("#vg-tooltip-element.visible")
            expect(tip).to_contain_text("norm")
            assert tip.evaluate(look) == expected
            assert tip.locator(".value").first.evaluate(look)[1] == expected[1]
    live.set_viewport_size({"width": 390, "height": 844})
    lie_still(live)
    live.locator(".stVegaLiteChart .mark-rect.role-mark path").nth(2).hover(force=True)
    box = tip.bounding_box()
    assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= 390
