"""Claims about MAX's own threads: a call that would wait for ever is woken, and only the log's thread wakes up late."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ctypes import CDLL

import pytest

from gpt2.engine import awake, devices
from gpt2.engine.awake import LATE_NANOSECONDS, first_call, watch_over
from gpt2.engine.shutdown import CallsInFlight


def test_a_call_that_stands_still_is_woken_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(awake, "SECONDS", 0.01)
    calls, nudged = CallsInFlight(), threading.Semaphore(0)
    watch_over(calls.stand_still, nudged.release)
    with calls:
        assert all(nudged.acquire(timeout=60) for _ in range(3))


def test_calls_stand_still_only_while_some_are_under_way_and_none_ends() -> None:
    calls = CallsInFlight()
    assert not calls.stand_still() and not calls.stand_still()
    with calls:
        calls.stand_still()
        assert calls.stand_still()
        with calls:  # as a step of a run calls several graphs
            pass
        assert not calls.stand_still() and calls.stand_still()
    assert not calls.stand_still()


@pytest.mark.skipif(sys.platform != "linux", reason="how late a timer may be can be said on Linux alone")
def test_only_threads_that_the_first_call_of_a_process_starts_may_wake_up_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """See `tests/test_quiet.py` for MAX's own thread. Later calls come back to Python's lock without delay."""
    monkeypatch.setattr(awake, "LOGS", threading.Event())
    before = of_a_new_thread()
    with suppress(ZeroDivisionError), first_call():
        raise ZeroDivisionError  # a call that fails started nothing
    with first_call():
        assert of_a_new_thread() == slack() == LATE_NANOSECONDS
    assert of_a_new_thread() == slack() == before < LATE_NANOSECONDS
    with first_call():
        assert of_a_new_thread() == slack() == before


def slack() -> int:
    """By how many nanoseconds the system may wake up this thread late."""
    return CDLL(None).prctl(30, 0, 0, 0, 0)


def of_a_new_thread() -> int:
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(slack).result()


def test_a_process_that_uses_max_has_one_watch() -> None:
    devices.session_on("cpu")
    before = threading.active_count()
    devices.session_on("cpu")
    assert "watch over MAX" in {thread.name for thread in threading.enumerate()}
    assert threading.active_count() == before
    devices.nudge()  # MAX takes the task
