"""Claims about sessions that end: what they held is free for others, though each of them holds itself.

Models here are copies of the bundled one under other names, so that their graphs are compiled already.
"""

import gc
import weakref
from collections.abc import Iterator

import pytest

from pages.frame import memory
from pages.frame.choice import Choice
from pages.frame.memory import Sweeper
from tests.test_models import Someone, copies, loaded, pool, room_for, settings

__all__ = ["pool", "settings"]


class Ring(Someone):
    """A user as a Streamlit session holds it: in a ring, which the collector alone can free."""

    def __init__(self, *names: str) -> None:
        super().__init__(*names)
        self.itself = self


@pytest.fixture
def by_hand() -> Iterator[None]:
    """Nothing is collected unless it is asked for."""
    gc.disable()
    yield
    gc.enable()


def test_a_visit_that_is_over_keeps_no_model_even_if_it_was_there_when_one_was_loaded(
    pool, tmp_path, monkeypatch, by_hand
):
    names = copies(tmp_path, "a", "b")
    room_for(1, monkeypatch)
    over = Ring(names[0])
    pool.join(over)
    loaded(pool, names[0])
    del over
    loaded(pool, names[1])
    assert pool.get(names[0]) is None


def test_a_visit_that_is_there_keeps_its_model_through_every_sweep(pool, tmp_path, monkeypatch, by_hand):
    names = copies(tmp_path, "a", "b")
    room_for(1, monkeypatch)
    here = Ring(names[0])
    pool.join(here)
    loaded(pool, names[0])
    job = pool.want(names[1])
    job.wait(60)
    assert job.has_failed and "in use now" in job.error
    assert pool.get(names[0]).stage == "ready" and here.uses == {names[0]}


def test_a_sweep_frees_what_was_frozen_and_freezes_what_is_left(by_hand):
    sweeper, over, here = Sweeper(), Ring(), Ring()
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
    sweeper, over = Sweeper(), Ring()
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
    first = Choice()
    first.settle()
    failed = pool.get(name)
    failed.wait(60)
    first.settle()
    assert first.wanted is None and "a" in first.error
    first.settle()
    assert pool.get(name) is failed
    copies(tmp_path, "a")
    second = Choice()
    second.settle()
    pool.get(name).wait(60)
    second.settle()
    assert (second.model, second.error) == (name, "")
