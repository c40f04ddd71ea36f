"""Numbers that open: a click on one shows the sum that the model made of it, and the badge tells of the checks."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.axe import violations
from tests.heads import go_to, matrix
from tests.stage import STAGE, lie_still, run, run_id

pytestmark = pytest.mark.browser

PICK_MS = 2000  # by then a pick that was not answered has been sent again
DRAWN = 30_000  # milliseconds for a page to be drawn again on a busy machine
NUMBER = re.compile(r"^\s*([−\d.]+)(?=  )", re.MULTILINE)


def panel(page: Page, name: str) -> Locator:
    """The panel of a picked number."""
    return page.locator(".stVerticalBlock").filter(has=page.locator(f'[data-panel="{name}"]')).last


def adds_up(text: str) -> float:
    """Fail unless the numbers of a ledger add up to the one under the line; return what becomes of the sum."""
    above, below = text.split("─" * 3, 1)
    terms, ends = ([float(number.replace("−", "-")) for number in NUMBER.findall(part)] for part in (above, below))
    assert len(terms) > 2 and sum(terms) == pytest.approx(ends[0], abs=2e-3 * max(1, abs(ends[0])))
    return ends[-1]


def pick(page: Page, title: str, *keys: str) -> str:
    """Pick a cell of a picture with the keys, and return its own number as the picture says it."""
    picture = matrix(page, title)
    picture.locator(".plot").focus()
    for key in (*keys, "Enter"):
        page.keyboard.press(key)
    expect(picture.locator(".badge")).to_be_visible(timeout=DRAWN)
    said = picture.locator(".tip b").inner_text()
    page.keyboard.press("Tab")
    lie_still(page)
    return said


def shown(page: Page, name: str, begins: str, is_open: bool = True) -> list[str]:
    """The ledgers of a panel, open once they are picked, once its sentence begins with these words."""
    found = panel(page, name)
    expect(found.locator("code").first).to_be_visible(visible=is_open, timeout=DRAWN)
    expect(found).to_contain_text(re.compile(begins), timeout=DRAWN)
    return [text for text in found.locator("code").all_text_contents() if "───" in text]


def test_a_picked_norm_weight_and_logit_open_into_sums_that_add_up(live: Page) -> None:
    run(live, "The king said", 4)
    dialog = live.locator(f"{STAGE} .number")
    live.locator(f"{STAGE} canvas[data-panel=bars]").focus()
    live.keyboard.press("Enter")
    asks = live.get_by_role("button", name="Its arithmetic")  # beside the offer to branch, unless this was drawn
    expect(dialog.or_(asks).first).to_be_visible()
    if asks.is_visible():
        asks.click()
    expect(dialog).to_contain_text(re.compile(r"logits\[\d+, \d+\] = .* in the run; off by "), timeout=DRAWN)
    assert dialog.locator(".formula").inner_text() == "logit[t] = Σ_i x[i] W[ti]"
    assert adds_up(dialog.locator(".ledger").inner_text())
    found = violations(live)
    assert found == [], found
    live.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    live.locator(f"{STAGE} canvas[data-panel=residual]").click()
    expect(dialog).to_contain_text(re.compile(r"‖blocks\.\d\.hook_\w+\[\d+\]‖ = "), timeout=DRAWN)
    assert "√" in dialog.locator(".ledger").inner_text()
    assert dialog.locator(".formula").inner_text() == "‖x‖ = √(Σ_i x[i]^2)"
    dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_be_hidden()

    go_to(live, "Residual stream")
    norm = pick(live, "How long .*", "ArrowDown", "ArrowLeft")
    ledgers = shown(live, "residual.arithmetic", r"‖blocks\.\d\.hook_resid_mid\[\d\]‖ = ")
    assert adds_up(ledgers[0]) == pytest.approx(float(norm.split()[-1]), rel=1e-2)
    assert "hook_attn_out" in ledgers[1]
    assert pick(live, "What would each .*", "ArrowUp")
    assert adds_up(shown(live, "residual.logit", "lens of ")[0])

    go_to(live, "Attention")
    weight = pick(live, "3 · Pattern.*", "ArrowUp", "ArrowLeft")
    ledgers = shown(live, "attention.arithmetic", "hook_pattern")
    assert adds_up(ledgers[1]) == pytest.approx(float(re.findall(r"[\d.]+", weight)[-1]) / 100, abs=1e-3)
    expect(panel(live, "attention.arithmetic")).to_contain_text("F.softmax(attn_scores, axis=-1)")
    link = panel(live, "attention.arithmetic").get_by_role("link", name=re.compile("Lesson 7 ")).first
    assert "lesson_07" in (link.get_attribute("href") or "")

    # A click on a bar of what a part adds picks the point after it, and opens the bar's own number too.
    go_to(live, "Residual stream")
    bars = live.get_by_test_id("stVegaLiteChart").first.locator("g.mark-rect path")
    bars.nth(4).click()
    said = bars.nth(4).evaluate("node => node.__data__.datum")
    picked = shown(live, "residual.part", re.escape(f"‖{said['hook']}‖"))
    assert adds_up(picked[0]) == pytest.approx(said["norm"], rel=1e-3)
    assert adds_up(picked[1]) == pytest.approx(said["cosine"], abs=1e-3)
    assert said["hook"].split("[")[0] in shown(live, "residual.arithmetic", "hook_resid_")[1]
    expect(matrix(live, "How long .*").locator(".badge")).to_be_visible()

    go_to(live, "Attribution")
    shown(live, "attribution.arithmetic", "the part of", is_open=False)
    bars = live.get_by_test_id("stVegaLiteChart").first.locator("g.mark-rect").last.locator("path")
    names = bars.evaluate_all("nodes => nodes.map((node) => node.__data__.datum.name)")
    bar = bars.nth(next(at for at, name in enumerate(names) if "·H" in name))
    said = bar.evaluate("node => node.__data__.datum")
    bar.click()
    parts = shown(live, "attribution.arithmetic", f"the part of {re.escape(said['name'])}")
    assert adds_up(parts[0]) == pytest.approx(said["logit"], abs=1e-3)
    badge = matrix(live, "Every head, bias and MLP").locator(".badge")
    expect(badge).to_have_text("picked · Esc")
    live.keyboard.press("Escape")
    shown(live, "attribution.arithmetic", "the part of", is_open=False)
    bar.click()  # the same one, which the pointer has not left
    shown(live, "attribution.arithmetic", f"the part of {re.escape(said['name'])}")
    # So does the bar of what stands in no layer, and the picture without a cell for it lets it go.
    bar = bars.nth(names.index("final norm's bias"))
    said = bar.evaluate("node => node.__data__.datum")
    bar.click()
    parts = shown(live, "attribution.arithmetic", "the part of final norm's bias")
    assert adds_up(parts[0]) == pytest.approx(said["logit"], abs=1e-3)
    expect(live.get_by_text("it looked at no token")).to_be_visible()
    live.wait_for_timeout(PICK_MS)  # that the map has let go before is not said once more
    expect(badge).to_be_visible()
    badge.click()
    shown(live, "attribution.arithmetic", "the part of", is_open=False)

    go_to(live, "Sampling")
    shown(live, "sampling.arithmetic", "logits", is_open=False)
    panel(live, "sampling.arithmetic").get_by_text("Its terms, and the lines").click()
    before = shown(live, "sampling.arithmetic", "logits")
    assert before
    cells = live.get_by_test_id("stVegaLiteChart").first.locator("g.mark-rect").last.locator("path")
    cells.nth(3).click()
    chosen = live.get_by_test_id("stSelectbox").locator("input").first
    expect(chosen).not_to_have_value("The drawn token", timeout=DRAWN)
    lie_still(live)
    after = shown(live, "sampling.arithmetic", "logits")
    assert after != before
    for text in after:
        adds_up(text)


def test_the_badge_tells_of_the_run_on_the_stage_by_keys_and_reads_its_text_at_once(live: Page) -> None:
    badge, list_ = live.locator(f"{STAGE} .checked"), live.locator(f"{STAGE} .checks")
    expect(badge).to_have_text(re.compile(r"^checked\s+✓\s\d\s×\s10⁻"), timeout=DRAWN)
    badge.focus()
    live.keyboard.press("Enter")
    expect(list_.locator("dt")).to_have_count(4)
    expect(list_).to_contain_text("Hugging Face")
    expect(list_.locator(".passed")).to_have_count(3)
    found = violations(live)
    assert found == [], found
    live.keyboard.press("Escape")
    expect(list_).to_be_hidden()
    expect(badge).to_be_focused()

    before = run_id(live)
    run(live, "A bird sat in a tree", 4)
    assert run_id(live) != before
    expect(badge).to_be_visible(timeout=DRAWN)
    badge.click()
    expect(list_).to_contain_text("No reference is stored for this text")
    list_.get_by_role("button", name="Read the whole text at once").click()
    expect(list_.locator(".passed")).to_have_count(3, timeout=DRAWN)
    expect(list_).to_contain_text("differs most")
    go_to(live, "Attention")
    expect(badge).to_be_visible()
