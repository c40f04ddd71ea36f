"""Measures a large model in the real app: from choosing it to a token on the screen, and a run to the context's end."""

import json
import re
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser import Server, browser, open_page, serve
from tests.measure import megabytes
from tests.stage import begin, ready, run_id, settle, stage_number, wait_for_new_run

PAGES = ("Embeddings", "Attention", "MLP", "Residual stream", "Attribution", "Paths", "Sampling", "Cost", "Live")
IS_DRAWN = """() => {
    const app = document.querySelector('[data-testid="stApp"]');
    const charts = [...document.querySelectorAll('[data-testid="stVegaLiteChart"]')];
    return app.dataset.testScriptState === "notRunning"
        && charts.every((chart) => chart.querySelector("canvas, svg"));
}"""


def measure_model(log: Path, folder: str) -> dict[str, Any]:
    """Seconds from choosing the model in the list to its first token, then to the end of its context, and memory."""
    n_positions = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))["n_positions"]
    with browser() as opened, serve(log, GPT2_MODELS=folder) as server:
        page = open_page(opened, server.url)
        ready(page)
        since = time.monotonic()
        choose(page, folder)
        page.get_by_role("status", name="Loaded").wait_for(timeout=60_000)
        waited = time.monotonic() - since
        before = run_id(page)
        begin(page, "The old woman went to the market, and there she")
        wait_for_new_run(page, before, 1)
        token = time.monotonic() - since
        memory = megabytes(server.process.pid)
        return {
            "ready_s": round(waited, 2),
            "first_token_s": round(token, 2),
            "memory_mb": round(memory),
            **measure_whole_context(page, server, n_positions),
        }


def choose(page: Page, name: str) -> None:
    """Choose a model of the list by its value."""
    page.locator("button.chip").click()
    page.get_by_label("Model", exact=True).select_option(value=name)
    page.keyboard.press("Escape")


def wait_for_the_end(page: Page, since: float, most_seconds: float = 300) -> tuple[float, int]:
    """Seconds until the last step came, and how many there are; done when none has come for five seconds."""
    steps, came = 0, time.monotonic()
    while time.monotonic() - came < 5 and time.monotonic() - since < most_seconds:
        if (now := stage_number(page, "steps")) != steps:
            steps, came = now, time.monotonic()
        page.wait_for_timeout(100)
    return came - since, steps


def measure_whole_context(page: Page, server: Server, n_positions: int) -> dict[str, Any]:
    """A run to the last position, as fast as it goes, and then every page's opening."""
    settle(page, max_new_tokens=n_positions, speed=0)
    before, since = run_id(page), time.monotonic()
    begin(page, "Once upon a time there was a little girl who lived with her mother in a small house near the wood.")
    wait_for_new_run(page, before, 1)
    seconds, steps = wait_for_the_end(page, since)
    opened = {}
    for title in PAGES:
        link = page.get_by_role("link", name=title, exact=True)
        if not link.count():
            continue
        since = time.monotonic()
        link.click()
        path = "" if title == "Live" else title.split()[0].lower()
        page.wait_for_url(re.compile(rf"^{server.url}/{path}(\?|$)"))  # the run's own address may be there already
        if title != "Live":
            page.get_by_role("heading", level=2).first.wait_for(timeout=60_000)
        page.wait_for_function(IS_DRAWN, timeout=60_000)
        opened[title] = round(time.monotonic() - since, 2)
        page.wait_for_timeout(1500)
    return {
        "context_steps": steps,
        "context_s": round(seconds, 1),
        "pages_open_s": opened,
        "memory_at_the_end_mb": round(megabytes(server.process.pid)),
        "page_errors": page.errors,  # type: ignore[attr-defined]
    }
