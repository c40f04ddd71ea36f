"""The stage in a browser, as a person uses it: what it says of itself, and the ways to run a prompt on it."""

import time

from playwright.sync_api import Page, expect

STAGE = "[data-painted]"
# Whether the script of a page has ended, and nothing on the page has changed for half a second since.
LIES_STILL = """() => {
    const app = document.querySelector(".stApp"), now = performance.now();
    const looks = [app.innerHTML.length, app.innerText, getComputedStyle(app).backgroundColor].join();
    const still = looks === globalThis.looks && app.dataset.testScriptState === "notRunning";
    if (!still) Object.assign(globalThis, { looks, since: now });
    return now - globalThis.since > 500;
}"""


def stage_number(page: Page, name: str) -> int:
    """A number that the stage keeps of itself, such as `painted`."""
    return int(page.locator(STAGE).first.get_attribute(f"data-{name}") or 0)


def run_id(page: Page) -> str:
    """The run on the stage."""
    return page.locator(STAGE).first.get_attribute("data-run") or ""


def ready(page: Page) -> None:
    """Return once the bundled model is loaded."""
    page.wait_for_selector(STAGE, timeout=60_000)
    expect(page.locator(f"{STAGE} .state")).not_to_contain_text("Loading", timeout=60_000)


def settle(page: Page, **settings: float) -> None:
    """Type settings of the dialog, by their names, and close it."""
    page.locator("button.chip").click()
    for name, value in settings.items():
        field = page.locator(f"input[name={name}]")
        field.fill(str(value))
        field.press("Enter")
    page.keyboard.press("Escape")


def begin(page: Page, prompt: str) -> None:
    """Type a prompt and run it."""
    page.get_by_role("textbox", name="Prompt").fill(prompt)
    page.get_by_role("button", name="Run", exact=True).click()


def wait_for_new_run(page: Page, before: str, steps: int, seconds: float = 60) -> None:
    """Return once another run than `before`, if that is one, shows at least `steps` steps.

    Raises:
        TimeoutError: if it does not in time.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if run_id(page) != before and stage_number(page, "steps") >= steps:
            return
        page.wait_for_timeout(50)
    raise TimeoutError("the new run did not appear")


def wait_for_steps(page: Page, more: int) -> None:
    """Return once a run that is generated has made so many more steps."""
    wait_for_new_run(page, "", stage_number(page, "steps") + more)


def stop_moving(page: Page) -> None:
    """Return once nothing moves the cursor: the run has ended, and its last step has come and is shown."""
    expect(page.locator(STAGE).first).to_have_attribute("data-mode", "still")


def run(page: Page, prompt: str, tokens: int = 8) -> None:
    """Run a prompt for some tokens, as fast as it goes, and wait until the last is shown."""
    settle(page, max_new_tokens=tokens, speed=0)
    before = run_id(page)
    begin(page, prompt)
    wait_for_new_run(page, before, tokens)
    stop_moving(page)


def choose_theme(page: Page, theme: str) -> None:
    """Choose a theme in the app's menu, and close the menu."""
    page.get_by_test_id("stMainMenuButton").click()
    page.get_by_role("menuitemradio", name=theme).click()
    page.keyboard.press("Escape")
    page.mouse.move(640, 0)


def strip(page: Page) -> str:
    """The text of the tokens on the strip."""
    return page.locator(f"{STAGE} .tokens").inner_text()


def lie_still(page: Page) -> None:
    """Return once a page has been drawn to the last chart."""
    page.evaluate("globalThis.looks = null")
    page.wait_for_function(LIES_STILL, timeout=90_000, polling=100)
