"""A real server and a real Chromium, for the browser tests and the measurements; nothing leaves this machine."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.cores import one_core

ROOT = Path(__file__).parents[1]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Each window draws the popups of its address bar in a process of its own, though nobody types there: a third of the
# work of opening a page. Chromium heeds the last list alone, so what Playwright switches off for quiet is named again.
FEATURES_OFF = (
    *("WebUIOmniboxPopup", "WebUIOmniboxAimPopup"),
    *("AimEnabled", "AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"),
    *("LensOverlay", "MediaRouter", "NetworkTimeServiceQuerying", "OptimizationHints", "PaintHolding"),
    *("PreconnectToSearch", "ThirdPartyStoragePartitioning"),
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--disable-features={','.join(FEATURES_OFF)}",
    # Whatever a page asks of any other host fails: the app must need none.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

# What a test expects comes sooner, but for a busy machine, which is not a failure.
expect.set_options(timeout=30_000)

# Not a first visit: the offer of a tour lies over the page until something is pressed.
WAS_OFFERED_THE_TOUR = 'try { localStorage.setItem("gpt2-tour", "offered") } catch { /* a blank page keeps nothing */ }'


def chromium_path() -> str | None:
    """The system's Chromium: `CHROMIUM`, or the first of the usual names; None if there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


class Server:
    """The app being served: its address and its process."""

    def __init__(self, url: str, process: subprocess.Popen[bytes], log: Path) -> None:
        """Hold what `serve` has started."""
        self.url, self.process, self.log = url, process, log


@contextmanager
def serve(
    log: Path, prefix: Sequence[str] = (), script: Path = ROOT / "app.py", **environment: str
) -> Iterator[Server]:
    """Serve the app, or another script as the app is served, on a free port until the block ends.

    Yields as soon as it answers. A `prefix` is a command that runs the one after it, as `taskset` does.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [*prefix, sys.executable, "-m", "streamlit", "run", str(script), "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    with log.open("wb") as messages:
        with one_core():
            process = subprocess.Popen(
                command, cwd=ROOT, stdout=messages, stderr=messages, env={**os.environ, **environment}
            )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_up(url, process, log)
            yield Server(url, process, log)
        finally:
            process.terminate()
            process.wait(60)


def wait_until_up(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    """Return once the server answers its health check.

    Raises:
        RuntimeError: if it ends or does not answer in time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"The app did not start:\n{log.read_text(errors='replace')}")


@contextmanager
def browser() -> Iterator[Browser]:
    """A headless Chromium.

    Raises:
        RuntimeError: if this machine has none.
    """
    if (path := chromium_path()) is None:
        raise RuntimeError("This needs Chromium: install it (apt-get install chromium) or set CHROMIUM.")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield opened
        finally:
            opened.close()


def is_local(url: str) -> bool:
    """Whether a request stays on this machine."""
    return url.startswith(("data:", "blob:")) or "//127.0.0.1:" in url


def open_page(opened: Browser, url: str, width: int = 1280, height: int = 800, scheme: str = "light") -> Page:
    """A fresh visitor, in a browser of its own, on a page of the app; `page.errors` is that of `open_tab`."""
    size = {"width": width, "height": height}
    return open_tab(opened.new_context(viewport=size, color_scheme=scheme), url)  # type: ignore[arg-type]


def open_tab(window: BrowserContext, url: str) -> Page:
    """A fresh visitor on a page of the app; errors, and requests to other hosts, are kept in `page.errors`."""
    page = window.new_page()
    page.add_init_script(WAS_OFFERED_THE_TOUR)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: None if is_local(request.url) else errors.append(f"asked for {request.url}"))
    page.errors = errors  # type: ignore[attr-defined]
    page.goto(url)
    return page
