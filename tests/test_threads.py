"""Claims about MAX's threads: how many there are, started when, and who comes before whom."""

import os
import threading
from pathlib import Path
from typing import NoReturn

import pytest

import gpt2
from gpt2.checkpoints.catalog import KNOWN
from gpt2.engine import devices, settings
from gpt2.errors import SettingsError
from tests.command_line import refused
from tests.shapes import TINY
from tests.source_tree import python

pytestmark = pytest.mark.slow


def refuse(*_: object) -> NoReturn:
    raise RuntimeError("insufficient")


def test_the_threads_that_max_starts_are_those_asked_for_and_may_run_on_any_core(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GPT2_THREADS", "1")
    assert python(STARTED).split() == ["1", "True"]


STARTED = """
import os
import gpt2

gpt2.load()
threads = [task for task in os.listdir("/proc/self/task") if "Thread" in open(f"/proc/self/task/{task}/comm").read()]
print(len(threads), all(os.sched_getaffinity(int(task)) == os.sched_getaffinity(0) for task in threads))
"""


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="a process cannot be held on a core here")
@pytest.mark.parametrize("cores", [1, 2])
def test_on_a_single_core_maxs_thread_comes_after_pythons(cores: int) -> None:
    few = sorted(os.sched_getaffinity(0))[:cores]
    told = python(f"import os\nos.sched_setaffinity(0, {few})\n{STARTED}\n{NICE}")
    assert told.splitlines()[-1] == str([devices.NICENESS if len(few) == 1 else 0])


NICE = """
print(sorted({os.getpriority(os.PRIO_PROCESS, int(task)) for task in threads}))
"""


LIMITS = [("50000", 1), ("150000", 1), ("300000", 3), ("9900000", 16), ("-1", 16)]


@pytest.mark.parametrize(("told", "expected"), LIMITS)
def test_a_container_that_may_compute_less_gets_fewer_threads(
    told: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As both versions of control groups state it; no limit is said by -1 or by "max"."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)
    files = [tmp_path / name for name in ("cpu.max", "quota", "period")]
    monkeypatch.setattr(settings, "CPU_TIMES", (files[:1], files[1:]))
    assert settings.cores() == 16
    files[0].write_text(f"{'max' if told == '-1' else told} 100000\n")
    assert settings.cores() == expected
    files[0].unlink()
    files[1].write_text(told)
    files[2].write_text("100000")
    assert settings.cores() == expected
    assert settings.default_threads(KNOWN["gpt2"].config) == expected
    assert settings.default_threads(TINY) == max(1, expected // 2)


def test_a_small_model_gets_half_the_cores_and_the_setting_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    cores = len(os.sched_getaffinity(0))
    monkeypatch.delenv("GPT2_THREADS", raising=False)
    assert settings.threads(KNOWN["gpt2"].config) == cores
    assert settings.threads(TINY) == max(1, cores // 2)
    monkeypatch.setenv("GPT2_THREADS", "3")
    assert settings.threads(TINY) == settings.threads(KNOWN["gpt2"].config) == 3


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many cores MAX saw each time that its threads were started, in a process that has just begun."""
    seen: list[int] = []
    monkeypatch.setattr(devices, "HAS_STARTED", threading.Event())
    monkeypatch.setattr(devices, "start_on_cores", seen.append)
    return seen


def test_threads_are_started_once_in_a_process_by_the_first_model(shown: list[int]) -> None:
    calls = [threading.Thread(target=devices.start_threads, args=(3,)) for _ in range(4)]
    for call in calls:
        call.start()
    for call in calls:
        call.join()
    devices.start_threads(5)
    assert shown == [3]


def test_threads_that_could_not_be_started_are_started_by_the_next_model(
    shown: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="insufficient"):
        patch.setattr(devices, "start_on_cores", refuse)
        devices.start_threads(1)
    devices.start_threads(2)
    assert shown == [2]


def test_every_load_starts_the_threads_before_it_looks_for_a_device(
    shown: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[object] = []
    resolve = devices.resolve
    monkeypatch.setattr(devices, "resolve", lambda asked: order.append(list(shown)) or resolve(asked))
    monkeypatch.setenv("GPT2_THREADS", "7")
    gpt2.load()
    assert order == [[7]] and shown == [7]


def test_a_number_of_threads_that_cannot_be_read_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setenv("GPT2_THREADS", "all")
    with pytest.raises(SettingsError, match="GPT2_THREADS must be a whole number from 1 up, not 'all'"):
        gpt2.load()
    assert "GPT2_THREADS must be a whole number from 1 up, not 'all'" in refused(capsys, "generate", "x")
