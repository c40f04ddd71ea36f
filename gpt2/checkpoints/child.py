"""Child processes that run a module of this code: they end with their parent, and if by themselves, it is known why."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any


class Child(subprocess.Popen[str]):
    """A process that is ended when its `with` block is left, however that happens."""

    def __init__(self, command: list[str], variables: Mapping[str, str], stdout: int) -> None:
        """Start `python -m` with this command, a module and its arguments, and these variables in its environment."""
        self._errors = TemporaryFile()  # noqa: SIM115 - closed on leaving
        paths = filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])
        super().__init__(
            # -P: a gpt2.py where the user stands is not this one.
            [sys.executable, "-P", "-m", *command],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=self._errors,
            text=True,
            env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def __exit__(self, *raised: Any) -> None:
        """End it."""
        self.kill()
        with suppress(BrokenPipeError), self._errors:  # what it was told last has reached nobody
            super().__exit__(*raised)

    def last_words(self) -> str:
        """Why it ended by itself: the signal that ended it, or the last line of its standard error."""
        if (status := self.wait()) < 0:
            return f"{signal.strsignal(-status)}, perhaps for want of memory"
        self._errors.seek(0)
        return (self._errors.read().decode(errors="replace").strip() or f"status {status}").splitlines()[-1][:300]


def listen(heard: Callable[[], None] = lambda: None) -> None:
    """In the child: call `heard` whenever the parent says something, and end as soon as the parent has gone.

    The system closes the parent's end of the pipe, whatever ended the parent.
    """

    def wait() -> None:
        while os.read(0, 99):  # not sys.stdin, whose lock this thread would hold while Python shuts down
            heard()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
