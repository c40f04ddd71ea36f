"""A line that is slow to the visitor, in a real Chromium: what is pressed meanwhile is answered in full."""

import time

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from pages.stage.code import joined
from tests.browser import Server, open_page
from tests.stage import STAGE, lie_still, ready

pytestmark = pytest.mark.browser

QUIET_SECONDS = 0.5  # a host that has sent nothing for so long has answered


class SlowLine:
    """A line whose messages to the visitor can be held back; what the visitor says goes through at once.

    Attributes:
        is_held: whether what the server sends waits here.
        sizes: of what the server has sent, in bytes.
    """

    def __init__(self, page: Page) -> None:
        """Lead what the page hears through this line, from its next opening on."""
        self.page = page
        self.is_held = False
        self.sizes: list[int] = []
        self._waiting: list[tuple[WebSocketRoute, str | bytes]] = []
        page.route_web_socket("**/_stcore/stream", self._lead)

    def _lead(self, visitor: WebSocketRoute) -> None:
        def take(message: str | bytes) -> None:
            self.sizes.append(len(message))
            self._waiting.append((visitor, message))
            if not self.is_held:
                self.let_go()

        visitor.connect_to_server().on_message(take)

    def wait_for_answer(self) -> None:
        """Return once the server has sent something more, and then nothing for a while; the visitor sees none of it."""
        seen, since = len(self._waiting), None
        while since is None or time.monotonic() - since < QUIET_SECONDS:
            self.page.wait_for_timeout(50)
            if len(self._waiting) != seen:
                seen, since = len(self._waiting), time.monotonic()

    def let_go(self) -> None:
        """Send what was held back, in its order."""
        self.is_held = False
        for visitor, message in self._waiting:
            visitor.send(message)
        self._waiting.clear()


def test_steps_that_are_walked_before_their_pictures_arrive_end_at_the_picture_of_the_last(
    chromium: Browser, server: Server
) -> None:
    page = open_page(chromium, "about:blank")
    line = SlowLine(page)
    page.goto(f"{server.url}/attribution?prompt=The+king+said&max_new_tokens=8&speed=0&tokens=8&step=0")
    picture = page.get_by_text("All 3 tokens add up to the head's part").first
    expect(picture).to_be_visible(timeout=60_000)
    lie_still(page)
    line.is_held = True
    for press in ("One step on", "One step on", "One step on", "First step"):
        page.get_by_role("button", name=press).click()
        line.wait_for_answer()
    line.let_go()
    lie_still(page)
    expect(page.locator(STAGE).first).to_have_attribute("data-step", "0")
    expect(picture).to_be_visible()
    assert page.get_by_role("dialog").count() == 0
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()


def test_the_code_of_the_stage_crosses_the_line_once(chromium: Browser, server: Server) -> None:
    page = open_page(chromium, "about:blank")
    line = SlowLine(page)
    page.goto(server.url)
    ready(page)
    lie_still(page)
    code = len(joined())
    assert sum(code < size < 1.2 * code for size in line.sizes) == 1
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()
