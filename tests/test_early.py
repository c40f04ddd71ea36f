"""Whoever asks for a run as its model is about to be ready waits for it and is not sent away; the checks come later."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

import gpt2
from gpt2.trace.trace import Trace
from pages.server import job
from pages.server.models import Pool
from pages.stage.actions import CheckRun, parse
from pages.visit.player import Player
from pages.visit.status import STILL_LOADING
from pages.visit.visit import Visit
from tests.players import wait

SECONDS = 60


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
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[Held]:
    """A server whose model comes when it may."""
    binding, models = Held(), Pool()
    monkeypatch.setattr(gpt2, "bind", binding)
    for place in ("visit", "model_choice"):
        monkeypatch.setattr(f"pages.visit.{place}.pool", lambda: models)
    yield binding
    binding.may_go_on.set()
    models.request("bundled").wait(SECONDS)


def test_a_run_that_is_asked_for_as_its_model_comes_begins_with_it(held: Held, trace: Trace) -> None:
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


def test_a_run_is_checked_after_its_model_has_come(held: Held, trace: Trace) -> None:
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
