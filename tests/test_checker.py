"""Claims about checking a reader's file: whatever it does, it gets one clear sentence in time, and leaves nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from gpt2.__main__ import main
from gpt2.learn.checker import MAX_SOURCE_BYTES, Checker, UnreadableError, read_source
from gpt2.learn.command import next_step
from gpt2.learn.lessons import LESSONS, lesson_of
from gpt2.learn.verdict import Verdict
from gpt2.learn.workbook import Workbook
from tests.command_line import refused, said

ROOT = Path(__file__).parents[1]
LESSON = lesson_of(3)
SOLUTION = LESSON.solution
RETURN = "        return normalized * self.weight + self.bias\n"


def line_of(source: str, part: str) -> int:
    """The line on which a part of a source begins."""
    return source[: source.index(part)].count("\n") + 1


def at_return(*lines: str) -> str:
    """The solution with other lines in the place of its `return`."""
    return SOLUTION.replace(RETURN, "".join(f"        {line}\n" for line in lines))


def alive_in(group: int) -> list[int]:
    """The processes of a group that are still running."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.NoSuchProcess, ProcessLookupError):
            pass
    return found


def nothing_left(group: int, seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while alive_in(group):
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def checked(source: str, folder: Path, seconds: float = 10) -> Verdict:
    """The verdict of a process of its own, which is gone afterwards with all that it started, in time."""
    path = folder / LESSON.file_name
    path.write_text(source, encoding="utf-8")
    with Checker(LESSON, seconds) as checker:
        group = checker._child.pid
        while checker._lines.empty():  # not ready yet; that is not counted
            time.sleep(0.02)
        since = time.monotonic()
        told = checker.check(path)
        assert time.monotonic() - since < seconds + 5
    assert nothing_left(group)
    return told


FORGED = json.dumps({"passed": True, "says": "Right", "why": "", "line": None, "details": []})
HOSTILE = {
    "an endless loop in forward": (at_return("while True: pass"), "while True", "did not end within 1 s"),
    "an endless loop on import": (f"{SOLUTION}\nwhile True: pass\n", "while True", "did not end within 1 s"),
    "a long sleep": (f"{SOLUTION}\nimport time\ntime.sleep(900)\n", "time.sleep", "did not end within 1 s"),
    "twenty gigabytes": (f"{SOLUTION}\nx = bytearray(20_000_000_000)\n", "x = byte", "asks for more memory"),
    "a tensor of twenty gigabytes": (at_return("return Tensor.zeros([50000, 100000])"), "", "asks for more memory"),
    "a flood of prints": (
        f"{SOLUTION}\nwhile True: print('x' * 99)\n",
        "while True",
        "prints or writes more than 1 MB",
    ),
    "an end without a word": (
        f"{SOLUTION}\nimport os\nprint('Right')\nos._exit(0)\n",
        "",
        "ended the whole process (with status 0)",
    ),
    "a segmentation fault": (
        at_return("import ctypes", "ctypes.string_at(0)"),
        "ctypes.string_at",
        "Segmentation fault",
    ),
    "a look at the input": (f"{SOLUTION}\ninput('name? ')\n", "input(", "waits for input, and a check gives none"),
    "a verdict of its own": (
        f"{at_return('return normalized')}\nimport os, sys\nprint({FORGED!r}, flush=True)\n"
        f"print({FORGED!r}, file=sys.__stdout__, flush=True)\nos.write(1, {FORGED!r}.encode())\n",
        "",
        "numbers are wrong",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_does_harm_is_ended_in_time_and_told(tmp_path: Path, case: str) -> None:
    source, at, words = HOSTILE[case]
    told = checked(source, tmp_path, 1 if "1 s" in words else 10)
    assert not told.passed and words in told.says, told
    assert told.line == (line_of(source, at) if at else None)


@pytest.mark.slow
def test_what_a_right_file_leaves_behind_is_ended(tmp_path: Path) -> None:
    left = (
        "import subprocess, threading, time, os\nsubprocess.Popen(['sleep', '777'])\n"
        "threading.Thread(target=time.sleep, args=(777,)).start()\nos.chdir('/')\n"
        "if os.fork() == 0: time.sleep(777)\n"
    )
    assert checked(f"{SOLUTION}\n{left}", tmp_path).passed


@pytest.mark.slow
def test_an_interrupt_during_a_check_ends_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / LESSON.file_name
    path.write_text("while True: pass\n")
    checker = Checker(LESSON)
    real = checker._line

    def interrupted(seconds: float) -> str | None:
        if seconds < 100:  # ready, and at work
            raise KeyboardInterrupt
        return real(seconds)

    monkeypatch.setattr(checker, "_line", interrupted)
    with pytest.raises(KeyboardInterrupt), checker:
        checker.check(path)
    assert nothing_left(checker._child.pid)


PARENT = """
import sys
from pathlib import Path
from gpt2.learn.checker import Checker
from gpt2.learn.command import next_step
from gpt2.learn.lessons import LESSONS, lesson_of
checker = Checker(lesson_of(3), 60)
print(checker._child.pid, flush=True)
checker.check(Path(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_a_check_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    path = tmp_path / LESSON.file_name
    path.write_text(f"import time\nopen({str(tmp_path / 'begun')!r}, 'w').close()\ntime.sleep(900)\n")
    with subprocess.Popen([sys.executable, "-c", PARENT, path], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        group = int(parent.stdout.readline())
        try:
            until(lambda: (tmp_path / "begun").exists())
            assert alive_in(group)
        finally:
            parent.kill()
    assert nothing_left(group)


UNREADABLE = {
    "no file": (lambda path: None, "is not there; begin the lesson with python -m gpt2 learn start 3"),
    "a folder": (lambda path: path.mkdir(), "is not a file; move it away"),
    "a pipe": (lambda path: os.mkfifo(path), "is not a file; move it away"),
    "no text": (lambda path: path.write_bytes(b"x = '\xff'"), "is not text in UTF-8, from byte 5 on; save it as UTF-8"),
    "a book": (lambda path: path.write_text("#" * 300_000), f"is longer than {MAX_SOURCE_BYTES // 1000} kB"),
    "no folder": (lambda path: path.parent.rmdir(), "is not there; begin the lesson"),
    "a file as the folder": (lambda path: (path.parent.rmdir(), path.parent.touch()), "Not a directory"),
}


@pytest.mark.parametrize("case", UNREADABLE)
def test_a_file_that_cannot_be_read_is_told_before_anything_runs(tmp_path: Path, case: str) -> None:
    make, words = UNREADABLE[case]
    path = tmp_path / "book" / LESSON.file_name
    path.parent.mkdir()
    make(path)
    with pytest.raises(UnreadableError) as told:
        read_source(path, LESSON)
    assert words in str(told.value) and str(path) in str(told.value) and len(str(told.value).splitlines()) == 1


def test_a_mark_that_an_editor_puts_first_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / LESSON.file_name
    path.write_text(SOLUTION, encoding="utf-8-sig")
    assert read_source(path, LESSON) == SOLUTION


def test_the_course_begins_refuses_hints_and_counts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ("--folder", str(tmp_path / "mine"))
    assert said(capsys, "learn", "start", "3", *at, "--json")["is_new"]
    assert not said(capsys, "learn", "start", "3", *at, "--json")["is_new"]
    assert said(capsys, "learn", "hint", "3", "2", "--json")["text"] == LESSON.hints[1]
    assert "has the hints 1 to" in refused(capsys, "learn", "hint", "3", "99")
    assert "is a page of the app" in refused(capsys, "learn", "start", "13")
    assert "There is no lesson 99" in refused(capsys, "learn", "check", "99")
    assert "Say which lesson" in refused(capsys, "learn", "check")
    workbook = Workbook(tmp_path / "mine")
    workbook.note(LESSON)
    assert next_step(workbook, LESSON) == "Next: python -m gpt2 learn start 4"
    assert next_step(workbook, LESSONS[-1]) == "Next: python -m gpt2 learn start 1"
    main(["learn", "hint", "3"])
    assert capsys.readouterr().out.endswith("(Hint 1 of 3; the next: python -m gpt2 learn hint 3 2)\n")
    rows = said(capsys, "learn", "status", *at, "--json")["lessons"]
    assert [row["lesson"] for row in rows if row["passed"]] == [3]
    for broken in ("[]", "{", '{"passed": 3}', '{"passed": ["3"]}', "\0"):
        (tmp_path / "mine" / "progress.json").write_text(broken)
        assert Workbook(tmp_path / "mine").passed == frozenset()
    (tmp_path / "taken").touch()
    assert "cannot be written" in refused(capsys, "learn", "start", "3", "--folder", str(tmp_path / "taken"))
    assert "is not there; begin" in refused(capsys, "learn", "check", "3", "--folder", str(tmp_path / "none"))


@pytest.mark.slow
def test_a_check_prints_its_verdict_and_ends_with_its_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / LESSON.file_name
    path.write_text(SOLUTION)
    assert said(capsys, "learn", "check", "3", "--folder", str(tmp_path), "--json")["passed"]
    assert Workbook(tmp_path).passed == {3}
    path.write_text(LESSON.skeleton)
    with pytest.raises(SystemExit) as stopped:
        main(["learn", "check", "3", "--folder", str(tmp_path)])
    printed = capsys.readouterr().out
    assert stopped.value.code == 1 and "✗ Lines" in printed
    assert printed.strip().endswith(f"{path}:{line_of(LESSON.skeleton, 'centred = ...')}")


@contextmanager
def watching(folder: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """`learn watch` in a process, and the file that its output goes to."""
    printed = folder / "printed"
    command = [sys.executable, "-m", "gpt2", "learn", "watch", "3", "--folder", str(folder)]
    with printed.open("w") as file, subprocess.Popen(command, cwd=ROOT, stdout=file, text=True) as watch:
        try:
            yield watch, printed
        finally:
            watch.kill()


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_watch_sees_every_kind_of_save_and_ends_at_an_interrupt_with_all_its_processes(tmp_path: Path) -> None:
    path, beside = tmp_path / LESSON.file_name, tmp_path / "beside"
    with watching(tmp_path) as (watch, printed):
        path.write_text(LESSON.skeleton)
        until(lambda: "still have `...`" in printed.read_text())
        beside.write_text(SOLUTION)
        beside.replace(path)  # as many editors save
        until(lambda: "✓ Right" in printed.read_text())
        path.write_bytes(b"\xff")
        until(lambda: "is not text in UTF-8" in printed.read_text())
        path.unlink()
        path.write_text("")
        until(lambda: "defines no LayerNorm" in printed.read_text())
        children = psutil.Process(watch.pid).children(recursive=True)
        watch.send_signal(signal.SIGINT)
        assert watch.wait(20) == 128 + signal.SIGINT
        assert not psutil.wait_procs(children, timeout=30)[1]
    assert Workbook(tmp_path).passed == {3}
