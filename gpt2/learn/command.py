"""`python -m gpt2 learn`: begin a lesson, check it, have it checked at every save, and see how far one has come."""

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from gpt2.engine.settings import learn_folder
from gpt2.errors import SettingsError

from .checker import Checker, UnreadableError
from .lesson import Lesson
from .lessons import LESSONS, lesson_of
from .verdict import Verdict
from .workbook import Workbook

LOOK_SECONDS = 0.1


def run(options: argparse.Namespace) -> None:
    """Do what `learn` was asked for; a check that is not passed ends with status 1."""
    workbook = Workbook(options.folder)
    if options.action == "status":
        status(workbook, options.json)
        return
    if options.lesson is None:
        raise SettingsError(f"Say which lesson: python -m gpt2 learn {options.action} 3.")
    lesson = lesson_of(options.lesson)
    if options.action == "start":
        start(workbook, lesson, options.json)
    elif options.action == "hint":
        hint(lesson, options.hint, options.json)
    elif options.action == "watch":
        watch(workbook, lesson)
    elif not check(workbook, lesson, options.json).passed:
        sys.exit(1)


def status(workbook: Workbook, as_json: bool) -> None:
    """Print all lessons, those that have been passed marked."""
    passed = workbook.passed
    if as_json:
        rows = [{"lesson": one.number, "title": one.title, "passed": one.number in passed} for one in LESSONS]
        print(json.dumps({"folder": str(workbook.folder), "lessons": rows}))
        return
    for one in LESSONS:
        state = "passed" if one.number in passed else "begun" if workbook.path(one).exists() else ""
        print(f"{one.number:>3}  {one.title:<40} {state}".rstrip())
    print(f"{len(passed)} of {len(LESSONS)} passed in {workbook.folder}")
    if len(passed) == len(LESSONS):
        where = "" if workbook.folder == learn_folder() else f"GPT2_LEARN_FOLDER={workbook.folder} "
        print(workbook.lacking() or f"Your GPT-2 is whole: {where}python -m gpt2 generate Once --model mine")


def start(workbook: Workbook, lesson: Lesson, as_json: bool) -> None:
    """Write the skeleton, or say that it is there."""
    path, is_new = workbook.start(lesson)
    if as_json:
        print(json.dumps({"lesson": lesson.number, "file": str(path), "is_new": is_new}))
        return
    print(f"{'Written' if is_new else 'Already there, and left as it is'}: {path}")
    print(f"Put code in the place of each `...`, then run python -m gpt2 learn check {lesson.number}")


def hint(lesson: Lesson, number: int, as_json: bool) -> None:
    """Print one hint.

    Raises:
        SettingsError: if the lesson has no such hint.
    """
    if not 1 <= number <= len(lesson.hints):
        raise SettingsError(f"Lesson {lesson.number} has the hints 1 to {len(lesson.hints)}, not {number}.")
    text, many = lesson.hints[number - 1], len(lesson.hints)
    if as_json:
        print(json.dumps({"lesson": lesson.number, "hint": number, "text": text}))
        return
    after = f"; the next: python -m gpt2 learn hint {lesson.number} {number + 1}" if number < many else ""
    print(f"{text}\n(Hint {number} of {many}{after})")


def check(workbook: Workbook, lesson: Lesson, as_json: bool) -> Verdict:
    """Check the reader's file once, and print the verdict."""
    with Checker(lesson) as checker:
        told = checker.check(workbook.path(lesson))
    take(workbook, lesson, told)
    path = workbook.path(lesson)
    facts = {name: value for name, value in asdict(told).items() if name != "pair"}  # a picture's numbers
    if as_json:
        print(json.dumps({"lesson": lesson.number, "file": str(path), **facts}))
        return told
    print(in_words(told, path))
    if told.passed:
        print(next_step(workbook, lesson))
    return told


def next_step(workbook: Workbook, lesson: Lesson) -> str:
    """What to do once a lesson has passed: the next that has not, from the first again after the last."""
    in_turn = (*LESSONS[lesson.number :], *LESSONS[: lesson.number])
    left = next((one.number for one in in_turn if one.number not in workbook.passed), None)
    return "Next: python -m gpt2 learn " + ("status" if left is None else f"start {left}")


def watch(workbook: Workbook, lesson: Lesson) -> None:
    """Check the reader's file at every save, until it is stopped; the next checker is always ready before the save."""
    seen, path = 0, workbook.path(lesson)
    print(f"Watching {path}; Ctrl+C ends it.", flush=True)
    while True:
        with Checker(lesson) as checker:
            while (saved := workbook.changed(lesson)) in (0, seen):
                time.sleep(LOOK_SECONDS)
            seen, since = saved, time.monotonic()
            try:
                told = checker.check(path)
            except UnreadableError as error:  # it may be there again at the next save
                print(f"\n✗ {error}", flush=True)
                continue
        take(workbook, lesson, told)
        print(f"\n{in_words(told, path)}\n({time.monotonic() - since:.2f} s)", flush=True)


def take(workbook: Workbook, lesson: Lesson, told: Verdict) -> None:
    """Note a lesson that is passed."""
    if told.passed:
        workbook.note(lesson)


def in_words(told: Verdict, path: Path) -> str:
    """A verdict as text; a place in the file stands at the end, as editors and terminals can open it."""
    sign, place = "✓" if told.passed else "✗", f"{path}:{told.line}" if told.line else ""
    return "\n".join(filter(None, [f"{sign} {told.says}", told.why, *told.details, place]))
