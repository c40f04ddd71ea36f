"""Many visitors at once, each a browser page of its own: the wait for a first token, and the memory of the host."""

import os
import re
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, Error, expect

from tests.browser import browser, open_page, serve
from tests.small_host import SmallHost
from tests.stage import STAGE, begin, ready, settle, strip

WATCH_PAGES = "Embeddings", "Attention", "MLP", "Residual stream", "Attribution", "Paths", "Sampling", "Cost"
MENUS = {"Experiments": "Change", "Branches": "Change", "3 Layer normalization": "Learn"}
PAGES = *WATCH_PAGES, *MENUS, "Live"
# What is pressed on a page, where it is offered; a token that may begin a branch has its probability beside it.
PRESSED = {"Experiments": re.compile("^Run the changed model$"), "Branches": re.compile(r" \S+%$")}
TALE = "Once upon a time there was a little girl who lived with her mother in a small house near the wood. "
# Keeps the time from now to the first step of another run. The stage may be drawn anew meanwhile, by another node.
WATCH = """(node) => {
    const since = performance.now(), before = node.dataset.run;
    const hosts = () => [...document.querySelectorAll("div")];
    const stage = () => hosts().map((host) => host.shadowRoot?.querySelector("[data-painted]")).find(Boolean);
    const timer = setInterval(() => {
        if (!node.isConnected) node = stage() ?? node;
        if (node.dataset.run === before || Number(node.dataset.steps) < 1) return;
        globalThis.firstToken = (performance.now() - since) / 1000;
        clearInterval(timer);
    }, 10);
    globalThis.firstToken = null;
}"""
# What a page that failed has come to: whether its script still runs, whether it is connected, and how it begins.
STATE = """() => {
    const app = document.querySelector(".stApp"), { testScriptState, testConnectionState } = app.dataset;
    return [location.pathname, testScriptState, testConnectionState, app.innerText.slice(0, 200)].join(" | ");
}"""
PATIENCE_SECONDS = 90


class Guest:
    """One visitor, who generates to the end of the context, looks at every page meanwhile, and begins again."""

    def __init__(self, opened: Browser, url: str, number: int, pictures: Path | None = None) -> None:
        """Open the app, and ask for the longest runs, as fast as they go."""
        self._pictures = pictures
        self.number, self.turns, self.runs, self.page = number, len(PAGES) - 1, 0, open_page(opened, url)
        self.pressed = 0
        self.first_tokens: list[float] = []
        self.openings: list[tuple[str, float]] = []
        self.failures: list[str] = []
        self.notices: list[str] = []
        ready(self.page)
        self.page.locator("button.chip").click()
        self.page.locator("input[name=stop_at_end]").uncheck()
        self.page.keyboard.press("Escape")
        settle(self.page, max_new_tokens=512, speed=0)
        self._asked = 0.0  # when the run was asked for whose first token has not come yet
        self._prompt = ""

    def act(self) -> None:
        """Wait on for a first token, or go to the next page; on the Live page begin another run if one has ended."""
        try:
            if self._asked:
                self._await_first_token()
            elif self._open_next() == "Live":
                self._check_text()
                if self.page.locator(f"{STAGE} .state").inner_text().strip() != "running":
                    self._run()
        except (Error, AssertionError) as error:
            self._fail(str(error).splitlines()[0])
            self._asked = 0.0

    def _open_next(self) -> str:
        name = PAGES[self.turns % len(PAGES)]
        self.turns += 1
        since = time.monotonic()
        if name in MENUS:
            self.page.get_by_role("button", name=MENUS[name], exact=True).click(timeout=30_000)
            self.page.get_by_role("menuitem", name=name, exact=True).click(timeout=30_000)
        else:
            self.page.get_by_role("link", name=name, exact=True).first.click(timeout=30_000)
        heading = self.page.get_by_role("heading", level=2).or_(self.page.locator(f"{STAGE} .panels")).first
        expect(heading).to_be_visible(timeout=30_000)
        self.openings.append((name, time.monotonic() - since))
        if name in PRESSED:
            self._press(PRESSED[name])
        return name

    def _press(self, name: re.Pattern[str]) -> None:
        """Press the first such button that can be pressed; under way or at a full context there may be none."""
        button = self.page.get_by_role("button", name=name, disabled=False).first
        with suppress(Error):
            button.click(timeout=5_000)
            self.pressed += 1

    def _check_text(self) -> None:
        shown = strip(self.page).replace("·", " ")
        if self._prompt and not shown.startswith(self._prompt):
            self._fail(f"lost {self._prompt!r} for {shown[:40]!r}")

    def _run(self) -> None:
        if self._said():
            self.notices.append(self._said())
        self.runs += 1
        self._prompt = f"Visitor {self.number} says for the {self.runs}. time: "
        self.page.locator(STAGE).first.evaluate(WATCH)
        self._asked = time.monotonic()
        begin(self.page, self._prompt + TALE * ((self.number + self.runs) % 3 * 6))

    def _await_first_token(self) -> None:
        seconds = self.page.evaluate("globalThis.firstToken")
        if seconds is not None:
            self.first_tokens.append(seconds)
        elif time.monotonic() - self._asked > PATIENCE_SECONDS:
            self._fail(f"no first token in {PATIENCE_SECONDS} s; {self._said()}")
        else:
            return
        self._asked = 0.0

    def _fail(self, what: str) -> None:
        """Note a failure and what the page has come to, with a picture of it."""
        state = ""
        with suppress(Error):
            state = " ".join(str(self.page.evaluate(STATE)).split())
        self.failures.append(f"visitor {self.number}, {time.strftime('%H:%M:%S')}: {what} ({state})")
        if self._pictures is not None:
            with suppress(Error):
                self.page.screenshot(path=self._pictures / f"visitor-{self.number}-{len(self.failures)}.png")

    def _said(self) -> str:
        """The sentence under the prompt, if it is not of a full context."""
        said = self.page.locator(f"{STAGE} .error").inner_text().strip()
        return "" if "is full" in said else said


