"""Child processes that run a module of this package: they end with their parent, and report why if they end alone."""

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
    """A process that is killed when its `with` block is left, even by an exception."""

    def __init__(
        self, command: list[str], variables: Mapping[str, str], stdout: int, leads_group: bool = False
    ) -> None:
        """Start `python -m` with `command` (a module and its arguments) and `variables` added to the environment.

        If it `leads_group`, whatever it starts is killed with it.
        """
        self._leads_group = leads_group
        self._errors = TemporaryFile()  # noqa: SIM115 - closed on leaving
        paths = filter(None, [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH")])
        super().__init__(
            # -P: do not import a gpt2.py from the user's current folder.
            [sys.executable, "-P", "-m", *command],
            stdin=subprocess.PIPE,
            stdout=stdout,
            stderr=self._errors,
            text=True,
            start_new_session=leads_group,
            env={**os.environ, **variables, "PYTHONPATH": os.pathsep.join(paths)},
        )

    def __exit__(self, *raised: Any) -> None:
        """Kill the process."""
        if self._leads_group:
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self.kill()
        with suppress(BrokenPipeError), self._errors:  # the last line written to it was never read
            super().__exit__(*raised)

    def last_words(self) -> str:
        """Why it ended by itself: the name of the signal that killed it, or the last line of its standard error."""
        if (status := self.wait()) < 0:
            return f"{signal.strsignal(-status)}, perhaps for want of memory"
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        # MAX's allocator tells of a limit that it can bear.
        said = [line for line in lines if "external/tcmalloc" not in line]
        return (said or [f"status {status}"])[-1][:300]


def listen(heard: Callable[[], None] = lambda: None, ended: Callable[[], None] = lambda: None) -> None:
    """In the child: call `heard` whenever the parent writes; once the parent has ended, call `ended` and exit.

    The system closes the parent's end of the pipe, however the parent ended.
    """

    def wait() -> None:
        while os.read(0, 99):  # not sys.stdin, whose lock this thread would hold while Python shuts down
            heard()
        ended()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
