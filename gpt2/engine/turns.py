"""Taking turns: one forward pass at a time on an engine, first come, first served; each turn is held for one token."""

import threading
import time
from types import TracebackType

from gpt2.trace.timing import timed


class Withdrawn(Exception):
    """A turn was withdrawn before it began; nothing was computed."""


class Turns:
    """A fair FIFO lock: the line of runs that wait for one engine. A pass uses every core, so two at once gain nothing.

    A run asks for a turn for every token and then joins the end of the line again. So nobody gets two turns while
    another run waits for one, and a newcomer waits for at most one pass of each other run. A turn is one pass, however
    long: at the size of GPT-2 small, a prompt of 900 tokens keeps the others waiting for about 3 s, a token for 30 ms.
    That is fair enough, as a run has one prompt and many tokens; if short passes went first, a long prompt might never
    get its turn. A host can limit the length of prompts.
    """

    def __init__(self) -> None:
        """Start with an empty line."""
        self._lock = threading.Lock()
        self._line: list[Turn] = []  # the first one has the lock

    def __len__(self) -> int:
        """The number of turns in the line, including the one in progress."""
        return len(self._line)

    def withdraw(self, stop: threading.Event) -> None:
        """Set `stop`: turns that wait with it end at once with `Withdrawn`, and so do those that join with it later."""
        stop.set()
        with self._lock:
            for turn in self._line:
                if turn.stop is stop:
                    turn.called.set()


class Turn:
    """One turn, as a `with` block: entering waits for the turn, the body has it, and leaving ends it, even by an error.

    Attributes:
        before: the number of turns ahead of it when it joined the line.
        stop: the event that withdraws it; see `Turns.withdraw`.
        called: set when its turn begins, or when it is withdrawn.
        called_at: the end of the wait, in seconds of `time.monotonic`; None until then.
    """

    def __init__(self, turns: Turns, stop: threading.Event | None = None) -> None:
        """Prepare; the turn joins the line when the block is entered."""
        self.before, self.stop, self.called = 0, stop, threading.Event()
        self._turns = turns
        self._joined_at: float | None = None
        self.called_at: float | None = None

    @property
    def waiting(self) -> int:
        """The number of turns ahead of it now; 0 if it is in progress or over, or never joined."""
        with self._turns._lock:
            return self._turns._line.index(self) if self in self._turns._line else 0

    @property
    def seconds(self) -> float:
        """How long it has waited, or had to wait."""
        if self._joined_at is None:
            return 0.0
        return (time.monotonic() if self.called_at is None else self.called_at) - self._joined_at

    def join(self) -> None:
        """Join the end of the line."""
        with self._turns._lock:
            self._joined_at, self.before = time.monotonic(), len(self._turns._line)
            self._turns._line.append(self)
            if not self.before:
                self.called.set()

    @timed("waiting")
    def wait(self) -> None:
        """Return when the turn begins.

        Raises:
            Withdrawn: if it was withdrawn.
        """
        if self.stop is None or not self.stop.is_set():
            self.called.wait()
        self.called_at = time.monotonic()
        if self.stop is not None and self.stop.is_set():
            raise Withdrawn

    def leave(self) -> None:
        """Leave the line from any place in it, and call the first turn in it."""
        with self._turns._lock:
            if self in self._turns._line:
                self._turns._line.remove(self)
            if self._turns._line:
                self._turns._line[0].called.set()

    def __enter__(self) -> "Turn":
        """Join and wait.

        Raises:
            Withdrawn: if it was withdrawn.
        """
        try:
            self.join()
            self.wait()
        except BaseException:  # if anything interrupts the wait, its place in the line must not stay taken
            self.leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        self.leave()