class Gauge(threading.Thread):
    """Reads the memory once a second."""

    def __init__(self, read: Callable[[], int]) -> None:
        """Begin at once."""
        super().__init__(daemon=True)
        self.readings: list[int] = []
        self._read, self._ended = read, threading.Event()
        self.start()

    def run(self) -> None:
        """Read until it is ended, or there is nothing to read any more."""
        while not self._ended.wait(1):
            try:
                self.readings.append(self._read())
            except (OSError, psutil.Error):
                return

    def end(self) -> list[int]:
        """The most of each minute, in MB."""
        self._ended.set()
        self.join()
        minutes = [self.readings[at : at + 60] for at in range(0, len(self.readings), 60)]
        return [round(max(minute) / 1e6) for minute in minutes]


def measure_visitors(
    log: Path, visitors: int, seconds: float, memory_mb: int | None, pictures: Path | None
) -> dict[str, Any]:
    """So many visitors for so long, on a host of `memory_mb` and one core; None: on this machine as it is.

    Every third prompt is some 150 tokens long and every third some 300, the others about ten.
    """
    host = SmallHost(memory_mb) if memory_mb else None
    if host is not None and hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(0, set(range(1, os.cpu_count() or 1)))  # the browser leaves the host's core alone
    with browser() as opened, serve(log, host.prefix if host else ()) as server:
        process = psutil.Process(server.process.pid)
        gauge = Gauge((lambda: host.used_bytes) if host else (lambda: process.memory_info().rss))
        guests = [Guest(opened, server.url, number, pictures) for number in range(visitors)]
        until = time.monotonic() + seconds
        while time.monotonic() < until and server.process.poll() is None:
            for guest in guests:
                guest.act()
        ended = server.process.poll() is not None
        curve = gauge.end()
        return {
            "visitors": visitors,
            "seconds": seconds,
            "host_mb": memory_mb,
            "was_killed": ended or bool(host and host.kills),
            "runs": sum(guest.runs for guest in guests),
            "first_token_s_p50_p95_max": quantiles([wait for guest in guests for wait in guest.first_tokens]),
            "page_s_p50_p95_max": {
                name: quantiles([wait for guest in guests for page, wait in guest.openings if page == name])
                for name in PAGES
            },
            "pages_opened": sum(len(guest.openings) for guest in guests),
            "experiments_and_branches": sum(guest.pressed for guest in guests),
            "memory_mb_most": max(curve, default=0),
            "memory_mb_most_of_each_minute": curve,
            "notices": sorted({notice for guest in guests for notice in guest.notices}),
            "failures": [failure for guest in guests for failure in guest.failures][:20],
            "page_errors": [error for guest in guests for error in guest.page.errors][:5],  # type: ignore[attr-defined]
        }


def quantiles(values: list[float]) -> list[float]:
    """The median, the 95th percentile and the largest."""
    ordered = sorted(values) or [0.0]
    return [round(ordered[min(len(ordered) - 1, int(len(ordered) * q))], 2) for q in (0.5, 0.95, 1.0)]
