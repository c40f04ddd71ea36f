"""A new server shows its first page before it loads a model, and whoever asks early waits and is not sent away."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import gpt2
from gpt2.trace.trace import Trace
from pages.server import job
from pages.server.first_look import FirstLook
from pages.server.models import Pool
from pages.stage.actions import CheckRun, parse
from pages.stage.component import BROWSER
from pages.visit.player import Player
from pages.visit.status import STILL_LOADING
from pages.visit.visit import Visit
from tests.players import wait

ROOT, SECONDS = Path(__file__).parents[1], 60


class Held:
    """Binding a model, which begins when it is asked for and goes on when it may."""

    def __init__(self) -> None:
        """Not asked for, and not allowed."""
        self.has_begun, self.may_go_on, self._bind = threading.Event(), threading.Event(), gpt2.bind

    def __call__(self, *arguments: Any, **settings: Any) -> Any:
        """Bind, late."""
        self.has_begun.set()
        assert self.may_go_on.wait(SECONDS)
        return self._bind(*arguments, **settings)


@pytest.fixture
def first_look(monkeypatch: pytest.MonkeyPatch) -> FirstLook:
    """That of a server that has made no page yet."""
    first_look = FirstLook(SECONDS)
    monkeypatch.setattr(job, "FIRST_LOOK", first_look)
    return first_look


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, first_look: FirstLook) -> Iterator[Held]:
    """A server whose model comes when it may."""
    binding, models = Held(), Pool()
    monkeypatch.setattr(gpt2, "bind", binding)
    for place in ("visit", "model_choice"):
        monkeypatch.setattr(f"pages.visit.{place}.pool", lambda: models)
    yield binding
    first_look.note_shown()
    binding.may_go_on.set()
    models.request("bundled").wait(SECONDS)


def test_a_model_is_loaded_once_the_first_page_is_shown(held: Held, first_look: FirstLook, trace: Trace) -> None:
    Visit(Player(trace, "")).refresh()
    assert not held.has_begun.wait(0.2)
    first_look.note_shown()
    assert held.has_begun.wait(SECONDS)


@pytest.mark.slow
def test_the_stages_code_goes_out_before_the_rest_of_a_page_until_the_browser_holds_it() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    sent = app.main.children[0]
    assert [element.proto.component_name for element in sent.children.values()] == ["gpt2_stage_code"]
    app.session_state[BROWSER].has_code = True
    assert not app.run().main.children[0].children


def test_no_model_waits_long_for_a_page_that_does_not_come() -> None:
    FirstLook(0.01).wait()


def test_a_run_that_is_asked_for_as_its_model_comes_begins_with_it(
    held: Held, first_look: FirstLook, trace: Trace
) -> None:
    first_look.note_shown()
    visit = Visit(Player(trace, ""), max_new_tokens=2, speed=0)
    visit.refresh()
    asking = threading.Thread(target=visit.answer, args=(parse("run", {"text": "The bird"}),))
    asking.start()
    assert held.has_begun.wait(SECONDS)
    held.may_go_on.set()
    asking.join(SECONDS)
    wait(visit)
    assert not visit.player.error and len(visit.player.trace.steps) == 2


def test_whoever_has_waited_too_long_is_told(held: Held, trace: Trace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PATIENCE_SECONDS", 0.05)
    visit = Visit(Player(trace, ""))
    visit.answer(parse("run", {"text": "The bird"}))
    assert visit.player.error == STILL_LOADING


def test_nobody_waits_for_a_model_that_is_being_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "PATIENCE_SECONDS", math.inf)  # no wait may be as long: it would raise
    model = job.ModelJob("someone/large", lambda *_: None)
    with pytest.raises(OverflowError):
        model.wait_ready()
    model.phase = "downloading"
    assert model.wait_ready() is None


def test_a_run_is_checked_after_its_model_has_come(held: Held, first_look: FirstLook, trace: Trace) -> None:
    first_look.note_shown()
    visit = Visit(Player(trace, ""))
    for _ in range(2):
        visit.answer(CheckRun())
        assert visit.snapshot().inspected.are_due
    held.may_go_on.set()
    assert visit.job.wait_ready() is not None
    visit.answer(CheckRun())
    assert visit.snapshot().inspected.checks


def test_what_the_stage_says_by_itself_takes_no_message_from_the_screen(visit: Visit) -> None:
    visit.player.error = visit.link.note = "What the visitor is to read."
    visit.answer(CheckRun())
    assert visit.player.error == visit.link.note == "What the visitor is to read."
