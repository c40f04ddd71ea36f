"""Measures what a person waits for: `python -m tests.measure start|live|pages|visitors|model|learn`.

`start`: seconds from starting the server to the first generated token on the screen, and the app's memory.
`live`: paints a second on the Live page with all panels while 64 tokens come in at a given rate, and mounts.
`pages`: each page's opening in the browser, what it holds, and how soon a slider of Sampling is followed.
`visitors`: many browser pages at once, each generating to the end of the context again and again while it looks at all
pages: the wait for a first token, and memory minute by minute; with --memory-mb on a host of that size with one core.
`model FOLDER`: a large model, from choosing it to its first token and to the end of its context, and every page then.
`learn`: each lesson's check from a shell, and its verdict at a save, over twenty edits.
"""

import argparse
import json
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil

from tests.browser import browser, open_page, open_tab, serve
from tests.measure_visitors import measure_visitors
from tests.stage import STAGE, begin, run_id, settle, stage_number, wait_for_new_run

# Notes when the page showed the stage: whoever waits for that from outside is told later, the busier the machine is.
PAINTED = """(() => {
    const look = () => {
        const nodes = [...document.querySelectorAll("*")];
        const isThere = nodes.some((node) => node.shadowRoot?.querySelector("[data-painted]"));
        if (isThere) globalThis.stagePainted = performance.now();
        else requestAnimationFrame(look);
    };
    addEventListener("DOMContentLoaded", look);
})()"""
WHAT = ("start", "live", "pages", "visitors", "model", "experiments", "learn")


def megabytes(process_id: int) -> float:
    """Resident memory of a process and its children, in MB."""
    parent = psutil.Process(process_id)
    return sum(process.memory_info().rss for process in (parent, *parent.children(recursive=True))) / 1e6


def measure_start(log: Path) -> dict[str, Any]:
    """From nothing running to a generated token on the screen."""
    with browser() as opened:
        since, started = time.monotonic(), time.time()
        with serve(log) as server:
            up = time.monotonic() - since
            window = opened.new_context(viewport={"width": 1280, "height": 800})
            window.add_init_script(PAINTED)
            page = open_tab(window, server.url)
            page.wait_for_selector(STAGE, timeout=60_000)
            painted = page.evaluate("(performance.timeOrigin + stagePainted) / 1000") - started
            before = run_id(page)
            begin(page, "The little bird")  # waits for the model
            wait_for_new_run(page, before, 2)
            token = time.monotonic() - since
            wait_for_new_run(page, before, 30)
            return {
                "server_answers_s": round(up, 2),
                "first_paint_s": round(painted, 2),
                "first_token_s": round(token, 2),
                "memory_mb": round(megabytes(server.process.pid)),
            }


# Keeps the time of every paint that showed another step than the one before.
WATCH = """node => {
    globalThis.shownSteps = [];
    new MutationObserver(() => {
        const step = Number(node.dataset.step), last = globalThis.shownSteps.at(-1);
        if (!last || last[0] !== step) globalThis.shownSteps.push([step, performance.now()]);
    }).observe(node, { attributes: true, attributeFilter: ["data-step"] });
}"""


def measure_live(log: Path, tokens: int = 64, rate: float = 8) -> dict[str, Any]:
    """Steps painted a second while `tokens` tokens come in at `rate` a second, all panels on."""
    with browser() as opened, serve(log) as server:
        page = open_page(opened, server.url)
        page.wait_for_selector(STAGE, timeout=60_000)
        page.wait_for_timeout(4000)
        settle(page, max_new_tokens=tokens, speed=rate)
        before = run_id(page)
        begin(
            page, "Once upon a time there was a little girl who lived with her mother in a small house near the wood."
        )
        wait_for_new_run(page, before, 2)
        page.locator(STAGE).first.evaluate(WATCH)
        since, painted = time.monotonic(), stage_number(page, "painted")
        while stage_number(page, "step") < tokens - 1 and time.monotonic() - since < 60:
            page.wait_for_timeout(50)
        paints, seconds = stage_number(page, "painted") - painted, time.monotonic() - since
        shown = page.evaluate("shownSteps")
        times = [at for _, at in shown]
        gaps = sorted(later - earlier for earlier, later in pairwise(times))
        return {
            "tokens": stage_number(page, "steps"),
            "asked_per_s": rate,
            "steps_painted": len(shown),
            "steps_painted_per_s": round((len(times) - 1) / (times[-1] - times[0]) * 1000, 2),
            "gap_ms_p50_p95": [round(gaps[len(gaps) // 2]), round(gaps[int(len(gaps) * 0.95)])],
            "paints_per_s": round(paints / seconds, 1),
            "mounts": stage_number(page, "mounts"),
            "page_errors": page.errors,  # type: ignore[attr-defined]
            "memory_mb": round(megabytes(server.process.pid)),
        }


def main() -> None:
    """Measure one thing and print it."""
    parser = argparse.ArgumentParser(prog="python -m tests.measure", description=__doc__)
    parser.add_argument("what", choices=WHAT)
    parser.add_argument("folder", nargs="?", help="of the model to be measured")
    parser.add_argument("--visitors", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--memory-mb", type=int, help="of a small host with one core (root on Linux)")
    parser.add_argument("--pictures", type=Path, help="a folder for a picture of each page that failed a visitor")
    options = parser.parse_args()
    what = options.what
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        if what == "visitors":
            measured = measure_visitors(log, options.visitors, options.seconds, options.memory_mb, options.pictures)
        elif what == "model":
            from tests.measure_model import measure_model

            measured = measure_model(log, options.folder)
        elif what == "experiments":
            from tests.measure_experiments import measure_experiments

            measured = measure_experiments(log, options.folder)
        elif what == "pages":
            from tests.measure_pages import measure_pages

            measured = measure_pages(log)
        elif what == "learn":
            from tests.measure_learn import measure_learn

            measured = measure_learn(20)
        else:
            measured = measure_start(log) if what == "start" else measure_live(log)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
