"""A line that is slow to the visitor, in a real Chromium: what is pressed meanwhile is answered in full."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from streamlit.proto.BackMsg_pb2 import BackMsg

from pages.stage.code import joined
from tests.browser import Server, open_page
from tests.heads import matrix
from tests.stage import STAGE, lie_still, ready

pytestmark = pytest.mark.browser

QUIET_SECONDS = 0.5  # a host that has sent nothing for so long has answered
MOST_SECONDS = 30
NORMS = "of the norms at ·said"  # on the residual page, at the first step
# As soon as the stage says something, its page is left for "Sampling", by a link or by "Back".
SAID_AND_LEFT = """(leave) => {
    let { component } = globalThis.gpt2Stage, hasLeft = false;
    const setTriggerValue = (...values) => {
        component.setTriggerValue(...values);
        if (!hasLeft) queueMicrotask(leave === "Back" ? goBack : press);
        hasLeft = true;
    };
    const { parentElement } = component; // each message brings another component
    Object.defineProperty(globalThis.gpt2Stage, "component", {
        get: () => ({ ...component, setTriggerValue }), set: (newer) => { component = newer; } });
    const press = () => [...document.querySelectorAll("a")].find((a) => a.textContent.trim() === "Sampling").click();
    const goBack = () => {
        history.pushState(null, "", "sampling");
        dispatchEvent(new PopStateEvent("popstate"));
    };
    parentElement.querySelector(".forward").click();
}"""
# The stage that is shown is drawn in another place, as it is where its page is drawn anew, and its Play is pressed.
DRAWN_ANEW = """() => {
    const { component, show } = globalThis.gpt2Stage;
    const parentElement = document.body.appendChild(document.createElement("div"));
    show({ ...component, parentElement, data: null });
    parentElement.querySelector(".play").click();
}"""


class SlowLine:
    """A line whose messages to the visitor can be held back; what the visitor says goes through at once.

    Attributes:
        is_held: whether what the server sends waits here.
        sizes: of what the server has sent, in bytes.
        said: what the visitor has said.
    """

    def __init__(self, page: Page) -> None:
        """Lead what the page hears through this line, from its next opening on."""
        self.page = page
        self.is_held = False
        self.sizes: list[int] = []
        self.said: list[str | bytes] = []
        self._waiting: list[tuple[WebSocketRoute, str | bytes]] = []
        page.route_web_socket("**/_stcore/stream", self._lead)

    def _lead(self, visitor: WebSocketRoute) -> None:
        def take(message: str | bytes) -> None:
            self.sizes.append(len(message))
            self._waiting.append((visitor, message))
            if not self.is_held:
                self.let_go()

        def say(message: str | bytes) -> None:
            self.said.append(message)
            self._server.send(message)

        self._server = visitor.connect_to_server()
        self._server.on_message(take)
        visitor.on_message(say)

    def say_again(self) -> None:
        """Send the server once more what the visitor said before the last."""
        self._server.send(self.said[-2])

    @contextmanager
    def answered(self) -> Iterator[None]:
        """Do what is done within, and wait until the server has answered it and then sends nothing for a while.

        Raises:
            TimeoutError: if it sends nothing.
        """
        seen = len(self.sizes)  # before: a busy browser may return from a click after the answer has come
        yield
        since, until = 0.0, time.monotonic() + MOST_SECONDS
        while not since or time.monotonic() - since < QUIET_SECONDS:
            self.page.wait_for_timeout(50)
            if len(self.sizes) != seen:
                seen, since = len(self.sizes), time.monotonic()
            elif not since and time.monotonic() > until:
                raise TimeoutError("The server has answered nothing.")

    def let_go(self) -> None:
        """Send what was held back, in its order."""
        self.is_held = False
        for visitor, message in self._waiting:
            visitor.send(message)
        self._waiting.clear()


@contextmanager
def slow_line(chromium: Browser, url: str) -> Iterator[SlowLine]:
    """A visitor on a slow line, who ends with no error on the page."""
    page = open_page(chromium, "about:blank")
    line = SlowLine(page)
    page.goto(url)
    yield line
    assert page.errors == []  # type: ignore[attr-defined]
    page.context.close()


@contextmanager
def slow_step(chromium: Browser, server: Server, page: str, words: str) -> Iterator[SlowLine]:
    """The same on a page at the first step of a run of eight tokens, once it shows these words."""
    run = "prompt=The+king+said&max_new_tokens=8&speed=0&tokens=8&step=0"
    with slow_line(chromium, f"{server.url}/{page}?{run}") as line:
        expect(line.page.get_by_text(words).first).to_be_visible(timeout=60_000)
        lie_still(line.page)
        yield line


@contextmanager
def silence_until_sampling_is_here(line: SlowLine) -> Iterator[None]:
    """Open "Sampling" by a link; of it nothing arrives, nor does the visitor say anything, while the block is done."""
    line.is_held = True
    with line.answered():
        line.page.get_by_role("link", name="Sampling", exact=True).click()
    before = len(line.said)
    yield
    assert len(line.said) == before
    line.let_go()
    expect(line.page.get_by_role("heading", name="From logits")).to_be_visible(timeout=60_000)


def test_steps_that_are_walked_before_their_pictures_arrive_end_at_the_picture_of_the_last(
    chromium: Browser, server: Server
) -> None:
    words = "All 3 tokens add up to the head's part"
    with slow_step(chromium, server, "attribution", words) as line:
        page = line.page
        line.is_held = True
        for press in ("One step on", "One step on", "One step on", "First step"):
            with line.answered():
                page.get_by_role("button", name=press).click()
        line.let_go()
        lie_still(page)
        expect(page.locator(STAGE).first).to_have_attribute("data-step", "0")
        expect(page.get_by_text(words).first).to_be_visible()
        assert page.get_by_role("dialog").count() == 0


def test_the_code_of_the_stage_crosses_the_line_once(chromium: Browser, server: Server) -> None:
    with slow_line(chromium, server.url) as line:
        ready(line.page)
        lie_still(line.page)
        code = len(joined())
        assert sum(code < size < 1.2 * code for size in line.sizes) == 1


@pytest.fixture
def left_by_back(chromium: Browser, server: Server) -> Iterator[tuple[Page, SlowLine]]:
    """The sampling page, left by "Back" to the residual stream, of which nothing has arrived yet."""
    with slow_step(chromium, server, "residual", NORMS) as line:
        page = line.page
        page.get_by_role("link", name="Sampling", exact=True).click()
        expect(page.get_by_role("heading", name="From logits")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="One step on").click()
        lie_still(page)
        page.get_by_role("button", name="First step").click()
        lie_still(page)
        line.is_held = True
        with line.answered():
            page.go_back(wait_until="commit")
        yield page, line


def test_what_is_typed_on_a_page_that_back_has_left_waits_for_the_other_page(
    left_by_back: tuple[Page, SlowLine],
) -> None:
    page, line = left_by_back
    before = len(line.said)
    page.get_by_role("textbox", name="Prompt").press_sequentially(" and", delay=100)
    assert len(line.said) == before
    line.let_go()
    lie_still(page)
    expect(page.get_by_text(NORMS)).to_be_visible()
    expect(page.get_by_role("textbox", name="Prompt")).to_have_value("The king said and")


def test_a_late_message_of_a_page_that_back_has_left_empties_no_page(left_by_back: tuple[Page, SlowLine]) -> None:
    page, line = left_by_back
    with line.answered():
        line.say_again()
    line.let_go()
    lie_still(page)
    expect(page.get_by_text(NORMS)).to_be_visible()


def test_a_widget_of_a_page_that_a_link_has_left_is_not_pressed_and_those_of_the_other_page_are(
    chromium: Browser, server: Server
) -> None:
    with slow_step(chromium, server, "sampling", "From logits") as line:
        page = line.page
        temperature = page.locator('[data-testid="stSlider"] input').first
        line.is_held = True
        with line.answered():
            page.get_by_role("link", name="Residual stream", exact=True).click()
        before = len(line.said)
        temperature.press("PageUp")
        page.wait_for_timeout(500)
        assert len(line.said) == before
        line.let_go()
        lie_still(page)
        expect(page.get_by_text(NORMS)).to_be_visible()
        with line.answered():
            page.get_by_text("Scale the colours without the first token").click()
        expect(page.locator(".stElementContainer[inert]")).to_have_count(0)


@pytest.mark.parametrize("how", ["a link", "Back"])
def test_what_was_said_just_before_a_page_is_left_goes_out_before_the_request_for_the_other(
    chromium: Browser, server: Server, how: str
) -> None:
    with slow_step(chromium, server, "residual", NORMS) as line:
        page, before = line.page, len(line.said)
        page.evaluate(SAID_AND_LEFT, how)
        expect(page.get_by_role("heading", name="From logits")).to_be_visible(timeout=60_000)
        lie_still(page)
        said = [BackMsg.FromString(said).rerun_script for said in line.said[before:]]
        old = next(at for at, request in enumerate(said) if request.fragment_id)
        new = max(at for at, request in enumerate(said) if not request.fragment_id)
        assert old < new and said[old].page_script_hash != said[new].page_script_hash
        assert {request.page_script_hash for request in said[new:]} == {said[new].page_script_hash}


def test_a_page_that_is_drawn_once_more_after_a_link_was_pressed_does_not_bring_itself_back(
    chromium: Browser, server: Server
) -> None:
    with slow_step(chromium, server, "residual", NORMS) as line, silence_until_sampling_is_here(line):
        line.page.evaluate(DRAWN_ANEW)
        line.page.wait_for_timeout(1000)


def test_a_pick_that_waits_for_its_answer_does_not_bring_back_a_page_that_a_link_has_left(
    chromium: Browser, server: Server
) -> None:
    with slow_step(chromium, server, "residual", NORMS) as line:
        line.is_held = True
        with line.answered():
            matrix(line.page, "How long .*").locator(".plot").click()
        with silence_until_sampling_is_here(line):
            line.page.wait_for_timeout(4000)  # the picture would have said it twice more


def test_a_chart_says_something_when_a_mark_is_clicked_alone_so_that_no_late_word_brings_its_page_back(
    chromium: Browser, server: Server
) -> None:
    with slow_step(chromium, server, "residual", NORMS) as line:
        page = line.page
        bar = page.get_by_test_id("stVegaLiteChart").first.locator("g.mark-rect path").nth(4)
        for _ in range(2):  # the second is news too, though the pointer has not left the bar
            with line.answered():
                bar.click()
            lie_still(page)
        before = len(line.said)
        page.get_by_role("heading", name="What does each layer add?").hover()
        page.wait_for_timeout(2000)
        assert len(line.said) == before
        with line.answered():
            bar.click()
        page.get_by_role("link", name="Sampling", exact=True).click()
        expect(page.get_by_role("heading", name="From logits")).to_be_visible(timeout=60_000)
        lie_still(page)
        hashes = [BackMsg.FromString(said).rerun_script.page_script_hash for said in line.said[before:]]
        assert len(set(hashes)) == 2 and hashes == sorted(hashes, key=hashes.index)
        expect(page.get_by_role("heading", name="From logits")).to_be_visible()
