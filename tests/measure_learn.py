"""Measures what a learner waits for: each lesson's check from a shell, and the verdict at a save, over many edits."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

from gpt2.learn.lesson import Lesson
from gpt2.learn.lessons import LESSONS

LEARN = (sys.executable, "-m", "gpt2", "learn")


def measure_learn(edits: int) -> dict[str, Any]:
    """Median and longest seconds of `check` from a shell and of a verdict of `watch` at a save, by lesson."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            str(lesson.number): {
                "check_s": told(checked(lesson, Path(folder), edits)),
                "watch_s": told(watched(lesson, Path(folder), edits)),
            }
            for lesson in LESSONS
        }


def told(seconds: list[float]) -> dict[str, float]:
    """Median and longest."""
    return {"median": round(median(seconds), 2), "longest": round(max(seconds), 2)}


def sources(lesson: Lesson, edits: int) -> Iterator[str]:
    """What a learner saves: the right source and each wrong one in turn, every time with a line that is new."""
    texts = [lesson.solution, *(text for text, _ in lesson.variants())]
    for number, text in enumerate(islice(cycle(texts), edits)):
        yield f"{text}\n# edit {number}\n"


def checked(lesson: Lesson, folder: Path, edits: int) -> list[float]:
    """Seconds of the whole command, Python's start included."""
    seconds, path = [], folder / lesson.file_name
    for source in sources(lesson, edits):
        path.write_text(source, encoding="utf-8")
        since = time.monotonic()
        command = [*LEARN, "check", str(lesson.number), "--folder", str(folder)]
        subprocess.run(command, check=False, capture_output=True, timeout=120)
        seconds.append(time.monotonic() - since)
    return seconds


def watched(lesson: Lesson, folder: Path, edits: int) -> list[float]:
    """Seconds from a save to the end of the verdict; each save comes two seconds after the verdict before."""
    seconds = []
    command = [*LEARN, "watch", str(lesson.number), "--folder", str(folder)]
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=unbuffered) as process:
        assert process.stdout
        wait_for_verdict(process.stdout)  # on the file as it lies there
        for source in sources(lesson, edits):
            time.sleep(2)
            since = time.monotonic()
            (folder / lesson.file_name).write_text(source, encoding="utf-8")
            wait_for_verdict(process.stdout)
            seconds.append(time.monotonic() - since)
        process.terminate()
    return seconds


def wait_for_verdict(lines: Iterator[str]) -> None:
    """Read to the line that tells how long it took."""
    for line in lines:
        if line.startswith("(") and line.endswith(" s)\n"):
            return
