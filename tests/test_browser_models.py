"""Choosing a model as a person does: the app served for real, the hub a stand-in on loopback, driven in Chromium."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import Server, open_page, serve
from tests.models import BUNDLED
from tests.stage import STAGE, begin, run_id, wait_for_new_run
from tests.stand_in_hub import StandInHub, stand_in_hub

pytestmark = pytest.mark.browser
HALF = 5_000_000


@pytest.fixture(scope="module")
def hub() -> Iterator[StandInHub]:
    """A hub with copies of the bundled model, which need no compile."""
    with stand_in_hub() as served:
        for name in ("someone/copy", "someone/other"):
            served.add(name, BUNDLED)
        yield served


@pytest.fixture(scope="module")
def server(hub: StandInHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    cache = str(folder / "cache")
    with serve(folder / "server.log", HF_ENDPOINT=hub.url, HF_HUB_CACHE=cache, HF_HUB_OFFLINE="") as served:
        yield served


def choose(page: Page, name: str) -> None:
    """Type the id of a model that is not in the list."""
    page.locator("button.chip").click()
    page.get_by_label("Model", exact=True).select_option(label="Another…")
    page.get_by_label("Another model").fill(name)
    page.get_by_label("Another model").press("Enter")


def run(page: Page, prompt: str) -> None:
    before = run_id(page)
    begin(page, prompt)
    wait_for_new_run(page, before, 2)


def test_a_model_is_chosen_watched_cancelled_gone_on_with_and_run_and_moves_nothing_meanwhile(live, hub):
    parts = [".prompt", ".run", ".chip", ".status", ".tokens", "canvas[data-panel=mosaic]"]
    before = [live.locator(f"{STAGE} {part}").first.bounding_box() for part in parts]
    hub.hold_at = HALF
    choose(live, "someone/copy")
    coming = live.get_by_role("progressbar", name="Loading copy")
    expect(coming).to_contain_text("5 of 11 MB")
    assert [live.locator(f"{STAGE} {part}").first.bounding_box() for part in parts] == before
    assert 40 < int(coming.get_attribute("aria-valuenow") or 0) < 50
    expect(live.get_by_text("Run stays with the loaded model until copy is ready.")).to_be_visible()
    live.keyboard.press("Escape")
    run(live, "The little bird")  # the run on the screen stays usable meanwhile
    expect(live.locator(f"{STAGE} .status")).to_contain_text("copy")
    live.get_by_role("button", name="Cancel loading copy").click()
    expect(coming).to_be_hidden()
    expect(live.locator(f"{STAGE} .facts")).to_contain_text("bundled")
    hub.hold_at = None
    choose(live, "someone/copy")
    expect(live.get_by_role("status", name="Loaded copy")).to_contain_text("ready", timeout=60_000)
    assert hub.begins() == [0, HALF]
    live.keyboard.press("Escape")
    run(live, "The little bird")
    expect(live.locator(f"{STAGE} .facts")).to_contain_text("someone/copy")


def test_a_model_that_is_not_on_the_hub_is_one_sentence_and_the_stage_stays(live):
    choose(live, "someone/missing")
    alert = live.get_by_role("alert").filter(has_text="There is no model someone/missing on the hub")
    expect(alert).to_be_visible()
    expect(live.get_by_label("Another model")).to_have_value("someone/missing")  # to be mended
    live.keyboard.press("Escape")
    expect(live.locator(f"{STAGE} .error")).to_contain_text("There is no model someone/missing on the hub")
    live.locator("button.chip").click()
    live.get_by_label("Model", exact=True).select_option("bundled")
    expect(live.get_by_label("Another model")).to_be_hidden()
    live.keyboard.press("Escape")
    run(live, "The little bird")
    expect(alert).to_be_hidden()


def test_the_keyboard_alone_chooses_and_cancels(live, hub):
    expect(live.locator(f"{STAGE} .checked")).to_be_visible()  # a run is checked before a model is on its way
    hub.hold_at = HALF
    live.locator("button.chip").focus()
    live.keyboard.press("Enter")
    live.get_by_label("Model", exact=True).focus()
    live.keyboard.press("End")
    expect(live.get_by_label("Another model")).to_be_focused()
    live.keyboard.type("someone/other")
    live.keyboard.press("Enter")
    expect(live.get_by_role("progressbar", name="Loading other")).to_be_visible()
    live.keyboard.press("Escape")
    expect(live.locator("button.chip")).to_be_focused()
    for _ in range(2):  # past the badge of the run's checks
        live.keyboard.press("Tab")
    expect(live.get_by_role("button", name="Cancel loading other")).to_be_focused()
    live.keyboard.press("Enter")
    expect(live.get_by_role("progressbar", name="Loading other")).to_be_hidden()


def test_streamlit_secrets_say_which_models_there_are(chromium, tmp_path):
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "secrets.toml").write_text('GPT2_MODELS = "gpt2"\nGPT2_PUBLIC = 1\n')
    with serve(tmp_path / "server.log", HOME=str(tmp_path), HF_HUB_CACHE=str(tmp_path / "cache")) as served:
        page = open_page(chromium, served.url)
        page.wait_for_selector(STAGE)
        page.locator("button.chip").click()
        labels = page.get_by_label("Model", exact=True).locator("option").all_text_contents()
        assert labels[0].startswith("Bundled storyteller")
        assert labels[1:] == ["GPT-2 124M · 0.8 GB memory · to download 548 MB"]
        page.context.close()
