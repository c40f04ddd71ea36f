"""The Attribution page in a real Chromium: from a token's logit to a head, and from the head to the words."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from gpt2.checkpoints.weights import Checkpoint
from gpt2.reading.attribution import attribute, first_and_runner_up, logits_at, looked_at
from gpt2.trace.trace import Trace
from pages.look.numbers import number, percent, signed
from pages.visit.examples import recorded_run
from tests.heads import go_to, matrix
from tests.stage import STAGE, lie_still, run

pytestmark = pytest.mark.browser
PARTS, MAP = "What each part adds", "Every head, bias and MLP"


def choose(page: Page, title: str, typed: str = "", option: str = "") -> None:
    """Type into a list, or take the option that has this in it."""
    field = page.get_by_role("combobox", name=title)
    field.scroll_into_view_if_needed()
    lie_still(page)
    field.click()
    if typed:
        field.fill(typed)
        field.press("Enter")
    else:
        page.get_by_role("option").filter(has_text=option).first.click()
    lie_still(page)


def says(page: Page, *parts: str) -> None:
    """Fail unless the page says all of this."""
    for part in parts:
        expect(page.get_by_test_id("stMain")).to_contain_text(part)


def difference(trace: Trace, checkpoint: Checkpoint, token: int, other: int | None, position: int) -> float:
    """How far a token's logit is above another's, from the logits alone."""
    logits, _ = logits_at(trace, checkpoint, position)
    return float(logits[token]) - (0.0 if other is None else float(logits[other]))


def words_of(page: Page) -> Locator:
    """The text of the picked head."""
    return page.locator(".matrix").filter(has=page.locator(".title", has_text=re.compile("^Where L")))


def test_a_logit_is_followed_to_a_head_and_to_the_words_with_the_traces_own_numbers(live, checkpoint):
    trace = recorded_run("once")
    last = trace.seq - 1
    first, other = first_and_runner_up(trace, trace.steps[-1].logits, last)
    found = attribute(trace, checkpoint, first, other)
    go_to(live, "Attribution")
    apart = difference(trace, checkpoint, first, other, last)
    says(live, f"is {number(apart)} above that of", f"the difference of the model's logits is {number(apart)}")
    says(live, f"The {len(found.parts)} parts add up to {number(found.total)}")
    heads = matrix(live, MAP)
    heads.locator(".plot").click(position={"x": 170, "y": 60})
    reached = re.search(r"L(\d)·H(\d)", heads.locator(".readout").inner_text())
    assert reached
    pointed = int(reached[1]), int(reached[2])
    for layer, head in (pointed, (pointed[0] - 2, pointed[1])):
        if (layer, head) != pointed:  # by keys, from there
            for key in ("Enter", "ArrowDown", "ArrowDown", "Enter"):
                live.keyboard.press(key)
        expect(heads.locator(".badge")).to_have_text("picked · Esc")
        expect(heads.locator(".readout")).to_contain_text(f"{number(found.heads[layer, head])} · L{layer}·H{head}")
        expect(words_of(live).locator(".title")).to_contain_text(f"Where L{layer}·H{head} looked")
        words = looked_at(trace, checkpoint, found, layer, head)
        looked, brought = int(words.pattern.argmax()), words.order[0]
        caption = words_of(live).locator(".caption")
        expect(caption).to_contain_text(f"{trace.labels[looked]} ({percent(float(words.pattern[looked]))})")
        amount = f"{signed(float(words.logits[brought]))} of its {signed(found.heads[layer, head])}"
        expect(caption).to_contain_text(amount)
        lie_still(live)
    for key in ("ArrowUp", "End", "Enter"):  # to the MLP of the layer above
        live.keyboard.press(key)
    mlp = next(part for part in found.parts if part.name == f"MLP of L{pointed[0] - 1}")
    says(live, f"{mlp.name} gives {signed(mlp.logit)}. It reads this position alone")
    live.keyboard.press("Escape")
    expect(heads.locator(".badge")).to_be_hidden()
    lie_still(live)
    # Any token can be asked for, at any position; one that is none is refused, and the answer stays the default's.
    (king,) = checkpoint.tokenizer.encode(" king")
    choose(live, "Why this one", "·king")
    says(live, f"is {number(abs(difference(trace, checkpoint, king, first, last)))} below that of")
    choose(live, "And not this one", option="the logit alone")
    says(live, f"the model's logit is {number(difference(trace, checkpoint, king, None, last))};")
    choose(live, "After which token", option="(position 3)")
    says(live, f"read from the top of the stream, is {number(difference(trace, checkpoint, king, None, 3))};")
    choose(live, "Why this one", "kingdomesque")
    says(live, "'kingdomesque' is", "name one, with its blank")
    likeliest = int(logits_at(trace, checkpoint, 3)[0].argmax())
    says(live, f"is {number(difference(trace, checkpoint, likeliest, None, 3))};")


def test_a_list_of_tokens_has_the_words_of_the_run_on_the_stage_and_keeps_the_position(live: Page) -> None:
    go_to(live, "Attribution")
    position = live.get_by_role("combobox", name="After which token")
    expect(position).to_have_value("the newest token")
    choose(live, "After which token", option="(position 1)")
    expect(position).to_have_value(f"{recorded_run('once').labels[1]}  (position 1)")
    run(live, "The king said", 4)
    expect(position).to_have_value("·king  (position 1)")
    live.get_by_role("button", name="One step back").click()
    go_to(live, "Paths")
    expect(position).to_have_value("the newest token")
    go_to(live, "Attribution")
    expect(position).to_have_value("·king  (position 1)")
    live.get_by_role("button", name="picked · Esc").click()
    expect(position).to_have_value("the newest token")


WRITTEN = """svg => [...svg.querySelectorAll(".role-mark text")]
    .map(text => [Number(/,([-.0-9]+)/.exec(text.getAttribute("transform"))[1]), text.textContent])
    .sort(([one], [other]) => one - other).map(([, text]) => text)"""


def test_the_parts_stand_in_the_order_of_their_size_at_each_step(live: Page) -> None:
    run(live, "The king said that his son", 12)
    go_to(live, "Attribution")
    chart = live.get_by_test_id("stVegaLiteChart").locator("svg").first
    seen = set()
    for step in range(11, 4, -1):
        expect(live.locator(STAGE).first).to_have_attribute("data-step", str(step))
        lie_still(live)
        *parts, _, _ = chart.evaluate(WRITTEN)  # but for the rest and the sum
        sizes = [abs(float(part.replace("−", "-"))) for part in parts]
        assert len(sizes) > 5 and sizes == sorted(sizes, reverse=True), step
        seen.add(tuple(parts))
        live.get_by_role("button", name="One step back").click()
    assert len(seen) == 7
