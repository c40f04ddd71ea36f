"""Claims about compiling: once, in one process at a time, which can be stopped; what fails is one sentence."""

import time
from pathlib import Path

import pytest
from filelock import FileLock

from gpt2.checkpoints.weights import Checkpoint
from gpt2.engine import compiling
from gpt2.errors import EngineError
from tests.compiling import stand_in
from tests.shapes import TINY


def test_nothing_is_compiled_where_nothing_is_missing(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiling.subprocess, "Popen", lambda *_, **__: pytest.fail("a compile was started"))
    told: list[str] = []
    compiling.compile_apart(checkpoint.config, told.append)
    assert told == []


def test_a_failed_compile_is_one_sentence_with_its_reason(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(empty.parent, monkeypatch, "echo 'Traceback' >&2; echo 'OSError: disk full' >&2; exit 1")
    with pytest.raises(EngineError, match=r"failed \(OSError: disk full\); choose it again"):
        compiling.compile_apart(TINY, lambda _: None)


@pytest.mark.slow
def test_a_stopped_compile_ends_its_child_at_once(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(empty.parent, monkeypatch, "exec sleep 60")
    since, told = time.monotonic(), []
    with pytest.raises(EngineError, match="stopped"):
        compiling.compile_apart(TINY, told.append, stopped=lambda: bool(told))
    assert time.monotonic() - since < 20
    assert told == [told[0]] and "0 of 4 done" in told[0]


def test_one_compile_at_a_time_and_who_waits_can_be_stopped(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(empty.parent, monkeypatch, "exit 1")
    empty.mkdir(parents=True)
    told: list[str] = []
    with FileLock(empty / ".lock"), pytest.raises(EngineError, match="stopped"):  # another model is being compiled
        compiling.compile_apart(TINY, told.append, stopped=lambda: bool(told))
    assert told == ["Waiting until another model's graphs are compiled."]
    with pytest.raises(EngineError, match="failed"):  # its own turn has come, and is given back after
        compiling.compile_apart(TINY, told.append)
    with FileLock(empty / ".lock", timeout=0):
        pass
