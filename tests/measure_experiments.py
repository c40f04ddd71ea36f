"""Measures experiments as a person runs them: from the press to the whole heat map, and to a branch's first token."""

import time
from pathlib import Path
from statistics import median
from typing import Any

from playwright.sync_api import Page
from tokenizers import Tokenizer

from tests.browser import browser, open_page, serve
from tests.heads import go_to
from tests.measure_model import choose
from tests.models import BUNDLED
from tests.stage import STAGE, lie_still, ready, run

TEXT = "Once upon a time there was a little girl who lived with her mother in a small house near"
TOKENS = 20
BRANCHES = 7
IS_WHOLE = """words => {
    const find = (from) => [...from.querySelectorAll("*")].some((node) =>
        (node.matches(".caption") && node.textContent.includes(words)) || (node.shadowRoot && find(node.shadowRoot)));
    return find(document);
}"""
# Notes the time from now to the first frame that shows a step of another run.
BRANCH = """() => {
    const staged = (node) => node.shadowRoot?.querySelector("[data-painted]");
    const find = () => [...document.querySelectorAll("*")].map(staged).find(Boolean);
    const since = performance.now(), before = find().dataset.run;
    globalThis.branchTook = 0;
    const look = () => {
        const { run, steps } = find()?.dataset ?? {};
        if (run && run !== before && Number(steps)) branchTook = performance.now() - since;
        else requestAnimationFrame(look);
    };
    look();
}"""


def measure_experiments(log: Path, folder: str | None) -> dict[str, Any]:
    """Seconds of each sweep with its passes, on a prompt of twenty tokens, and a branch's milliseconds; medians."""
    with browser() as opened, serve(log, **({"GPT2_MODELS": folder} if folder else {})) as server:
        page = open_page(opened, server.url)
        ready(page)
        if folder:
            choose(page, folder)
            page.get_by_role("status", name="Loaded").wait_for(timeout=60_000)
        prompt = beginning(Path(folder) if folder else BUNDLED)
        run(page, prompt, 2)
        page.get_by_role("button", name="Change").click()
        page.get_by_role("menuitem", name="Experiments", exact=True).click()
        lie_still(page)
        ablations = swept(page, "matters most: ")
        page.get_by_role("radio", name="Patch", exact=True).click()
        lie_still(page)
        box = page.get_by_role("textbox", name="Take the activation from this prompt")
        box.fill(prompt.replace("time", "king"))
        box.press("Enter")
        lie_still(page)
        page.get_by_role("radio", name="Stream, patched").click()
        lie_still(page)
        for title, token in (("Logit of", "a"), ("minus that of", "e")):  # two prompts may have one likeliest token
            page.get_by_role("textbox", name=title).fill(token)
            page.get_by_role("textbox", name=title).press("Enter")
            lie_still(page)
        patches = swept(page, "restores most: ")
        return {
            "tokens": TOKENS,
            "all_heads_and_mlps_s": round(ablations, 2),
            "stream_at_all_layers_and_positions_s": round(patches, 2),
            "branch_ms": round(measure_branches(page)),
        }


def beginning(folder: Path) -> str:
    """As much of the text as a model reads as twenty tokens."""
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    return next(text for n in range(len(TEXT)) if len(tokenizer.encode(text := TEXT[: len(TEXT) - n]).ids) == TOKENS)


def swept(page: Page, words: str) -> float:
    """Seconds from pressing the button to the heat map without a gap."""
    since = time.monotonic()
    page.get_by_role("button", name="Run the sweep").click()
    page.wait_for_function(IS_WHOLE, arg=words, polling=20, timeout=120_000)
    return time.monotonic() - since


def measure_branches(page: Page) -> float:
    """Milliseconds from the press on another token to the first step of the branch, over some steps of a run."""
    go_to(page, "Sampling")
    run(page, "The king said to his", BRANCHES + 1)
    lie_still(page)
    took = []
    for step in range(BRANCHES):
        page.keyboard.press("Home")
        for _ in range(step):
            page.keyboard.press("ArrowRight")
        lie_still(page)
        page.evaluate(BRANCH)
        page.get_by_role("button", name="Branch here with").first.click()
        page.wait_for_function("branchTook > 0", polling=20)
        took.append(page.evaluate("branchTook"))
        lie_still(page)
        assert page.locator(STAGE).count() == 1
    return median(took)
