"""The Attention page in a real Chromium: the text under pointer and keys, roles as they are measured, a selection."""

import re

import pytest
from playwright.sync_api import Page, expect

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine.engine import Engine
from gpt2.engine.head_roles import measure_roles
from pages.charts import attention, attention_head, attention_pair, attention_row
from pages.charts.attention import Reading
from pages.look.numbers import percent, signed
from pages.visit.examples import recorded_run
from tests.heads import go_to, is_unlocked, locked, matrix, tile
from tests.sentences import reads
from tests.stage import STAGE, lie_still, run

pytestmark = pytest.mark.browser
SECONDS = 60  # for a page to be drawn on a busy machine


def press(page: Page, name: str) -> None:
    """Press a button of a control by its name, and wait until the page is drawn."""
    page.get_by_test_id("stMain").get_by_role("radio", name=name, exact=True).click(timeout=1000 * SECONDS)
    lie_still(page)


def choose(page: Page, title: str, option: str) -> None:
    """Add an option to a list from which several can be chosen."""
    field = page.get_by_role("combobox", name=title)
    field.scroll_into_view_if_needed()  # scrolling closes a list
    lie_still(page)
    field.click()
    field.fill(option)
    page.get_by_role("option").filter(has_text=re.compile(rf"{re.escape(option)}$")).click()
    field.press("Escape")
    lie_still(page)


def counts_most(pair: attention_pair.PairOfTokens) -> str:
    """What is said of the dimension with the largest product."""
    first = pair.order[0]
    return f"Dimension {first} counts most, {signed(float(pair.products[first]))}."


def test_the_text_is_tinted_for_the_token_under_pointer_keys_or_click_with_the_traces_weights(live: Page) -> None:
    trace = recorded_run("once")
    layer, head = attention.first_head(trace, Reading(), None)
    pattern = trace[f"blocks.{layer}.attn.hook_pattern"][head]
    go_to(live, "Attention")
    tokens, readout = live.locator("div.text .token"), live.locator("div.text .readout")
    expect(tokens).to_have_text(trace.labels)

    def tells_of(query: int) -> None:
        """Fail unless the text shows this token's row."""
        key, row = int(pattern[query].argmax()), pattern[query].tolist()
        most = f"{trace.labels[key]} (position {key}) {percent(row[key])}"
        expect(readout).to_contain_text(f"{trace.labels[query]} (position {query}) → {most}")
        arcs = sum(weight >= 0.05 for at, weight in enumerate(row) if at != query)
        expect(live.locator("div.text path")).to_have_count(min(arcs, 6))
        expect(live.locator("div.text .looks")).to_have_text(trace.labels[query])
        tints = tokens.evaluate_all("nodes => nodes.map(node => node.style.background)")
        assert [at for at, tint in enumerate(tints) if tint] == list(range(query + 1))
        assert all(tints[at] == tints[key] for at in range(query + 1) if row[at] == row[key])

    newest = trace.seq - 1
    tells_of(newest)
    tokens.nth(newest - 4).hover()
    tells_of(newest - 4)
    tokens.nth(newest - 9).click()
    live.mouse.move(2, 2)
    tells_of(newest - 9)  # a click holds it
    live.keyboard.press("Escape")
    tells_of(newest)
    live.locator("h2").first.click()
    live.locator("div.text .plot").focus()
    tells_of(newest)
    for key in ("Home", "ArrowRight", "ArrowRight"):
        live.keyboard.press(key)
    tells_of(2)
    live.keyboard.press("ArrowDown")  # the token below, in the next line
    below = live.locator("div.text .entered").bounding_box()
    above = tokens.nth(2).bounding_box()
    assert below and above and below["y"] > above["y"] and abs(below["x"] - above["x"]) < 60
    live.keyboard.press("Escape")
    tells_of(newest)
    live.set_viewport_size({"width": 390, "height": 844})
    lie_still(live)
    right = live.locator("div.text").evaluate("node => node.getBoundingClientRect().right")
    assert tokens.evaluate_all(f"nodes => nodes.every(node => node.getBoundingClientRect().right <= {right} + 1)")
    live.set_viewport_size({"width": 1280, "height": 800})


