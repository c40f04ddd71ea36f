"""Claims about sessions that end: what they held is free for others, though each of them holds itself.

Models here are copies of the bundled one under other names, so that their graphs are compiled already.
"""

import gc
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pages.server import memory
from pages.server.memory import Collector
from pages.stage.actions import parse
from pages.visit import connection
from pages.visit.generation import GONE_SECONDS
from pages.visit.model_choice import ModelChoice
from pages.visit.on_stage import EVICTED
from pages.visit.player import Player
from pages.visit.visit import Visit
from tests.models import Someone, copies, loaded, room_for
from tests.players import finish

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unset_host")]


class Ring(Someone):
    """A user as a Streamlit session holds it: in a ring, which the collector alone can free."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.itself = self


@pytest.fixture
def by_hand() -> Iterator[None]:
    """Nothing is collected unless it is asked for, nor because a model of a test before was loaded a second ago."""
    for thread in threading.enumerate():
        if thread.name.startswith("settle in "):
            thread.join(60)
    gc.disable()
    yield
    gc.enable()


def test_a_visit_that_is_over_keeps_no_model_even_if_it_was_there_when_one_was_loaded(
    pool, tmp_path, monkeypatch, by_hand
):
    names = copies(tmp_path, "a", "b")
    room_for(1, monkeypatch)
    over = Ring(names[0])
    pool.register(over)
    loaded(pool, names[0])
    del over
    loaded(pool, names[1])
    assert pool.get(names[0]) is None


def test_a_visit_that_is_there_keeps_its_model_through_every_sweep(pool, tmp_path, monkeypatch, by_hand):
    names = copies(tmp_path, "a", "b")
    room_for(1, monkeypatch)
    here = Ring(names[0])
    pool.register(here)
    loaded(pool, names[0])
    job = pool.request(names[1])
    job.wait(60)
    assert job.has_failed and "in use now" in job.error
    assert pool.get(names[0]).phase == "ready" and here.uses == {names[0]}


def test_a_sweep_frees_what_was_frozen_and_freezes_what_is_left(by_hand):
    sweeper, over, here = Collector(), Ring(), Ring()
    gone = weakref.ref(over)
    sweeper()
    assert gc.get_freeze_count() > 0
    del over
    gc.collect()
    assert gone() is not None
    sweeper()
    assert gone() is None and here.itself is here and gc.get_freeze_count() > 0


def test_a_sweep_that_need_not_be_waits_for_its_seconds(monkeypatch, by_hand):
    now = 1000.0
    monkeypatch.setattr(memory.time, "monotonic", lambda: now)
    sweeper, over = Collector(), Ring()
    gone = weakref.ref(over)
    del over
    now += 59
    sweeper(after=60)
    assert gone() is not None
    now += 1
    sweeper(after=60)
    assert gone() is None


def test_a_default_model_that_failed_is_tried_again_by_the_next_visit_and_once_by_each(pool, tmp_path, monkeypatch):
    name = str(tmp_path / "a")
    monkeypatch.setenv("GPT2_DEFAULT_MODEL", name)
    first = ModelChoice()
    first.poll()
    failed = pool.get(name)
    failed.wait(60)
    first.poll()
    assert first.wanted is None and "a" in first.error
    first.poll()
    assert pool.get(name) is failed
    copies(tmp_path, "a")
    second = ModelChoice()
    second.poll()
    pool.get(name).wait(60)
    second.poll()
    assert (second.model, second.error) == (name, "")


@pytest.fixture
def connected(monkeypatch) -> set[str]:
    """The sessions whose browser is there."""
    sessions = {"mine"}
    monkeypatch.setattr(connection.runtime, "exists", lambda: True)
    server = SimpleNamespace(is_active_session=lambda session: session in sessions)
    monkeypatch.setattr(connection.runtime, "get_instance", lambda: server)
    return sessions


def visit_on(pool, name: str, trace, monkeypatch) -> Visit:
    """A visit that has made a run of six tokens with this model, and has not been heard of since."""
    monkeypatch.setenv("GPT2_MODELS", name)
    visit = Visit(Player(trace, ""), max_new_tokens=6, speed=0, session="mine")
    visit.answer(parse("model", {"name": name}))
    pool.get(name).wait(60)
    visit.answer(parse("run", {"text": "The king"}))
    assert len(finish(visit.player).steps) == 6 and visit.player.trace.model == name
    visit.player.last_seen -= GONE_SECONDS + 1
    return visit


def test_a_visit_uses_its_models_until_its_browser_is_gone_and_silent(pool, tmp_path, trace, connected, monkeypatch):
    (name,) = copies(tmp_path, "a")
    visit = visit_on(pool, name, trace, monkeypatch)
    assert visit.uses == {name}  # an open page may be silent for hours
    connected.clear()
    assert visit.uses == set()
    visit.player.touch()
    assert visit.uses == {name}  # a connection that was lost a moment ago


def test_who_comes_back_to_a_model_that_was_let_go_has_it_again_and_the_same_text(
    pool, tmp_path, trace, connected, monkeypatch, by_hand
):
    mine, other = copies(tmp_path, "a", "b")
    room_for(1, monkeypatch)
    loaded(pool, "bundled")
    visit = visit_on(pool, mine, trace, monkeypatch)
    text, gone = visit.player.trace.ids, weakref.ref(pool.get(mine).checkpoint.weights["wte.weight"])
    connected.clear()
    loaded(pool, other)
    assert pool.get(mine) is None and gone() is None
    connected.add("mine")
    visit.refresh()
    back = visit.snapshot()
    assert (back.model, back.ids, back.prompt, back.status.text) == (mine, text, "The king", EVICTED)
    pool.get(mine).wait(60)
    visit.refresh()
    assert visit.snapshot().model == mine and visit.choice.model == mine
    visit.answer(parse("run", {"text": "The king"}))
    assert finish(visit.player).ids == text and visit.player.trace.model == mine


def test_who_comes_back_where_there_is_no_room_any_more_is_told(pool, tmp_path, trace, connected, monkeypatch):
    mine, other = copies(tmp_path, "a", "b")
    room_for(1, monkeypatch)
    loaded(pool, "bundled")
    visit = visit_on(pool, mine, trace, monkeypatch)
    connected.clear()
    someone = Someone(other)
    pool.register(someone)
    loaded(pool, other)
    visit.refresh()
    pool.get(mine).wait(60)
    visit.refresh()
    back = visit.snapshot()
    assert "in use now" in back.model_error and back.model == "bundled" and pool.get(other).phase == "ready"
    assert someone.uses == {other}


def test_without_a_server_nobody_is_away(trace):
    visit = Visit(Player(trace, ""), session="mine")
    visit.player.last_seen -= GONE_SECONDS + 1
    assert connection.is_connected("mine") and not visit.is_away


@pytest.mark.parametrize(
    ("address", "header", "at_home"),
    [
        (None, "User-Agent", True),
        ("10.0.0.7", "User-Agent", False),
        *((None, name, False) for name in ("X-Forwarded-For", "Forwarded", "X-Real-Ip", "Via")),
    ],
)
def test_a_browser_is_at_home_only_with_no_proxy_between(monkeypatch, address, header, at_home):
    context = SimpleNamespace(ip_address=address, headers={header: "203.0.113.7"})
    monkeypatch.setattr(connection.st, "context", context)
    assert connection.comes_from_this_machine() is at_home


def test_a_run_is_read_with_the_model_that_made_it_and_with_no_other_that_embeds_alike(
    pool, tmp_path, trace, monkeypatch
):
    """As a model trained further with its embeddings frozen does."""
    first, second = copies(tmp_path, "a", "b")
    monkeypatch.setenv("GPT2_MODELS", f"{first},{second}")
    visit = Visit(Player(trace, ""), max_new_tokens=2, speed=0)
    for name in (second, first):
        visit.answer(parse("model", {"name": name}))
        loaded(pool, name)
    visit.answer(parse("run", {"text": "The king"}))
    mine = finish(visit.player)
    visit.answer(parse("model", {"name": second}))
    assert visit.job.name == second and visit.job.matches(mine)
    assert visit.model_of_run is pool.get(first)
    del pool._jobs[first]
    assert visit.model_of_run is None and visit.snapshot().tables is None


def test_a_run_from_a_file_is_read_with_the_chosen_model_if_that_embeds_alike(pool, trace):
    loaded(pool, "bundled")
    visit = Visit(Player(trace, ""))
    visit.open(replace(trace, model="its name elsewhere"), is_own=True)
    assert visit.model_of_run is visit.job is pool.get("bundled")
