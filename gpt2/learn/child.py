"""The process in which a reader's code runs: it prepares one lesson, says ready, checks one file, and ends.

It is started anew for each check, never forked: a process that has imported MAX cannot be.
"""

import faulthandler
import json
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .lesson import Array, Failure, Lesson, unfilled
from .lessons import lesson_of
from .patches import Modules
from .reasons import IN_WORDS
from .verdict import Verdict, all_equal, first_wrong, is_of_another_kind, right, stopped, untouched, wrong

Tried = Sequence[Sequence[Array]] | Failure

MEMORY_BYTES, FILE_BYTES = 1_500_000_000, 1_000_000
# Errors that say all there is to say: no known mistake is looked for behind them.
SLIPS = frozenset(
    {
        IN_WORDS,
        "SystemExit",
        "KeyboardInterrupt",
        "NameError",
        "UnboundLocalError",
        "ImportError",
        "ModuleNotFoundError",
    }
)


def limit(seconds: float) -> None:
    """Bound what the reader's code may take from here on: memory beyond what MAX holds, time, and files.

    The process is ended from outside when the time is up. The system ends it a little later, if nobody else does.
    """
    held = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY_BYTES, held + MEMORY_BYTES))
    used = int(sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) + seconds) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (used, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Examiner:
    """One lesson, ready to be checked: what is right, and what each known mistake gives."""

    def __init__(self, lesson: Lesson) -> None:
        """Run the solution on the cases. The wrong variants can wait: a right answer needs none of them."""
        from gpt2.interpreter.kernels import adopt

        from .trial import attempt

        adopt()
        self.lesson, self._cases, self._attempt = lesson, lesson.cases(), attempt
        solution = attempt(lesson.solution, lesson.file_name, self._cases)
        assert not isinstance(solution, Failure), solution
        self._expected = solution
        self._left = list(lesson.variants())
        self._variants: list[tuple[Tried, str, str]] = []

    def prepare(self, has_time: Callable[[], bool] = lambda: True) -> None:
        """Run the wrong variants that have not been run, for as long as there is time."""
        for _ in self._known(has_time):
            pass

    def _known(self, has_time: Callable[[], bool] = lambda: True) -> Iterator[tuple[Tried, str, str]]:
        """What each wrong variant gives in the first case; those that have not been run are run as they are asked for.

        The other cases wait for those that give the reader's numbers there.
        """
        yield from list(self._variants)
        while self._left and has_time():
            text, why = self._left.pop(0)
            self._variants.append((self._attempt(text, self.lesson.file_name, self._cases[:1]), text, why))
            yield self._variants[-1]

    def verdict(self, source: str, path: str, ran: Callable[[], None] = lambda: None) -> Verdict:
        """What is told of a reader's source; `ran` is called once its code has come to an end."""
        try:
            if lines := unfilled(source):
                return untouched(lines)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = error.lineno if isinstance(error, SyntaxError) else None
            return stopped(Failure("SyntaxError", str(getattr(error, "msg", error)), line), self.lesson)
        modules = Modules()
        found = self._attempt(source, path, self._cases)
        line = self._made_on(source, path, found)
        modules.restore()
        ran()
        if not isinstance(found, Failure) and all_equal(found, self._expected):
            return right(self.lesson, found, self._expected)
        if isinstance(found, Failure):
            why = "" if found.kind in SLIPS else self._explanation(found)
            told = stopped(replace(found, line=line) if line else found, self.lesson)
            return Verdict(False, told.says, why, told.line)
        why = self._explanation(found)
        return wrong(self.lesson, [case.label for case in self._cases], found, self._expected, why, line)

    def _made_on(self, source: str, path: str, found: Tried) -> int | None:
        """The line that made the first wrong output, if that has another shape or type than it should.

        Of wrong numbers no line is told: they may come from any line above.
        """
        from .glass import made_on

        if isinstance(found, Failure):
            return made_on(source, path, self._cases[len(found.before)]) if found.kind == "WrongType" else None
        if all_equal(found, self._expected):
            return None
        at = first_wrong(found, self._expected)
        is_other = is_of_another_kind(found[at][0], self._expected[at][0])
        return made_on(source, path, self._cases[at]) if is_other else None

    def _explanation(self, found: Tried) -> str:
        """Which known mistake gives just this; if none does, one that gives the same wrong numbers in the first case.

        The second is for readers who have made two mistakes: they hear of one after the other.
        """
        first = outputs_of(found)[:1]
        if not first:
            return next((why for begun, _, why in self._known() if is_same_failure(begun, found)), "")
        is_wrong, one_of_two = not all_equal(first, self._expected[:1]), ""
        for begun, text, why in self._known():
            if isinstance(begun, Failure) or not all_equal(first, begun):
                continue
            if self._is_this(text, begun, found):
                return why
            one_of_two = one_of_two or (why if is_wrong else "")
        return one_of_two

    def _is_this(self, text: str, begun: Sequence[Sequence[Array]], found: Tried) -> bool:
        """Whether a known mistake, which gave `begun` in the first case, gives the same in all others."""
        variant = self._attempt(text, self.lesson.file_name, self._cases[1:])
        outputs, own = [*begun, *outputs_of(variant)], outputs_of(found)
        if len(outputs) != len(own) or not all_equal(own, outputs):
            return False
        return not isinstance(found, Failure) or is_same_failure(variant, found)


def outputs_of(tried: Tried) -> Sequence[Sequence[Array]]:
    """The outputs of the cases that went well."""
    return tried.before if isinstance(tried, Failure) else tried


def is_same_failure(variant: Tried, found: Tried) -> bool:
    """Whether both stop in the same way."""
    if not isinstance(variant, Failure) or not isinstance(found, Failure):
        return False
    return (variant.kind, variant.says) == (found.kind, found.says)


def jobs() -> "queue.Queue[dict[str, Any]]":
    """What the parent asks for, as it comes; when the parent ends, this process does.

    The reader's code finds nothing on standard input.
    """
    asked: queue.Queue[dict[str, Any]] = queue.Queue()
    parent = os.fdopen(os.dup(0), encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)

    def listen() -> None:
        for line in parent:
            asked.put(json.loads(line))
        end_group()

    threading.Thread(target=listen, daemon=True).start()
    return asked


def end_group() -> None:
    """End this process, and all that the reader's code has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def main() -> None:
    """Serve one check: the lesson's number is the argument, the source comes as a line of JSON, so does the verdict.

    It says too when the reader's code begins and has come to an end. If that does not end, where it was is written:
    after a crash, and when the time is up.
    """
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what the reader's code prints goes to standard error
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.dont_write_bytecode = True  # importing an earlier lesson leaves nothing in the reader's folder
    asked = jobs()
    examiner = Examiner(lesson_of(int(sys.argv[1])))
    print(json.dumps({"ready": True}), file=answers, flush=True)
    examiner.prepare(asked.empty)  # while the reader still writes
    job = asked.get()
    print(json.dumps({"begins": True}), file=answers, flush=True)
    limit(job["seconds"])
    faulthandler.enable(answers, all_threads=False)
    faulthandler.dump_traceback_later(job["seconds"], file=answers)

    def ran() -> None:
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_CPU, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        print(json.dumps({"ran": True}), file=answers, flush=True)

    told = examiner.verdict(job["source"], job["path"], ran)
    print(json.dumps(asdict(told)), file=answers, flush=True)
    os._exit(0)  # threads that the reader's code left behind do not matter


if __name__ == "__main__":
    main()
