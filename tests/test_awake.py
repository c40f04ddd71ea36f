"""Claims about calls of MAX that would wait for ever: each is woken, and those that go on are left alone."""

import threading

import pytest

from gpt2.engine import awake, devices
from gpt2.engine.awake import watch_over
from gpt2.engine.shutdown import CallsInFlight


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> CallsInFlight:
    monkeypatch.setattr(awake, "SECONDS", 0.01)
    return CallsInFlight()


def test_a_call_that_stands_still_is_woken_again_and_again(calls: CallsInFlight) -> None:
    nudged = threading.Semaphore(0)
    watch_over(calls, nudged.release)
    with calls:
        assert all(nudged.acquire(timeout=60) for _ in range(3))


def test_nobody_is_woken_while_no_call_is_under_way(calls: CallsInFlight, monkeypatch: pytest.MonkeyPatch) -> None:
    looks, nudges = threading.Semaphore(0), list[int]()
    monkeypatch.setattr(awake.time, "sleep", lambda seconds: looks.release() or threading.Event().wait(seconds))
    with calls:
        pass
    watch_over(calls, lambda: nudges.append(1))
    assert all(looks.acquire(timeout=60) for _ in range(5)) and not nudges


def test_a_process_that_uses_max_has_one_watch() -> None:
    devices.session_on("cpu")
    before = threading.active_count()
    devices.session_on("cpu")
    assert "watch over MAX" in {thread.name for thread in threading.enumerate()}
    assert threading.active_count() == before
    devices.nudge()  # MAX takes the task