def test_heads_are_found_by_their_role_and_any_of_them_and_any_tokens_are_joined(live: Page, engine: Engine) -> None:
    trace, found = recorded_run("once"), measure_roles(engine)
    main = live.get_by_test_id("stMain")
    go_to(live, "Attention")
    press(live, "Roles")
    for role in ("previous token", "duplicate token", "induction"):
        press(live, f"{role[0].upper()}{role[1:]}")
        caption = matrix(live, f"{role[0].upper()}{role[1:]} heads").locator(".caption")
        expect(caption).to_contain_text(percent(float(found.score(role).max())), timeout=1000 * SECONDS)
        expect(caption).to_contain_text("8 sequences of 50 random tokens, each said twice")
        expect(caption).to_contain_text("No head has this role" if not found.leaders(role) else "looks most at")
    layer, head, _ = found.leaders("induction")[0]
    expect(main).to_contain_text(f"How L{layer}·H{head} computes its weights")
    matrix(live, "Induction heads").locator(".plot").click(position={"x": 250, "y": 200})
    clicked = locked(live)
    assert clicked and clicked != (layer, head)
    expect(main).to_contain_text(f"How L{clicked[0]}·H{clicked[1]} computes its weights")
    lie_still(live)
    press(live, "This run")
    expect(matrix(live, "Induction heads").locator(".caption")).to_contain_text(f"the {trace.seq} tokens of this run")
    live.keyboard.press("Escape")
    is_unlocked(live)
    lie_still(live)

    press(live, "A selection")
    choose(live, "Heads and layers", "L3")
    choose(live, "Heads and layers", "L0·H2")
    for at in (2, 5):
        choose(live, "Tokens that look", f"(position {at})")
    press(live, "The largest")
    subject = attention.selected(trace, ["L3", "L0·H2"], "max")
    expect(matrix(live, re.escape("Largest of L3 and L0·H2, 9 heads"))).to_be_visible()
    said = attention_row.attention_row_sentence(trace, subject, Reading(), (2, 5))
    expect(main).to_contain_text("Largest of L3 and L0·H2, largest over 2 tokens:")
    expect(main).to_contain_text(re.findall(r"\(position \d+\), [^ ]*%", said)[0])
    expect(live.locator("div.text .looks")).to_have_count(2)
    for name in ("Cost", "Attention"):  # what was chosen is still chosen when one comes back
        go_to(live, name)
    expect(main).to_contain_text("Largest of L3 and L0·H2, largest over 2 tokens:")
    expect(live.locator("div.text .looks")).to_have_count(2)

    # The picked pair, taken apart: its numbers are the trace's own, and add up.
    first = attention.first_head(trace, Reading(), None)
    matrices = attention_head.HeadMatrices.of(trace, *first, 32)
    pair = attention_pair.PairOfTokens.of(matrices, matrices.strongest)
    expect(main).to_contain_text(
        f"Dimension {pair.order[0]} counts most, {signed(float(pair.products[pair.order[0]]))}."
    )
    pattern = matrix(live, "3 · Pattern, after softmax")
    pattern.locator(".plot").focus()
    for key in ("Home", "ArrowUp", "Enter"):
        live.keyboard.press(key)
    lie_still(live)
    row = min(len(matrices.pattern), 32) - 2
    pair = attention_pair.PairOfTokens.of(matrices, (row, 0))
    expect(main).to_contain_text(
        f"Dimension {pair.order[0]} counts most, {signed(float(pair.products[pair.order[0]]))}."
    )


def test_chosen_tokens_have_the_words_of_the_run_on_the_stage_and_those_it_lacks_are_let_go(live: Page) -> None:
    go_to(live, "Attention")
    lie_still(live)
    for option in ("(position 1)", "(position 12)"):
        choose(live, "Tokens that look", option)
    chosen = live.locator(".react-aria-ComboBox [data-tag]")
    expect(chosen).to_have_count(2)
    run(live, "The king said", 4)
    expect(chosen).to_have_text(["·king  (position 1)"])


def test_the_frame_rests_on_one_head_while_steps_change_and_follows_the_sharpest_if_asked(live: Page) -> None:
    """As the large head of the Live page, where the switch is."""

    def framed() -> set[str]:
        """The titles of the head in the frame, at all steps."""
        found = set()
        for step in range(6):
            live.locator(f"{STAGE} .scrubber").fill(str(step))
            lie_still(live)
            found.add(live.locator("h3", has_text="computes its weights").inner_text())
        return found

    go_to(live, "Attention")
    run(live, "The king said", 6)
    lie_still(live)
    assert len(framed()) == 1
    go_to(live, "Live")
    live.get_by_role("switch", name="follow the sharpest").check(force=True)
    go_to(live, "Attention")
    assert len(framed()) > 1


def test_live_and_attention_rest_on_one_head_whichever_step_each_shows_first(live: Page) -> None:
    run(live, "The king said", 12)
    name = live.locator(f"{STAGE} .one .name")
    for step in (0, 11):
        live.locator(f"{STAGE} .scrubber").fill(str(step))
        expect(live.locator(STAGE)).to_have_attribute("data-step", str(step))
        resting = name.inner_text().removeprefix("One head: ")
        go_to(live, "Attention")
        expect(live.locator("h3", has_text="computes its weights")).to_contain_text(f"How {resting} computes")
        go_to(live, "Live")


def test_weights_are_read_by_what_the_head_writes_and_without_the_first_token(
    live: Page, checkpoint: Checkpoint
) -> None:
    trace, head = recorded_run("once"), (1, 7)
    go_to(live, "Attention")
    live.mouse.click(*tile(live, *head))
    lie_still(live)

    def reads_as(by_value: bool, without_first: bool) -> None:
        """Fail unless the newest token's row is told of as the trace, read so, has it."""
        reading = attention.Reading.of(trace, checkpoint, by_value, without_first)
        newest = [trace.seq - 1]
        reads(live, attention_row.attention_row_sentence(trace, attention.Subject((head,)), reading, newest))

    reads_as(False, False)
    live.get_by_text(attention.BY_VALUE, exact=True).click()
    reads_as(True, False)
    live.get_by_text(attention.WITHOUT_FIRST, exact=True).click()
    reads_as(True, True)
    live.get_by_text(attention.BY_VALUE, exact=True).click()
    reads_as(False, True)
