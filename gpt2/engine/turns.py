"""Taking turns: one forward pass at a time on an engine, first come first served; a fair lock, held for one token."""

import threading
import time
from types import TracebackType

from gpt2.trace.timing import timed


class Withdrawn(Exception):
    """A turn was given up before it came; nothing was computed."""


class Turns:
    """The line before one engine. A pass uses every core, so two at once would gain nothing.

    A run asks for a turn for every token and then stands at the end again, so that nobody gets two turns while another
    waits for one, and a newcomer waits for at most one pass of each other run. A turn is one pass however long: a
    prompt of 900 tokens keeps the others waiting some 3 s at the size of GPT-2 small, a token 30 ms. That is fair
    enough, as a run has one prompt and many tokens; were short passes let by, long prompts might never be read. A host
    to whom it is too long limits the prompts.
    """

    def __init__(self) -> None:
        """Begin with nobody in the line."""
        self._lock = threading.Lock()
        self._line: list[Turn] = []  # the first has the turn

    def __len__(self) -> int:
        """How many stand in the line, the one whose turn it is included."""
        return len(self._line)

    def withdraw(self, stop: threading.Event) -> None:
        """Set `stop`; whoever waits with it leaves the line at once, and whoever comes with it is turned away."""
        stop.set()
        with self._lock:
            for turn in self._line:
                if turn.stop is stop:
                    turn.called.set()


class Turn:
    """One turn, asked for on entering a `with` block, had inside it, and over when it is left, however it is left.

    Attributes:
        before: how many stood before it when it joined the line.
        stop: what it is withdrawn with; see `Turns.withdraw`.
        called: set when its time has come, or when it is withdrawn.
        came: when the wait was over, in seconds of `time.monotonic`; None until then.
    """

    def __init__(self, turns: Turns, stop: threading.Event | None = None) -> None:
        """Prepare; it joins the line when the block is entered."""
        self.before, self.stop, self.called = 0, stop, threading.Event()
        self._turns = turns
        self._asked: float | None = None
        self.came: float | None = None

    @property
    def waiting(self) -> int:
        """How many are before it now; 0 where its time has come, is over, or was never asked for."""
        with self._turns._lock:
            return self._turns._line.index(self) if self in self._turns._line else 0

    @property
    def seconds(self) -> float:
        """How long it has waited, or had to wait."""
        if self._asked is None:
            return 0.0
        return (time.monotonic() if self.came is None else self.came) - self._asked

    def join(self) -> None:
        """Stand at the end of the line."""
        with self._turns._lock:
            self._asked, self.before = time.monotonic(), len(self._turns._line)
            self._turns._line.append(self)
            if not self.before:
                self.called.set()

    @timed("waiting")
    def wait(self) -> None:
        """Return when its time has come.

        Raises:
            Withdrawn: if it was withdrawn.
        """
        if self.stop is None or not self.stop.is_set():
            self.called.wait()
        self.came = time.monotonic()
        if self.stop is not None and self.stop.is_set():
            raise Withdrawn

    def leave(self) -> None:
        """Leave the line, wherever it stands; the next is called."""
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
        except BaseException:  # whatever ends the wait must not leave a place in the line that nobody fills
            self.leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave."""
        self.leave()
